// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "maquette/core/tensor.hpp"
#include "maquette/nn/bind.hpp"

/// Weights and inputs made from a tensor's name and an element's index, bit for bit as
/// tests/golden/make_network_goldens.py makes them.
namespace synthetic {

/// FNV-1a of the name starts a splitmix64 counter; its upper 24 bits make a float in [-1, 1).
inline std::vector<float> uniform(std::string_view name, std::size_t count) {
  std::uint64_t state = 0xcbf29ce484222325U;
  for (const char byte : name) state = (state ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  std::vector<float> values(count);
  for (float& value : values) {
    state += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    z ^= z >> 31;
    value = static_cast<float>(static_cast<std::int64_t>(z >> 40) - (1 << 23)) * 0x1p-23F;
  }
  return values;
}

/// A tensor as its name suggests, so that activations stay near 1 through a deep network.
inline std::vector<float> values(const std::string& name, const maquette::tensor_shape& shape) {
  std::size_t count = 1;
  for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
  std::vector<float> x = uniform(name, count);
  const auto affine = [&](float shift, float scale) {
    for (float& value : x) value = shift + scale * value;
  };
  if (name.ends_with("running_var")) {
    affine(1.0F, 0.5F);
  } else if (name.ends_with("running_mean") || name.ends_with("bias")) {
    affine(0.0F, 0.125F);
  } else if (name.ends_with("weight") && shape.rank() == 1) {
    affine(0.75F, 0.25F);
  } else if (name.ends_with("weight")) {
    const double fan_in = static_cast<double>(count) / static_cast<double>(shape[0]);
    affine(0.0F, static_cast<float>(std::sqrt(3.0 / fan_in)));
  }
  return x;
}

template <class... Extent>
std::vector<float> values(const std::string& name,
                          Extent... extent) requires(sizeof...(Extent) > 0 &&
                                                     (std::is_integral_v<Extent> && ...)) {
  return values(name, maquette::tensor_shape(extent...));
}

/// A whole file of weights for a network.
template <class Network>
class weights {
 public:
  explicit weights(const std::string& prefix) {
    Network network;
    maquette::nn::for_each_parameter(
        network,
        [&](const std::string& name, maquette::nn::parameter_slot slot) {
          names_.push_back(name);
          memory_.push_back(values(name, slot.shape));
          tensors.push_back({names_.back(), slot.shape, memory_.back()});
        },
        prefix);
  }

  std::vector<maquette::named_tensor> tensors;

 private:
  std::list<std::string> names_;
  std::list<std::vector<float>> memory_;
};

/// The network bound to its synthetic weights.
template <class Network>
maquette::nn::bound<Network> network(const std::string& prefix) {
  const weights<Network> from(prefix);
  maquette::result<maquette::nn::bound<Network>> bound =
      maquette::nn::bind<Network>(from.tensors, prefix);
  if (!bound) maquette::assertion_failed("bind", bound.error().message.c_str(), __FILE__, __LINE__);
  return std::move(bound).value();
}

/// The largest difference as a share of the range of what was expected; infinite at a NaN.
inline double error_of(std::span<const float> found, std::span<const float> expected,
                       std::size_t step = 1) {
  const auto [low, high] = std::minmax_element(expected.begin(), expected.end());
  const double range = *high > *low ? static_cast<double>(*high) - *low : 1.0;
  double worst = found.size() > (expected.size() - 1) * step ? 0 : HUGE_VAL;
  for (std::size_t i = 0; i < expected.size() && worst < HUGE_VAL; ++i) {
    const double difference = std::abs(static_cast<double>(found[i * step]) - expected[i]);
    worst = std::isnan(difference) ? HUGE_VAL : std::max(worst, difference);
  }
  return worst / range;
}

}  // namespace synthetic
