// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

namespace maquette {

/// The extents of an array, outermost first, as a type: a wrong shape does not compile.
template <int... Extents>
struct shape {
  static_assert(((Extents > 0) && ...), "every extent of a shape is positive");
  static constexpr int rank = sizeof...(Extents);
  static constexpr std::size_t size = (std::size_t{1} * ... * static_cast<std::size_t>(Extents));

  /// The extent along an axis. A function, because device code cannot index a static array.
  static constexpr int extent(int axis) {
    const int extents[] = {Extents..., 0};
    return extents[axis];
  }
};

template <class T>
inline constexpr bool is_shape = false;
template <int... Extents>
inline constexpr bool is_shape<shape<Extents...>> = true;

template <class T>
concept Shape = is_shape<T>;

/// A vector of values: [N].
template <class T>
concept VectorShape = Shape<T> && T::rank == 1;

/// A picture or a feature map: [C, H, W], however it lies in memory.
template <class T>
concept ImageShape = Shape<T> && T::rank == 3;

/// C, H and W of an image shape.
template <ImageShape S>
inline constexpr int channels = S::extent(0);
template <ImageShape S>
inline constexpr int height = S::extent(1);
template <ImageShape S>
inline constexpr int width = S::extent(2);

}  // namespace maquette
