// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <vector>

#include "maquette/nn/conv2d.hpp"

/// Two 1x1 convolutions prepared as one product, which reads and writes its maps once.
namespace maquette::nn {

namespace detail {

/// Packs one convolution with weights and biases that live no longer than this call.
template <class Convolution>
[[gnu::cold]] void pack_once(packer& to, Convolution& joined, const std::vector<float>& weight,
                             const std::vector<float>& bias) {
  joined.weight.data = weight.data();
  joined.bias.data = bias.data();
  joined.pack(to);
  joined.weight = {};
  joined.bias = {};
}

}  // namespace detail

/// Prepares `joined` as both convolutions of one map: a's outputs, then b's.
template <int In, int A, int B, arithmetic Of, arithmetic How>
[[gnu::cold]] void pack_side_by_side(packer& to, const conv2d<In, A, 1, 1, Of>& a,
                                     const conv2d<In, B, 1, 1, Of>& b,
                                     conv2d<In, A + B, 1, 1, How>& joined) {
  std::vector<float> weight;
  std::vector<float> bias;
  if (!to.only_counts()) {
    const auto append = [](std::vector<float>& all, const auto& part) {
      all.insert(all.end(), part.data, part.data + part.size);
    };
    append(weight, a.weight);
    append(weight, b.weight);
    append(bias, a.bias);
    append(bias, b.bias);
  }
  detail::pack_once(to, joined, weight, bias);
}

/// Prepares `joined` as the sum a(x) + b(y), of a map that has the channels of x and then those of
/// y.
template <int A, int B, int Out, arithmetic Of, arithmetic How>
[[gnu::cold]] void pack_sum(packer& to, const conv2d<A, Out, 1, 1, Of>& a,
                            const conv2d<B, Out, 1, 1, Of>& b,
                            conv2d<A + B, Out, 1, 1, How>& joined) {
  std::vector<float> weight;
  std::vector<float> bias;
  if (!to.only_counts()) {
    for (std::size_t o = 0; o < Out; ++o) {
      weight.insert(weight.end(), a.weight.data + o * A, a.weight.data + (o + 1) * A);
      weight.insert(weight.end(), b.weight.data + o * B, b.weight.data + (o + 1) * B);
      bias.push_back(a.bias.data[o] + b.bias.data[o]);
    }
  }
  detail::pack_once(to, joined, weight, bias);
}

}  // namespace maquette::nn
