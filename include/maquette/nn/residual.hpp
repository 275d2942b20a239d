// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <type_traits>
#include <utility>

#include "maquette/core/simd.hpp"
#include "maquette/nn/batch_norm.hpp"
#include "maquette/nn/conv2d.hpp"
#include "maquette/nn/joined.hpp"
#include "maquette/nn/sequential.hpp"

namespace maquette::nn {

/// The pre-activation bottleneck of the stacked hourglass (Newell et al. 2016):
/// y = skip(x) + conv3(relu(norm3(conv2(relu(norm2(conv1(relu(norm1(x)))))))), 1x1, 3x3, 1x1.
///
/// The skip is x itself, or a bare 1x1 convolution where the number of channels changes: then it
/// and conv3 are one product of both maps' channels. norm2 folds into conv1 and norm3 into conv2;
/// norm1 cannot, since x also feeds the skip.
template <int In, int Out, arithmetic How = arithmetic::float32>
struct residual {
  static constexpr int middle = Out / 2;
  static constexpr bool has_skip = In != Out;
  /// In int8 each of both maps needs a scale of its own.
  static constexpr bool joins_skip = has_skip && How != arithmetic::int8;
  struct nothing {};

  batch_norm<In> norm1;
  conv2d<In, middle, 1, 1, How> conv1;
  batch_norm<middle> norm2;
  conv2d<middle, middle, 3, 1, How> conv2;
  batch_norm<middle> norm3;
  conv2d<middle, Out, 1, 1, How> conv3;
  [[no_unique_address]] std::conditional_t<has_skip, conv2d<In, Out, 1, 1, How>, nothing> skip;
  [[no_unique_address]] std::conditional_t<joins_skip, conv2d<middle + In, Out, 1, 1, How>, nothing>
      conv3_and_skip;

  static constexpr bool in_place = !has_skip;
  template <ImageShape S>
  requires(channels<S> == In) using output = shape<Out, height<S>, width<S>>;
  template <ImageShape S>
  static constexpr std::size_t scratch() {
    using inner = shape<middle, height<S>, width<S>>;
    return (has_skip ? 1 : 2) * arena::bytes_of<inner>() +
           decltype(conv2)::template scratch<inner>();
  }

  void parameters(auto&& visit) {
    visit("norm1", norm1);
    visit("conv1", conv1);
    visit("norm2", norm2);
    visit("conv2", conv2);
    visit("norm3", norm3);
    visit("conv3", conv3);
    if constexpr (has_skip) visit("skip", skip);
  }

  [[gnu::cold]] void pack(packer& to) {
    norm1.pack(to);
    conv1.pack(to, norm2);
    conv2.pack(to, norm3);
    if constexpr (joins_skip) {
      pack_sum(to, conv3, skip, conv3_and_skip);
      return;
    }
    conv3.pack(to);
    if constexpr (has_skip) skip.pack(to);
  }

  /// Without a change of channels y may be x.
  template <Backend B, ImageShape S>
  void operator()(const context<B>& context, feature_map<const float, S> x,
                  feature_map<float, output<S>> y) const {
    run(context, {height<S>, width<S>}, x.data, y.data);
  }
  /// The same where the map's size is known at run time alone: one function, out of line, for all.
  template <Backend B>
  MAQUETTE_NOINLINE void run(const context<B>& context, kernel::extent2 size, const float* x,
                             float* y) const {
    const arena::scope scope(context.scratch);
    const std::size_t inner = std::size_t{middle} * size.area();
    // Where y is not x nobody needs y before the skip is added, when `first` has done its work.
    float* const first = has_skip ? y : context.scratch.take_floats(inner);
    float* const second = context.scratch.take_floats(inner);
    conv1.run(context, size, x, first, {.prologue = norm1.packed, .relu = true});
    conv2.run(context, size, first, second, {.relu = true});
    if constexpr (joins_skip) {
      conv3_and_skip.run(context, size, second, y, {.beside = {x, In}});
    } else if constexpr (has_skip) {
      skip.run(context, size, x, y);
      conv3.run(context, size, second, y, {.addend = y});
    } else {
      conv3.run(context, size, second, y, {.addend = x});
    }
  }
};

namespace detail {

template <int Channels, arithmetic How, class Index>
struct residual_chain;
template <int Channels, arithmetic How, std::size_t... Index>
struct residual_chain<Channels, How, std::index_sequence<Index...>> {
  template <std::size_t>
  using one = residual<Channels, Channels, How>;
  using type = sequential<one<Index>...>;
};

}  // namespace detail

/// So many residual modules one behind the other.
template <int Channels, int Modules, arithmetic How = arithmetic::float32>
using residuals = typename detail::residual_chain<
    Channels, How, std::make_index_sequence<static_cast<std::size_t>(Modules)>>::type;

}  // namespace maquette::nn
