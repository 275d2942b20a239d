// SPDX-License-Identifier: Apache-2.0
// The main program with every kind of bad input: one sentence that names the file, a failure, and
// nothing left behind that looks like a result.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "../support/weights_file.hpp"
#include "maquette/io/file.hpp"
#include "maquette/io/image.hpp"
#include "maquette/io/npz.hpp"
#include "maquette/io/npz_writer.hpp"
#include "maquette/io/png_writer.hpp"

namespace fs = std::filesystem;
using namespace maquette;

namespace {

using bytes = std::vector<std::byte>;

const std::string data = MAQUETTE_SOURCE_DIR "/tests/data/";
const std::string good_body = MAQUETTE_SOURCE_DIR "/weights/body.npz";

/// A folder of its own for the run of this program, with the good files that the cases start from.
struct workshop {
  fs::path folder = fs::temp_directory_path() / ("maquette_cli_" + std::to_string(::getpid()));
  synthetic::weights_file weights = synthetic::complete_weights(true);

  workshop() {
    fs::remove_all(folder);
    fs::create_directories(folder);
    synthetic::answer_self_test(weights);
    write("good.safetensors", weights.bytes());
    image photo{48, 64, {}};
    for (std::int32_t i = 0; i < 48 * 64 * 3; ++i)
      photo.pixels.push_back(static_cast<std::uint8_t>(i * 31 % 253));
    REQUIRE(write_png(path("good.png"), photo));
  }
  workshop(const workshop&) = delete;
  workshop& operator=(const workshop&) = delete;
  ~workshop() { fs::remove_all(folder); }

  [[nodiscard]] std::string path(const std::string& name) const { return (folder / name).string(); }
  void write(const std::string& name, const bytes& content) const {
    REQUIRE(write_file(path(name), std::span<const std::byte>(content)));
  }
  [[nodiscard]] bytes read(const std::string& file) const {
    auto content = read_file(file);
    REQUIRE(content);
    return std::move(*content);
  }
};

const workshop& shop() {
  static const workshop made;
  return made;
}

struct outcome {
  int status = -1;
  std::string out;
  std::string err;
  std::vector<std::string> results;  ///< what lies in the folder of results, hidden files too
};

std::string quoted(const std::string& text) { return "'" + text + "'"; }

std::string text_of(const std::string& path) {
  const bytes content = shop().read(path);
  return {reinterpret_cast<const char*>(content.data()), content.size()};
}

outcome run(const std::vector<std::string>& arguments, const std::string& folder = "results") {
  const std::string results = shop().path(folder);
  if (folder == "results") fs::remove_all(results);
  std::string command = quoted(MAQUETTE_PROGRAM) + " --threads 2 --out " + quoted(results);
  for (const std::string& argument : arguments) command += ' ' + quoted(argument);
  command += " >" + quoted(shop().path("stdout")) + " 2>" + quoted(shop().path("stderr"));
  outcome found;
  const int status = std::system(command.c_str());
  found.status = WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
  found.out = text_of(shop().path("stdout"));
  found.err = text_of(shop().path("stderr"));
  if (fs::exists(results))
    for (const auto& entry : fs::directory_iterator(results))
      found.results.push_back(entry.path().filename().string());
  std::sort(found.results.begin(), found.results.end());
  return found;
}

outcome run_with(const std::string& weights, const std::string& body, const std::string& photo) {
  return run({"--weights", weights, "--body", body, photo});
}

/// One sentence on one line that holds these words, a failure that is no crash, no results.
void check_refused(const outcome& found, const std::string& name,
                   const std::vector<std::string>& words) {
  CAPTURE(found.err);
  CHECK(found.status > 0);
  CHECK(found.status < 100);
  CHECK(std::count(found.err.begin(), found.err.end(), '\n') == 1);
  CHECK(found.err.find(name) != std::string::npos);
  for (const std::string& word : words) {
    CAPTURE(word);
    CHECK(found.err.find(word) != std::string::npos);
  }
  CHECK(found.results.empty());
}

void check_bad_photo(const std::string& photo, const std::vector<std::string>& words) {
  check_refused(run_with(shop().path("good.safetensors"), good_body, photo),
                fs::path(photo).filename().string(), words);
}

void check_bad_weights(const std::string& name, const bytes& content,
                       const std::vector<std::string>& words) {
  shop().write(name, content);
  check_refused(run_with(shop().path(name), good_body, shop().path("good.png")), name, words);
}

void check_bad_body(const std::string& name, const bytes& content,
                    const std::vector<std::string>& words) {
  shop().write(name, content);
  check_refused(
      run_with(shop().path("good.safetensors"), shop().path(name), shop().path("good.png")), name,
      words);
}

void check_good_photo(const std::string& photo) {
  const outcome found = run_with(shop().path("good.safetensors"), good_body, photo);
  CAPTURE(found.err);
  CHECK(found.status == 0);
  CHECK(found.results == std::vector{fs::path(photo).stem().string()});
}

bytes of_text(const std::string& text) {
  const auto* first = reinterpret_cast<const std::byte*>(text.data());
  return {first, first + text.size()};
}

/// A safetensors file with a header as given and this many bytes of data.
bytes raw_safetensors(const std::string& header, std::size_t data_size) {
  const std::uint64_t length = header.size();
  bytes file(8);
  std::memcpy(file.data(), &length, 8);
  const bytes text = of_text(header);
  file.insert(file.end(), text.begin(), text.end());
  file.resize(file.size() + data_size);
  return file;
}

bytes with_change(const std::function<void(synthetic::weights_file&)>& change) {
  synthetic::weights_file changed = shop().weights;
  change(changed);
  return changed.bytes();
}

/// The default body's arrays with one of them replaced.
bytes body_with(const std::string& key, const std::function<void(npy_array&)>& change) {
  const auto archive = npz::open(good_body);
  REQUIRE(archive);
  std::vector<npz_entry> entries;
  for (const std::string& name : archive->names()) {
    auto array = archive->read(name);
    if (!array || array->is_text) continue;
    if (name == key) change(*array);
    entries.push_back({name, std::move(*array)});
  }
  auto encoded = encode_npz(entries);
  REQUIRE(encoded);
  return std::move(*encoded);
}

}  // namespace

