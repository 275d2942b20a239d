// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "maquette/kernel/elementwise.hpp"
#include "maquette/nn/bind.hpp"
#include "maquette/nn/hourglass.hpp"

namespace maquette {

namespace detail {

/// The rows of a feature map from `first` on, as many as the shape has.
template <ImageShape Rows, class T, ImageShape S>
feature_map<T, Rows> rows_of(feature_map<T, S> map, int first) {
  static_assert(channels<Rows> == channels<S> && width<Rows> == width<S>);
  return feature_map<T, Rows>(map.data + pixel_major::offset<S>(0, first, 0));
}

/// 7x7 convolution of stride 2, batch norm, ReLU; residual; 2x2 max-pool; two residuals:
/// [3, S, S] to [Features, S/4, S/4].
template <int Features, arithmetic How>
struct human2d_stem {
  nn::conv2d<3, Features / 4, 7, 2, How> conv;
  nn::batch_norm<Features / 4> norm;
  nn::residual<Features / 4, Features / 2, How> residual1;
  nn::residual<Features / 2, Features / 2, How> residual2;
  nn::residual<Features / 2, Features, How> residual3;

  /// Between convolution and pool the maps are largest: residual1 goes band by band of rows, each
  /// with a row more above and below for the 3x3 kernel, and is pooled at once.
  template <ImageShape S>
  struct shapes {
    using convolved = typename decltype(conv)::template output<S>;
    static constexpr int band_rows = std::min(32, height<convolved>);
    static constexpr int seen_rows = std::min(band_rows + 2, height<convolved>);
    static_assert(height<convolved> % band_rows == 0 && band_rows % 2 == 0);
    using seen = shape<channels<convolved>, seen_rows, width<convolved>>;
    using widened = typename decltype(residual1)::template output<seen>;
    using band = shape<channels<widened>, band_rows, width<widened>>;
    using pooled_band = typename nn::max_pool<>::output<band>;
    using pooled = shape<channels<widened>, height<convolved> / 2, width<convolved> / 2>;
    using result = typename decltype(residual3)::template output<pooled>;
  };
  template <ImageShape S>
  using output = typename shapes<S>::result;

  template <ImageShape S>
  static constexpr std::size_t scratch() {
    using s = shapes<S>;
    constexpr std::size_t before_pool = arena::bytes_of<typename s::widened>() +
                                        decltype(residual1)::template scratch<typename s::seen>();
    return arena::bytes_of<typename s::pooled>() +
           std::max({before_pool, decltype(residual2)::template scratch<typename s::pooled>(),
                     decltype(residual3)::template scratch<typename s::pooled>()});
  }

  void parameters(auto&& visit) {
    visit("conv", conv);
    visit("norm", norm);
    visit("residual1", residual1);
    visit("residual2", residual2);
    visit("residual3", residual3);
  }

  [[gnu::cold]] void pack(nn::packer& to) {
    conv.pack(to, norm);
    residual1.pack(to);
    residual2.pack(to);
    residual3.pack(to);
  }

  template <Backend B, ImageShape S>
  void operator()(const context<B>& context, feature_map<const float, S> x,
                  feature_map<float, output<S>> y) const {
    using s = shapes<S>;
    const arena::scope scope(context.scratch);
    const auto pooled = context.scratch.template take<typename s::pooled, pixel_major>();
    {
      const arena::scope before_pool(context.scratch);
      const auto widened = context.scratch.template take<typename s::widened, pixel_major>();
      // As large as the result, which nobody writes before the last module: it lies there.
      static_assert(s::convolved::size == output<S>::size);
      const feature_map<float, typename s::convolved> convolved(y.data);
      conv(context, x, convolved, {.relu = true});
      for (int row = 0; row < height<typename s::convolved>; row += s::band_rows) {
        const int first = std::clamp(row - 1, 0, height<typename s::convolved> - s::seen_rows);
        residual1(context, rows_of<typename s::seen>(convolved.as_const(), first), widened);
        nn::max_pool<>{}(context, rows_of<typename s::band>(widened.as_const(), row - first),
                         rows_of<typename s::pooled_band>(pooled, row / 2));
      }
    }
    residual2(context, pooled.as_const(), pooled);
    residual3(context, pooled.as_const(), y);
  }
};

/// One hourglass, residual modules, two 1x1 heads, and what feeds the heads back into the next one.
template <int Joints, int Features, int Modules, int DeepModules, arithmetic How, bool Last>
struct human2d_stack {
  struct nothing {};
  template <int Channels>
  using merge = std::conditional_t<Last, nothing, nn::conv2d<Channels, Features>>;
  static constexpr int head_channels = Joints + 2;

