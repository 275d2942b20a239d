// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "maquette/kernel/linear.hpp"
#include "maquette/nn/batch_norm.hpp"
#include "maquette/nn/layer.hpp"

namespace maquette::nn {

/// A linear layer with bias: [In] to [Out].
template <int In, int Out>
struct linear {
  parameter<shape<Out, In>> weight;
  parameter<shape<Out>> bias;
  const float* packed = nullptr;

  static constexpr bool in_place = false;
  template <VectorShape S>
  requires(S::extent(0) == In) using output = shape<Out>;
  template <VectorShape S>
  static constexpr std::size_t scratch() {
    return 0;
  }

  void parameters(auto&& visit) {
    visit("weight", weight);
    visit("bias", bias);
  }

  void pack(packer& to) { pack_with(to, nullptr); }
  /// Takes the batch norm that comes directly behind into the weights.
  void pack(packer& to, const batch_norm<Out>& norm) {
    const kernel::batch_norm_parameters statistics = norm.statistics();
    pack_with(to, &statistics);
  }

  /// y = linear(x), with what else the fusion asks for.
  template <Backend B>
  void operator()(const context<B>& context, view<const float, shape<In>> x,
                  view<float, shape<Out>> y, const kernel::fusion& with = {}) const {
    kernel::linear(context.backend, In, Out, 1, x.data, packed, y.data, with);
  }

 private:
  void pack_with(packer& to, const kernel::batch_norm_parameters* norm) {
    constexpr kernel::conv2d_geometry geometry = kernel::linear_geometry(In, Out);
    packed = detail::pack_convolution(to, {kernel::conv2d_packed_size, kernel::conv2d_pack},
                                      geometry, weight.data, bias.data, norm);
  }
};

}  // namespace maquette::nn
