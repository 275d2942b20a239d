// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "maquette/body/matrix3.hpp"
#include "maquette/body/rotation.hpp"
#include "maquette/body/skeleton.hpp"
#include "maquette/core/assert.hpp"
#include "maquette/fit/cholesky.hpp"
#include "maquette/fit/joint_moments.hpp"
#include "maquette/fit/pose_precision.hpp"
#include "maquette/fit/reprojection.hpp"
#include "maquette/render/camera.hpp"

namespace maquette {

/// How `refine_pose` weighs its terms. Pixels are those of a crop of 256. The anchor and the scale
/// were chosen on pictures of held-out people whose joints were the true ones, or those seen.
struct refine_options {
  double sigma = 10;              ///< robust scale of a joint's error, pixels
  double least_confidence = 0.2;  ///< joints seen with less do not count
  double anchor = 4;              ///< pixels that a standard deviation of the start's error costs
  double depth_anchor = 200;      ///< pixels that doubling the distance costs
  double limit = 100;             ///< pixels that one radian of a limb bent backwards costs
  int most_iterations = 15;
  double least_decrease = 1e-4;  ///< relative; below it the fit has converged
};

/// What a fit did to its cost, in squared pixels of a crop of 256.
struct refine_summary {
  double cost_before = 0;
  double cost_after = 0;
  int iterations = 0;
};

/// The memory of a fit: one per thread, reused.
struct refine_workspace {
  explicit refine_workspace(const joint_moments& body)
      : shaped(body.make_shaped()), posed(body.make_posed()) {}

  [[nodiscard]] std::size_t bytes() const {
    return sizeof(*this) + sizeof(double) * (shaped.moments.size() + posed.moments.size() +
                                             3 * damped.size() + 3 * step.size());
  }

