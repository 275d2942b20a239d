// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "maquette/io/file.hpp"

namespace maquette_test {

inline std::string data_file(const std::string& name) {
  return std::string(MAQUETTE_SOURCE_DIR) + "/tests/data/" + name;
}

inline std::vector<std::byte> data_bytes(const std::string& name) {
  return std::move(*maquette::read_file(data_file(name)));
}

/// Where tests write: a folder of their own, or the one that MAQUETTE_WRITTEN names, for
/// tests/data/check_written.py to look at.
inline std::string written_file(const std::string& name) {
  const char* chosen = std::getenv("MAQUETTE_WRITTEN");
  const std::filesystem::path folder =
      chosen != nullptr ? std::filesystem::path(chosen)
                        : std::filesystem::temp_directory_path() / "maquette_written";
  std::filesystem::create_directories(folder);
  return (folder / name).string();
}

inline bool mentions(const std::string& message, const std::string& part) {
  return message.find(part) != std::string::npos;
}

}  // namespace maquette_test
