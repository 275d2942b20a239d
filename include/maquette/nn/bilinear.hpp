// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "maquette/nn/batch_norm.hpp"
#include "maquette/nn/linear.hpp"

namespace maquette::nn {

/// The bilinear unit (Martinez et al. 2017): y = x + relu(norm2(linear2(relu(norm1(linear1(x)))))).
template <int Width>
struct bilinear {
  linear<Width, Width> linear1;
  batch_norm<Width> norm1;
  linear<Width, Width> linear2;
  batch_norm<Width> norm2;

  static constexpr bool in_place = true;
  template <VectorShape S>
  requires(S::extent(0) == Width) using output = S;
  template <VectorShape S>
  static constexpr std::size_t scratch() {
    return arena::bytes_of<S>();
  }

  void parameters(auto&& visit) {
    visit("linear1", linear1);
    visit("norm1", norm1);
    visit("linear2", linear2);
    visit("norm2", norm2);
  }

  [[gnu::cold]] void pack(packer& to) {
    linear1.pack(to, norm1);
    linear2.pack(to, norm2);
  }

  /// y may be x.
  template <Backend B>
  void operator()(const context<B>& context, view<const float, shape<Width>> x,
                  view<float, shape<Width>> y) const {
    const arena::scope scope(context.scratch);
    const auto between = context.scratch.template take<shape<Width>>();
    linear1(context, x, between, {.relu = true});
    linear2(context, between.as_const(), y, {.relu = true, .addend = x.data});
  }
};

}  // namespace maquette::nn
