// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "maquette/core/assert.hpp"
#include "maquette/core/vertex_normals.hpp"
#include "maquette/render/camera.hpp"
#include "maquette/render/canvas.hpp"
#include "maquette/render/rasterizer.hpp"

namespace maquette {

/// A far light: the direction towards it in the camera's frame and its linear intensity a channel.
struct far_light {
  vec3<float> towards;
  vec3<float> intensity;
};

/// Three lights and a sky: key from the upper left behind the camera, fill from the right, a rim
/// from behind that parts the body from a dark ground.
struct lighting {
  std::array<far_light, 3> lights{{{{-0.45F, -0.62F, -0.64F}, {0.88F, 0.84F, 0.78F}},
                                   {{0.80F, -0.10F, -0.59F}, {0.17F, 0.20F, 0.26F}},
                                   {{0.35F, -0.55F, 0.76F}, {0.42F, 0.46F, 0.52F}}}};
  vec3<float> sky{0.26F, 0.28F, 0.32F};
  vec3<float> ground{0.10F, 0.085F, 0.07F};
  float gloss = 0.10F;
  float gloss_exponent = 24;
};

/// What a body's surface looks like: one colour, or a colour a vertex, or a texture.
struct surface_style {
  colour base{170, 190, 214};
  std::span<const std::uint8_t> vertex_colours{};  ///< [V, 3] sRGB
  canvas texture{};                                ///< sRGB, sampled bilinearly
  std::span<const float> uv{};                ///< [U, 2]: (0, 0) the texture's lower left corner
  std::span<const std::uint32_t> uv_faces{};  ///< [F, 3] into uv
  float opacity = 1;
  lighting light{};
};

/// Memory of `draw_mesh`, kept from call to call.
struct shading_workspace {
  std::vector<float> projected;
  std::vector<float> normals;
  std::vector<float> depth;
  std::vector<std::int32_t> face;
  std::vector<float> barycentric;
};

namespace detail {

[[nodiscard]] inline float srgb_to_linear(float c) {
  return c <= 0.04045F ? c / 12.92F : std::pow((c + 0.055F) / 1.055F, 2.4F);
}

/// IEC 61966-2-1's curve on 0 to 1, tabulated: 255 times the encoded value.
class srgb_encoder {
 public:
  srgb_encoder() {
    for (std::size_t i = 0; i < table_.size(); ++i) {
      const float c = static_cast<float>(i) / static_cast<float>(steps);
      table_[i] = 255 * (c <= 0.0031308F ? 12.92F * c : 1.055F * std::pow(c, 1 / 2.4F) - 0.055F);
    }
    for (std::size_t i = 0; i < linear_.size(); ++i) {
      linear_[i] = srgb_to_linear(static_cast<float>(i) / 255);
    }
  }

  [[nodiscard]] float encode(float c) const {
    const float at = std::clamp(c, 0.0F, 1.0F) * static_cast<float>(steps);
    return table_[static_cast<std::size_t>(at + 0.5F)];
  }

  [[nodiscard]] float decode(std::uint8_t c) const { return linear_[c]; }

