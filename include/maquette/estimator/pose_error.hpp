// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/core/tensor.hpp"
#include "maquette/fit/cholesky.hpp"
#include "maquette/fit/pose_precision.hpp"
#include "maquette/io/safetensors.hpp"
#include "maquette/nn/bind.hpp"

namespace maquette {

/// The precision [72, 72] of PosePrior's error that a weights file gives in its tensor
/// `pose_error.precision`, see `pose_precision`; that of `write_typical_precision` if it has none.
///
/// Errors: mismatch (of another shape, not finite, not symmetric to the last bit, not positive
/// definite).
[[gnu::cold]] inline result<std::vector<double>> load_pose_precision(const float_tensors& tensors,
                                                                     const std::string& origin) {
  constexpr std::size_t size = pose_error_size;
  const named_tensor* const tensor = tensors.find("pose_error.precision");
  std::vector<double> precision(pose_precision_size);
  if (tensor == nullptr) {
    write_typical_precision(std::span<double, pose_precision_size>(precision));
    return precision;
  }
  const auto refuse = [&](const std::string& expected, const std::string& found) {
    return error{errc::mismatch,
                 detail::sentence({origin, ": expected the tensor pose_error.precision to be ",
                                   expected, ", found ", found})};
  };
  if (tensor->shape != tensor_shape(size, size) || tensor->values.size() != pose_precision_size)
    return refuse("of the shape " + nn::detail::text_of(tensor_shape(size, size)),
                  nn::detail::text_of(tensor->shape));
  const auto entry = [&](std::size_t i, std::size_t k) {
    return detail::sentence({double{tensor->values[i * size + k]}, " at [", i, ", ", k, "]"});
  };
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t k = 0; k < size; ++k) {
      const float value = tensor->values[i * size + k];
      if (!std::isfinite(value)) return refuse("finite", entry(i, k));
      if (k < i && value != tensor->values[k * size + i])
        return refuse("symmetric", entry(i, k) + " and " + entry(k, i));
    }
  std::copy(tensor->values.begin(), tensor->values.end(), precision.begin());
  std::vector<double> factor = precision;
  std::vector<double> unused(size);
  if (!cholesky_solve(factor, unused))
    return refuse("positive definite", "a matrix that has no Cholesky factor");
  return precision;
}

}  // namespace maquette
