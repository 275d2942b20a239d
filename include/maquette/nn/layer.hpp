// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include "maquette/core/backend.hpp"
#include "maquette/core/shape.hpp"
#include "maquette/core/view.hpp"
#include "maquette/nn/packer.hpp"

namespace maquette::nn {

/// A trained tensor as PyTorch stores it, borrowed from the weights' source while it is bound.
template <Shape S>
using parameter = view<const float, S>;

template <class T>
inline constexpr bool is_parameter = false;
template <Shape S>
inline constexpr bool is_parameter<parameter<S>> = true;

/// A layer that accepts an input of this shape.
///
/// `output<In>` is the shape of what it makes, `scratch<In>()` the bytes of an arena that it needs.
template <class Layer, class In>
concept LayerFor = Shape<In> && requires {
  typename Layer::template output<In>;
  { Layer::template scratch<In>() } -> std::same_as<std::size_t>;
};

/// A layer that may write its result over its input.
template <class Layer>
concept InPlace = Layer::in_place;

/// Calls `visit(name, parameter)` for every tensor of a tree of layers, in PyTorch's order and with
/// PyTorch's dotted names behind the prefix.
template <class Layer, class Visitor>
void for_each_parameter(Layer& layer, Visitor&& visit, const std::string& prefix = {}) {
  layer.parameters([&](std::string_view name, auto& child) {
    std::string full = prefix;
    full += name;
    if constexpr (is_parameter<std::remove_cvref_t<decltype(child)>>) {
      visit(full, child);
    } else {
      for_each_parameter(child, visit, full + '.');
    }
  });
}

/// Prepares a tree of layers for its kernels: folds, packs and stores through `pack` where a layer
/// has one, and goes on to its children where it has none.
template <class Layer>
void pack_layers(Layer& layer, packer& to) {
  if constexpr (requires { layer.pack(to); }) {
    layer.pack(to);
  } else {
    layer.parameters([&](std::string_view, auto& child) {
      if constexpr (!is_parameter<std::remove_cvref_t<decltype(child)>>) pack_layers(child, to);
    });
  }
}

/// How many numbers a tree of layers has learnt (and, for batch norms, recorded).
template <class Layer>
std::size_t parameter_count() {
  std::size_t count = 0;
  Layer layer;
  for_each_parameter(layer, [&](const std::string&, const auto& tensor) { count += tensor.size; });
  return count;
}

}  // namespace maquette::nn
