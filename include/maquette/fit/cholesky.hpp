// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cmath>
#include <cstddef>
#include <span>

#include "maquette/core/assert.hpp"

namespace maquette {

/// Solves A x = b for a symmetric positive definite A [N, N] by A = U^T U.
///
/// Reads the upper triangle of `a` (row-major) and overwrites it with U, and `b` [N] with x. False,
/// with both in an undefined state, where A is not positive definite or holds a NaN. Source: Golub
/// and Van Loan, "Matrix Computations", section 4.2, the outer-product form.
[[nodiscard]] inline bool cholesky_solve(std::span<double> a, std::span<double> b) {
  const std::size_t n = b.size();
  MAQUETTE_ASSERT(a.size() == n * n, "cholesky_solve takes [N, N] and [N]");
  for (std::size_t j = 0; j < n; ++j) {
    double* const pivot_row = a.data() + j * n;
    if (!(pivot_row[j] > 0) || !std::isfinite(pivot_row[j])) return false;
    const double scale = 1 / std::sqrt(pivot_row[j]);
    for (std::size_t k = j; k < n; ++k) pivot_row[k] *= scale;
    for (std::size_t i = j + 1; i < n; ++i) {
      const double factor = pivot_row[i];
      double* const row = a.data() + i * n;
      for (std::size_t k = i; k < n; ++k) row[k] -= factor * pivot_row[k];
    }
  }
  for (std::size_t j = 0; j < n; ++j) {
    const double* const row = a.data() + j * n;
    b[j] /= row[j];
    for (std::size_t k = j + 1; k < n; ++k) b[k] -= row[k] * b[j];
  }
  for (std::size_t j = n; j-- > 0;) {
    const double* const row = a.data() + j * n;
    for (std::size_t k = j + 1; k < n; ++k) b[j] -= row[k] * b[k];
    b[j] /= row[j];
  }
  return true;
}

}  // namespace maquette