TEST_CASE("a good photo gives a whole folder") {
  const outcome found =
      run({"--weights", shop().path("good.safetensors"), shop().path("good.png")});
  CAPTURE(found.err);
  REQUIRE(found.status == 0);
  CHECK(found.err.empty());
  REQUIRE(found.results == std::vector<std::string>{"good"});
  const fs::path folder = fs::path(shop().path("results")) / "good";
  for (const char* name : {"person.glb", "person.obj", "overlay.png", "silhouette.png",
                           "body_silhouette.png", "result.json"}) {
    CAPTURE(name);
    CHECK(fs::exists(folder / name));
    CHECK(fs::file_size(folder / name) > 0);
  }
  const std::string json = text_of((folder / "result.json").string());
  for (const char* key :
       {"photo", "image_size", "box", "joints", "pose", "shape", "translation", "focal",
        "joints_3d", "projected_joints", "milliseconds", "find", "human2d", "fit", "render"}) {
    CAPTURE(key);
    CHECK(json.find('"' + std::string(key) + '"') != std::string::npos);
  }
  const auto mask = read_image((folder / "silhouette.png").string());
  REQUIRE(mask);
  CHECK(mask->width == 48);
  CHECK(mask->height == 64);
}

TEST_CASE("grey, transparent and 16-bit pictures work") {
  for (const char* name : {"grey.png", "grey.jpg", "alpha.png", "sixteen.png", "rgb.bmp"}) {
    CAPTURE(name);
    check_good_photo(data + name);
  }
}

TEST_CASE("bad pictures") {
  const workshop& in = shop();
  check_bad_photo(in.path("missing.png"), {"cannot be opened"});
  in.write("empty.jpg", {});
  check_bad_photo(in.path("empty.jpg"), {"empty"});
  bytes half = in.read(in.path("good.png"));
  half.resize(half.size() / 2);
  in.write("half.png", half);
  check_bad_photo(in.path("half.png"), {"picture"});
  bytes jpeg = in.read(data + "grey.jpg");
  jpeg.resize(jpeg.size() / 2);
  in.write("half.jpg", jpeg);
  check_bad_photo(in.path("half.jpg"), {"cut short"});
  in.write("flat.ppm", of_text("P6\n0 12\n255\n"));
  check_bad_photo(in.path("flat.ppm"), {"no pixels"});
  in.write("words.png", of_text("this is not a picture"));
  check_bad_photo(in.path("words.png"), {"expected a PNG"});
  check_bad_photo(data + "hundred_megapixels.png", {"expected", "10000 x 10000"});
}

TEST_CASE("nobody in the picture") {
  synthetic::weights_file sceptic = synthetic::complete_weights(false);
  synthetic::answer_self_test(sceptic);
  shop().write("sceptic.safetensors", sceptic.bytes());
  check_refused(run_with(shop().path("sceptic.safetensors"), good_body, shop().path("good.png")),
                "good.png", {"expected a person, found none"});
}

TEST_CASE("weights that are for research only say so") {
  shop().write("research.safetensors",
               with_change([](auto& file) { file.metadata["licence"] = "research only"; }));
  const outcome found =
      run_with(shop().path("research.safetensors"), good_body, shop().path("good.png"));
  CHECK(found.status == 0);
  CHECK(found.err.find("research.safetensors: these weights are for research only") !=
        std::string::npos);
}

