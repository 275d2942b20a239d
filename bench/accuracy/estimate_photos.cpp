// SPDX-License-Identifier: Apache-2.0
// Runs the estimator over a list of photos and writes what it found, a line of JSON a photo, for
// report.py to measure. What Human2D saw can be kept, changed by others and taken up again.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "../../examples/pictures.hpp"
#include "../../examples/result_folder.hpp"
#include "../../examples/thread_pool.hpp"
#include "maquette/estimator.hpp"
#include "maquette/io/image.hpp"
#include "maquette/io/png_writer.hpp"

using namespace maquette;

namespace {

struct settings {
  std::string list;
  std::string out;
  std::string masks;
  std::string overlays;
  std::string keep_readings;
  std::string readings;
  std::string weights = MAQUETTE_SOURCE_DIR "/weights/maquette.safetensors";
  std::string body = MAQUETTE_SOURCE_DIR "/weights/body.npz";
  unsigned threads = 0;
  bool keep_network_pose = false;
  bool look_once = false;
  bool upright_only = false;
  bool quarter_cell = false;
  bool bfloat16 = false;
  bool int8 = false;
};

/// One line of the list: a photo and, where they are known, the person's box (left, top, right,
/// bottom), the focal length in pixels and the distance in metres, separated by tabs.
struct listed_photo {
  std::string path;
  std::optional<image_box> box;
  std::optional<double> focal;
  std::optional<double> distance;
};

result<std::vector<listed_photo>> read_list(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    return error{errc::not_found, path + ": expected a list of photos, found no such file"};
  std::vector<listed_photo> photos;
  for (std::string line; std::getline(file, line);) {
    const std::size_t tab = line.find('\t');
    listed_photo photo{line.substr(0, tab), {}, {}, {}};
    if (tab != std::string::npos) {
      image_box box{};
      std::istringstream numbers(line.substr(tab));
      if (!(numbers >> box.left >> box.top >> box.right >> box.bottom))
        return error{errc::malformed,
                     path + ": expected a photo and four numbers, found '" + line + "'"};
      photo.box = box;
      if (double number = 0; numbers >> number) photo.focal = number;
      if (double number = 0; numbers >> number) photo.distance = number;
    }
    photos.push_back(std::move(photo));
  }
  return photos;
}

/// A reading in a file: 16 x 3 of x, y in [-1, 1] of the crop and confidence, then 64 x 64
/// probabilities of body, float32.
void write_reading(std::ofstream& file, const crop_reading& reading) {
  const auto write = [&](const auto& values) {
    file.write(reinterpret_cast<const char*>(values.data()),
               static_cast<std::streamsize>(sizeof(float) * values.size()));
  };
  write(reading.joints);
  write(reading.body);
}

bool read_reading(std::ifstream& file, crop_reading& reading) {
  const auto read = [&](auto& values) {
    file.read(reinterpret_cast<char*>(values.data()),
              static_cast<std::streamsize>(sizeof(float) * values.size()));
  };
  read(reading.joints);
  read(reading.body);
  return static_cast<bool>(file);
}

result<void> write_masks(const std::string& stem, const image& photo, const estimate& found,
                         const body_model& body) {
  const auto write = [&](const char* what, const std::vector<std::uint8_t>& mask) {
    return write_png(stem + what, photo.width, photo.height, 1, mask);
  };
  if (auto done = write(".seen.png", draw_seen_silhouette(photo, found)); !done) return done;
  return write(".body.png", draw_body_silhouette(photo, found, body));
}

/// Everything, with this kind of estimator.
template <class Estimator>
int run(const settings& chosen) {
  const auto fail = [](const error& e) {
    std::fprintf(stderr, "estimate_photos: %s\n", e.message.c_str());
    return 1;
  };
  const result<std::vector<listed_photo>> photos = read_list(chosen.list);
  if (!photos) return fail(photos.error());
  thread_pool pool(chosen.threads != 0 ? chosen.threads : usable_processors());
  const result<Estimator> person = Estimator::load(chosen.weights, chosen.body, {.threads = pool});
  if (!person) return fail(person.error());
  typename Estimator::workspace_type memory = person->make_workspace();
  estimate found;
  std::ofstream out(chosen.out);
  std::ofstream kept;
  if (!chosen.keep_readings.empty()) kept.open(chosen.keep_readings, std::ios::binary);
  std::ifstream given;
  if (!chosen.readings.empty()) {
    given.open(chosen.readings, std::ios::binary);
    if (!given) return fail({errc::not_found, chosen.readings + ": expected readings, found none"});
  }
  for (std::size_t i = 0; i < photos->size(); ++i) {
    const listed_photo& listed = (*photos)[i];
    const result<image> photo = read_image(listed.path);
    if (!photo) return fail(photo.error());
    const estimate_options options{.box = listed.box,
                                   .focal = listed.focal,
                                   .distance = listed.distance,
                                   .flip_average = !chosen.look_once,
                                   .look_turned = !chosen.upright_only,
                                   .decoding = chosen.quarter_cell ? joint_decoding::quarter_cell
                                                                   : joint_decoding::soft_argmax,
                                   .refine = !chosen.keep_network_pose};
    const auto estimated = [&]() -> result<void> {
      if (!given.is_open()) return (*person)(*photo, options, memory, found, {pool});
      crop_reading reading;
      if (!listed.box || !read_reading(given, reading))
        return error{errc::malformed,
                     listed.path + ": expected a box and a reading, found only one of them"};
      reading.crop = crop_around(*listed.box);
      return person->from_reading(reading, photo->width, photo->height, options, memory, found,
                                  {pool});
    };
    nlohmann::ordered_json line;
    const result<void> done = estimated();
    if (kept.is_open()) write_reading(kept, memory.reading);
    if (!done) {
      line = {{"photo", listed.path}, {"error", done.error().message}};
    } else {
      line = result_json(listed.path, *photo, found);
      if (!chosen.masks.empty())
        if (auto written =
                write_masks(chosen.masks + "/" + std::to_string(i), *photo, found, person->body());
            !written)
          return fail(written.error());
      if (!chosen.overlays.empty())
        if (auto written = write_png(chosen.overlays + "/" + std::to_string(i) + ".png",
                                     draw_overlay(*photo, found, person->body()));
            !written)
          return fail(written.error());
    }
    out << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
  }
  out.flush();
  return out ? 0 : fail({errc::unwritable, chosen.out + ": could not be written"});
}

/// Of the size of the weights that run.sh measures.
template <arithmetic How, int Joints, int Features, int Stacks, int Modules, int DeepModules>
using estimator_of =
    basic_estimator<human2d<Joints, Features, Stacks, Modules, 256, How, DeepModules>>;
template <arithmetic How>
using measured = estimator_of<How, MAQUETTE_PHOTOS_ARCHITECTURE>;

}  // namespace

