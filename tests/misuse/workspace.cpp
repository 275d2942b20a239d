// SPDX-License-Identifier: Apache-2.0
// Memory that is too small meets the library's assertion, which this program turns into an
// exception.
#include <stdexcept>

#define MAQUETTE_ASSERT(condition, message) \
  ((condition) ? static_cast<void>(0) : throw std::logic_error(message))

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "../support/synthetic.hpp"
#include "maquette/core/buffer.hpp"
#include "maquette/model/human2d.hpp"
#include "maquette/model/pose_prior.hpp"
#include "maquette/model/shape_prior.hpp"

using namespace maquette;

namespace {

/// What `call` complains of with so many bytes of scratch memory; nothing if it does not.
template <class Call>
std::string complaint(std::size_t bytes, const Call& call) {
  const buffer memory(bytes);
  arena scratch(memory.bytes());
  try {
    call(context<cpu>{{}, scratch});
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "";
}

/// A network takes its workspace_bytes, and says so of a byte less.
template <class Network, class Call>
void check_least_memory(const char* name, const Call& call) {
  CHECK(complaint(Network::workspace_bytes, call).empty());
  CHECK(complaint(Network::workspace_bytes - 1, call) ==
        std::string(name) + ": the workspace is smaller than workspace_bytes");
  CHECK(complaint(0, call) != "");
}

}  // namespace

TEST_CASE("Human2D with a byte too little of memory says what is wrong") {
  using small = human2d<16, 64, 2, 1, 64>;
  const nn::bound<small> network = synthetic::network<small>("human2d.");
  const std::vector<float> picture = synthetic::uniform("picture", small::picture_type::size);
  std::vector<float> heatmaps(small::heatmaps_shape::size);
  std::vector<float> silhouette(small::silhouette_shape::size);
  check_least_memory<small>("human2d", [&](const context<cpu>& on) {
    network(on, small::picture_type{picture.data()},
            view<float, small::heatmaps_shape>{heatmaps.data()},
            view<float, small::silhouette_shape>{silhouette.data()});
  });
}

TEST_CASE("the priors with a byte too little of memory say what is wrong") {
  const nn::bound<pose_prior<>> pose = synthetic::network<pose_prior<>>("pose_prior.");
  const std::vector<float> joints = synthetic::uniform("joints", pose_prior<>::input_shape::size);
  std::vector<float> theta(pose_prior<>::pose_shape::size);
  check_least_memory<pose_prior<>>("pose_prior", [&](const context<cpu>& on) {
    pose(on, view<const float, pose_prior<>::input_shape>{joints.data()},
         view<float, pose_prior<>::pose_shape>{theta.data()});
  });
  const nn::bound<shape_prior<>> shape = synthetic::network<shape_prior<>>("shape_prior.");
  const std::vector<float> body = synthetic::uniform("body", shape_prior<>::silhouette_shape::size);
  std::vector<float> beta(shape_prior<>::beta_shape::size);
  check_least_memory<shape_prior<>>("shape_prior", [&](const context<cpu>& on) {
    shape(on, view<const float, shape_prior<>::silhouette_shape>{body.data()},
          view<float, shape_prior<>::beta_shape>{beta.data()});
  });
}

TEST_CASE("an arena that is full says so and keeps what it had") {
  const buffer memory(256);
  arena scratch(memory.bytes());
  static_cast<void>(scratch.take<shape<48>>());
  CHECK(scratch.available() == 64);
  CHECK_THROWS_WITH(static_cast<void>(scratch.take<shape<17>>()),
                    "arena: out of memory; see the network's workspace_bytes");
  CHECK(scratch.available() == 64);
  static_cast<void>(scratch.take<shape<16>>());
  CHECK(scratch.available() == 0);
}
