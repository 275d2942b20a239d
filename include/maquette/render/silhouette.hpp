// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "maquette/core/assert.hpp"
#include "maquette/core/executor.hpp"
#include "maquette/render/camera.hpp"
#include "maquette/render/rasterizer.hpp"

namespace maquette {

/// Draws the silhouette of a mesh: 1 in each pixel of `mask` [height, width] whose centre the mesh
/// covers, 0 elsewhere.
///
/// `vertices` [V, 3] in metres and the camera's rotation, moved by `translation`; `projected` [V,
/// 3] is scratch and holds the projected mesh afterwards. For a smaller picture pass `resized(view,
/// 64.0 / 256)`. Faces that reach behind the camera are left out whole. Allocates nothing.
inline void draw_silhouette(const camera& view, std::span<const float> vertices,
                            vec3<double> translation, std::span<const std::uint32_t> faces,
                            std::span<float> projected, std::int32_t width, std::int32_t height,
                            std::span<std::uint8_t> mask, const raster_options& options = {}) {
  MAQUETTE_ASSERT(mask.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height),
                  "a mask is [height, width]");
  project_mesh(view, vertices, translation, projected);
  std::fill(mask.begin(), mask.end(), std::uint8_t{0});
  rasterize_silhouette({projected, faces}, width, height, mask, 1, options);
}

/// Draws the silhouettes of several bodies of one topology, one body a task of `threads`: `masks`
/// [N, height, width], each as `draw_silhouette` draws it.
///
/// `vertices` [N, V, 3], moved by `translations` [N]; `projected` [N, V, 3] is scratch and holds
/// the projected meshes afterwards. Allocates nothing.
inline void draw_silhouettes(const camera& view, std::span<const float> vertices,
                             std::span<const vec3<double>> translations,
                             std::span<const std::uint32_t> faces, std::span<float> projected,
                             std::int32_t width, std::int32_t height, std::span<std::uint8_t> masks,
                             const raster_options& options = {}, const executor& threads = {}) {
  const std::size_t count = translations.size();
  if (count == 0) return;
  const std::size_t mesh = vertices.size() / count;
  const std::size_t pixels = masks.size() / count;
  MAQUETTE_ASSERT(vertices.size() == count * mesh && projected.size() == vertices.size(),
                  "meshes and scratch are [N, V, 3]");
  MAQUETTE_ASSERT(masks.size() == count * pixels, "masks are [N, height, width]");
  threads.for_each(count, [&](std::size_t body) {
    draw_silhouette(view, vertices.subspan(body * mesh, mesh), translations[body], faces,
                    projected.subspan(body * mesh, mesh), width, height,
                    masks.subspan(body * pixels, pixels), options);
  });
}

/// Intersection over union of two masks, pixel by pixel (non-zero is inside); 1 if both are empty.
[[nodiscard]] inline double intersection_over_union(std::span<const std::uint8_t> a,
                                                    std::span<const std::uint8_t> b) {
  MAQUETTE_ASSERT(a.size() == b.size(), "two masks of the same size");
  std::size_t both = 0;
  std::size_t either = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    both += a[i] != 0 && b[i] != 0;
    either += a[i] != 0 || b[i] != 0;
  }
  return either == 0 ? 1.0 : static_cast<double>(both) / static_cast<double>(either);
}

/// Where a mask [height, width] ends, in its own pixels (outer edges of the outermost pixels); ends
/// that touch the picture's border count as not seen. None for an empty mask.
[[nodiscard]] inline std::optional<silhouette_extent> extent_of(std::span<const std::uint8_t> mask,
                                                                std::int32_t width,
                                                                std::int32_t height) {
  MAQUETTE_ASSERT(mask.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height),
                  "a mask is [height, width]");
  std::int32_t left = width;
  std::int32_t right = 0;
  std::int32_t top = height;
  std::int32_t bottom = 0;
  for (std::int32_t y = 0; y < height; ++y) {
    const std::uint8_t* const row =
        mask.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(width);
    for (std::int32_t x = 0; x < width; ++x) {
      if (row[x] == 0) continue;
      left = std::min(left, x);
      right = std::max(right, x + 1);
      top = std::min(top, y);
      bottom = y + 1;
    }
  }
  if (right == 0) return std::nullopt;
  return silhouette_extent{{double(left), double(top), double(right), double(bottom)},
                           left > 0,
                           top > 0,
                           right < width,
                           bottom < height};
}

/// The extent in a picture resized by `factor`, e.g. 256 / 64 from a heat map to its crop.
[[nodiscard]] inline silhouette_extent resized(silhouette_extent extent, double factor) {
  extent.box = {extent.box.left * factor, extent.box.top * factor, extent.box.right * factor,
                extent.box.bottom * factor};
  return extent;
}

}  // namespace maquette
