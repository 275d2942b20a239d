// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>

#include "maquette/body/matrix3.hpp"
#include "maquette/core/assert.hpp"

namespace maquette {

/// A place on an image plane in pixels: u to the right, v down, the first pixel's centre at (.5,
/// .5).
struct image_point {
  double u = 0;
  double v = 0;
};

/// A rectangle of the image plane, in pixels.
struct image_box {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;

  [[nodiscard]] double width() const { return right - left; }
  [[nodiscard]] double height() const { return bottom - top; }
};

/// A pinhole camera at the origin of its frame, x right, y down, z forward (OpenCV's).
///
/// The body's pose holds the global rotation and its translation is in this frame, so the camera
/// has no extrinsics: u = focal X / Z + centre_x, v = focal Y / Z + centre_y, in pixels.
struct camera {
  double focal = 5000;
  double centre_x = 128;
  double centre_y = 128;
};

/// The square of the photo that a crop shows: its upper left corner and side in photo pixels.
struct crop_box {
  double x = 0;
  double y = 0;
  double side = 256;

  bool operator==(const crop_box&) const = default;
};

/// The image of a point of the camera frame (metres), Z > 0.
[[nodiscard]] inline image_point project(const camera& view, vec3<double> point) {
  return {view.focal * point.x / point.z + view.centre_x,
          view.focal * point.y / point.z + view.centre_y};
}

/// The same camera with the picture resized by `factor`: 64 / 256 turns a crop's camera into its
/// heat map's.
[[nodiscard]] inline camera resized(const camera& view, double factor) {
  return {view.focal * factor, view.centre_x * factor, view.centre_y * factor};
}

/// A crop's pixel in the photo: u = x + u_crop side / crop_size.
[[nodiscard]] inline image_point crop_to_photo(image_point point, const crop_box& box,
                                               double crop_size = 256) {
  const double scale = box.side / crop_size;
  return {box.x + point.u * scale, box.y + point.v * scale};
}

/// A photo's pixel in the crop: the inverse of `crop_to_photo`.
[[nodiscard]] inline image_point photo_to_crop(image_point point, const crop_box& box,
                                               double crop_size = 256) {
  const double scale = crop_size / box.side;
  return {(point.u - box.x) * scale, (point.v - box.y) * scale};
}

/// The photo's camera that sees every point of space where the crop's camera sees it: exact, with
/// rotation and translation of the body unchanged.
///
/// focal' = focal side / crop_size, centre' = (x, y) + centre side / crop_size. The principal point
/// is the crop's, which in general is not the photo's middle; for a camera whose principal point is
/// given (the photo's middle, say) see `translation_for_camera`.
[[nodiscard]] inline camera photo_camera(const camera& crop, const crop_box& box,
                                         double crop_size = 256) {
  camera photo = resized(crop, box.side / crop_size);
  photo.centre_x += box.x;
  photo.centre_y += box.y;
  return photo;
}

/// Where the body's outline ends in the picture, and which of the four ends were really seen: an
/// end at the picture's border is where the picture stops, not the body.
struct silhouette_extent {
  image_box box;
  bool left_seen = true;
  bool top_seen = true;
  bool right_seen = true;
  bool bottom_seen = true;
};

namespace detail {

[[nodiscard]] inline vec3<double> mesh_vertex(std::span<const float> vertices, std::size_t v) {
  return {double{vertices[3 * v]}, double{vertices[3 * v + 1]}, double{vertices[3 * v + 2]}};
}

/// The image's extreme points of a mesh: indices of its left-, top-, right- and bottommost vertex.
struct mesh_outline {
  image_box box;
  std::array<std::size_t, 4> vertex{};
};

[[nodiscard]] inline mesh_outline outline(const camera& view, std::span<const float> vertices,
                                          vec3<double> translation) {
  constexpr double far = std::numeric_limits<double>::max();
  mesh_outline out{{far, far, -far, -far}, {}};
  for (std::size_t v = 0; v < vertices.size() / 3; ++v) {
    const image_point p = project(view, mesh_vertex(vertices, v) + translation);
    if (p.u < out.box.left) out.box.left = p.u, out.vertex[0] = v;
    if (p.v < out.box.top) out.box.top = p.v, out.vertex[1] = v;
    if (p.u > out.box.right) out.box.right = p.u, out.vertex[2] = v;
    if (p.v > out.box.bottom) out.box.bottom = p.v, out.vertex[3] = v;
  }
  return out;
}

/// The sums of a linear least-squares problem in a translation.
struct translation_equations {
  std::array<double, 6> a{};  // xx xy xz yy yz zz
  vec3<double> b{};

