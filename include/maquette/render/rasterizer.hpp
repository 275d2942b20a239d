#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "maquette/kernel/raster.hpp"
#include "maquette/kernel/raster_batch.hpp"
#include "maquette/kernel/raster_cover.hpp"

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

/// Walks the faces of a mesh in batches and hands `(first face, batch, places)` to `draw`: the
/// places in the batch, in order, of faces that may cover a pixel of the window; returns how many
/// faces had to be dropped (bad index, NaN, too near, too far off the screen).
template <class Draw>
inline std::size_t for_each_batch(const raster_mesh& mesh, const raster_options& options,
                                  const kernel::raster_window& window, Draw&& draw) noexcept {
  using batch_type = kernel::raster_batch;
  const kernel::raster_rules rules{options.near_plane, options.cull != cull_mode::back,
                                   options.cull != cull_mode::front};
  const std::size_t vertex_count = mesh.vertices.size() / 3;
  const std::size_t face_count = mesh.triangles.size() / 3;
  std::size_t dropped = 0;
  batch_type batch;
  for (std::size_t first = 0; first < face_count; first += batch_type::capacity) {
    const std::size_t count = std::min(batch_type::capacity, face_count - first);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t* const index = mesh.triangles.data() + 3 * (first + i);
      if (index[0] >= vertex_count || index[1] >= vertex_count || index[2] >= vertex_count) {
        batch.leave_out(i);
        continue;
      }
      for (std::size_t k = 0; k < 3; ++k) {
        const float* const p = mesh.vertices.data() + 3 * std::size_t{index[k]};
        batch.x[k][i] = p[0];
        batch.y[k][i] = p[1];
        batch.z[k][i] = p[2];
      }
    }
    for (std::size_t i = count; i < batch_type::capacity; ++i) batch.leave_out(i);
    batch.prepare(rules, window);
    // Gathered without a branch: which faces are seen is hard to foresee.
    std::array<std::uint8_t, batch_type::capacity> places;
    std::size_t seen = 0;
    std::size_t usable = 0;
    for (std::size_t i = 0; i < batch_type::capacity; ++i) {
      places[seen] = static_cast<std::uint8_t>(i);
      seen += static_cast<std::size_t>(batch.seen[i]);
      usable += static_cast<std::size_t>(batch.usable[i]);
    }
    dropped += count - usable;
    draw(first, batch, std::span<const std::uint8_t>(places).first(seen));
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
  const std::int32_t top = std::max<std::int32_t>(0, options.first_row);
  return {0, top, width, std::max(top, std::min(height, options.last_row))};
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
  const auto draw = [&](std::size_t face, const kernel::raster_batch& batch, std::size_t i) {
    const float inverse_a = 1.0F / batch.z[0][i];
    const float inverse_b = 1.0F / batch.z[1][i];
    const float inverse_c = 1.0F / batch.z[2][i];
    const auto id = static_cast<std::int32_t>(face) + options.first_face_id;
    kernel::raster_scan_box(batch.corner(0, i), batch.corner(1, i), batch.corner(2, i),
                            batch.area[i], batch.box(i),
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
  };
  return detail::for_each_batch(mesh, options, window,
                                [&](std::size_t first, const kernel::raster_batch& batch,
                                    std::span<const std::uint8_t> places) {
                                  for (const std::uint8_t i : places) draw(first + i, batch, i);
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
  const bool tiled = window.right - window.left >= kernel::cover_columns &&
                     window.bottom - window.top >= kernel::cover_rows;
  const auto stride = static_cast<std::size_t>(width);
  kernel::raster_cover_batch edges;
  return detail::for_each_batch(
      mesh, options, window,
      [&](std::size_t, const kernel::raster_batch& batch, std::span<const std::uint8_t> places) {
        if (tiled) edges.prepare(batch, window);
        for (const std::uint8_t i : places) {
          if (tiled && edges.fits[i] != 0) {
            kernel::raster_cover(batch, edges, i, window, value, stride, mask.data());
            continue;
          }
          kernel::raster_scan_box(
              batch.corner(0, i), batch.corner(1, i), batch.corner(2, i), batch.area[i],
              batch.box(i), [&](std::int32_t x, std::int32_t y, float, float, float) {
                mask[static_cast<std::size_t>(y) * stride + static_cast<std::size_t>(x)] = value;
              });
        }
      });
}

}  // namespace maquette
