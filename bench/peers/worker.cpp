// SPDX-License-Identifier: Apache-2.0
// The library beside its peers: loads one network of prepare.py's folder and obeys the driver.
//   peer_worker compact|one-module|paper FOLDER THREADS [bfloat16]
#include <string>
#include <vector>

#include "../../examples/thread_pool.hpp"
#include "commands.hpp"
#include "maquette/core/workspace.hpp"
#include "maquette/io/safetensors.hpp"
#include "maquette/model/human2d_sizes.hpp"

using namespace maquette;

namespace {

template <class Network>
int serve(const std::string& folder, unsigned threads) {
  using picture_type = typename Network::picture_type;
  const result<safetensors> file = safetensors::open(folder + "/weights.safetensors");
  if (!file) return fail(file.error().message);
  const float_tensors tensors(*file);
  const result<nn::bound<Network>> network = nn::bind<Network>(tensors.source(), "human2d.");
  if (!network) return fail(network.error().message);
  const std::vector<float> planes = read_floats(folder + "/picture.f32");
  if (planes.size() != picture_type::size)
    return fail(folder + "/picture.f32: expected a picture of 3 x 256 x 256 floats");
  std::vector<float> picture(planes.size());
  for (std::size_t i = 0; i < planes.size() / 3; ++i)
    for (std::size_t c = 0; c < 3; ++c) picture[3 * i + c] = planes[c * planes.size() / 3 + i];

  std::vector<float> heatmaps(Network::heatmaps_shape::size);
  std::vector<float> silhouette(Network::silhouette_shape::size);
  workspace memory(Network::workspace_bytes);
  thread_pool pool(threads);
  const context<cpu> on{{pool}, memory.scratch()};
  const auto call = [&] {
    (*network)(on, picture_type{picture.data()},
               view<float, typename Network::heatmaps_shape>{heatmaps.data()},
               view<float, typename Network::silhouette_shape>{silhouette.data()});
  };
  return obey<decltype(call), float>(call, {heatmaps, silhouette});
}

/// The network of this name.
template <arithmetic How>
int serve_named(const std::string& name, const std::string& folder, unsigned threads) {
  if (name == "compact") return serve<compact_human2d_in<How>>(folder, threads);
  if (name == "one-module") return serve<human2d<16, 256, 2, 1, 256, How>>(folder, threads);
  if (name == "paper") return serve<human2d<16, 256, 2, 3, 256, How>>(folder, threads);
  return fail("there is no network '" + name + "'");
}

}  // namespace

int main(int count, char** arguments) {
  const bool bfloat16 = count == 5 && arguments[4] == std::string("bfloat16");
  if (count != 4 && !bfloat16)
    return fail("usage: peer_worker compact|one-module|paper FOLDER THREADS [bfloat16]");
  const auto threads = static_cast<unsigned>(std::stoul(arguments[3]));
  return bfloat16 ? serve_named<arithmetic::bfloat16>(arguments[1], arguments[2], threads)
                  : serve_named<arithmetic::float32>(arguments[1], arguments[2], threads);
}
