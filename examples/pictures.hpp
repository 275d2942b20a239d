// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <vector>

#include "maquette/body/body_model.hpp"
#include "maquette/estimator.hpp"
#include "maquette/io/pixels.hpp"
#include "maquette/render/canvas.hpp"
#include "maquette/render/shading.hpp"
#include "maquette/render/silhouette.hpp"
#include "maquette/render/skeleton_drawing.hpp"

/// Three panels side by side, none longer than 1024 pixels: the body over the photo, the joints as
/// seen over the photo, and the body from its side.
inline maquette::image draw_overlay(const maquette::image& photo, const maquette::estimate& found,
                                    const maquette::body_model& body) {
  using namespace maquette;
  const double scale = std::min(1.0, 1024.0 / std::max(photo.width, photo.height));
  const auto scaled = [scale](std::int32_t size) {
    return std::max(1, static_cast<std::int32_t>(std::lround(size * scale)));
  };
  const int width = scaled(photo.width);
  const int height = scaled(photo.height);
  const image small =
      crop_resize(photo, {0, 0, static_cast<float>(photo.width), static_cast<float>(photo.height)},
                  width, height);
  shading_workspace shading;
  const auto on = [&](image& panel) { return canvas{panel.pixels, width, height}; };

  image with_body = small;
  draw_mesh(on(with_body), resized(found.view, scale), found.vertices, found.translation,
            body.faces, {.opacity = 0.92F}, shading);

  image with_joints = small;
  std::vector<float> joints(found.joints.begin(), found.joints.end());
  for (std::size_t i = 0; i < joints.size(); ++i)
    if (i % 3 != 2) joints[i] *= static_cast<float>(scale);
  draw_skeleton(on(with_joints), joints);

  image from_side = small;
  fill(on(from_side), {236, 238, 241}, {205, 209, 215});
  std::vector<float> turned(found.vertices.size());
  turn_mesh(found.vertices, std::numbers::pi / 2, turned);
  const camera view{4.0 * std::max(width, height), width / 2.0, height / 2.0};
  const image_box frame{0.06 * width, 0.06 * height, 0.94 * width, 0.94 * height};
  draw_mesh(on(from_side), view, turned, framing_translation(view, turned, frame), body.faces, {},
            shading);

  image overlay{3 * width, height, {}};
  overlay.pixels.reserve(3 * small.pixels.size());
  for (int y = 0; y < height; ++y)
    for (const image* panel : {&with_body, &with_joints, &from_side})
      overlay.pixels.insert(overlay.pixels.end(), panel->at(0, y), panel->at(0, y) + 3 * width);
  return overlay;
}

/// The probability of body as Human2D saw it, 0 to 255, over the whole photo: bilinear within the
/// crop, 0 outside.
inline std::vector<std::uint8_t> draw_seen_silhouette(const maquette::image& photo,
                                                      const maquette::estimate& found) {
  constexpr int size = maquette::crop_reading::size;
  std::vector<std::uint8_t> mask(photo.pixels.size() / 3);
  const double cells = size / found.crop.side;
  std::size_t pixel = 0;
  for (std::int32_t y = 0; y < photo.height; ++y) {
    const double v = (y + 0.5 - found.crop.y) * cells;
    for (std::int32_t x = 0; x < photo.width; ++x, ++pixel) {
      const double u = (x + 0.5 - found.crop.x) * cells;
      if (u < 0 || v < 0 || u >= size || v >= size) continue;
      const double column = std::clamp(u - 0.5, 0.0, size - 1.0);
      const double row = std::clamp(v - 0.5, 0.0, size - 1.0);
      const auto left = static_cast<std::size_t>(column);
      const auto top = static_cast<std::size_t>(row);
      const std::size_t right = std::min<std::size_t>(left + 1, size - 1);
      const std::size_t bottom = std::min<std::size_t>(top + 1, size - 1);
      const double across = column - static_cast<double>(left);
      const double down = row - static_cast<double>(top);
      const auto at = [&](std::size_t r, std::size_t c) {
        return double{found.silhouette[r * size + c]};
      };
      const double value = (1 - down) * ((1 - across) * at(top, left) + across * at(top, right)) +
                           down * ((1 - across) * at(bottom, left) + across * at(bottom, right));
      mask[pixel] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(value, 0.0, 1.0)));
    }
  }
  return mask;
}

/// The silhouette of the estimated body over the whole photo, 255 inside.
inline std::vector<std::uint8_t> draw_body_silhouette(const maquette::image& photo,
                                                      const maquette::estimate& found,
                                                      const maquette::body_model& body) {
  std::vector<std::uint8_t> mask(photo.pixels.size() / 3);
  std::vector<float> projected(found.vertices.size());
  maquette::draw_silhouette(found.view, found.vertices, found.translation, body.faces, projected,
                            photo.width, photo.height, mask);
  for (std::uint8_t& value : mask) value = value != 0 ? 255 : 0;
  return mask;
}
