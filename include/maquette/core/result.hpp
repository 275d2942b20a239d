// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "maquette/core/assert.hpp"

namespace maquette {

/// What kind of thing went wrong, for programs that branch on it; the sentence is for people.
enum class errc { not_found, unreadable, unwritable, malformed, mismatch, unsupported, no_person };

/// A failure that came from outside the program: one sentence that names the file (and the tensor),
/// what was expected and what was found.
struct error {
  errc code;
  std::string message;
};

/// Either a value or the reason why there is none.
///
/// Test it before use: `if (!r) report(r.error().message);`. The library throws nothing, so this is
/// the only way that a bad file or a bad picture reaches the caller. It is moved, not copied.
template <class T>
class [[nodiscard]] result {
 public:
  result(T value) : has_value_(true), value_(std::move(value)) {}
  [[gnu::cold, gnu::noinline]] result(maquette::error e)
      : has_value_(false), error_(std::move(e)) {}
  result(result&& other) noexcept { take(std::move(other)); }
  result& operator=(result&& other) noexcept {
    if (this == &other) return *this;
    drop();
    take(std::move(other));
    return *this;
  }
  ~result() { drop(); }

  bool has_value() const { return has_value_; }
  explicit operator bool() const { return has_value_; }

  T& value() & {
    MAQUETTE_ASSERT(has_value(), "result::value of a failed result");
    return value_;
  }
  const T& value() const& {
    MAQUETTE_ASSERT(has_value(), "result::value of a failed result");
    return value_;
  }
  T&& value() && { return std::move(value()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const maquette::error& error() const {
    MAQUETTE_ASSERT(!has_value(), "result::error of a successful result");
    return error_;
  }

 private:
  void take(result&& other) noexcept {
    has_value_ = other.has_value_;
    if (has_value_) {
      ::new (static_cast<void*>(&value_)) T(std::move(other.value_));
    } else {
      ::new (static_cast<void*>(&error_)) maquette::error(std::move(other.error_));
    }
  }
  void drop() {
    if (has_value_) {
      value_.~T();
    } else {
      error_.~error();
    }
  }

  // A union by hand: std::variant of every type took a twentieth of a program's compile time.
  bool has_value_;
  union {
    T value_;
    maquette::error error_;
  };
};

/// Success without a value, or the reason of the failure.
template <>
class [[nodiscard]] result<void> {
 public:
  result() = default;
  [[gnu::cold, gnu::noinline]] result(maquette::error e) : error_(std::move(e)) {}

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  const maquette::error& error() const {
    MAQUETTE_ASSERT(!has_value(), "result::error of a successful result");
    return *error_;
  }

 private:
  std::optional<maquette::error> error_;
};

}  // namespace maquette
