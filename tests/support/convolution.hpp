// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cmath>
#include <vector>

#include "maquette/kernel/conv2d.hpp"
#include "maquette/kernel/reference/reference.hpp"
#include "support/synthetic.hpp"

namespace synthetic {

using floats = std::vector<float>;
using namespace maquette;

/// One convolution's data, by number, and both kernels on it.
struct convolution {
  kernel::conv2d_geometry g;
  bool prologue = false;
  bool relu = false;
  bool addend = false;
  floats in = synthetic::uniform("in", size(g.height* g.width* g.in_channels));
  floats weight = synthetic::uniform("weight", size(g.out_channels* g.patch_size()));
  floats bias = synthetic::uniform("bias", size(g.out_channels));
  floats scale = synthetic::uniform("scale", size(g.in_channels));
  floats shift = synthetic::uniform("shift", size(g.in_channels));
  floats onto = synthetic::uniform("onto", size(g.out_pixels() * g.out_channels));

  static std::size_t size(int count) { return static_cast<std::size_t>(count); }

  kernel::fusion with() const {
    kernel::fusion all{.relu = relu};
    if (prologue) all.prologue = {scale.data(), shift.data()};
    if (addend) all.addend = onto.data();
    return all;
  }
  floats expected() const {
    floats out(onto.size());
    reference::conv2d(g, in.data(), weight.data(), bias.data(), out.data(), with());
    return out;
  }
  floats found(const cpu& backend) const {
    floats packed(kernel::conv2d_packed_size(g));
    kernel::conv2d_pack(g, weight.data(), bias.data(), nullptr, packed.data());
    floats scratch(kernel::conv2d_scratch_size(g));
    floats out(onto.size());
    kernel::conv2d(backend, g, in.data(), packed.data(), out.data(), with(),
                   scratch.empty() ? nullptr : scratch.data());
    return out;
  }
};

/// A batch norm's statistics, by name.
struct statistics_of_norm {
  floats weight, bias, mean, variance;

  explicit statistics_of_norm(std::size_t channels)
      : weight(synthetic::values("norm.weight", channels)),
        bias(synthetic::values("norm.bias", channels)),
        mean(synthetic::values("norm.running_mean", channels)),
        variance(synthetic::values("norm.running_var", channels)) {}

  kernel::batch_norm_parameters parameters() const {
    return {weight.data(), bias.data(), mean.data(), variance.data()};
  }
  /// What it makes of a map.
  floats of(floats map) const {
    for (std::size_t i = 0; i < map.size(); ++i) {
      const int channel = static_cast<int>(i % weight.size());
      const kernel::batch_norm_parameters norm = parameters();
      map[i] = static_cast<float>(norm.scale(channel) * double{map[i]} + norm.shift(channel));
    }
    return map;
  }
};

/// Pixels' channels as two maps, the first of which has `own` of them: what a kernel takes from
/// `fusion::beside`.
struct parted_map {
  floats first;
  floats second;

  parted_map(const floats& values, int channels, int own) {
    for (std::size_t i = 0; i < values.size(); ++i)
      (static_cast<int>(i) % channels < own ? first : second).push_back(values[i]);
  }
};

/// Geometries of 1x1 kernels, and how many of their channels lie in the first of two maps.
template <class Visit>
void for_each_parted_geometry(const Visit& visit) {
  for (const int own : {1, 24, 37})
    for (const int other : {1, 16, 48, 101})
      for (const int out : {18, 48})
        for (const kernel::extent2 map : {kernel::extent2{1, 1}, {3, 11}, {9, 14}})
          visit(
              kernel::conv2d_geometry{
                  .in_channels = own + other, .out_channels = out, .height = map.y, .width = map.x},
              own);
}

/// The root of the mean square difference as a share of the expected root mean square.
inline double relative_rms(std::span<const float> found, std::span<const float> expected) {
  double difference = 0;
  double whole = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - expected[i], 2);
    whole += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(difference / whole);
}

}  // namespace synthetic
