// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace maquette::detail {

/// A piece of a sentence: a text, or a number as std::to_string writes it.
class sentence_part {
 public:
  sentence_part(const char* text) : text_(text), what_(kind::text) {}
  sentence_part(std::string_view text) : text_(text), what_(kind::text) {}
  sentence_part(const std::string& text) : text_(text), what_(kind::text) {}
  template <std::integral Number>
  sentence_part(Number number)
      : whole_(static_cast<std::int64_t>(number)),
        what_(std::is_signed_v<Number> ? kind::whole : kind::natural) {}
  sentence_part(char) = delete;  // a letter, not its number: write a text
  sentence_part(double number) : real_(number), what_(kind::real) {}

  [[gnu::cold]] void append_to(std::string& sentence) const {
    switch (what_) {
      case kind::text:
        sentence += text_;
        break;
      case kind::whole:
        sentence += std::to_string(whole_);
        break;
      case kind::natural:
        sentence += std::to_string(static_cast<std::uint64_t>(whole_));
        break;
      case kind::real:
        sentence += std::to_string(real_);
        break;
    }
  }

 private:
  enum class kind { text, whole, natural, real };
  union {
    std::string_view text_;
    std::int64_t whole_;
    double real_;
  };
  kind what_;
};

/// Puts an error's sentence together: one function for all of them, since a chain of `+` is several
/// hundred bytes of code.
[[gnu::cold, gnu::noinline]] inline std::string sentence(
    std::initializer_list<sentence_part> parts) {
  std::string whole;
  for (const sentence_part& part : parts) part.append_to(whole);
  return whole;
}

}  // namespace maquette::detail
