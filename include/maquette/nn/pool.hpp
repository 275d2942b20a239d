// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "maquette/kernel/pool.hpp"
#include "maquette/nn/layer.hpp"

namespace maquette::nn {

/// The largest value of each window: [C, H, W] to [C, (H - Kernel) / Stride + 1, likewise W].
template <int Kernel = 2, int Stride = Kernel>
struct max_pool {
  static constexpr bool in_place = false;
  template <ImageShape S>
  requires(height<S> >= Kernel && width<S> >= Kernel) using output =
      shape<channels<S>, (height<S> - Kernel) / Stride + 1, (width<S> - Kernel) / Stride + 1>;
  template <ImageShape S>
  static constexpr std::size_t scratch() {
    return 0;
  }
  void parameters(auto&&) {}

  template <Backend B, ImageShape S>
  void operator()(const context<B>& context, feature_map<const float, S> x,
                  feature_map<float, output<S>> y) const {
    kernel::max_pool(context.backend, {channels<S>, height<S>, width<S>, Kernel, Stride}, x.data,
                     y.data);
  }
};

/// Nearest-neighbour up-sampling added to what is there: y += up(x), [C, H, W] to [C, 2H, 2W].
struct upsample_add {
  static constexpr bool in_place = false;
  template <ImageShape S>
  using output = shape<channels<S>, 2 * height<S>, 2 * width<S>>;
  template <ImageShape S>
  static constexpr std::size_t scratch() {
    return 0;
  }
  void parameters(auto&&) {}

  template <Backend B, ImageShape S>
  void operator()(const context<B>& context, feature_map<const float, S> x,
                  feature_map<float, output<S>> y) const {
    kernel::upsample_add(context.backend, channels<S>, height<S>, width<S>, x.data, y.data);
  }
};

}  // namespace maquette::nn
