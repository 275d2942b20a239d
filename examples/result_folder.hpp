// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "maquette/body/skeleton.hpp"
#include "maquette/core/result.hpp"
#include "maquette/core/vertex_normals.hpp"
#include "maquette/estimator.hpp"
#include "maquette/io/glb.hpp"
#include "maquette/io/image.hpp"
#include "maquette/io/mesh.hpp"
#include "maquette/io/obj.hpp"
#include "maquette/io/png_writer.hpp"
#include "pictures.hpp"

/// A folder that appears under its name only when everything in it has been written.
class result_folder {
 public:
  /// A folder of an earlier run is replaced, anything else of that name is left alone.
  explicit result_folder(std::filesystem::path path)
      : path_(std::move(path)), partial_(beside("partial")) {}
  result_folder(const result_folder&) = delete;
  result_folder& operator=(const result_folder&) = delete;
  ~result_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(partial_, ignored);
  }

  /// Where to write, as long as the folder is not complete.
  [[nodiscard]] std::string file(const char* name) const { return (partial_ / name).string(); }

  maquette::result<void> create() const {
    std::error_code failure;
    if (std::filesystem::exists(path_) && !std::filesystem::exists(path_ / "result.json"))
      return maquette::error{
          maquette::errc::unwritable,
          path_.string() + ": expected no such file, or a folder that this program wrote"};
    remove_abandoned();
    std::filesystem::remove_all(partial_, failure);
    std::filesystem::create_directories(partial_, failure);
    if (failure) return unwritable(failure);
    return {};
  }

  maquette::result<void> complete() const {
    const std::filesystem::path old = beside("old");
    std::error_code failure;
    if (std::filesystem::exists(path_)) std::filesystem::rename(path_, old, failure);
    if (!failure) std::filesystem::rename(partial_, path_, failure);
    if (failure) return unwritable(failure);
    std::filesystem::remove_all(old, failure);
    return {};
  }

 private:
  [[nodiscard]] std::filesystem::path beside(const char* what) const {
    return path_.parent_path() /
           ("." + path_.filename().string() + "." + std::to_string(::getpid()) + "." + what);
  }
  /// Removes what runs that were killed in the middle of this folder have left beside it.
  void remove_abandoned() const {
    const std::string prefix = "." + path_.filename().string() + ".";
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(
             path_.has_parent_path() ? path_.parent_path() : ".", ignored)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with(prefix) || !name.ends_with(".partial")) continue;
      char* end = nullptr;
      const long process = std::strtol(name.c_str() + prefix.size(), &end, 10);
      if (process <= 0 || std::string_view(end) != ".partial") continue;
      if (::kill(static_cast<pid_t>(process), 0) == 0 || errno != ESRCH) continue;
      std::filesystem::remove_all(entry.path(), ignored);
    }
  }
  [[nodiscard]] maquette::error unwritable(const std::error_code& failure) const {
    return {maquette::errc::unwritable,
            path_.string() + ": the folder cannot be written: " + failure.message()};
  }

  std::filesystem::path path_;
  std::filesystem::path partial_;
};

/// The body upright for a viewer: y up, feet on the ground, the pelvis above the origin.
///
/// From the camera's frame that is a turn by pi about x behind the translation returned.
inline std::array<float, 3> standing_translation(std::span<const float> vertices,
                                                 const maquette::vec3<float>& pelvis) {
  float lowest = vertices[1];
  for (std::size_t i = 1; i < vertices.size(); i += 3) lowest = std::max(lowest, vertices[i]);
  return {-pelvis.x, -lowest, -pelvis.z};
}

