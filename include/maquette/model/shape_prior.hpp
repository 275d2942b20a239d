// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <cstddef>

#include "maquette/kernel/elementwise.hpp"
#include "maquette/nn/bilinear.hpp"
#include "maquette/nn/bind.hpp"
#include "maquette/nn/pool.hpp"
#include "maquette/nn/residual.hpp"

namespace maquette {

/// From the body's silhouette to SMPL's shape (Pavlakos et al. 2018, section 4.2): five residuals
/// with a max-pool behind each, then linear layers and one bilinear unit.
///
/// Silhouette: [1, 64, 64], the probability of body. Beta: [Shapes].
template <int Shapes = 10, int Width = 512>
struct shape_prior {
  using silhouette_shape = shape<1, 64, 64>;
  using beta_shape = shape<Shapes>;

  nn::layer_list<nn::residual<1, 8>, nn::residual<8, 16>, nn::residual<16, 32>,
                 nn::residual<32, 32>, nn::residual<32, 32>>
      convolutions;
  nn::linear<128, Width> input;
  nn::batch_norm<Width> norm;
  nn::bilinear<Width> block;
  nn::linear<Width, Shapes> output;

  void parameters(auto&& visit) {
    visit("convolutions", convolutions);
    visit("input", input);
    visit("norm", norm);
    visit("block", block);
    visit("output", output);
  }

  [[gnu::cold]] void pack(nn::packer& to) {
    nn::pack_layers(convolutions, to);
    input.pack(to, norm);
    block.pack(to);
    output.pack(to);
  }

  static constexpr std::size_t workspace_bytes =
      nn::sequential<nn::residual<1, 8>, nn::max_pool<>, nn::residual<8, 16>, nn::max_pool<>,
                     nn::residual<16, 32>, nn::max_pool<>, nn::residual<32, 32>, nn::max_pool<>,
                     nn::residual<32, 32>, nn::max_pool<>>::template scratch<silhouette_shape>() +
      arena::bytes_of<shape<128>>() + arena::bytes_of<shape<Width>>() +
      nn::bilinear<Width>::template scratch<shape<Width>>();

  template <Backend B>
  void operator()(const context<B>& context, view<const float, silhouette_shape> silhouette,
                  view<float, beta_shape> beta) const {
    MAQUETTE_ASSERT(context.scratch.available() >= workspace_bytes,
                    "shape_prior: the workspace is smaller than workspace_bytes");
    const arena::scope scope(context.scratch);
    const auto flat = context.scratch.template take<shape<128>>();
    const auto hidden = context.scratch.template take<shape<Width>>();
    // One channel: planes and pixels lie the same way.
    convolve<0>(context, feature_map<const float, silhouette_shape>(silhouette.data), flat);
    input(context, flat.as_const(), hidden, {.relu = true});
    block(context, hidden.as_const(), hidden);
    output(context, hidden.as_const(), beta);
  }

 private:
  /// Residual and max-pool number `Index` and all behind it; the last one's planes are `flat`.
  template <std::size_t Index, Backend B, ImageShape S>
  void convolve(const context<B>& context, feature_map<const float, S> x,
                view<float, shape<128>> flat) const {
    if constexpr (Index == 5) {
      kernel::to_planar(context.backend, channels<S>, height<S> * width<S>, x.data, 0, channels<S>,
                        flat.data);
    } else {
      const auto& residual = convolutions.template at<Index>();
      using wide = typename std::remove_cvref_t<decltype(residual)>::template output<S>;
      const arena::scope scope(context.scratch);
      const auto full = context.scratch.template take<wide, pixel_major>();
      residual(context, x, full);
      const auto pooled =
          context.scratch.template take<typename nn::max_pool<>::output<wide>, pixel_major>();
      nn::max_pool<>{}(context, full.as_const(), pooled);
      convolve<Index + 1>(context, pooled.as_const(), flat);
    }
  }
};

}  // namespace maquette
