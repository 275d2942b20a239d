// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

#include "maquette/core/arithmetic.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/kernel/conv2d.hpp"
#include "maquette/kernel/conv2d_bfloat16.hpp"
#include "maquette/kernel/conv2d_int8.hpp"
#include "maquette/kernel/strassen.hpp"
#include "maquette/nn/batch_norm.hpp"
#include "maquette/nn/layer.hpp"

namespace maquette::nn {

namespace detail {

/// How many floats of scratch memory a convolution takes.
template <arithmetic Products>
constexpr std::size_t convolution_scratch(const kernel::conv2d_geometry& g) {
  if constexpr (Products == arithmetic::bfloat16) return kernel::conv2d_bfloat16_scratch_size(g);
  if constexpr (Products == arithmetic::int8) return 0;
  return kernel::conv2d_scratch_size(g);
}

/// One function, out of line, for maps of every size and every number of channels.
template <arithmetic Products, bool ByStrassen, Backend B>
MAQUETTE_NOINLINE void convolve(const context<B>& context, const kernel::conv2d_geometry& g,
                                const float* x, const float* packed, float* y,
                                const kernel::fusion& with) {
  const arena::scope scope(context.scratch);
  float* scratch = context.scratch.take_floats(convolution_scratch<Products>(g));
  if constexpr (Products == arithmetic::bfloat16) {
    kernel::conv2d_bfloat16(context.backend, g, x, packed, y, with, scratch);
  } else if constexpr (Products == arithmetic::int8) {
    kernel::conv2d_int8(context.backend, g, x, packed, y, with);
  } else if constexpr (ByStrassen) {
    kernel::conv2d_strassen(context.backend, g, x, packed, y, with);
  } else {
    kernel::conv2d(context.backend, g, x, packed, y, with, scratch);
  }
}

}  // namespace detail

/// A convolution with bias, zero-padded by half its kernel: [In, H, W] to
/// [Out, ceil(H / Stride), ceil(W / Stride)].
template <int In, int Out, int Kernel = 1, int Stride = 1, arithmetic How = arithmetic::float32>
struct conv2d {
  static_assert(Kernel % 2 == 1, "a kernel has a middle");
  /// What this one's products are computed in: int8 has 1x1 kernels alone.
  static constexpr arithmetic products = [] {
    if (How != arithmetic::int8 || (Kernel == 1 && Stride == 1)) return How;
    return simd::has_pair_products ? arithmetic::bfloat16 : arithmetic::float32;
  }();

  parameter<shape<Out, In, Kernel, Kernel>> weight;
  parameter<shape<Out>> bias;
  const float* packed = nullptr;

  static constexpr bool in_place = false;
  template <ImageShape S>
  requires(channels<S> ==
           In) using output = shape<Out, (height<S> - 1) / Stride + 1, (width<S> - 1) / Stride + 1>;
  template <ImageShape S>
  static constexpr std::size_t scratch() {
    return arena::padded(detail::convolution_scratch<products>(geometry(height<S>, width<S>)) *
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
    run(context, {height<S>, width<S>}, x.data, y.data, with);
  }
  /// The same where the map's size is known at run time alone.
  template <Backend B>
  void run(const context<B>& context, kernel::extent2 size, const float* x, float* y,
           const kernel::fusion& with = {}) const {
    detail::convolve<products, by_strassen()>(context, geometry(size.y, size.x), x, packed, y,
                                              with);
  }

 private:
  static constexpr bool by_strassen() {
    return products == arithmetic::float32 && kernel::conv2d_strassen_can(geometry(Kernel, Kernel));
  }
  void pack_with(packer& to, const kernel::batch_norm_parameters* norm) {
    constexpr kernel::conv2d_geometry any = geometry(Kernel, Kernel);
    packed = detail::pack_convolution(to, layout(), any, weight.data, bias.data, norm);
  }
  static constexpr detail::convolution_layout layout() {
    if constexpr (products == arithmetic::bfloat16)
      return {kernel::conv2d_bfloat16_packed_size, kernel::conv2d_bfloat16_pack};
    if constexpr (products == arithmetic::int8)
      return {kernel::conv2d_int8_packed_size, kernel::conv2d_int8_pack};
    if constexpr (by_strassen())
      return {kernel::conv2d_strassen_packed_size, kernel::conv2d_strassen_pack};
    return {kernel::conv2d_packed_size, kernel::conv2d_pack};
  }
};

}  // namespace maquette::nn