  nn::hourglass<4, Features, Modules, How, DeepModules> hourglass;
  nn::residuals<Features, Modules, How> features;
  nn::conv2d<Features, Joints> heatmaps;
  nn::conv2d<Features, 2> silhouette;
  merge<Joints> merge_heatmaps;
  merge<2> merge_silhouette;
  /// What is computed: both heads as one product, and what they feed back.
  nn::conv2d<Features, head_channels> heads;
  merge<head_channels> merge_heads;

  void parameters(auto&& visit) {
    visit("hourglass", hourglass);
    visit("features", features);
    visit("heatmaps", heatmaps);
    visit("silhouette", silhouette);
    if constexpr (!Last) {
      visit("merge_heatmaps", merge_heatmaps);
      visit("merge_silhouette", merge_silhouette);
    }
  }

  [[gnu::cold]] void pack(nn::packer& to) {
    nn::pack_layers(hourglass, to);
    nn::pack_layers(features, to);
    nn::pack_side_by_side(to, heatmaps, silhouette, heads);
    if constexpr (!Last) nn::pack_sum(to, merge_heatmaps, merge_silhouette, merge_heads);
  }
};

template <int Joints, int Features, int Modules, int DeepModules, arithmetic How, class Index>
struct human2d_stacks;
template <int Joints, int Features, int Modules, int DeepModules, arithmetic How,
          std::size_t... Index>
struct human2d_stacks<Joints, Features, Modules, DeepModules, How, std::index_sequence<Index...>> {
  using type = nn::layer_list<
      human2d_stack<Joints, Features, Modules, DeepModules, How, Index + 1 == sizeof...(Index)>...>;
};

}  // namespace detail

/// From a picture to heat maps of the joints and the body's silhouette (Pavlakos et al. 2018,
/// section 4.1): a stem and stacked hourglasses, each with both heads.
///
/// Picture: [Input, Input, 3] floats, rgb / 255 - 0.5, the crop around the person. Heat maps:
/// [Joints, Input/4, Input/4]. Silhouette: logits [2, Input/4, Input/4], channel 0 body, channel 1
/// background. The paper's own size is the default. `How` changes speed, memory and the last
/// digits, not the weights; both heads are float32. `DeepModules` are the residual modules of
/// each hourglass's two innermost orders: the branch on maps of Input/16 and all on smaller ones.
template <int Joints = 16, int Features = 256, int Stacks = 2, int Modules = 3, int Input = 256,
          arithmetic How = arithmetic::float32, int DeepModules = Modules>
struct human2d {
  static constexpr arithmetic how = How;
  static constexpr int joints = Joints;
  static constexpr int input_size = Input;
  static constexpr int output_size = Input / 4;
  using picture_type = feature_map<const float, shape<3, Input, Input>>;
  using heatmaps_shape = shape<Joints, output_size, output_size>;
  using silhouette_shape = shape<2, output_size, output_size>;
  /// Both together, as the network computes them.
  using heads_shape = shape<Joints + 2, output_size, output_size>;

  /// Where one stack's results go, as planes; a part that is left null is not wanted.
  struct outputs {
    view<float, heatmaps_shape> heatmaps;
    view<float, silhouette_shape> silhouette;
  };

  detail::human2d_stem<Features, How> stem;
  typename detail::human2d_stacks<Joints, Features, Modules, DeepModules, How,
                                  std::make_index_sequence<static_cast<std::size_t>(Stacks)>>::type
      stacks;

  void parameters(auto&& visit) {
    visit("stem", stem);
    visit("stacks", stacks);
  }

