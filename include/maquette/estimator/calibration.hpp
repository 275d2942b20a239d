// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>

#include "maquette/body/joints.hpp"
#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/io/safetensors.hpp"

namespace maquette {

/// How much the height of a heat map's peak is worth: for each of MPII's 16 joints the slope and
/// the offset of a logistic curve. Without one, the peak itself is taken.
struct joint_calibration {
  std::array<float, mpii16::count> slope{};
  std::array<float, mpii16::count> offset{};
  bool known = false;

  /// The probability that a joint is where it was found, within a fifth of the torso: 1 / (1 +
  /// exp(-(slope peak + offset))); the peak held to [0, 1] where no curve is known.
  ///
  /// Source: Platt, "Probabilistic outputs for support vector machines", 1999.
  [[nodiscard]] float probability(std::size_t joint, float peak) const {
    if (!known) return std::clamp(peak, 0.0F, 1.0F);
    return 1.0F / (1.0F + std::exp(-(slope[joint] * peak + offset[joint])));
  }
};

/// The curves of a weights file: its tensors `calibration.slope` and `calibration.offset`, [16]
/// each; none if it has neither.
///
/// Errors: mismatch (one of them missing, of another shape, not finite, or a slope below 0).
[[gnu::cold]] inline result<joint_calibration> load_calibration(const float_tensors& tensors,
                                                                const std::string& origin) {
  joint_calibration curves;
  const named_tensor* const slope = tensors.find("calibration.slope");
  const named_tensor* const offset = tensors.find("calibration.offset");
  if (slope == nullptr && offset == nullptr) return curves;
  const auto read = [](const named_tensor* tensor, std::array<float, mpii16::count>& values) {
    if (tensor == nullptr || tensor->shape != tensor_shape{values.size()}) return false;
    std::copy(tensor->values.begin(), tensor->values.end(), values.begin());
    return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
  };
  const bool whole = read(slope, curves.slope) && read(offset, curves.offset);
  if (!whole || *std::min_element(curves.slope.begin(), curves.slope.end()) < 0)
    return error{errc::mismatch,
                 detail::sentence(
                     {origin,
                      ": expected calibration.slope (none below 0) and calibration.offset of 16 "
                      "finite numbers each, found others"})};
  curves.known = true;
  return curves;
}

}  // namespace maquette
