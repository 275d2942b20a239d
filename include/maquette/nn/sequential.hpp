// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>
#include <utility>

#include "maquette/kernel/geometry.hpp"
#include "maquette/nn/layer.hpp"

namespace maquette::nn {

namespace detail {

/// "0", "1", ...: the names of a list's members.
template <std::size_t Index>
inline constexpr auto digits = [] {
  static_assert(Index < 100);
  return std::array<char, 2>{static_cast<char>('0' + Index / 10),
                             static_cast<char>('0' + Index % 10)};
}();
template <std::size_t Index>
constexpr std::string_view index_name() {
  const std::string_view both(digits<Index>.data(), 2);
  return Index < 10 ? both.substr(1) : both;
}

/// A tuple that is as trivial to copy as its layers are, which std::tuple is not: a network is
/// moved in one piece.
template <std::size_t Index, class Layer>
struct numbered_layer {
  Layer layer;
};
template <class Indices, class... Layers>
struct numbered_layers;
template <std::size_t... Index, class... Layers>
struct numbered_layers<std::index_sequence<Index...>, Layers...>
    : numbered_layer<Index, Layers>... {};
template <std::size_t Index, class Layer>
Layer& numbered(numbered_layer<Index, Layer>& at) {
  return at.layer;
}
template <std::size_t Index, class Layer>
const Layer& numbered(const numbered_layer<Index, Layer>& at) {
  return at.layer;
}

/// The shape behind a chain of layers.
template <Shape In, class... Layers>
struct chain {
  using output = In;
};
template <Shape In, class First, class... Rest>
requires LayerFor<First, In>
struct chain<In, First, Rest...> : chain<typename First::template output<In>, Rest...> {
};
template <Shape In, class First, class... Rest>
requires(!LayerFor<First, In>) struct chain<In, First, Rest...> {
};

}  // namespace detail

/// Layers by number, without an order of calls of their own: PyTorch's ModuleList.
template <class... Layers>
struct layer_list {
  detail::numbered_layers<std::index_sequence_for<Layers...>, Layers...> layers;

  template <std::size_t Index>
  auto& at() {
    return detail::numbered<Index>(layers);
  }
  template <std::size_t Index>
  const auto& at() const {
    return detail::numbered<Index>(layers);
  }

  void parameters(auto&& visit) {
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
      (visit(detail::index_name<Index>(), at<Index>()), ...);
    }
    (std::index_sequence_for<Layers...>{});
  }
};

/// Layers one behind the other: PyTorch's Sequential.
///
/// Where all but the first may write over their input, the result's own memory is all that it
/// needs; else the values in between go to the arena.
template <class... Layers>
struct sequential : layer_list<Layers...> {
  static constexpr std::size_t count = sizeof...(Layers);
  static constexpr bool in_place = (InPlace<Layers> && ...);

  template <Shape In>
  using output = typename detail::chain<In, Layers...>::output;

  template <Shape In>
  static constexpr std::size_t scratch() {
    return scratch_from<0, In>();
  }

  /// y = the last layer of ... the first layer of x.
  template <Backend B, Shape In, class Layout>
  void operator()(const context<B>& context, view<const float, In, Layout> x,
                  view<float, output<In>, Layout> y) const {
    run_from<0>(context, x, y);
  }
  /// The same of maps whose size is known at run time alone, where every layer may write over its
  /// input.
  template <Backend B>
  requires in_place void run(const context<B>& context, kernel::extent2 size, const float* x,
                             float* y) const {
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
      (this->template at<Index>().run(context, size, Index == 0 ? x : y, y), ...);
    }
    (std::index_sequence_for<Layers...>{});
  }

 private:
  template <std::size_t Index>
  using layer = std::tuple_element_t<Index, std::tuple<Layers...>>;

  template <std::size_t First>
  static constexpr bool in_place_from = []<std::size_t... Index>(std::index_sequence<Index...>) {
    return (InPlace<layer<First + Index>> && ...);
  }
  (std::make_index_sequence<count - First>{});

  template <std::size_t Index, Shape In>
  static constexpr std::size_t scratch_from() {
    using next = typename layer<Index>::template output<In>;
    constexpr std::size_t own = layer<Index>::template scratch<In>();
    if constexpr (Index + 1 == count) {
      return own;
    } else {
      constexpr std::size_t kept = in_place_from<Index + 1> ? 0 : arena::bytes_of<next>();
      return kept + std::max(own, scratch_from<Index + 1, next>());
    }
  }

  template <std::size_t Index, Backend B, Shape In, class Out, class Layout>
  void run_from(const context<B>& context, view<const float, In, Layout> x,
                view<float, Out, Layout> y) const {
    using next = typename layer<Index>::template output<In>;
    const auto& current = this->template at<Index>();
    if constexpr (Index + 1 == count) {
      current(context, x, y);
    } else if constexpr (in_place_from<Index + 1>) {
      current(context, x, y);
      run_from<Index + 1>(context, y.as_const(), y);
    } else {
      const arena::scope scope(context.scratch);
      const auto between = context.scratch.template take<next, Layout>();
      current(context, x, between);
      run_from<Index + 1>(context, between.as_const(), y);
    }
  }
};

}  // namespace maquette::nn