/// person.glb: the skinned body with its pose, and person.obj: the same as a plain mesh.
inline maquette::result<void> write_meshes(const result_folder& folder,
                                           const maquette::estimate& found,
                                           const maquette::smpl_workspace& posed,
                                           const maquette::body_model& body) {
  using namespace maquette;
  const std::array<float, 3> standing =
      standing_translation(found.vertices, posed.rest_joints[smpl24::pelvis]);
  std::vector<float> placed(found.vertices);
  for (std::size_t i = 0; i < placed.size(); ++i) placed[i] += standing[i % 3];
  const std::vector<float> placed_normals = vertex_normals(placed, body.faces);
  if (auto done = write_obj(folder.file("person.obj"), {placed, body.faces, placed_normals},
                            mesh_frame::camera);
      !done)
    return done;

  std::vector<float> weights(body.vertex_count * smpl24::count);
  for (std::size_t v = 0; v < body.vertex_count; ++v)
    for (std::size_t i = v * body.influences; i < (v + 1) * body.influences; ++i)
      weights[v * smpl24::count + body.skin_joint[i]] += body.skin_weight[i];
  std::vector<float> joints;
  for (const vec3<float>& joint : posed.rest_joints)
    joints.insert(joints.end(), {joint.x, joint.y, joint.z});
  const std::vector<float> normals = vertex_normals(posed.v_posed, body.faces);
  return write_glb(folder.file("person.glb"),
                   skinned_mesh_view{.rest = {posed.v_posed, body.faces, normals},
                                     .joints = joints,
                                     .parents = body.parents,
                                     .weights = weights,
                                     .rotations = found.theta,
                                     .translation = standing,
                                     .joint_names = smpl24::names},
                   mesh_frame::camera);
}

/// Numbers as rows of `width`, rounded to as many decimals as they are good for.
inline nlohmann::ordered_json rows(std::span<const float> values, std::size_t width, int decimals) {
  const double scale = std::pow(10.0, decimals);
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = std::round(double{values[i]} * scale) / scale;
    if (width == 1) {
      list.push_back(value);
      continue;
    }
    if (i % width == 0) list.push_back(nlohmann::ordered_json::array());
    list.back().push_back(value);
  }
  return list;
}

/// What result.json says.
inline nlohmann::ordered_json result_json(const std::string& photo_path,
                                          const maquette::image& photo,
                                          const maquette::estimate& found) {
  using json = nlohmann::ordered_json;
  const auto& box = found.box;
  const auto& time = found.milliseconds;
  const json expected_error = found.expected_error ? json(*found.expected_error) : json();
  return json{{"photo", photo_path},
              {"image_size", {photo.width, photo.height}},
              {"box", {box.left, box.top, box.width(), box.height()}},
              {"score", found.score},
              {"expected_error", expected_error},
              {"joints", rows(found.joints, 3, 3)},
              {"pose", rows(found.theta, 1, 6)},
              {"shape", rows(found.beta, 1, 6)},
              {"translation", {found.translation.x, found.translation.y, found.translation.z}},
              {"focal", found.view.focal},
              {"principal_point", {found.view.centre_x, found.view.centre_y}},
              {"joints_3d", rows(found.joints_3d, 3, 5)},
              {"projected_joints", rows(found.projected_joints, 2, 3)},
              {"milliseconds",
               {{"find", time.find},
                {"human2d", time.human2d},
                {"priors", time.priors},
                {"smpl", time.smpl},
                {"camera", time.camera},
                {"fit", time.fit}}}};
}

/// Writes everything about one photo to a folder, whole or not at all.
///
/// Errors: unwritable, naming the file.
inline maquette::result<void> write_results(const std::filesystem::path& path,
                                            const std::string& photo_path,
                                            const maquette::image& photo,
                                            const maquette::estimate& found,
                                            const maquette::smpl_workspace& posed,
                                            const maquette::body_model& body) {
  using namespace maquette;
  const result_folder folder(path);
  if (result<void> done = folder.create(); !done) return done;
  nlohmann::ordered_json json = result_json(photo_path, photo, found);
  maquette::detail::stopwatch watch;
  const image overlay = draw_overlay(photo, found, body);
  const std::vector<std::uint8_t> seen = draw_seen_silhouette(photo, found);
  const std::vector<std::uint8_t> drawn = draw_body_silhouette(photo, found, body);
  json["milliseconds"]["render"] = watch.lap();

  if (result<void> done = write_png(folder.file("overlay.png"), overlay); !done) return done;
  const auto write_mask = [&](const char* name, std::span<const std::uint8_t> mask) {
    return write_png(folder.file(name), photo.width, photo.height, 1, mask);
  };
  if (result<void> done = write_mask("silhouette.png", seen); !done) return done;
  if (result<void> done = write_mask("body_silhouette.png", drawn); !done) return done;
  if (result<void> done = write_meshes(folder, found, posed, body); !done) return done;
  json["milliseconds"]["write"] = watch.lap();
  const std::string text = json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (result<void> done = write_file(folder.file("result.json"), text + '\n'); !done) return done;
  return folder.complete();
}