int main(int count, char** arguments) {
  settings chosen;
  CLI::App program("Estimates every photo of a list.", "estimate_photos");
  program
      .add_option("--list", chosen.list,
                  "a photo a line; its box: left top right bottom; focal length; distance")
      ->required();
  program.add_option("--out", chosen.out, "what was found, a line of JSON a photo")->required();
  program.add_option("--masks", chosen.masks, "folder for NUMBER.seen.png and NUMBER.body.png");
  program.add_option("--overlays", chosen.overlays, "folder for NUMBER.png, see draw_overlay");
  program.add_option("--keep-readings", chosen.keep_readings,
                     "file for what was seen: 48 + 4096 floats a photo");
  program.add_option("--readings", chosen.readings, "such a file, taken instead of looking");
  program.add_option("--weights", chosen.weights, "trained networks")->capture_default_str();
  program.add_option("--body", chosen.body, "body model")->capture_default_str();
  program.add_option("--threads", chosen.threads,
                     "threads to use; default: one for each usable processor");
  program.add_flag("--no-refine", chosen.keep_network_pose, "keep the networks' pose");
  program.add_flag("--no-flip", chosen.look_once, "do not look at the mirrored photo as well");
  program.add_flag("--upright-only", chosen.upright_only,
                   "do not look at the turned photo where nobody is clearly seen");
  program.add_flag("--quarter-cell", chosen.quarter_cell, "read joints to a quarter of a cell");
  CLI::Option* const bfloat16 =
      program.add_flag("--bfloat16", chosen.bfloat16, "Human2D's products in bfloat16");
  program.add_flag("--int8", chosen.int8, "its 1x1 products in eight bits, the others in bfloat16")
      ->excludes(bfloat16);
  CLI11_PARSE(program, count, arguments);
  try {
    if (chosen.int8) return run<measured<arithmetic::int8>>(chosen);
    if (chosen.bfloat16) return run<measured<arithmetic::bfloat16>>(chosen);
    return run<measured<arithmetic::float32>>(chosen);
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "estimate_photos: %s\n", exception.what());
    return 2;
  }
}
