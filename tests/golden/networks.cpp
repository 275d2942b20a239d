// The networks and single layers against PyTorch in double precision: see make_network_goldens.py.
#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "maquette/core/workspace.hpp"
#include "maquette/io/safetensors.hpp"
#include "maquette/kernel/linear.hpp"
#include "maquette/kernel/pool.hpp"
#include "maquette/kernel/reference/reference.hpp"
#include "maquette/model/human2d.hpp"
#include "maquette/model/pose_prior.hpp"
#include "maquette/model/shape_prior.hpp"
#include "support/synthetic.hpp"

using namespace maquette;
using floats = std::vector<float>;

namespace {

const safetensors& goldens() {
  static const safetensors file = [] {
    result<safetensors> opened =
        safetensors::open(MAQUETTE_SOURCE_DIR "/tests/golden/data/networks.safetensors");
    REQUIRE_MESSAGE(opened, opened.error().message);
    return std::move(opened).value();
  }();
  return file;
}

/// Checks values against the golden of this name: below a ten-thousandth of its range.
void check(const std::string& name, std::span<const float> found, std::size_t step = 1) {
  static const float_tensors tensors(goldens());
  const named_tensor* expected = tensors.find(name);
  REQUIRE_MESSAGE(expected != nullptr, name);
  CHECK((found.size() + step - 1) / step == expected->values.size());
  const double error = synthetic::error_of(found, expected->values, step);
  MESSAGE(name, ": largest error over range ", error);
  CHECK(error < 1e-4);
}

template <class Network>
void check_human2d(const std::string& name, std::size_t step) {
  const auto network = synthetic::network<Network>("human2d.");
  floats picture = synthetic::values("picture", Network::input_size, Network::input_size, 3);
  for (float& value : picture) value *= 0.5F;

  std::array<floats, 2> heatmaps;
  std::array<floats, 2> silhouettes;
  std::array<typename Network::outputs, 2> outputs;
  for (std::size_t stack = 0; stack < 2; ++stack) {
    heatmaps[stack].resize(Network::heatmaps_shape::size);
    silhouettes[stack].resize(Network::silhouette_shape::size);
    outputs[stack].heatmaps.data = heatmaps[stack].data();
    outputs[stack].silhouette.data = silhouettes[stack].data();
  }
  workspace memory(Network::workspace_bytes);
  network(context<cpu>{{}, memory.scratch()},
          typename Network::picture_type{std::span<const float>(picture)}, outputs);
  for (std::size_t stack = 0; stack < 2; ++stack) {
    const std::string prefix = name + '.' + std::to_string(stack);
    check(prefix + ".heatmaps", heatmaps[stack], step);
    check(prefix + ".silhouette", silhouettes[stack], step);
  }
}

void check_conv2d(const std::string& name) {
  kernel::conv2d_geometry g;
  REQUIRE(std::sscanf(name.c_str(), "conv2d %d %d %d %d %d %d %d %d %d %d", &g.in_channels,
                      &g.out_channels, &g.height, &g.width, &g.kernel.y, &g.kernel.x, &g.stride.y,
                      &g.stride.x, &g.padding.y, &g.padding.x) == 10);
  const floats x = synthetic::values(name + ".x", g.height, g.width, g.in_channels);
  const floats weight =
      synthetic::values(name + ".weight", g.out_channels, g.in_channels, g.kernel.y, g.kernel.x);
  const floats bias = synthetic::values(name + ".bias", g.out_channels);
  floats packed(kernel::conv2d_packed_size(g));
  floats y(static_cast<std::size_t>(g.out_pixels() * g.out_channels));
  reference::conv2d(g, x.data(), weight.data(), bias.data(), y.data());
  check(name, y);
  kernel::conv2d_pack(g, weight.data(), bias.data(), nullptr, packed.data());
  kernel::conv2d(cpu{}, g, x.data(), packed.data(), y.data());
  check(name, y);
}

void check_max_pool(const std::string& name) {
  kernel::pool_geometry g;
  REQUIRE(std::sscanf(name.c_str(), "max_pool %d %d %d %d %d", &g.channels, &g.height, &g.width,
                      &g.kernel, &g.stride) == 5);
  const floats x = synthetic::values(name + ".x", g.height, g.width, g.channels);
  floats y(static_cast<std::size_t>(g.out_height() * g.out_width() * g.channels));
  reference::max_pool(g, x.data(), y.data());
  check(name, y);
  kernel::max_pool(cpu{}, g, x.data(), y.data());
  check(name, y);
}

void check_linear(const std::string& name) {
  int in = 0;
  int out = 0;
  int rows = 0;
  REQUIRE(std::sscanf(name.c_str(), "linear %d %d %d", &in, &out, &rows) == 3);
  const floats x = synthetic::values(name + ".x", rows, in);
  const floats weight = synthetic::values(name + ".weight", out, in);
  const floats bias = synthetic::values(name + ".bias", out);
  const kernel::conv2d_geometry g = kernel::linear_geometry(in, out, rows);
  floats packed(kernel::conv2d_packed_size(g));
  floats y(static_cast<std::size_t>(out * rows));
  kernel::conv2d_pack(g, weight.data(), bias.data(), nullptr, packed.data());
  kernel::linear(cpu{}, in, out, rows, x.data(), packed.data(), y.data());
  check(name, y);
}

template <int Channels, int Pixels>
void check_batch_norm() {
  const std::string name = "batch_norm " + std::to_string(Channels) + ' ' + std::to_string(Pixels);
  using norm = nn::batch_norm<Channels>;
  const auto network = synthetic::network<norm>(name + '.');
  const floats x = synthetic::values(name + ".x", Pixels, Channels);
  floats y(x.size());
  arena none;
  using image = shape<Channels, 1, Pixels>;
  network(context<cpu>{{}, none}, feature_map<const float, image>{x.data()},
          feature_map<float, image>{y.data()});
  check(name, y);
}

}  // namespace

