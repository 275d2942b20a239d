#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "maquette/kernel/raster.hpp"

namespace maquette {

/// Which faces are left out. A front face has its corners counter-clockwise on the screen (y down),
/// which is what an outward-facing, counter-clockwise mesh such as SMPL's shows to the camera.
enum class cull_mode : std::uint8_t { none, back, front };

/// A mesh as seen by a camera: borrowed, not owned.
struct raster_mesh {
  std::span<const float>
      vertices;  ///< [V, 3]: x, y in pixels (pixel centres at .5, y down), z camera depth
  std::span<const std::uint32_t> triangles;  ///< [F, 3]: vertex indices
};

/// Where a mesh is drawn: caller-owned planes of [height, width], row-major.
struct raster_target {
  std::int32_t width = 0;
  std::int32_t height = 0;
  std::span<float> depth;  ///< [H, W] camera depth of the nearest surface, +inf where there is none
  std::span<std::int32_t> face;    ///< [H, W] face id, -1 where there is none
  std::span<float> barycentric{};  ///< [H, W, 3] perspective-correct weights of the face's corners;
                                   ///< may be left empty
};

struct raster_options {
  float near_plane =
      1e-3F;  ///< in the unit of z; faces with a corner nearer than this are not drawn
  cull_mode cull = cull_mode::none;
  std::int32_t first_face_id =
      0;  ///< id of the mesh's face 0, to tell several meshes in one target apart
  std::int32_t first_row =
      0;  ///< rows [first_row, last_row) only, so that bands can be drawn by several threads
  std::int32_t last_row = std::numeric_limits<std::int32_t>::max();
};

namespace detail {

struct raster_corners {
  const float* a;
  const float* b;
  const float* c;
};

/// Walks the drawable faces of a mesh and hands `(face, corners, snapped a, b, c, area)` to `draw`;
/// returns how many faces had to be dropped (bad index, NaN, too near, too far off the screen).
template <class Draw>
inline std::size_t for_each_drawable_face(const raster_mesh& mesh, const raster_options& options,
                                          Draw&& draw) noexcept {
  const std::size_t vertex_count = mesh.vertices.size() / 3;
  const std::size_t face_count = mesh.triangles.size() / 3;
  std::size_t dropped = 0;
  for (std::size_t face = 0; face < face_count; ++face) {
    const std::uint32_t* index = mesh.triangles.data() + 3 * face;
    if (index[0] >= vertex_count || index[1] >= vertex_count || index[2] >= vertex_count) {
      ++dropped;
      continue;
    }
    const raster_corners corner{mesh.vertices.data() + 3 * std::size_t{index[0]},
                                mesh.vertices.data() + 3 * std::size_t{index[1]},
                                mesh.vertices.data() + 3 * std::size_t{index[2]}};
    constexpr float far_limit = std::numeric_limits<float>::max();
    const auto usable = [&](const float* p) {
      return p[2] >= options.near_plane && p[2] <= far_limit && p[2] > 0.0F &&
             kernel::raster_representable(p[0], p[1]);
    };
    if (!usable(corner.a) || !usable(corner.b) || !usable(corner.c)) {
      ++dropped;
      continue;
    }
    const kernel::raster_point a = kernel::raster_snap(corner.a[0], corner.a[1]);
    const kernel::raster_point b = kernel::raster_snap(corner.b[0], corner.b[1]);
    const kernel::raster_point c = kernel::raster_snap(corner.c[0], corner.c[1]);
    const std::int64_t area = kernel::raster_area(a, b, c);
    if (area == 0 || (options.cull == cull_mode::back && area > 0) ||
        (options.cull == cull_mode::front && area < 0)) {
      continue;
    }
    draw(face, corner, a, b, c, area);
  }
  return dropped;
}

[[nodiscard]] inline bool raster_holds(std::int32_t width, std::int32_t height,
                                       std::size_t size) noexcept {
  return width > 0 && height > 0 &&
         size >= static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
}

[[nodiscard]] inline kernel::raster_window raster_rows(std::int32_t width, std::int32_t height,
                                                       const raster_options& options) noexcept {
  return {0, std::max<std::int32_t>(0, options.first_row), width,
          std::min(height, options.last_row)};
}

}  // namespace detail

/// Fills the target with "nothing here": depth +inf, face -1, barycentrics 0.
inline void clear(const raster_target& target) noexcept {
  for (float& depth : target.depth) depth = std::numeric_limits<float>::infinity();
  for (std::int32_t& face : target.face) face = -1;
  for (float& weight : target.barycentric) weight = 0.0F;
}

/// Draws a mesh into the target with a depth test: per pixel the nearest face, its depth and where
/// on the face it was hit.
///
/// A pixel belongs to a face when its centre does (top-left rule on a 1/256-pixel grid: shared
/// edges leave no hole and no pixel twice). With screen barycentrics s, depth is 1 / sum(s_k / z_k)
/// and the weights are (s_k / z_k) * depth, i.e. perspective-correct. Equal depths keep the face
/// drawn first. Call `clear` first; several meshes may share a target.
///
/// Faces with a corner nearer than `near_plane`, a NaN, |x| or |y| beyond 2^20 pixels or an index
/// out of range are left out whole, never clipped; the return value counts them. Allocates nothing.
/// A target whose planes are smaller than width x height draws nothing and reports every face as
/// dropped.
inline std::size_t rasterize(const raster_mesh& mesh, const raster_target& target,
                             const raster_options& options = {}) noexcept {
  const bool weights = !target.barycentric.empty();
  if (!detail::raster_holds(target.width, target.height, target.depth.size()) ||
      !detail::raster_holds(target.width, target.height, target.face.size()) ||
      (weights &&
       !detail::raster_holds(target.width, target.height, target.barycentric.size() / 3))) {
    return mesh.triangles.size() / 3;
  }
  const kernel::raster_window window = detail::raster_rows(target.width, target.height, options);
  return detail::for_each_drawable_face(
      mesh, options,
      [&](std::size_t face, const detail::raster_corners& corner, kernel::raster_point a,
          kernel::raster_point b, kernel::raster_point c, std::int64_t area) {
        const float inverse_a = 1.0F / corner.a[2];
        const float inverse_b = 1.0F / corner.b[2];
        const float inverse_c = 1.0F / corner.c[2];
        const auto id = static_cast<std::int32_t>(face) + options.first_face_id;
        kernel::raster_scan(a, b, c, area, window,
                            [&](std::int32_t x, std::int32_t y, float s0, float s1, float s2) {
                              const std::size_t pixel = static_cast<std::size_t>(y) *
                                                            static_cast<std::size_t>(target.width) +
                                                        static_cast<std::size_t>(x);
                              const float w0 = s0 * inverse_a;
                              const float w1 = s1 * inverse_b;
                              const float w2 = s2 * inverse_c;
                              const float depth = 1.0F / (w0 + w1 + w2);
                              if (!(depth < target.depth[pixel])) return;
                              target.depth[pixel] = depth;
                              target.face[pixel] = id;
                              if (weights) {
                                float* const out = target.barycentric.data() + 3 * pixel;
                                out[0] = w0 * depth;
                                out[1] = w1 * depth;
                                out[2] = w2 * depth;
                              }
                            });
      });
}

/// Writes `value` into each pixel of `mask` [height, width] whose centre a face covers: the
/// silhouette, without depth.
///
/// Coverage, dropped faces and the return value are those of `rasterize`; other pixels keep what
/// they held. For a closed mesh `cull_mode::back` gives the same mask for half the work.
inline std::size_t rasterize_silhouette(const raster_mesh& mesh, std::int32_t width,
                                        std::int32_t height, std::span<std::uint8_t> mask,
                                        std::uint8_t value = 255,
                                        const raster_options& options = {}) noexcept {
  if (!detail::raster_holds(width, height, mask.size())) return mesh.triangles.size() / 3;
  const kernel::raster_window window = detail::raster_rows(width, height, options);
  return detail::for_each_drawable_face(
      mesh, options,
      [&](std::size_t, const detail::raster_corners&, kernel::raster_point a,
          kernel::raster_point b, kernel::raster_point c, std::int64_t area) {
        kernel::raster_scan(a, b, c, area, window,
                            [&](std::int32_t x, std::int32_t y, float, float, float) {
                              mask[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                                   static_cast<std::size_t>(x)] = value;
                            });
      });
}

}  // namespace maquette
