// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace maquette {

/// The sums of a nonlinear least-squares problem in N unknowns: sum w J^T J and sum w J^T r.
template <std::size_t N>
struct normal_equations {
  std::vector<double> matrix = std::vector<double>(N * N);  ///< [N, N], its upper triangle
  std::vector<double> gradient = std::vector<double>(N);    ///< [N]

  void clear() {
    std::fill(matrix.begin(), matrix.end(), 0.0);
    std::fill(gradient.begin(), gradient.end(), 0.0);
  }

  /// Adds one residual whose derivatives are `row` [n] by the unknowns `first` and up.
  [[gnu::noinline]] void add(std::span<const double> row, double residual, double weight,
                             std::size_t first = 0) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const double scaled = weight * row[i];
      if (scaled == 0) continue;
      double* const to = matrix.data() + (first + i) * N + first;
      for (std::size_t k = i; k < row.size(); ++k) to[k] += scaled * row[k];
      gradient[first + i] += scaled * residual;
    }
  }
};

}  // namespace maquette
