// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "maquette/core/arithmetic.hpp"
#include "maquette/kernel/conv2d.hpp"
#include "maquette/kernel/conv2d_bfloat16.hpp"
#include "maquette/nn/batch_norm.hpp"
#include "maquette/nn/layer.hpp"

namespace maquette::nn {

/// A convolution with bias, zero-padded by half its kernel: [In, H, W] to
/// [Out, ceil(H / Stride), ceil(W / Stride)].
template <int In, int Out, int Kernel = 1, int Stride = 1, arithmetic How = arithmetic::float32>
struct conv2d {
  static_assert(Kernel % 2 == 1, "a kernel has a middle");
  static constexpr bool in_bfloat16 = How == arithmetic::bfloat16 && Kernel == 1 && Stride == 1;

  parameter<shape<Out, In, Kernel, Kernel>> weight;
  parameter<shape<Out>> bias;
  const float* packed = nullptr;

  static constexpr bool in_place = false;
  template <ImageShape S>
  requires(channels<S> ==
           In) using output = shape<Out, (height<S> - 1) / Stride + 1, (width<S> - 1) / Stride + 1>;
  template <ImageShape S>
  static constexpr std::size_t scratch() {
    return arena::padded(kernel::conv2d_scratch_size(geometry(height<S>, width<S>)) *
                         sizeof(float));
  }

  void parameters(auto&& visit) {
    visit("weight", weight);
    visit("bias", bias);
  }

  static constexpr kernel::conv2d_geometry geometry(int height, int width) {
    return {.in_channels = In,
            .out_channels = Out,
            .height = height,
            .width = width,
            .kernel = {Kernel, Kernel},
            .stride = {Stride, Stride},
            .padding = {Kernel / 2, Kernel / 2},
            .may_transform = How != arithmetic::float32_small};
  }

  void pack(packer& to) { pack_with(to, nullptr); }
  /// Takes the batch norm that comes directly behind into the weights.
  void pack(packer& to, const batch_norm<Out>& norm) {
    const kernel::batch_norm_parameters statistics = norm.statistics();
    pack_with(to, &statistics);
  }

  /// y = conv(x), with what else the fusion asks for.
  template <Backend B, ImageShape S>
  void operator()(const context<B>& context, feature_map<const float, S> x,
                  feature_map<float, output<S>> y, const kernel::fusion& with = {}) const {
    constexpr kernel::conv2d_geometry g = geometry(height<S>, width<S>);
    if constexpr (in_bfloat16) {
      kernel::conv2d_bfloat16(context.backend, g, x.data, packed, y.data, with);
    } else if constexpr (constexpr int floats = kernel::conv2d_scratch_size(g); floats > 0) {
      const arena::scope scope(context.scratch);
      const auto scratch = context.scratch.template take<shape<floats>>();
      kernel::conv2d(context.backend, g, x.data, packed, y.data, with, scratch.data);
    } else {
      kernel::conv2d(context.backend, g, x.data, packed, y.data, with);
    }
  }

 private:
  [[gnu::cold]] void pack_with(packer& to, const kernel::batch_norm_parameters* norm) {
    constexpr kernel::conv2d_geometry any = geometry(Kernel, Kernel);
    float* memory = to.take(in_bfloat16 ? kernel::conv2d_bfloat16_packed_size(any)
                                        : kernel::conv2d_packed_size(any));
    if (memory == nullptr) return;
    constexpr auto lay_out = in_bfloat16 ? kernel::conv2d_bfloat16_pack : kernel::conv2d_pack;
    lay_out(any, weight.data, bias.data, norm, memory);
    packed = memory;
  }
};

}  // namespace maquette::nn