  shaped_moments shaped;
  posed_moments posed;
  fit_equations equations;
  fit_equations trial_equations;
  std::vector<double> damped = std::vector<double>(fit_unknowns * fit_unknowns);
  std::vector<double> step = std::vector<double>(fit_unknowns);
};

namespace detail {

/// What a fit changes.
struct fit_state {
  std::array<mat3<double>, smpl24::count> rotations;
  vec3<double> translation;
};

/// The derivative of log(R exp(d)) at d = 0 where r = log R: I + [r]x / 2 + c [r]x^2 with c = (1 -
/// (t / 2) cot(t / 2)) / t^2, t = |r|; by its series near 0. Source: Chirikjian, "Stochastic
/// Models, Information Theory, and Lie Groups", 2012, eq. 10.86.
[[nodiscard]] inline mat3<double> log_jacobian(vec3<double> r) {
  const double square = dot(r, r);
  const double t = std::sqrt(square);
  const double c = square < 1e-4 ? 1.0 / 12 + square / 720
                                 : (1 - t / 2 * std::cos(t / 2) / std::sin(t / 2)) / square;
  const mat3<double> k = skew(r);
  const mat3<double> k2 = k * k;
  mat3<double> out = mat3<double>::identity();
  for (std::size_t i = 0; i < 9; ++i) out.m[i] += k.m[i] / 2 + c * k2.m[i];
  return out;
}

[[nodiscard]] inline std::span<const double> row_of(const mat3<double>& a, std::size_t row) {
  return std::span<const double>(a.m).subspan(3 * row, 3);
}

/// E_anchor = anchor^2 e^T P e + (depth_anchor (t_z - t0_z) / t0_z)^2, e_j = log(R0_j^T R_j), see
/// `pose_precision`.
///
/// Adds its Gauss-Newton equations: anchor^2 J_a^T P_ab J_b for every two joints a <= b, and the
/// gradient anchor^2 J_a^T (P e)_a, J_a the derivative of e_a by a turn of joint a.
[[nodiscard, gnu::noinline]] inline double add_anchor(const fit_state& start,
                                                      const fit_state& state,
                                                      pose_precision precision,
                                                      const refine_options& options,
                                                      fit_equations& equations) {
  constexpr std::size_t size = pose_error_size;
  std::array<double, size> moved;
  std::array<mat3<double>, smpl24::count> jacobians;
  for (std::size_t j = 0; j < smpl24::count; ++j) {
    const vec3<double> e = axis_angle(transpose(start.rotations[j]) * state.rotations[j]);
    for (std::size_t k = 0; k < 3; ++k) moved[3 * j + k] = e[k];
    jacobians[j] = log_jacobian(e);
  }
  const double weight = options.anchor * options.anchor;
  std::array<double, size> pull{};  // anchor^2 P e, by rows of the symmetric P: sums side by side
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t k = 0; k < size; ++k) pull[k] += weight * moved[i] * precision[i * size + k];
  double cost = 0;
  for (std::size_t i = 0; i < size; ++i) cost += pull[i] * moved[i];
  for (std::size_t a = 0; a < smpl24::count; ++a) {
    const double* const rows = precision.data() + 3 * a * size;
    for (std::size_t i = 0; i < 3; ++i) {
      const mat3<double>& left = jacobians[a];
      std::array<double, size> row;  // anchor^2 J_a^T P: from joint a on, for P is symmetric
      for (std::size_t k = 3 * a; k < size; ++k)
        row[k] = weight * (left(0, i) * rows[k] + left(1, i) * rows[size + k] +
                           left(2, i) * rows[2 * size + k]);
      double* const to = equations.matrix.data() + (3 * a + i) * fit_unknowns;
      for (std::size_t b = a; b < smpl24::count; ++b) {
        const mat3<double>& right = jacobians[b];
        // Of block (a, a) this also writes what lies under the diagonal, which nobody reads.
        for (std::size_t k = 0; k < 3; ++k)
          to[3 * b + k] += row[3 * b] * right(0, k) + row[3 * b + 1] * right(1, k) +
                           row[3 * b + 2] * right(2, k);
      }
      for (std::size_t k = 0; k < 3; ++k)
        equations.gradient[3 * a + i] += left(k, i) * pull[3 * a + k];
    }
  }
  const double scale = options.depth_anchor / start.translation.z;
  const double deeper = scale * (state.translation.z - start.translation.z);
  const std::array<double, 1> depth_row{scale};
  equations.add(depth_row, deeper, 1, fit_translation + 2);
  return cost + deeper * deeper;
}

/// A joint that bends one way only: about an axis of its axis-angle vector, in the direction of
/// `sign`.
struct hinge {
  smpl24::joint joint;
  std::size_t axis;
  double sign;
};

inline constexpr std::array<hinge, 4> hinges{{{smpl24::l_knee, 0, 1},
                                              {smpl24::r_knee, 0, 1},
                                              {smpl24::l_elbow, 1, -1},
                                              {smpl24::r_elbow, 1, 1}}};

/// E_a = sum (limit min(0, bend))^2 over knees and elbows: SMPLify's exp(-bend) made one-sided, so
/// that a straight limb is not bent.
[[nodiscard, gnu::noinline]] inline double add_limits(const fit_state& state,
                                                      const refine_options& options,
                                                      fit_equations& equations) {
  double cost = 0;
  for (const hinge& h : hinges) {
    const auto j = static_cast<std::size_t>(h.joint);
    const vec3<double> r = axis_angle(state.rotations[j]);
    const double bend = h.sign * r[h.axis];
    if (!(bend < 0)) continue;
    const double weight = options.limit * options.limit;
    cost += weight * bend * bend;
    equations.add(row_of(log_jacobian(r), h.axis), r[h.axis], weight, 3 * j);
  }
  return cost;
}

[[nodiscard]] inline fit_state moved_by(const fit_state& from, std::span<const double> step) {
  fit_state to = from;
  for (std::size_t j = 0; j < smpl24::count; ++j)
    to.rotations[j] =
        from.rotations[j] * rodrigues(vec3<double>{step[3 * j], step[3 * j + 1], step[3 * j + 2]});
  for (std::size_t k = 0; k < 3; ++k) to.translation[k] += step[fit_translation + k];
  return to;
}

}  // namespace detail

