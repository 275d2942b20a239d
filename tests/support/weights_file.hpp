// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "maquette/estimator/weights.hpp"
#include "maquette/io/safetensors.hpp"
#include "maquette/io/safetensors_writer.hpp"
#include "maquette/model/human2d_sizes.hpp"
#include "synthetic.hpp"

/// Weights files of untrained networks that nevertheless see what a test wants them to see.
namespace synthetic {

/// A whole weights file in the making: tensors by name, and the metadata.
struct weights_file {
  struct tensor {
    maquette::tensor_shape shape;
    std::vector<float> values;
  };
  std::map<std::string, tensor> tensors;
  maquette::safetensors_metadata metadata;

  template <class Network>
  void add(const std::string& prefix) {
    const weights<Network> from(prefix);
    for (const maquette::named_tensor& t : from.tensors)
      tensors[std::string(t.name)] = {t.shape, {t.values.begin(), t.values.end()}};
  }

  [[nodiscard]] std::vector<std::byte> bytes() const {
    std::vector<maquette::safetensors_entry> entries;
    for (const auto& [name, t] : tensors)
      entries.push_back(maquette::to_entry({name, t.shape, t.values}));
    return std::move(*maquette::encode_safetensors(entries, metadata));
  }
};

/// The compact networks with everything that the estimator asks of a file. With `sees_people` the
/// heat maps are near 1 and all is body, whatever the picture; without, all is background. The
/// self-test's answers are this build's own.
inline weights_file complete_weights(bool sees_people) {
  using maquette::compact_human2d;
  weights_file file;
  file.add<compact_human2d>("human2d.");
  file.add<maquette::pose_prior<>>("pose_prior.");
  file.add<maquette::shape_prior<>>("shape_prior.");
  const std::string head = "human2d.stacks.1.";
  for (const char* name : {"heatmaps.weight", "silhouette.weight"})
    for (float& value : file.tensors.at(head + name).values) value *= 0.01F;
  const float seen = sees_people ? 1.0F : 0.0F;
  for (float& value : file.tensors.at(head + "heatmaps.bias").values) value = seen;
  file.tensors.at(head + "silhouette.bias").values = {sees_people ? 5.0F : -5.0F, 0.0F};
  // Upright, a small distance from the rest pose, and of nearly mean shape.
  for (const char* name : {"pose_prior.output.weight", "pose_prior.output.bias",
                           "shape_prior.output.weight", "shape_prior.output.bias"})
    for (float& value : file.tensors.at(name).values) value *= 0.1F;
  std::vector<float>& pose = file.tensors.at("pose_prior.output.bias").values;
  for (std::size_t j = 0; j < 24; ++j) pose[6 * j] += 1, pose[6 * j + 4] += j == 0 ? -1.0F : 1.0F;

  file.metadata = {
      {"format", "maquette-1"},
      {"human2d",
       R"({"joints": 16, "features": 96, "stacks": 2, "modules": 1, "deep_modules": 2})"},
      {"input", "256"},
      {"preprocessing", "rgb / 255 - 0.5; square crop of 1.25 times the person's box"},
      {"joint_order", "MPII-16"}};
  const auto tensor = [&](const char* name, maquette::tensor_shape shape, float scale) {
    const std::string full = std::string("selftest.") + name;
    std::size_t count = 1;
    for (const std::int64_t extent : shape) count *= static_cast<std::size_t>(extent);
    std::vector<float> values = uniform(full, count);
    for (float& value : values) value = (value + 1) * scale;
    file.tensors[full] = {shape, std::move(values)};
  };
  tensor("picture", maquette::tensor_shape(64, 64, 3), 127.5F);
  tensor("mask", maquette::tensor_shape(64, 64), 127.5F);
  tensor("joints", maquette::tensor_shape(48), 0.5F);
  return file;
}

/// Gives a file the answers to its self-test: those of the networks in it.
inline void answer_self_test(weights_file& file) {
  using namespace maquette;
  std::vector<named_tensor> source;
  for (const auto& [name, t] : file.tensors) source.push_back({name, t.shape, t.values});
  const auto sight = nn::bind<compact_human2d>(source, "human2d.");
  const auto pose = nn::bind<pose_prior<>>(source, "pose_prior.");
  const auto shape = nn::bind<shape_prior<>>(source, "shape_prior.");
  workspace memory(networks<compact_human2d>::workspace_bytes);
  const context<cpu> here{cpu{}, memory.scratch()};
  const std::vector<float>& picture = file.tensors.at("selftest.picture").values;
  std::vector<float> input;
  for (std::size_t y = 0; y < 256; ++y)
    for (std::size_t x = 0; x < 256; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        input.push_back(picture[(y / 4 * 64 + x / 4) * 3 + c] / 255 - 0.5F);
  std::vector<float> heatmaps(compact_human2d::heatmaps_shape::size);
  std::vector<float> logits(compact_human2d::silhouette_shape::size);
  (*sight)(here, compact_human2d::picture_type(input.data()),
           view<float, compact_human2d::heatmaps_shape>(heatmaps.data()),
           view<float, compact_human2d::silhouette_shape>(logits.data()));
  std::vector<float> mask = file.tensors.at("selftest.mask").values;
  for (float& value : mask) value /= 255;
  std::vector<float> numbers(pose_prior<>::pose_shape::size);
  std::vector<float> beta(10);
  (*pose)(here,
          view<const float, pose_prior<>::input_shape>(
              file.tensors.at("selftest.joints").values.data()),
          view<float, pose_prior<>::pose_shape>(numbers.data()));
  (*shape)(here, view<const float, shape_prior<>::silhouette_shape>(mask.data()),
           view<float, shape_prior<>::beta_shape>(beta.data()));
  file.tensors["selftest.heatmaps"] = {tensor_shape(16, 8, 8),
                                       maquette::detail::block_means(heatmaps, 16, 64)};
  file.tensors["selftest.silhouette"] = {tensor_shape(2, 8, 8),
                                         maquette::detail::block_means(logits, 2, 64)};
  file.tensors["selftest.pose"] = {tensor_shape(pose_prior<>::pose_shape::size),
                                   std::move(numbers)};
  file.tensors["selftest.beta"] = {tensor_shape(10), std::move(beta)};
}

}  // namespace synthetic
