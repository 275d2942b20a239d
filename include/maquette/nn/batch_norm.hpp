// SPDX-License-Identifier: Apache-2.0
#pragma once
#include "maquette/kernel/conv2d.hpp"
#include "maquette/kernel/elementwise.hpp"
#include "maquette/nn/layer.hpp"

namespace maquette::nn {

/// Batch norm with the statistics of training, always followed by ReLU in these networks.
///
/// y = (x - running_mean) / sqrt(running_var + 1e-5) * weight + bias, channel by channel. Where a
/// product comes directly before it, it folds into the product; where ReLU and a product follow, it
/// is the product's prologue.
template <int Channels>
struct batch_norm {
  parameter<shape<Channels>> weight;
  parameter<shape<Channels>> bias;
  parameter<shape<Channels>> running_mean;
  parameter<shape<Channels>> running_var;
  kernel::affine packed;

  static constexpr bool in_place = true;
  template <ImageShape In>
  requires(channels<In> == Channels) using output = In;
  template <ImageShape In>
  static constexpr std::size_t scratch() {
    return 0;
  }

  void parameters(auto&& visit) {
    visit("weight", weight);
    visit("bias", bias);
    visit("running_mean", running_mean);
    visit("running_var", running_var);
  }

  kernel::batch_norm_parameters statistics() const {
    return {weight.data, bias.data, running_mean.data, running_var.data};
  }

  /// As a factor and a term a channel, computed in double precision.
  [[gnu::cold]] void pack(packer& to) {
    float* scale = to.take(Channels);
    float* shift = to.take(Channels);
    if (scale == nullptr) return;
    const kernel::batch_norm_parameters from = statistics();
    for (int channel = 0; channel < Channels; ++channel) {
      scale[channel] = static_cast<float>(from.scale(channel));
      shift[channel] = static_cast<float>(from.shift(channel));
    }
    packed = {scale, shift};
  }

  /// y = relu(norm(x)); y may be x.
  template <Backend B, ImageShape In>
  void operator()(const context<B>& context, feature_map<const float, In> x,
                  feature_map<float, output<In>> y) const {
    kernel::affine_relu(context.backend, Channels, height<In> * width<In>, packed, x.data, y.data);
  }
};

}  // namespace maquette::nn
