// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "maquette/core/backend.hpp"
#include "maquette/core/function_ref.hpp"
#include "maquette/core/shape.hpp"
#include "maquette/core/tensor.hpp"
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

/// A parameter of any shape, as a walk over layers meets it: where it points, and what it holds.
struct parameter_slot {
  const float*& data;
  const tensor_shape& shape;
  std::size_t size;
};

/// What is done with each parameter and its dotted name; borrowed for the length of a walk.
using parameter_visitor = function_ref<void(const std::string& name, parameter_slot slot)>;

namespace detail {

template <int... Extents>
constexpr tensor_shape to_run_time(shape<Extents...>) {
  return tensor_shape(Extents...);
}
template <Shape S>
inline constexpr tensor_shape run_time_shape = to_run_time(S{});

class parameter_walk;
/// A tree of layers whose type is erased.
struct any_layers {
  void* root;
  void (*walk_over)(parameter_walk& walk, void* root);
};

/// A walk over a tree of layers. The visitor's type is erased and names are put together in one
/// place, so that each kind of layer is compiled once, to a few calls, whatever is done.
class parameter_walk {
 public:
  parameter_walk(parameter_visitor visit, std::string prefix)
      : visit_(visit), name_(std::move(prefix)) {}

  [[gnu::cold]] void over(const any_layers& tree) { tree.walk_over(*this, tree.root); }

  template <class Layer>
  static any_layers erased(Layer& layer) {
    return {&layer,
            [](parameter_walk& walk, void* root) { walk.over_layer(*static_cast<Layer*>(root)); }};
  }

 private:
  template <class Layer>
  [[gnu::cold]] void over_layer(Layer& layer) {
    layer.parameters([this](std::string_view name, auto& child) {
      using type = std::remove_cvref_t<decltype(child)>;
      if constexpr (is_parameter<type>) {
        visit(name, {child.data, run_time_shape<typename type::shape_type>, type::size});
      } else {
        descend(name, erased(child));
      }
    });
  }

  [[gnu::cold, gnu::noinline]] void visit(std::string_view name, parameter_slot slot) {
    const std::size_t before = name_.size();
    name_ += name;
    visit_(name_, slot);
    name_.resize(before);
  }
  [[gnu::cold, gnu::noinline]] void descend(std::string_view name, const any_layers& child) {
    const std::size_t before = name_.size();
    name_ += name;
    name_ += '.';
    over(child);
    name_.resize(before);
  }

  parameter_visitor visit_;
  std::string name_;
};

}  // namespace detail

/// Calls `visit(name, slot)` for every tensor of a tree of layers, in PyTorch's order and with
/// PyTorch's dotted names behind the prefix.
template <class Layer, class Visit>
void for_each_parameter(Layer& layer, const Visit& visit, std::string prefix = {}) {
  detail::parameter_walk(parameter_visitor(visit), std::move(prefix))
      .over(detail::parameter_walk::erased(layer));
}

/// Prepares a tree of layers for its kernels: folds, packs and stores through `pack` where a layer
/// has one, and goes on to its children where it has none.
template <class Layer>
[[gnu::cold]] void pack_layers(Layer& layer, packer& to) {
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
  for_each_parameter(layer, [&](const std::string&, parameter_slot slot) { count += slot.size; });
  return count;
}

}  // namespace maquette::nn
