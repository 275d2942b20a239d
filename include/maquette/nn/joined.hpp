// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <vector>

#include "maquette/nn/conv2d.hpp"

/// Two 1x1 convolutions prepared as one product, which reads and writes its maps once.
namespace maquette::nn {

namespace detail {

/// Weights of a 1x1 kernel, [out, in], and biases.
struct plain_weights {
  int out = 0;
  int in = 0;
  const float* weight = nullptr;
  const float* bias = nullptr;
};
template <int In, int Out, arithmetic How>
plain_weights weights_of(const conv2d<In, Out, 1, 1, How>& of) {
  return {Out, In, of.weight.data, of.bias.data};
}

struct joined_weights {
  std::vector<float> weight;
  std::vector<float> bias;
};

/// a's outputs, then b's.
[[gnu::cold]] inline joined_weights side_by_side(const plain_weights& a, const plain_weights& b) {
  joined_weights both;
  for (const plain_weights& part : {a, b}) {
    both.weight.insert(both.weight.end(), part.weight,
                       part.weight + static_cast<std::ptrdiff_t>(part.out) * part.in);
    both.bias.insert(both.bias.end(), part.bias, part.bias + part.out);
  }
  return both;
}

/// a's inputs, then b's.
[[gnu::cold]] inline joined_weights sum(const plain_weights& a, const plain_weights& b) {
  joined_weights both;
  for (std::ptrdiff_t o = 0; o < a.out; ++o) {
    for (const plain_weights& part : {a, b})
      both.weight.insert(both.weight.end(), part.weight + o * part.in,
                         part.weight + (o + 1) * part.in);
    both.bias.push_back(a.bias[o] + b.bias[o]);
  }
  return both;
}

/// Packs one convolution; the weights live no longer than this call.
template <class Convolution>
[[gnu::cold]] void pack_joined(packer& to, Convolution& joined, const plain_weights& a,
                               const plain_weights& b,
                               joined_weights (*join)(const plain_weights&, const plain_weights&)) {
  const joined_weights both = to.only_counts() ? joined_weights{} : join(a, b);
  joined.weight.data = both.weight.data();
  joined.bias.data = both.bias.data();
  joined.pack(to);
  joined.weight = {};
  joined.bias = {};
}

}  // namespace detail

/// Prepares `joined` as both convolutions of one map: a's outputs, then b's.
template <int In, int A, int B, arithmetic Of, arithmetic How>
void pack_side_by_side(packer& to, const conv2d<In, A, 1, 1, Of>& a,
                       const conv2d<In, B, 1, 1, Of>& b, conv2d<In, A + B, 1, 1, How>& joined) {
  detail::pack_joined(to, joined, detail::weights_of(a), detail::weights_of(b),
                      detail::side_by_side);
}

/// Prepares `joined` as the sum a(x) + b(y), of a map that has the channels of x and then those of
/// y.
template <int A, int B, int Out, arithmetic Of, arithmetic How>
void pack_sum(packer& to, const conv2d<A, Out, 1, 1, Of>& a, const conv2d<B, Out, 1, 1, Of>& b,
              conv2d<A + B, Out, 1, 1, How>& joined) {
  detail::pack_joined(to, joined, detail::weights_of(a), detail::weights_of(b), detail::sum);
}

}  // namespace maquette::nn