 private:
  static constexpr std::size_t steps = 4096;
  std::array<float, steps + 1> table_{};
  std::array<float, 256> linear_{};
};

/// Light that leaves the surface towards a viewer at -z: Lambert's three lights, a sky that fades
/// to the ground with the normal's height, and a Blinn highlight of the lights before the body.
[[nodiscard]] inline vec3<float> shade(const lighting& light, vec3<float> normal,
                                       vec3<float> to_viewer, vec3<float> albedo) {
  const float up = 0.5F - 0.5F * normal.y;  // y points down
  vec3<float> sum = up * light.sky + (1 - up) * light.ground;
  float highlight = 0;
  for (const far_light& l : light.lights) {
    const float facing = dot(normal, l.towards);
    if (facing <= 0) continue;
    sum = sum + facing * l.intensity;
    const vec3<float> halfway = l.towards + to_viewer;
    const float length = norm(halfway);
    if (length > 0) {
      const float cosine = std::max(0.0F, dot(normal, halfway)) / length;
      highlight += std::pow(cosine, light.gloss_exponent) * l.intensity.y;
    }
  }
  highlight *= light.gloss;
  return {albedo.x * sum.x + highlight, albedo.y * sum.y + highlight, albedo.z * sum.z + highlight};
}

/// The texture's linear colour at (u, v), bilinear, clamped at its borders, where NaN counts as 0.
[[nodiscard]] inline vec3<float> sample(const canvas& texture, const srgb_encoder& srgb, float u,
                                        float v) {
  const auto place = [](float at, int size, int& low, int& high, float& part) {
    const float limit = static_cast<float>(size - 1);
    const float clamped = at >= 0 ? std::min(at, limit) : 0.0F;
    low = static_cast<int>(clamped);
    high = std::min(low + 1, size - 1);
    part = clamped - static_cast<float>(low);
  };
  int x0, x1, y0, y1;
  float px, py;
  place(u * static_cast<float>(texture.width) - 0.5F, texture.width, x0, x1, px);
  place((1 - v) * static_cast<float>(texture.height) - 0.5F, texture.height, y0, y1, py);
  vec3<float> out{};
  for (std::size_t k = 0; k < 3; ++k) {
    const float top =
        (1 - px) * srgb.decode(texture.at(x0, y0)[k]) + px * srgb.decode(texture.at(x1, y0)[k]);
    const float bottom =
        (1 - px) * srgb.decode(texture.at(x0, y1)[k]) + px * srgb.decode(texture.at(x1, y1)[k]);
    out[k] = (1 - py) * top + py * bottom;
  }
  return out;
}

}  // namespace detail

/// Draws a shaded mesh over the picture, anti-aliased by `samples` x `samples` sub-pixels.
///
/// `vertices` [V, 3] in metres and the camera's rotation, moved by `translation`; `view` is the
/// picture's camera (for a photo, `photo_camera`). Normals are interpolated and every sub-pixel is
/// lit for itself; its colour is blended in by coverage x opacity. Works in bands of the picture,
/// so memory stays small; it grows `workspace` on first use and allocates nothing afterwards.
inline void draw_mesh(const canvas& picture, const camera& view, std::span<const float> vertices,
                      vec3<double> translation, std::span<const std::uint32_t> faces,
                      const surface_style& style, shading_workspace& workspace, int samples = 3) {
  MAQUETTE_ASSERT(picture.complete(), "a canvas holds width x height x 3 bytes");
  MAQUETTE_ASSERT(samples >= 1 && samples <= 16, "1 to 16 samples a side of a pixel");
  MAQUETTE_ASSERT(style.vertex_colours.empty() || style.vertex_colours.size() == vertices.size(),
                  "one colour a vertex");
  const bool textured = !style.uv_faces.empty();
  MAQUETTE_ASSERT(!textured || (style.texture.complete() && style.uv_faces.size() == faces.size()),
                  "a texture with three uv a face");
  static const detail::srgb_encoder srgb;
  workspace.projected.resize(vertices.size());
  workspace.normals.resize(vertices.size());
  project_mesh(resized(view, samples), vertices, translation, workspace.projected);
  vertex_normals(vertices, faces, workspace.normals);

  float low_x = 1e9F, high_x = -1e9F, low_y = 1e9F, high_y = -1e9F;
  for (std::size_t i = 0; i + 2 < vertices.size(); i += 3) {
    if (!(workspace.projected[i + 2] > 0)) continue;
    low_x = std::min(low_x, workspace.projected[i]);
    high_x = std::max(high_x, workspace.projected[i]);
    low_y = std::min(low_y, workspace.projected[i + 1]);
    high_y = std::max(high_y, workspace.projected[i + 1]);
  }
  const auto pixel = [samples](float sub, int size, int extra) {
    const float limit = static_cast<float>(size);
    return static_cast<int>(std::clamp(
        std::floor(sub / static_cast<float>(samples)) + static_cast<float>(extra), 0.0F, limit));
  };
  const int left = pixel(low_x, picture.width, 0);
  const int right = pixel(high_x, picture.width, 1);
  const int top = pixel(low_y, picture.height, 0);
  const int bottom = pixel(high_y, picture.height, 1);
  if (left >= right || top >= bottom) return;

  constexpr int band = 32;
  const int columns = (right - left) * samples;
  const int rows = std::min(band, bottom - top) * samples;
  const std::size_t size = static_cast<std::size_t>(columns) * static_cast<std::size_t>(rows);
  workspace.depth.resize(size);
  workspace.face.resize(size);
  workspace.barycentric.resize(3 * size);
  const raster_target target{columns, rows, workspace.depth, workspace.face, workspace.barycentric};

  const vec3<float> base{srgb.decode(style.base.red), srgb.decode(style.base.green),
                         srgb.decode(style.base.blue)};
  // The projected mesh is shifted so that the band's corner is the target's.
  float shifted_x = 0;
  float shifted_y = 0;
  const auto shift_to = [&](float x, float y) {
    for (std::size_t i = 0; i + 2 < workspace.projected.size(); i += 3) {
      workspace.projected[i] += shifted_x - x;
      workspace.projected[i + 1] += shifted_y - y;
    }
    shifted_x = x;
    shifted_y = y;
  };
  const auto ray_x = static_cast<float>(view.centre_x);
  const auto ray_y = static_cast<float>(view.centre_y);
  const auto focal = static_cast<float>(view.focal);
  const float per_sample = 1 / static_cast<float>(samples * samples);
  for (int first = top; first < bottom; first += band) {
    const int last = std::min(first + band, bottom);
    shift_to(static_cast<float>(left * samples), static_cast<float>(first * samples));
    clear(target);
    rasterize({workspace.projected, faces}, target);
    for (int y = first; y < last; ++y) {
      for (int x = left; x < right; ++x) {
        std::array<float, 3> sum{};
        int covered = 0;
        vec3<float> to_viewer{ray_x - (static_cast<float>(x) + 0.5F),
                              ray_y - (static_cast<float>(y) + 0.5F), -focal};
        to_viewer = (1 / norm(to_viewer)) * to_viewer;
        for (int s = 0; s < samples * samples; ++s) {
          const int sx = (x - left) * samples + s % samples;
          const int sy = (y - first) * samples + s / samples;
          const std::size_t at = static_cast<std::size_t>(sy) * static_cast<std::size_t>(columns) +
                                 static_cast<std::size_t>(sx);
          if (workspace.face[at] < 0) continue;
          ++covered;
          const std::size_t corner = 3 * static_cast<std::size_t>(workspace.face[at]);
          const float* const weight = workspace.barycentric.data() + 3 * at;
          vec3<float> normal{};
          vec3<float> albedo = base;
          if (!style.vertex_colours.empty()) albedo = {};
          float u = 0;
          float v = 0;
          for (std::size_t k = 0; k < 3; ++k) {
            const std::size_t i = 3 * std::size_t{faces[corner + k]};
            const float* const n = workspace.normals.data() + i;
            normal = normal + weight[k] * vec3<float>{n[0], n[1], n[2]};
            if (!style.vertex_colours.empty()) {
              const std::uint8_t* const c = style.vertex_colours.data() + i;
              albedo = albedo + weight[k] * vec3<float>{srgb.decode(c[0]), srgb.decode(c[1]),
                                                        srgb.decode(c[2])};
            }
            if (textured) {
              const std::size_t j = 2 * std::size_t{style.uv_faces[corner + k]};
              u += weight[k] * style.uv[j];
              v += weight[k] * style.uv[j + 1];
            }
          }
          if (textured) albedo = detail::sample(style.texture, srgb, u, v);
          const float length = norm(normal);
          if (length > 0) normal = (1 / length) * normal;
          // An interpolated normal may lean away from the viewer along the outline.
          const vec3<float> light = detail::shade(style.light, normal, to_viewer, albedo);
          sum[0] += srgb.encode(light.x);
          sum[1] += srgb.encode(light.y);
          sum[2] += srgb.encode(light.z);
        }
        if (covered == 0) continue;
        for (float& channel : sum) channel /= static_cast<float>(covered);
        detail::mix(picture.at(x, y), sum,
                    static_cast<float>(covered) * per_sample * style.opacity);
      }
    }
  }
}

/// Turns a mesh [V, 3] in the camera's frame about the vertical line through the middle of its box,
/// by `angle` radians: pi / 2 shows the side that was at the picture's right.
inline void turn_mesh(std::span<const float> vertices, double angle, std::span<float> turned) {
  MAQUETTE_ASSERT(turned.size() == vertices.size(), "a turned mesh is as long as the mesh");
  if (vertices.empty()) return;
  float low_x = vertices[0], high_x = low_x, low_z = vertices[2], high_z = low_z;
  for (std::size_t i = 0; i + 2 < vertices.size(); i += 3) {
    low_x = std::min(low_x, vertices[i]);
    high_x = std::max(high_x, vertices[i]);
    low_z = std::min(low_z, vertices[i + 2]);
    high_z = std::max(high_z, vertices[i + 2]);
  }
  const float middle_x = (low_x + high_x) / 2;
  const float middle_z = (low_z + high_z) / 2;
  const auto c = static_cast<float>(std::cos(angle));
  const auto s = static_cast<float>(std::sin(angle));
  for (std::size_t i = 0; i + 2 < vertices.size(); i += 3) {
    const float x = vertices[i] - middle_x;
    const float z = vertices[i + 2] - middle_z;
    turned[i] = middle_x + c * x + s * z;
    turned[i + 1] = vertices[i + 1];
    turned[i + 2] = middle_z - s * x + c * z;
  }
}

/// The translation with which the whole mesh [V, 3] stands in the middle of `box`, as large as
/// fits.
[[nodiscard]] inline vec3<double> framing_translation(const camera& view,
                                                      std::span<const float> vertices,
                                                      const image_box& box) {
  // Only the longer way is binding: the extents are compared after a first fit by height.
  const auto by = [&](bool height) {
    const silhouette_extent extent{box, !height, height, !height, height};
    const auto t = translation_from_extent(view, vertices, extent);
    return t ? *t : vec3<double>{0, 0, 10};
  };
  const vec3<double> t = by(true);
  const detail::mesh_outline seen = detail::outline(view, vertices, t);
  vec3<double> chosen = seen.box.width() <= box.width() ? t : by(false);
  const detail::mesh_outline last = detail::outline(view, vertices, chosen);
  const double depth = chosen.z / view.focal;
  chosen.x += ((box.left + box.right) - (last.box.left + last.box.right)) / 2 * depth;
  chosen.y += ((box.top + box.bottom) - (last.box.top + last.box.bottom)) / 2 * depth;
  return chosen;
}

}  // namespace maquette
