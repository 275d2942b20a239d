// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

#include "maquette/core/arena.hpp"
#include "maquette/core/buffer.hpp"

namespace maquette {

/// The scratch memory of one calling thread: an arena that owns its memory, allocated once.
///
/// `workspace w(human2d<>::workspace_bytes);` serves any number of calls, one at a time.
class workspace {
 public:
  explicit workspace(std::size_t bytes) : memory_(arena::padded(bytes)), arena_(memory_.bytes()) {}

  arena& scratch() { return arena_; }

 private:
  buffer memory_;
  arena arena_;
};

}  // namespace maquette
