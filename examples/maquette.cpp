// SPDX-License-Identifier: Apache-2.0
// The main program: photographs in, SMPL bodies out.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "maquette/estimator.hpp"
#include "maquette/io/image.hpp"
#include "progress.hpp"
#include "result_folder.hpp"
#include "thread_pool.hpp"

namespace fs = std::filesystem;
using namespace maquette;

namespace {

constexpr const char* examples = R"(Each photo gives a folder DIR/NAME/ with
  overlay.png          the body over the photo, the joints found, the body from its side
  person.glb           the body on its skeleton, upright, for any glTF viewer
  person.obj           the same body as a plain mesh, in metres
  silhouette.png       where Human2D sees the person
  body_silhouette.png  where the estimated body is
  result.json          box, joints, pose, shape, camera and the time of each stage

Examples:
  maquette photo.jpg
  maquette --out results --threads 2 photos/ more/portrait.png
  maquette --box 120,40,200,380 group.jpg      the person in this box: left, top, width, height
  maquette --focal 1480 phone.jpg              a camera whose focal length is known, in pixels
  maquette --focal 1480 --distance 3.2 phone.jpg   and how far away the person is, in metres
  maquette --body SMPL_NEUTRAL.npz photo.jpg   another body under SMPL's key names)";

struct settings {
  std::vector<std::string> inputs;
  std::string out = "out";
  std::string weights = MAQUETTE_SOURCE_DIR "/weights/maquette.safetensors";
  std::string body = MAQUETTE_SOURCE_DIR "/weights/body.npz";
  std::vector<double> box;
  std::optional<double> focal;
  std::optional<double> distance;
  unsigned threads = 0;
  bool keep_network_pose = false;
  bool look_once = false;
  bool upright_only = false;
};

/// A message of several lines as one: the first, and how many more there are.
std::string one_sentence(const std::string& message) {
  const std::size_t end = message.find('\n');
  if (end == std::string::npos) return message;
  const auto more = std::count(message.begin(), message.end(), '\n');
  return message.substr(0, end) + " (and " + std::to_string(more) + " more like it)";
}

bool is_picture(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array known{".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm"};
  return std::find(known.begin(), known.end(), extension) != known.end();
}

/// The photos to work on, folders replaced by the pictures in them; complaints about those that
/// hold none.
std::vector<std::string> list_photos(const std::vector<std::string>& inputs,
                                     std::vector<std::string>& complaints) {
  std::vector<std::string> photos;
  for (const std::string& input : inputs) {
    std::error_code failure;
    if (!fs::is_directory(input, failure)) {
      photos.push_back(input);
      continue;
    }
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(input, failure))
      if (entry.is_regular_file(failure) && is_picture(entry.path()))
        found.push_back(entry.path().string());
    if (found.empty())
      complaints.push_back(input +
                           ": expected a folder with PNG, JPEG, BMP, PPM or PGM pictures, "
                           "found none");
    std::sort(found.begin(), found.end());
    photos.insert(photos.end(), found.begin(), found.end());
  }
  return photos;
}

/// The folder of a photo's results: its stem, numbered where another photo of this run has it.
fs::path folder_for(const fs::path& out, const std::string& photo, std::set<std::string>& taken) {
  const std::string stem = fs::path(photo).stem().string();
  std::string name = stem;
  for (int number = 2; !taken.insert(name).second; ++number)
    name = stem + "-" + std::to_string(number);
  return out / name;
}

/// What stays the same from photo to photo.
struct studio {
  const estimator& estimate_body;
  estimator::workspace_type workspace;
  estimate found;
  estimate_options options;
  cpu backend;
};

/// One photo from file to folder.
result<void> process(const std::string& photo_path, const fs::path& folder, studio& with) {
  const result<image> photo = read_image(photo_path);
  if (!photo) return photo.error();
  if (result<void> done =
          with.estimate_body(*photo, with.options, with.workspace, with.found, with.backend);
      !done)
    return error{done.error().code, photo_path + ": " + done.error().message};
  return write_results(folder, photo_path, *photo, with.found, with.workspace.smpl,
                       with.estimate_body.body());
}

