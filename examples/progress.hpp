// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <string>

/// How far a run over several files has come, on stderr: a bar on a terminal, a line a file
/// otherwise, nothing for a single file.
class progress {
 public:
  explicit progress(std::size_t total) : total_(total), terminal_(::isatty(STDERR_FILENO) == 1) {}
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress() { clear(); }

  /// The next file begins.
  void begin(const std::string& name) {
    name_ = name;
    ++current_;
    if (total_ > 1 && !terminal_)
      std::fprintf(stderr, "[%zu/%zu] %s\n", current_, total_, name_.c_str());
    draw();
  }

  /// A line on stdout or stderr above the bar.
  void say(std::FILE* where, const std::string& line) {
    clear();
    std::fprintf(where, "%s\n", line.c_str());
    std::fflush(where);
    draw();
  }

 private:
  void draw() const {
    if (total_ < 2 || !terminal_) return;
    constexpr std::size_t width = 30;
    const std::size_t filled = width * (current_ - 1) / total_;
    const std::string bar = std::string(filled, '#') + std::string(width - filled, '.');
    std::fprintf(stderr, "\r\033[K[%s] %zu/%zu %.60s", bar.c_str(), current_, total_,
                 name_.c_str());
    std::fflush(stderr);
  }
  void clear() const {
    if (total_ > 1 && terminal_) std::fputs("\r\033[K", stderr);
  }

  std::size_t total_;
  std::size_t current_ = 0;
  bool terminal_;
  std::string name_;
};
