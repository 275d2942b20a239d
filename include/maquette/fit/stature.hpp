// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "maquette/body/body_model.hpp"
#include "maquette/body/skeleton.hpp"
#include "maquette/core/assert.hpp"

namespace maquette {

/// More than this, of the log of the size, is an error of the pose.
inline constexpr double largest_size_step = 0.2;
/// By how much, in the log, a fitted body looks too small: joints that are only nearly reached
/// draw the least squares of its size towards nothing.
inline constexpr double size_bias = 0.02;

/// The standard deviation of the log of the size as seen, s = 0.2 exp(-2.55 score), where the
/// person was found with this score (`person_score`): 0.13 at 0.2, 0.02 at 1.
[[nodiscard]] inline double size_deviation(double score) { return 0.2 * std::exp(-2.55 * score); }

/// How a body's size depends on its shape.
///
/// Size is the root mean square of the vertices' distances from the pelvis in the rest pose, and
/// g_k = d log(size) / d beta_k = sum_v S_vk . V_v / sum_v |V_v|^2 at the mean shape.
class stature {
 public:
  [[gnu::noinline]] explicit stature(const body_model& body) : slope_(body.shape_count) {
    const auto about_pelvis = [&](std::span<const float> points, std::span<const float> joints,
                                  std::size_t i) {
      return double{points[i]} - double{joints[3 * smpl24::pelvis + i % 3]};
    };
    const std::size_t count = 3 * body.vertex_count;
    double square = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double at = about_pelvis(body.v_template, body.joint_template, i);
      square += at * at;
      for (std::size_t k = 0; k < slope_.size(); ++k)
        slope_[k] += at * about_pelvis(std::span(body.shapedirs).subspan(k * count, count),
                                       std::span(body.joint_directions).subspan(72 * k, 72), i);
    }
    for (double& g : slope_) g /= square;
  }

  /// d log(size) / d beta [shape_count].
  [[nodiscard]] std::span<const double> slope() const { return slope_; }

  /// The likeliest shape of a person who looks `ratio` times as large as a body of shape `beta`,
  /// which is changed: beta + g (log(ratio) + b) / (|g|^2 + s^2), b = `size_bias`, if the shape
  /// numbers were uncertain by 1 and the size seen by s = `deviation`.
  void enlarge(double ratio, double deviation, std::span<float> beta) const {
    MAQUETTE_ASSERT(beta.size() <= slope_.size(), "no more shape numbers than directions");
    if (!(ratio > 0)) return;
    const double step =
        std::clamp(std::log(ratio) + size_bias, -largest_size_step, largest_size_step);
    double certainty = deviation * deviation;
    for (std::size_t k = 0; k < beta.size(); ++k) certainty += slope_[k] * slope_[k];
    for (std::size_t k = 0; k < beta.size(); ++k)
      beta[k] += static_cast<float>(slope_[k] * step / certainty);
  }

 private:
  std::vector<double> slope_;
};

}  // namespace maquette
