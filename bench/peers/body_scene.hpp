// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "maquette/body/smpl.hpp"
#include "maquette/io/body_npz.hpp"
#include "maquette/render/shading.hpp"

/// The default body upright before the customary camera, nine tenths of the picture high: what the
/// rasterizers draw.
struct body_scene {
  static constexpr int size = 256;
  std::vector<float> vertices;
  std::vector<std::uint32_t> faces;
  maquette::camera view;
  maquette::vec3<double> translation;

  explicit body_scene(const maquette::body_model& body)
      : vertices(3 * body.vertex_count), faces(body.faces) {
    std::vector<float> theta(72), joints(72);
    theta[0] = std::numbers::pi_v<float>;
    maquette::smpl_workspace workspace(body);
    maquette::smpl<float>(body, {{}, theta, {}}, workspace, vertices, joints);
    constexpr double margin = 0.05 * size;
    translation = maquette::framing_translation(view, vertices,
                                                {margin, margin, size - margin, size - margin});
  }
};

inline maquette::result<maquette::body_model> default_body() {
  return maquette::load_body(std::string(MAQUETTE_SOURCE_DIR) + "/weights/body.npz");
}