TEST_CASE("human2d of the paper's size does what PyTorch does") {
  check_human2d<human2d<>>("human2d.paper", 13);
}

TEST_CASE("human2d of a compact size, down to one pixel, does what PyTorch does") {
  check_human2d<human2d<16, 64, 2, 1, 64, arithmetic::float32, 3>>("human2d.compact", 1);
}

TEST_CASE("pose_prior does what PyTorch does") {
  const auto network = synthetic::network<pose_prior<>>("pose_prior.");
  const floats joints = synthetic::values("joints", 1, 48);
  floats pose(pose_prior<>::pose_shape::size);
  workspace memory(pose_prior<>::workspace_bytes);
  network(context<cpu>{{}, memory.scratch()},
          view<const float, pose_prior<>::input_shape>{joints.data()},
          view<float, pose_prior<>::pose_shape>{pose.data()});
  check("pose_prior", pose);
}

TEST_CASE("shape_prior does what PyTorch does") {
  const auto network = synthetic::network<shape_prior<>>("shape_prior.");
  floats silhouette = synthetic::values("silhouette", 1, 64, 64);
  for (float& value : silhouette) value = 0.5F + 0.5F * value;
  floats beta(10);
  workspace memory(shape_prior<>::workspace_bytes);
  network(context<cpu>{{}, memory.scratch()},
          view<const float, shape_prior<>::silhouette_shape>{silhouette.data()},
          view<float, shape_prior<>::beta_shape>{beta.data()});
  check("shape_prior", beta);
}

TEST_CASE("single layers of odd sizes do what PyTorch does") {
  int cases = 0;
  for (const safetensors_entry& entry : goldens().entries()) {
    const std::string& name = entry.name;
    cases +=
        name.starts_with("conv2d") || name.starts_with("max_pool") || name.starts_with("linear");
    if (name.starts_with("conv2d")) check_conv2d(name);
    if (name.starts_with("max_pool")) check_max_pool(name);
    if (name.starts_with("linear")) check_linear(name);
  }
  CHECK(cases == 14);
  check_batch_norm<5, 3>();
  check_batch_norm<48, 70>();
}
