// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>

#include "maquette/core/arena.hpp"
#include "maquette/core/executor.hpp"

namespace maquette {

/// The processor: feature maps lie pixel by pixel, and the work goes to the caller's executor.
struct cpu {
  executor threads{};
};

/// An NVIDIA device: `stream` is a cudaStream_t, named so that host code needs no CUDA header.
struct cuda {
  void* stream = nullptr;
};

template <class T>
concept Backend = std::same_as<T, cpu> || std::same_as<T, cuda>;

/// What a network's call needs besides its data: where to run, and scratch memory there.
template <Backend B>
struct context {
  B backend{};
  arena& scratch;
};

}  // namespace maquette
