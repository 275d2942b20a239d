// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "maquette/model/human2d.hpp"

namespace maquette {

/// The size whose weights are shipped, for processors, its products computed as `How` says: 96
/// features, one residual module a column, two in the two innermost orders of each hourglass.
template <arithmetic How>
using compact_human2d_in = human2d<16, 96, 2, 1, 256, How, 2>;
using compact_human2d = compact_human2d_in<arithmetic::float32>;

/// The size of Pavlakos et al. 2018: 256 features, three residual modules a column.
using paper_human2d = human2d<16, 256, 2, 3, 256>;

}  // namespace maquette
