// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <chrono>
#include <fstream>
#include <initializer_list>
#include <iostream>
#include <span>
#include <sstream>
#include <string>
#include <vector>

/// What a worker of the driver (bench/peers/compare.py) says and obeys, until its standard input
/// ends: "run N" prints the milliseconds of N calls on one line, "write FILE" calls once and writes
/// the outputs one after the other as they lie in memory.
template <class Call, class T>
int obey(const Call& call, std::initializer_list<std::span<const T>> outputs) {
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "run") {
      int count = 0;
      words >> count;
      for (int i = 0; i < count; ++i) {
        const auto start = std::chrono::steady_clock::now();
        call();
        const std::chrono::duration<double, std::milli> took =
            std::chrono::steady_clock::now() - start;
        std::cout << took.count() << ' ';
      }
      std::cout << std::endl;
    } else {
      std::string path;
      words >> path;
      call();
      std::ofstream file(path, std::ios::binary);
      for (const std::span<const T> output : outputs)
        file.write(reinterpret_cast<const char*>(output.data()),
                   static_cast<std::streamsize>(output.size_bytes()));
      file.close();
      std::cout << (file ? "written" : "could not be written") << std::endl;
    }
  }
  return 0;
}

/// The numbers of a raw file of float32; none where it cannot be read.
inline std::vector<float> read_floats(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::vector<float> values(file ? static_cast<std::size_t>(file.tellg()) / sizeof(float) : 0);
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

inline int fail(const std::string& message) {
  std::cerr << message << '\n';
  return 1;
}
