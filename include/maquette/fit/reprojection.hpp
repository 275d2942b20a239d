// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "maquette/body/joints.hpp"
#include "maquette/body/matrix3.hpp"
#include "maquette/body/skeleton.hpp"
#include "maquette/core/assert.hpp"
#include "maquette/fit/joint_moments.hpp"
#include "maquette/fit/normal_equations.hpp"
#include "maquette/render/camera.hpp"

namespace maquette {

/// The unknowns of a fit: a turn d_j [24, 3] of every joint in its own frame, R_j exp([d_j]x), and
/// the translation [3].
inline constexpr std::size_t fit_unknowns = 3 * smpl24::count + 3;
inline constexpr std::size_t fit_translation = 3 * smpl24::count;

using fit_equations = normal_equations<fit_unknowns>;
using fit_row = std::array<double, fit_unknowns>;

/// Joints seen in a picture, and how far each is trusted.
struct joint_observations {
  std::span<const float> joints;  ///< [16, 3]: u, v in pixels, confidence
  double pixel = 1;               ///< pixels of the picture to one of a crop of 256
  double least_confidence = 0;    ///< joints below it, and joints that are not finite, do not count
  double sigma = 1;               ///< robust scale, in pixels of a crop of 256

  /// The confidence in [0, 1] of joint m, 0 if it does not count.
  [[nodiscard]] double weight(std::size_t m) const {
    const double confidence{joints[3 * m + 2]};
    if (!(confidence > 0) || !(confidence >= least_confidence) || !std::isfinite(joints[3 * m]) ||
        !std::isfinite(joints[3 * m + 1]))
      return 0;
    return std::min(confidence, 1.0);
  }
};

/// The derivatives of MPII joint m's image (pixels) by the unknowns of a fit.
///
/// Turning joint j by omega = W_j d_j about itself moves m by omega x (S_mj - c_mj p_j): exact but
/// for the pose blend shapes, which stay as they are.
inline void reprojection_jacobian(const joint_moments& body, const posed_moments& posed,
                                  const camera& view, vec3<double> translation, std::size_t m,
                                  fit_row& du, fit_row& dv) {
  const vec3<double> point = posed.parts[m][0] + translation;
  const double scale = view.focal / point.z;
  const double slope_x = point.x / point.z;
  const double slope_y = point.y / point.z;
  const auto write = [&](std::size_t unknown, vec3<double> moved) {
    du[unknown] = scale * (moved.x - slope_x * moved.z);
    dv[unknown] = scale * (moved.y - slope_y * moved.z);
  };
  for (std::size_t j = 0; j < smpl24::count; ++j) {
    const vec3<double> arm = posed.parts[m][j] - body.share(m, j) * posed.joints[j];
    const mat3<double>& world = posed.world[j];
    for (std::size_t k = 0; k < 3; ++k)
      write(3 * j + k, cross({world(0, k), world(1, k), world(2, k)}, arm));
  }
  for (std::size_t k = 0; k < 3; ++k) {
    vec3<double> moved{};
    moved[k] = 1;
    write(fit_translation + k, moved);
  }
}

/// E_J = sum_m w_m^2 rho(|e_m|), rho(e) = sigma^2 e^2 / (sigma^2 + e^2) (Geman-McClure), e_m the
/// distance of joint m's image from where it was seen, in pixels of a crop of 256; infinite where a
/// joint that counts lies behind the camera.
///
/// Adds its Gauss-Newton equations, reweighted by rho'(e) / 2e = (sigma^2 / (sigma^2 + e^2))^2.
/// Source: Bogo et al., "Keep it SMPL", 2016, eq. 2.
[[nodiscard, gnu::noinline]] inline double add_reprojection(
    const joint_moments& body, const posed_moments& posed, const camera& view,
    vec3<double> translation, const joint_observations& seen, fit_equations& equations) {
  MAQUETTE_ASSERT(seen.joints.size() == 3 * mpii16::count, "observations are [16, 3]");
  double cost = 0;
  fit_row du;
  fit_row dv;
  for (std::size_t m = 0; m < mpii16::count; ++m) {
    const double confidence = seen.weight(m);
    if (confidence == 0) continue;
    const vec3<double> point = posed.parts[m][0] + translation;
    if (!(point.z > 0)) return std::numeric_limits<double>::infinity();
    const image_point p = project(view, point);
    const double u = p.u - double{seen.joints[3 * m]};
    const double v = p.v - double{seen.joints[3 * m + 1]};
    const double square = (u * u + v * v) / (seen.pixel * seen.pixel);
    const double trust = seen.sigma * seen.sigma / (seen.sigma * seen.sigma + square);
    cost += confidence * confidence * trust * square;
    const double factor = confidence * trust / seen.pixel;
    reprojection_jacobian(body, posed, view, translation, m, du, dv);
    equations.add(du, u, factor * factor);
    equations.add(dv, v, factor * factor);
  }
  return cost;
}

}  // namespace maquette