  template <int Size>
  using resized = human2d<Joints, Features, Stacks, Modules, Size, How, DeepModules>;
  /// The same network for pictures of another size, on the same prepared parameters, which it
  /// borrows: every layer takes any size that its strides divide.
  template <int Size>
  resized<Size> for_pictures_of() const {
    return {stem, stacks};
  }

  /// The scratch memory of one call.
  static constexpr std::size_t workspace_bytes = [] {
    using features_shape = shape<Features, output_size, output_size>;
    using hourglass = nn::hourglass<4, Features, Modules, How, DeepModules>;
    using residuals = nn::residuals<Features, Modules, How>;
    // Of more stacks those in the middle write where they read, of one the only one.
    constexpr bool apart = Stacks == 2;
    constexpr std::size_t in_hourglass = apart ? hourglass::template scratch_apart<features_shape>()
                                               : hourglass::template scratch<features_shape>();
    constexpr std::size_t in_stack =
        std::max({in_hourglass, residuals::template scratch<features_shape>(),
                  arena::bytes_of<heads_shape>()});
    constexpr std::size_t one_map = arena::bytes_of<features_shape>();
    return one_map +
           std::max(detail::human2d_stem<Features, How>::template scratch<shape<3, Input, Input>>(),
                    (Stacks > 1 ? one_map : 0) + in_stack);
  }();

  /// The last stack's heat maps and silhouette.
  template <Backend B>
  void operator()(const context<B>& context, picture_type picture,
                  view<float, heatmaps_shape> heatmaps,
                  view<float, silhouette_shape> silhouette) const {
    std::array<outputs, Stacks> all{};
    all.back() = {heatmaps, silhouette};
    (*this)(context, picture, all);
  }

  /// Every stack's heat maps and silhouette.
  template <Backend B>
  void operator()(const context<B>& context, picture_type picture,
                  const std::array<outputs, Stacks>& results) const {
    MAQUETTE_ASSERT(context.scratch.available() >= workspace_bytes,
                    "human2d: the workspace is smaller than workspace_bytes");
    const arena::scope scope(context.scratch);
    const auto stem_features = context.scratch.template take<features_shape, pixel_major>();
    stem(context, picture, stem_features);
    auto between = stem_features;
    if constexpr (Stacks > 1)
      between = context.scratch.template take<features_shape, pixel_major>();
    [&]<std::size_t... Index>(std::index_sequence<Index...>) {
      (run_stack<Index>(context, stem_features, between, results[Index]), ...);
    }
    (std::make_index_sequence<static_cast<std::size_t>(Stacks)>{});
  }

 private:
  using features_shape = shape<Features, output_size, output_size>;
  using features_map = feature_map<float, features_shape>;
  static constexpr int pixels = output_size * output_size;

  template <std::size_t Index, Backend B>
  void run_stack(const context<B>& context, features_map stem_features, features_map between,
                 const outputs& results) const {
    constexpr bool last = Index + 1 == static_cast<std::size_t>(Stacks);
    const auto& stack = stacks.template at<Index>();
    const auto& backend = context.backend;
    const features_map input = Index == 0 ? stem_features : between;
    // Behind the last stack nobody adds the stem's features: their memory is free.
    const features_map features = last ? stem_features : between;
    stack.hourglass(context, input.as_const(), features);
    stack.features(context, features.as_const(), features);

    const arena::scope scope(context.scratch);
    const auto heads = context.scratch.template take<heads_shape, pixel_major>();
    constexpr int channels = Joints + 2;
    stack.heads(context, features.as_const(), heads);
    if (results.heatmaps.data != nullptr)
      kernel::to_planar(backend, channels, pixels, heads.data, 0, Joints, results.heatmaps.data);
    if (results.silhouette.data != nullptr)
      kernel::to_planar(backend, channels, pixels, heads.data, Joints, 2, results.silhouette.data);
    if constexpr (!last) {
      stack.merge_heads(context, heads.as_const(), features, {.addend = features.data});
      kernel::add(backend, features_map::size, stem_features.data, features.data);
    }
  }
};

}  // namespace maquette
