// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>

#include "maquette/core/assert.hpp"
#include "maquette/core/shape.hpp"

namespace maquette {

/// The last index runs fastest: [C, H, W] lies as planes.
struct row_major {
  template <Shape S>
  static constexpr std::size_t offset(auto... index) {
    std::size_t at = 0;
    int axis = 0;
    ((at = at * static_cast<std::size_t>(S::extent(axis++)) + static_cast<std::size_t>(index)),
     ...);
    return at;
  }
};

/// The channel runs fastest: [C, H, W] lies pixel by pixel, as [H, W, C].
struct pixel_major {
  template <ImageShape S>
  static constexpr std::size_t offset(int channel, int y, int x) {
    return row_major::offset<shape<height<S>, width<S>, channels<S>>>(y, x, channel);
  }
};

/// Borrowed, contiguous memory with its shape in the type. Indices are logical, [C, H, W] for an
/// image in either layout.
template <class T, Shape S, class Layout = row_major>
struct view {
  using shape_type = S;
  static constexpr std::size_t size = S::size;

  T* data = nullptr;

  constexpr view() = default;
  constexpr explicit view(T* memory) : data(memory) {}
  constexpr explicit view(std::span<T> memory) : data(memory.data()) {
    MAQUETTE_ASSERT(memory.size() == size, "view: the memory has another size than the shape");
  }
  /// A view of constants from a view of variables.
  template <class U>
  requires(std::same_as<const U, T> && !std::same_as<U, T>) constexpr view(view<U, S, Layout> other)
      : data(other.data) {}

  template <class... Index>
  requires(sizeof...(Index) == S::rank) constexpr T& operator()(Index... index) const {
    return data[Layout::template offset<S>(index...)];
  }
  constexpr view<const T, S, Layout> as_const() const { return view<const T, S, Layout>{data}; }
  constexpr std::span<T> flat() const { return {data, size}; }
};

/// A picture or a feature map inside a network: pixel by pixel.
template <class T, ImageShape S>
using feature_map = view<T, S, pixel_major>;

}  // namespace maquette