TEST_CASE("bad weights") {
  bytes truncated = shop().read(shop().path("good.safetensors"));
  truncated.resize(truncated.size() / 2);
  check_bad_weights("truncated.safetensors", truncated, {"ends at byte"});
  check_bad_weights("short.safetensors", bytes(5), {"8 bytes"});
  check_bad_weights("paper.safetensors", with_change([](auto& file) {
                      file.metadata["human2d"] =
                          R"({"joints": 16, "features": 256, "stacks": 2, "modules": 3})";
                    }),
                    {"expected", "96 features", "256 features"});
  check_bad_weights("nan.safetensors", with_change([](auto& file) {
                      file.tensors.at("human2d.stem.conv.weight").values[3] =
                          std::numeric_limits<float>::quiet_NaN();
                    }),
                    {"human2d.stem.conv.weight", "nan", "finite"});
  check_bad_weights("other.safetensors", with_change([](auto& file) {
                      auto& tensor = file.tensors.at("pose_prior.output.bias");
                      tensor.values.resize(69);
                      tensor.shape = tensor_shape(69);
                    }),
                    {"pose_prior.output.bias", "[69]", "[144]"});
  check_bad_weights("overlap.safetensors",
                    raw_safetensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                                    R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                                    12),
                    {"'b'", "expected"});
  check_bad_weights(
      "outside.safetensors",
      raw_safetensors(R"({"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}})", 8),
      {"'a'", "36"});
  bytes huge(16);
  const std::uint64_t length = std::uint64_t{1} << 60;
  std::memcpy(huge.data(), &length, 8);
  check_bad_weights("huge.safetensors", huge, {"header", "16 MB"});
  check_bad_weights("empty.safetensors", {}, {"8 bytes"});
  check_refused(run_with(shop().path("none.safetensors"), good_body, shop().path("good.png")),
                "none.safetensors", {"cannot be opened"});
}

TEST_CASE("bad bodies") {
  const bytes whole = shop().read(good_body);
  check_bad_body("truncated.npz", bytes(whole.begin(), whole.begin() + 1000), {"zip archive"});
  check_bad_body("objects.npz", shop().read(data + "objects.npz"), {"not a body"});
  check_bad_body("shape.npz",
                 body_with("v_template",
                           [](npy_array& array) {
                             array.shape = tensor_shape(array.shape[0] * array.shape[1]);
                           }),
                 {"v_template", "expected"});
  bytes liar = whole;
  // The central directory's record of the first member: sizes at 20 and 24 behind the signature.
  const std::array signature{std::byte{'P'}, std::byte{'K'}, std::byte{1}, std::byte{2}};
  const auto record = std::search(liar.begin(), liar.end(), signature.begin(), signature.end());
  REQUIRE(record != liar.end());
  const std::uint32_t lie = 0x7FFFFFF0;
  std::memcpy(&*record + 24, &lie, 4);
  check_bad_body("liar.npz", liar, {});
}

TEST_CASE("one bad photo of several stops neither the others nor the failure") {
  const std::string good = shop().path("good.png");
  const std::string missing = shop().path("missing.png");
  fs::create_directories(shop().path("second"));
  fs::copy_file(good, shop().path("second/good.png"), fs::copy_options::overwrite_existing);
  const outcome found =
      run({"--weights", shop().path("good.safetensors"), good, missing, shop().path("second")});
  CAPTURE(found.err);
  CHECK(found.status == 1);
  CHECK(found.err.find("maquette: " + missing) != std::string::npos);
  // Two photos of the same name do not overwrite each other.
  CHECK(found.results == std::vector<std::string>{"good", "good-2"});
}

TEST_CASE("what is not ours is not overwritten") {
  const fs::path folder = shop().path("mine");
  fs::create_directories(folder / "good");
  shop().write("mine/good/letter.txt", of_text("dear reader"));
  const outcome found =
      run({"--weights", shop().path("good.safetensors"), shop().path("good.png")}, "mine");
  CHECK(found.status == 1);
  CHECK(found.err.find((folder / "good").string()) != std::string::npos);
  CHECK(fs::exists(folder / "good" / "letter.txt"));
}

TEST_CASE(
    "what a killed run left beside its folder is cleared away, what a living one writes is not") {
  const std::string own = ".good." + std::to_string(::getpid()) + ".partial";
  fs::create_directories(fs::path(shop().path("again")) / ".good.999999999.partial");
  fs::create_directories(fs::path(shop().path("again")) / own);
  const outcome found =
      run({"--weights", shop().path("good.safetensors"), shop().path("good.png")}, "again");
  CHECK(found.status == 0);
  CHECK(found.results == std::vector<std::string>{own, "good"});
}

TEST_CASE("bad options and help") {
  const std::string good = shop().path("good.png");
  CHECK(run({}).status != 0);
  CHECK(run({"--box", "1,2,3", good}).status != 0);
  CHECK(run({"--box", "1,2,30,40", good, good}).status != 0);
  CHECK(run({"--focal", "-3", good}).status != 0);
  CHECK(run({"--distance", "3", good}).status != 0);
  CHECK(run({"--focal", "400", "--distance", "0", good}).status != 0);
  CHECK(run({"--threads", "0", good}).status != 0);
  const outcome help = run({"--help"});
  CHECK(help.status == 0);
  CHECK(help.out.find("Examples:") != std::string::npos);
}
