// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "maquette/core/assert.hpp"
#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/io/safetensors.hpp"

namespace maquette {

/// How sure PosePrior is of the person's orientation: the mean length of the root's two columns in
/// its answer [144].
///
/// Nothing in its training asks for a length, but where joints can mean several orientations the
/// columns that it learns for them point different ways, and their mean is short.
[[nodiscard]] inline float root_sureness(std::span<const float> columns) {
  MAQUETTE_ASSERT(columns.size() >= 6, "root_sureness: the root's two columns come first");
  const float* const c = columns.data();
  return (std::hypot(c[0], c[1], c[2]) + std::hypot(c[3], c[4], c[5])) / 2;
}

/// How far off bodies are, by what was seen: fitted to the errors in pictures of the weights'
/// trainer.
struct error_curve {
  static constexpr float largest = 20;  ///< of each number, either way: its exponential is finite

  float offset = 0;
  float by_sureness = 0;  ///< none above 0: who is surer is less far off
  float by_score = 0;     ///< none above 0
  float unseen = 0;       ///< log of the error where the joints tell nothing of the pose

  /// What half of the bodies in pictures like this one are off by at most, in metres: min(exp(a +
  /// b log n + c s), exp(u)), a, b, c, u the curve's numbers, n = `root_sureness`, s = the score.
  [[nodiscard]] float expected(float sureness, float score) const {
    constexpr float least = 1e-6F;
    const float seen =
        offset + by_sureness * std::log(std::max(sureness, least)) + by_score * score;
    return seen < unseen ? std::exp(seen) : expected_unseen();
  }
  [[nodiscard]] float expected_unseen() const { return std::exp(unseen); }
};

/// The curve of a weights file: its tensor `pose_error.expected` [4] of offset, by sureness, by
/// score, unseen; none if it has none.
///
/// Errors: mismatch (of another shape, a number beyond +-20, or error that grows with sureness or
/// score).
[[gnu::cold]] inline result<std::optional<error_curve>> load_error_curve(
    const float_tensors& tensors, const std::string& origin) {
  const named_tensor* const tensor = tensors.find("pose_error.expected");
  if (tensor == nullptr) return std::optional<error_curve>();
  const auto& v = tensor->values;
  const auto is_small = [](float value) { return std::abs(value) <= error_curve::largest; };
  if (tensor->shape != tensor_shape{4} || v.size() != 4 ||
      !std::all_of(v.begin(), v.end(), is_small) || v[1] > 0 || v[2] > 0)
    return error{errc::mismatch,
                 detail::sentence({origin,
                                   ": expected the tensor pose_error.expected to be 4 numbers from "
                                   "-20 to 20, the second and third not above 0, found others"})};
  return std::optional(error_curve{v[0], v[1], v[2], v[3]});
}

}  // namespace maquette
