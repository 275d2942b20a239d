// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <variant>

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
/// the only way that a bad file or a bad picture reaches the caller.
template <class T>
class [[nodiscard]] result {
 public:
  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  result(maquette::error e) : state_(std::in_place_index<1>, std::move(e)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & {
    MAQUETTE_ASSERT(has_value(), "result::value of a failed result");
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    MAQUETTE_ASSERT(has_value(), "result::value of a failed result");
    return *std::get_if<0>(&state_);
  }
  T&& value() && { return std::move(value()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const maquette::error& error() const {
    MAQUETTE_ASSERT(!has_value(), "result::error of a successful result");
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, maquette::error> state_;
};

/// Success without a value, or the reason of the failure.
template <>
class [[nodiscard]] result<void> {
 public:
  result() = default;
  result(maquette::error e) : error_(std::move(e)) {}

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