  void add(vec3<double> row, double right, double weight) {
    a[0] += weight * row.x * row.x;
    a[1] += weight * row.x * row.y;
    a[2] += weight * row.x * row.z;
    a[3] += weight * row.y * row.y;
    a[4] += weight * row.y * row.z;
    a[5] += weight * row.z * row.z;
    b = b + (weight * right) * row;
  }

  /// focal t_x + (c_x - u) t_z = (u - c_x) Z - focal X, divided by focal: of one horizontal
  /// observation u of a point.
  void add_u(const camera& view, vec3<double> point, double u, double weight) {
    const double slope = (u - view.centre_x) / view.focal;
    add({1, 0, -slope}, slope * point.z - point.x, weight);
  }

  void add_v(const camera& view, vec3<double> point, double v, double weight) {
    const double slope = (v - view.centre_y) / view.focal;
    add({0, 1, -slope}, slope * point.z - point.y, weight);
  }

  /// None when the observations do not fix all three numbers.
  [[nodiscard]] std::optional<vec3<double>> solve() const {
    // x and y have no common term, so both are eliminated in favour of z.
    if (!(a[0] > 0) || !(a[3] > 0)) return std::nullopt;
    const double zz = a[5] - a[2] * a[2] / a[0] - a[4] * a[4] / a[3];
    if (!(zz > 1e-12 * (a[5] + 1e-6 * (a[0] + a[3])))) return std::nullopt;
    const double z = (b.z - a[2] * b.x / a[0] - a[4] * b.y / a[3]) / zz;
    const vec3<double> t{(b.x - a[2] * z) / a[0], (b.y - a[4] * z) / a[3], z};
    if (!std::isfinite(t.x) || !std::isfinite(t.y) || !std::isfinite(t.z)) return std::nullopt;
    return t;
  }
};

}  // namespace detail

/// Writes a mesh as the rasterizer takes it: [V, 3] of u, v in pixels and camera depth.
inline void project_mesh(const camera& view, std::span<const float> vertices,
                         vec3<double> translation, std::span<float> projected) {
  MAQUETTE_ASSERT(projected.size() == vertices.size(), "a projected mesh is as long as the mesh");
  const auto focal = static_cast<float>(view.focal);
  const auto centre_x = static_cast<float>(view.centre_x);
  const auto centre_y = static_cast<float>(view.centre_y);
  const auto x = static_cast<float>(translation.x);
  const auto y = static_cast<float>(translation.y);
  const auto z = static_cast<float>(translation.z);
  for (std::size_t i = 0; i + 2 < vertices.size(); i += 3) {
    const float depth = vertices[i + 2] + z;
    const float scale = focal / depth;
    projected[i] = scale * (vertices[i] + x) + centre_x;
    projected[i + 1] = scale * (vertices[i + 1] + y) + centre_y;
    projected[i + 2] = depth;
  }
}

/// The translation that brings points [N, 3] (metres, rotated as the camera sees them) closest to
/// their observations [N, 3] (u, v in pixels, confidence >= 0).
///
/// Minimises sum_i confidence_i ((t_x + X_i) - (t_z + Z_i)(u_i - c_x) / f)^2 and the same in y:
/// linear, exact when the observations are. None when fewer than two of them count or the result
/// puts the points behind the camera. Source: SPIN's estimate_translation (Kolotouros et al. 2019).
[[nodiscard]] inline std::optional<vec3<double>> translation_from_joints(
    const camera& view, std::span<const float> points, std::span<const float> observed) {
  MAQUETTE_ASSERT(points.size() == observed.size(), "one observation (u, v, confidence) a point");
  detail::translation_equations equations;
  std::size_t used = 0;
  for (std::size_t i = 0; i < points.size() / 3; ++i) {
    const double confidence = double{observed[3 * i + 2]};
    if (!(confidence > 0)) continue;
    ++used;
    const vec3<double> point = detail::mesh_vertex(points, i);
    equations.add_u(view, point, double{observed[3 * i]}, confidence);
    equations.add_v(view, point, double{observed[3 * i + 1]}, confidence);
  }
  if (used < 2) return std::nullopt;
  std::optional<vec3<double>> t = equations.solve();
  for (std::size_t i = 0; t && i < points.size() / 3; ++i) {
    if (observed[3 * i + 2] > 0 && !(double{points[3 * i + 2]} + t->z > 0)) t.reset();
  }
  return t;
}

/// The translation whose image of the mesh [V, 3] is as long as the silhouette and lies upon it.
///
/// Starts from t_z = f H_mesh / h_px and iterates both the depth (by the ratio of the longer of the
/// box's two sides) and the sideways move until the projected box agrees to 1e-6 of its size. Ends
/// at the picture's border are not used while a better pair is left. None for an empty mesh or box.
/// Source: Pavlakos et al. 2018, section 4.3: the extent of the projection equals the silhouette's.
[[nodiscard]] inline std::optional<vec3<double>> translation_from_extent(
    const camera& view, std::span<const float> vertices, const silhouette_extent& seen) {
  const image_box& target = seen.box;
  if (vertices.size() < 6 || !(target.width() > 0) || !(target.height() > 0)) return std::nullopt;
  const bool sides = seen.left_seen && seen.right_seen;
  const bool ends = seen.top_seen && seen.bottom_seen;
  const bool by_height = ends == sides ? target.height() >= target.width() : ends;

  vec3<double> low = detail::mesh_vertex(vertices, 0);
  vec3<double> high = low;
  for (std::size_t v = 1; v < vertices.size() / 3; ++v) {
    const vec3<double> p = detail::mesh_vertex(vertices, v);
    for (std::size_t k = 0; k < 3; ++k) {
      low[k] = std::min(low[k], p[k]);
      high[k] = std::max(high[k], p[k]);
    }
  }
  const vec3<double> middle = 0.5 * (low + high);
  const double length = by_height ? high.y - low.y : high.x - low.x;
  const double pixels = by_height ? target.height() : target.width();
  if (!(length > 0)) return std::nullopt;
  vec3<double> t = -middle;
  // The nearest point stays in front of the camera even where the first guess is far too close.
  const double nearest = middle.z - low.z;
  t.z = std::max(view.focal * length / pixels, 1.5 * nearest) - middle.z;
  const auto offset = [](double low_gap, bool low_seen, double high_gap, bool high_seen) {
    if (low_seen == high_seen) return (low_gap + high_gap) / 2;
    return low_seen ? low_gap : high_gap;
  };
  for (int iteration = 0; iteration < 100; ++iteration) {
    const image_box box = detail::outline(view, vertices, t).box;
    const double ratio = (by_height ? box.height() : box.width()) / pixels;
    const double du =
        offset(target.left - box.left, seen.left_seen, target.right - box.right, seen.right_seen);
    const double dv =
        offset(target.top - box.top, seen.top_seen, target.bottom - box.bottom, seen.bottom_seen);
    const double depth = t.z + middle.z;
    t.x += du * depth / view.focal;
    t.y += dv * depth / view.focal;
    const double changed = std::max(depth * ratio, nearest + 0.5 * (depth - nearest));
    // The ray through the box's middle stays where it is while the depth changes.
    t.x = (t.x + middle.x) * changed / depth - middle.x;
    t.y = (t.y + middle.y) * changed / depth - middle.y;
    t.z = changed - middle.z;
    if (std::abs(ratio - 1) < 1e-6 && std::max(std::abs(du), std::abs(dv)) < 1e-6 * pixels) break;
  }
  if (!std::isfinite(t.x) || !std::isfinite(t.y) || !std::isfinite(t.z)) return std::nullopt;
  return t;
}

namespace detail {

/// The mean depth of the points [N, 3] whose observation has some confidence, of all of them
/// without observations; none of none.
inline std::optional<double> middle_depth(std::span<const float> points,
                                          std::span<const float> observed) {
  double sum = 0;
  double count = 0;
  for (std::size_t i = 2; i < points.size(); i += 3)
    if (observed.empty() || observed[i] > 0) {
      sum += double{points[i]};
      ++count;
    }
  if (count == 0) return std::nullopt;
  return sum / count;
}

}  // namespace detail

/// The translation that agrees best with joints and silhouette together, whatever part of them is
/// wrong.
///
/// The joints' equations of `translation_from_joints` and one equation for each seen end of the
/// silhouette (the mesh's outermost vertex there lies on it, with `extent_weight` as its
/// confidence) are solved by reweighted least squares: an observation off by e pixels counts (s^2 /
/// (s^2 + e^2))^2 as much (Geman-McClure), s = 2.5 median |e| but no less than `least_scale`
/// pixels. Starts from the extent if there is one, else from the joints, and brings the seen
/// points' middle (the mesh's, where none is seen) no nearer than an eighth of its depth at the
/// start. None when neither suffices.
[[nodiscard]] inline std::optional<vec3<double>> estimate_translation(
    const camera& view, std::span<const float> points, std::span<const float> observed,
    std::span<const float> vertices, const std::optional<silhouette_extent>& extent,
    double extent_weight = 1, double least_scale = 2) {
  MAQUETTE_ASSERT(points.size() == observed.size(), "one observation (u, v, confidence) a point");
  constexpr std::size_t most_points = 64;
  MAQUETTE_ASSERT(points.size() <= 3 * most_points, "at most 64 points");
  std::optional<vec3<double>> t;
  if (extent) t = translation_from_extent(view, vertices, *extent);
  const bool with_extent = t.has_value();
  if (const auto from_joints = translation_from_joints(view, points, observed); !t) t = from_joints;
  if (!t) return std::nullopt;
  std::optional<double> seen_depth = detail::middle_depth(points, observed);
  if (!seen_depth) seen_depth = detail::middle_depth(vertices, {});
  const double middle = seen_depth.value_or(0);
  const double nearest = (t->z + middle) / 8;

  struct equation {
    vec3<double> point;
    double pixel;
    double weight;
    bool horizontal;
    double error;
  };
  std::array<equation, 2 * most_points + 4> equations;
  std::array<double, 2 * most_points + 4> sorted;
  for (int iteration = 0; iteration < 30; ++iteration) {
    std::size_t count = 0;
    const auto add = [&](vec3<double> point, double pixel, double weight, bool horizontal) {
      const image_point p = project(view, point + *t);
      equations[count++] = {point, pixel, weight, horizontal, (horizontal ? p.u : p.v) - pixel};
    };
    for (std::size_t i = 0; i < points.size() / 3; ++i) {
      const double confidence = double{observed[3 * i + 2]};
      if (!(confidence > 0)) continue;
      const vec3<double> point = detail::mesh_vertex(points, i);
      add(point, double{observed[3 * i]}, confidence, true);
      add(point, double{observed[3 * i + 1]}, confidence, false);
    }
    if (with_extent) {
      const detail::mesh_outline ends = detail::outline(view, vertices, *t);
      const auto end = [&](std::size_t side, double pixel, bool seen, bool horizontal) {
        if (!seen) return;
        add(detail::mesh_vertex(vertices, ends.vertex[side]), pixel, extent_weight, horizontal);
      };
      end(0, extent->box.left, extent->left_seen, true);
      end(1, extent->box.top, extent->top_seen, false);
      end(2, extent->box.right, extent->right_seen, true);
      end(3, extent->box.bottom, extent->bottom_seen, false);
    }
    for (std::size_t i = 0; i < count; ++i) sorted[i] = std::abs(equations[i].error);
    const auto median = sorted.begin() + static_cast<std::ptrdiff_t>(count / 2);
    std::nth_element(sorted.begin(), median, sorted.begin() + static_cast<std::ptrdiff_t>(count));
    const double scale = count == 0 ? least_scale : std::max(least_scale, 2.5 * *median);
    detail::translation_equations sums;
    for (std::size_t i = 0; i < count; ++i) {
      const equation& e = equations[i];
      const double trust = scale * scale / (scale * scale + e.error * e.error);
      // Divided by its depth, an equation's residual is the error on the image plane.
      const double depth = e.point.z + t->z;
      const double weight = e.weight * trust * trust / (depth * depth);
      e.horizontal ? sums.add_u(view, e.point, e.pixel, weight)
                   : sums.add_v(view, e.point, e.pixel, weight);
    }
    const std::optional<vec3<double>> next = sums.solve();
    if (!next) break;
    // Where pose and joints contradict each other the equations are easiest to meet beside the eye.
    bool credible = next->z + middle > nearest;
    for (std::size_t i = 0; i < count; ++i) credible &= equations[i].point.z + next->z > 0;
    if (!credible) break;
    const double moved = norm(*next - *t);
    t = next;
    if (moved < 1e-9 * norm(*t)) break;
  }
  return t;
}

/// The translation with which another camera sees the points [N, 3] nearest to where `from` sees
/// them: for a photo's real focal length after a fit with the customary one.
///
/// Linear least squares on the points' images. The rotation is left as it is, so what remains is
/// the difference in perspective (none when both cameras have the same focal length and centre).
[[nodiscard]] inline std::optional<vec3<double>> translation_for_camera(
    const camera& from, vec3<double> translation, const camera& to, std::span<const float> points) {
  detail::translation_equations equations;
  for (std::size_t i = 0; i < points.size() / 3; ++i) {
    const vec3<double> point = detail::mesh_vertex(points, i);
    const image_point p = project(from, point + translation);
    equations.add_u(to, point, p.u, 1);
    equations.add_v(to, point, p.v, 1);
  }
  return equations.solve();
}

}  // namespace maquette
