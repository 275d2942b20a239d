// SPDX-License-Identifier: Apache-2.0
#include "maquette/io/file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <thread>

#include "io_support.hpp"

using namespace maquette;
using namespace maquette_test;

TEST_CASE("a file is written whole and read back, by reading and by mapping") {
  const std::string path = written_file("whole.bin");
  std::vector<std::byte> bytes(200'000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 7);
  REQUIRE(write_file(path, bytes));
  CHECK(*read_file(path) == bytes);
  result<mapped_file> mapped = mapped_file::open(path);
  REQUIRE(mapped);
  const mapped_file moved = std::move(*mapped);
  CHECK(std::equal(moved.bytes().begin(), moved.bytes().end(), bytes.begin(), bytes.end()));
  CHECK(read_file(path, 1000).error().code == errc::unsupported);

  REQUIRE(write_file(path, std::string_view("short")));  // replaces
  CHECK(read_file(path)->size() == 5);
  REQUIRE(write_file(path, std::string_view()));
  CHECK(read_file(path)->empty());
  CHECK(mapped_file::open(path)->bytes().empty());
}

TEST_CASE("a file that is not there, or is a folder, gives one sentence with its name") {
  const auto missing = mapped_file::open("no/such/file");
  REQUIRE(!missing);
  CHECK(missing.error().code == errc::not_found);
  CHECK(mentions(missing.error().message, "no/such/file"));
  const std::string folder = std::filesystem::temp_directory_path().string();
  CHECK(read_file(folder).error().code == errc::unreadable);
  CHECK(mapped_file::open(folder).error().code == errc::unreadable);
}

TEST_CASE("a failed write leaves nothing behind") {
  CHECK(write_file("no/such/folder/file", std::string_view("x")).error().code == errc::unwritable);
  const std::filesystem::path folder = written_file("occupied");
  std::filesystem::create_directories(folder / "inner");
  CHECK(write_file(folder.string(), std::string_view("x")).error().code == errc::unwritable);
  for (const auto& entry : std::filesystem::directory_iterator(folder.parent_path()))
    CHECK(!mentions(entry.path().string(), "occupied."));  // what it writes to has a longer name
  std::filesystem::remove_all(folder);
}

TEST_CASE("what replaces a file keeps its permissions and the link that leads to it") {
  const std::string path = written_file("kept.bin");
  const std::string link = path + ".link";
  std::filesystem::remove(link);
  REQUIRE(write_file(path, std::string_view("old")));
  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  std::filesystem::create_symlink(path, link);
  REQUIRE(write_file(link, std::string_view("new one")));
  CHECK(std::filesystem::is_symlink(link));
  CHECK(read_file(path)->size() == 7);
  struct ::stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777U) == 0640U);
  std::filesystem::remove(link);
  CHECK(write_file("/dev/null", std::string_view("x")));
  CHECK(std::filesystem::is_character_file("/dev/null"));
}

TEST_CASE("many may write one file, and one of them is found whole") {
  const std::string path = written_file("contested.bin");
  const std::vector<std::byte> ones(300'000, std::byte{1});
  const std::vector<std::byte> twos(200'000, std::byte{2});
  const auto write = [&](const std::vector<std::byte>& bytes) {
    bool written = true;
    for (int i = 0; i < 20; ++i) written = written && static_cast<bool>(write_file(path, bytes));
    return written;
  };
  bool other = false;
  std::thread writer([&] { other = write(twos); });
  const bool own = write(ones);
  writer.join();
  CHECK(own);
  CHECK(other);
  const std::vector<std::byte> found = *read_file(path);
  CHECK((found == ones || found == twos));
}

TEST_CASE("a device is read like any stream") {
  const auto nothing = mapped_file::open("/dev/null");
  REQUIRE(nothing);
  CHECK(nothing->bytes().empty());
}

TEST_CASE("a named pipe gives what was written to it") {
  const std::string path = written_file("pipe");
  std::filesystem::remove(path);
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  std::thread writer([&] {
    std::FILE* const file = std::fopen(path.c_str(), "wb");
    std::fputs("hello", file);
    std::fclose(file);
  });
  const auto read = mapped_file::open(path);
  writer.join();
  REQUIRE(read);
  CHECK(read->bytes().size() == 5);
  std::filesystem::remove(path);
}