int run(const settings& chosen) {
  std::vector<std::string> complaints;
  const std::vector<std::string> photos = list_photos(chosen.inputs, complaints);
  for (const std::string& complaint : complaints)
    std::fprintf(stderr, "maquette: %s\n", complaint.c_str());
  if (photos.empty()) return 1;
  if (!chosen.box.empty() && photos.size() > 1) {
    std::fprintf(stderr, "maquette: --box: expected one photo, found %zu\n", photos.size());
    return 2;
  }

  thread_pool pool(chosen.threads != 0 ? chosen.threads : usable_processors());
  const result<estimator> loaded = estimator::load(chosen.weights, chosen.body, {.threads = pool});
  if (!loaded) {
    std::fprintf(stderr, "maquette: %s\n", one_sentence(loaded.error().message).c_str());
    return 2;
  }
  if (const std::string& licence = loaded->nets().licence;
      licence.find("research") != std::string::npos)
    std::fprintf(stderr, "maquette: %s: these weights are for %s\n", chosen.weights.c_str(),
                 licence.c_str());
  studio with{*loaded,
              loaded->make_workspace(),
              {},
              {.focal = chosen.focal, .distance = chosen.distance},
              {pool}};
  with.options.refine = !chosen.keep_network_pose;
  with.options.flip_average = !chosen.look_once;
  with.options.look_turned = !chosen.upright_only;
  if (!chosen.box.empty()) {
    const std::vector<double>& b = chosen.box;
    with.options.box = image_box{b[0], b[1], b[0] + b[2], b[1] + b[3]};
  }

  std::set<std::string> taken;
  std::size_t failures = complaints.size();
  progress bar(photos.size());
  for (const std::string& photo : photos) {
    bar.begin(photo);
    const fs::path folder = folder_for(chosen.out, photo, taken);
    std::string failure;
    try {
      if (const result<void> done = process(photo, folder, with); !done)
        failure = one_sentence(done.error().message);
    } catch (const std::exception& exception) {
      failure = photo + ": " + exception.what();
    }
    if (failure.empty()) {
      bar.say(stdout, photo + " -> " + folder.string());
    } else {
      ++failures;
      bar.say(stderr, "maquette: " + failure);
    }
  }
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  settings chosen;
  CLI::App program("Turns photographs of a person into SMPL bodies.", "maquette");
  program.footer(examples);
  program
      .add_option("PHOTO", chosen.inputs, "photos (PNG, JPEG, BMP, PPM, PGM) or folders of them")
      ->required();
  program.add_option("--out", chosen.out, "folder of the results")
      ->type_name("DIR")
      ->capture_default_str();
  program.add_option("--weights", chosen.weights, "trained networks, one safetensors file")
      ->type_name("FILE")
      ->capture_default_str();
  program.add_option("--body", chosen.body, "body model, npz with SMPL's key names")
      ->type_name("FILE")
      ->capture_default_str();
  program.add_option("--box", chosen.box, "the person's box in photo pixels; default: search")
      ->type_name("X,Y,W,H")
      ->delimiter(',')
      ->expected(4);
  program.add_option("--focal", chosen.focal, "the photo's focal length in pixels")
      ->type_name("PX")
      ->check(CLI::PositiveNumber);
  program
      .add_option("--distance", chosen.distance,
                  "metres from the camera to the person's pelvis, along the optical axis")
      ->type_name("M")
      ->check(CLI::PositiveNumber)
      ->needs("--focal");
  program.add_flag("--no-refine", chosen.keep_network_pose,
                   "keep the networks' pose, do not bring it onto the joints seen");
  program.add_flag("--no-flip", chosen.look_once,
                   "do not look at the mirrored photo as well: faster, less accurate");
  program.add_flag("--upright-only", chosen.upright_only,
                   "do not look at the turned photo where nobody is clearly seen: faster");
  program
      .add_option("--threads", chosen.threads,
                  "threads to use; default: one for each usable processor")
      ->type_name("N")
      ->check(CLI::Range(1, 256));
  CLI11_PARSE(program, count, arguments);
  try {
    return run(chosen);
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "maquette: %s\n", exception.what());
    return 2;
  }
}
