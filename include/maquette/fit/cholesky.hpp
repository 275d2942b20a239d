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
template <std::size_t N>
[[nodiscard]] bool cholesky_solve(std::span<double> a, std::span<double> b) {
  MAQUETTE_ASSERT(a.size() == N * N && b.size() == N, "cholesky_solve takes [N, N] and [N]");
  for (std::size_t j = 0; j < N; ++j) {
    double* const pivot_row = a.data() + j * N;
    if (!(pivot_row[j] > 0) || !std::isfinite(pivot_row[j])) return false;
    const double scale = 1 / std::sqrt(pivot_row[j]);
    for (std::size_t k = j; k < N; ++k) pivot_row[k] *= scale;
    for (std::size_t i = j + 1; i < N; ++i) {
      const double factor = pivot_row[i];
      double* const row = a.data() + i * N;
      for (std::size_t k = i; k < N; ++k) row[k] -= factor * pivot_row[k];
    }
  }
  for (std::size_t j = 0; j < N; ++j) {
    const double* const row = a.data() + j * N;
    b[j] /= row[j];
    for (std::size_t k = j + 1; k < N; ++k) b[k] -= row[k] * b[j];
  }
  for (std::size_t j = N; j-- > 0;) {
    const double* const row = a.data() + j * N;
    for (std::size_t k = j + 1; k < N; ++k) b[j] -= row[k] * b[k];
    b[j] /= row[j];
  }
  return true;
}

}  // namespace maquette