/// Moves pose and translation so that the body's MPII joints fall on those seen, starting from and
/// held to what is given: E_J + E_anchor + E_a by Levenberg-Marquardt.
///
/// beta: shape, any length up to the model's. `joints_seen` [16, 3]: u, v in the camera's pixels,
/// confidence; `pixel` of those pixels are one of a crop of 256. theta [24, 3]: axis-angle, and
/// `translation`, metres in the camera's frame, are changed in place, and stay as they are where no
/// joint counts, a number is not finite or the cost cannot be lowered. `precision` [72, 72], in
/// 1/radian^2, says how sure the pose given is, see `pose_precision`; it is read during the call
/// only. Allocates nothing. Source: Pavlakos et al. 2018, section 5.5 (one stage, anchored to the
/// network's pose), with the E_J of Bogo et al. 2016.
inline refine_summary refine_pose(const joint_moments& body, std::span<const float> beta,
                                  const camera& view, std::span<const float> joints_seen,
                                  double pixel, std::span<float> theta, vec3<double>& translation,
                                  refine_workspace& workspace, const refine_options& options = {},
                                  pose_precision precision = typical_pose_precision) {
  MAQUETTE_ASSERT(theta.size() == 3 * smpl24::count, "a pose has 24 x 3 numbers");
  const joint_observations seen{joints_seen, pixel, options.least_confidence, options.sigma};
  bool any_seen = false;
  for (std::size_t m = 0; m < mpii16::count; ++m) any_seen |= seen.weight(m) > 0;
  if (!any_seen) return {};

  detail::fit_state start{{}, translation};
  for (std::size_t j = 0; j < smpl24::count; ++j)
    start.rotations[j] = rodrigues(
        vec3<double>{double{theta[3 * j]}, double{theta[3 * j + 1]}, double{theta[3 * j + 2]}});
  body.shape(beta, workspace.shaped);
  const auto evaluate = [&](const detail::fit_state& state, fit_equations& equations) {
    equations.clear();
    body.pose(workspace.shaped, state.rotations, workspace.posed);
    return add_reprojection(body, workspace.posed, view, state.translation, seen, equations) +
           detail::add_anchor(start, state, precision, options, equations) +
           detail::add_limits(state, options, equations);
  };

  detail::fit_state state = start;
  refine_summary summary;
  summary.cost_before = summary.cost_after = evaluate(state, workspace.equations);
  if (!std::isfinite(summary.cost_before)) return summary;
  double damping = 1e-3;
  while (summary.iterations < options.most_iterations) {
    ++summary.iterations;
    workspace.damped = workspace.equations.matrix;
    for (std::size_t i = 0; i < fit_unknowns; ++i) {
      double& diagonal = workspace.damped[i * fit_unknowns + i];
      diagonal += damping * diagonal + 1e-9;
      workspace.step[i] = -workspace.equations.gradient[i];
    }
    double cost = summary.cost_after;
    detail::fit_state trial = state;
    if (cholesky_solve(workspace.damped, workspace.step)) {
      trial = detail::moved_by(state, workspace.step);
      cost = evaluate(trial, workspace.trial_equations);
    }
    if (!(cost < summary.cost_after)) {
      damping *= 10;
      continue;
    }
    const bool converged = summary.cost_after - cost < options.least_decrease * summary.cost_after;
    state = trial;
    summary.cost_after = cost;
    std::swap(workspace.equations, workspace.trial_equations);
    damping = std::max(damping / 10, 1e-9);
    if (converged) break;
  }
  if (!(summary.cost_after < summary.cost_before)) return summary;
  for (std::size_t j = 0; j < smpl24::count; ++j) {
    const vec3<double> r = axis_angle(state.rotations[j]);
    for (std::size_t k = 0; k < 3; ++k) theta[3 * j + k] = static_cast<float>(r[k]);
  }
  translation = state.translation;
  return summary;
}

}  // namespace maquette
