// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>
#include <type_traits>

#include "maquette/nn/pool.hpp"
#include "maquette/nn/residual.hpp"

namespace maquette::nn {

/// The recursive hourglass (Newell et al. 2016), `Order` max-pools deep, [Channels, H, W] to the
/// same: y = up(x) + upsample(out(inner(down(max_pool(x))))).
///
/// `inner` is the hourglass of one order less, or residual modules in the innermost one. The two
/// innermost orders have `DeepModules` in place of `Modules`: there the maps are small, so that
/// more of them cost little.
template <int Order, int Channels, int Modules, arithmetic How = arithmetic::float32,
          int DeepModules = Modules>
struct hourglass {
  static_assert(Order >= 1);
  using modules = residuals<Channels, (Order > 2 ? Modules : DeepModules), How>;
  template <bool Innermost, int Less>
  struct nested {
    using type = modules;
  };
  template <int Less>
  struct nested<false, Less> {
    using type = hourglass<Less, Channels, Modules, How, DeepModules>;
  };
  using inner_type = typename nested<Order == 1, Order - 1>::type;

  modules up;
  modules down;
  inner_type inner;
  modules out;

  static constexpr bool in_place = true;
  template <ImageShape S>
  requires(channels<S> == Channels && height<S> % (1 << Order) == 0 &&
           width<S> % (1 << Order) == 0) using output = S;
  template <ImageShape S>
  using half = typename max_pool<>::output<S>;

  template <ImageShape S>
  static constexpr std::size_t scratch() {
    return arena::bytes_of<half<S>>() +
           std::max(modules::template scratch<S>(), scratch_below<S>());
  }
  /// What it needs where y is not x: the pooled map begins to live behind `up`.
  template <ImageShape S>
  static constexpr std::size_t scratch_apart() {
    return std::max(modules::template scratch<S>(),
                    arena::bytes_of<half<S>>() + scratch_below<S>());
  }

  void parameters(auto&& visit) {
    visit("up", up);
    visit("down", down);
    visit("inner", inner);
    visit("out", out);
  }

  /// y may be x: then it is pooled before y is written.
  template <Backend B, ImageShape S>
  void operator()(const context<B>& context, feature_map<const float, S> x,
                  feature_map<float, output<S>> y) const {
    run(context, {height<S>, width<S>}, x.data, y.data);
  }
  /// The same where the map's size is known at run time alone: one function for all of them.
  template <Backend B>
  void run(const context<B>& context, kernel::extent2 size, const float* x, float* y) const {
    const arena::scope scope(context.scratch);
    const kernel::extent2 less{size.y / 2, size.x / 2};
    const bool apart = y != x;
    if (apart) up.run(context, size, x, y);
    float* const low = context.scratch.take_floats(std::size_t{Channels} * less.area());
    kernel::max_pool(context.backend, {Channels, size.y, size.x}, x, low);
    if (!apart) up.run(context, size, x, y);
    down.run(context, less, low, low);
    inner.run(context, less, low, low);
    out.run(context, less, low, low);
    kernel::upsample_add(context.backend, Channels, less.y, less.x, low, y);
  }

 private:
  template <ImageShape S>
  static constexpr std::size_t scratch_below() {
    return std::max(modules::template scratch<half<S>>(), inner_type::template scratch<half<S>>());
  }
};

}  // namespace maquette::nn
