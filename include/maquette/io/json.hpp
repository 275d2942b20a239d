// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace maquette::detail {

/// A cursor over the part of JSON that weight files use: strings, unsigned integers, punctuation.
///
/// Every call either consumes what it names or returns false; nothing recurses, so no input can
/// exhaust the stack.
class json_cursor {
 public:
  explicit json_cursor(std::string_view text) : text_(text) {}

  std::size_t position() const { return position_; }

  bool at_end() {
    skip_space();
    return position_ == text_.size();
  }

  /// Consumes one character of punctuation.
  bool consume(char expected) {
    skip_space();
    if (position_ == text_.size() || text_[position_] != expected) return false;
    ++position_;
    return true;
  }

  /// Consumes a string, escapes resolved to UTF-8.
  [[gnu::cold]] bool string(std::string& value) {
    value.clear();
    if (!consume('"')) return false;
    while (position_ < text_.size()) {
      const char c = text_[position_++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20U) return false;
      if (c != '\\') {
        value += c;
      } else if (!escape(value)) {
        return false;
      }
    }
    return false;
  }

  /// Consumes a non-negative integer without leading zeros that fits 63 bits.
  [[gnu::cold]] bool integer(std::int64_t& value) {
    skip_space();
    const char* first = text_.data() + position_;
    const char* last = text_.data() + text_.size();
    if (first == last || *first < '0' || *first > '9') return false;
    const auto [end, failure] = std::from_chars(first, last, value);
    if (failure != std::errc{} || (*first == '0' && end - first > 1)) return false;
    if (end != last && (*end == '.' || *end == 'e' || *end == 'E')) return false;
    position_ += static_cast<std::size_t>(end - first);
    return true;
  }

 private:
  void skip_space() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n' ||
                                        text_[position_] == '\r' || text_[position_] == '\t'))
      ++position_;
  }

  bool hexadecimal(std::uint32_t& value) {
    if (text_.size() - position_ < 4) return false;
    const char* first = text_.data() + position_;
    const auto [end, failure] = std::from_chars(first, first + 4, value, 16);
    if (failure != std::errc{} || end != first + 4) return false;
    position_ += 4;
    return true;
  }

  [[gnu::cold]] bool escape(std::string& value);

  std::string_view text_;
  std::size_t position_ = 0;
};

/// Appends a code point as UTF-8; false for surrogates and beyond the last plane.
[[gnu::cold]] inline bool append_utf8(std::string& text, std::uint32_t code) {
  const auto push = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80U) {
    push(code);
  } else if (code < 0x800U) {
    push(0xC0U | code >> 6U);
    push(0x80U | (code & 0x3FU));
  } else if (code < 0x10000U) {
    if (code >= 0xD800U && code < 0xE000U) return false;
    push(0xE0U | code >> 12U);
    push(0x80U | (code >> 6U & 0x3FU));
    push(0x80U | (code & 0x3FU));
  } else if (code < 0x110000U) {
    push(0xF0U | code >> 18U);
    push(0x80U | (code >> 12U & 0x3FU));
    push(0x80U | (code >> 6U & 0x3FU));
    push(0x80U | (code & 0x3FU));
  } else {
    return false;
  }
  return true;
}

inline bool json_cursor::escape(std::string& value) {
  if (position_ == text_.size()) return false;
  const char c = text_[position_++];
  constexpr std::string_view letters = "\"\\/bfnrt";
  constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
  if (const std::size_t at = letters.find(c); at != std::string_view::npos) {
    value += meanings[at];
    return true;
  }
  std::uint32_t code = 0;
  if (c != 'u' || !hexadecimal(code)) return false;
  if (code >= 0xD800U && code < 0xDC00U) {  // the first half of a pair
    std::uint32_t low = 0;
    if (text_.substr(position_, 2) != "\\u") return false;
    position_ += 2;
    if (!hexadecimal(low) || low < 0xDC00U || low >= 0xE000U) return false;
    code = 0x10000U + ((code - 0xD800U) << 10U) + (low - 0xDC00U);
  }
  return append_utf8(value, code);
}

/// Appends `value` as a JSON string with its quotes.
inline void append_json_string(std::string& text, std::string_view value) {
  constexpr std::string_view digits = "0123456789abcdef";
  text += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      text += '\\';
      text += c;
    } else if (byte < 0x20U) {
      text += "\\u00";
      text += digits[byte >> 4U];
      text += digits[byte & 0xFU];
    } else {
      text += c;
    }
  }
  text += '"';
}

/// Appends the shortest decimal that reads back as the same float.
[[gnu::noinline]] inline void append_number(std::string& text, float value) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  text.append(digits, end);
}

}  // namespace maquette::detail
