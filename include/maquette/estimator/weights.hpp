// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "maquette/core/backend.hpp"
#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/core/workspace.hpp"
#include "maquette/estimator/calibration.hpp"
#include "maquette/estimator/expected_error.hpp"
#include "maquette/estimator/pose_error.hpp"
#include "maquette/io/json.hpp"
#include "maquette/io/safetensors.hpp"
#include "maquette/model/human2d.hpp"
#include "maquette/model/pose_prior.hpp"
#include "maquette/model/shape_prior.hpp"
#include "maquette/nn/bind.hpp"

namespace maquette {

/// The three networks of a weights file, ready to run.
template <class Human2D>
struct networks {
  nn::bound<Human2D> sight;
  nn::bound<pose_prior<>> pose;
  nn::bound<shape_prior<>> shape;
  joint_calibration calibration;
  /// [72, 72]: what holds a fit to PosePrior's pose, see `pose_precision`.
  std::vector<double> precision;
  /// How far off a body is likely to be; none if the file does not say.
  std::optional<error_curve> errors;
  /// What the file says of what the weights may be used for; empty if nothing.
  std::string licence;

  /// The scratch memory of any of the three.
  static constexpr std::size_t workspace_bytes = std::max(
      {Human2D::workspace_bytes, pose_prior<>::workspace_bytes, shape_prior<>::workspace_bytes});
};

namespace detail {

/// What tells one size of human2d from another.
struct human2d_architecture {
  std::int64_t joints = 0;
  std::int64_t features = 0;
  std::int64_t stacks = 0;
  std::int64_t modules = 0;
  std::int64_t deep_modules = 0;

  bool operator==(const human2d_architecture&) const = default;
  [[nodiscard]] std::string text() const {
    std::string all = sentence({joints, " joints, ", features, " features, ", stacks,
                                " stacks and ", modules, modules == 1 ? " module" : " modules"});
    if (deep_modules != modules) all += sentence({", ", deep_modules, " where maps are small"});
    return all;
  }
};

template <int Joints, int Features, int Stacks, int Modules, int Input, arithmetic How,
          int DeepModules>
constexpr human2d_architecture architecture_of(
    const human2d<Joints, Features, Stacks, Modules, Input, How, DeepModules>*) {
  return {Joints, Features, Stacks, Modules, DeepModules};
}

/// Reads {"joints": 16, "features": 96, "stacks": 2, "modules": 1, "deep_modules": 3}, keys in any
/// order; the last one may be absent where there are as many as elsewhere.
[[gnu::cold]] inline bool read_architecture(std::string_view text,
                                            human2d_architecture& architecture) {
  json_cursor json(text);
  std::array<bool, 5> seen{};
  if (!json.consume('{')) return false;
  do {
    std::string key;
    std::int64_t value = 0;
    if (!json.string(key) || !json.consume(':') || !json.integer(value)) return false;
    const std::pair<std::string_view, std::int64_t*> fields[] = {
        {"joints", &architecture.joints},
        {"features", &architecture.features},
        {"stacks", &architecture.stacks},
        {"modules", &architecture.modules},
        {"deep_modules", &architecture.deep_modules}};
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (fields[i].first != key) continue;
      *fields[i].second = value;
      seen[i] = true;
    }
  } while (json.consume(','));
  if (!seen.back()) architecture.deep_modules = architecture.modules;
  seen.back() = true;
  return json.consume('}') && json.at_end() &&
         std::all_of(seen.begin(), seen.end(), [](bool one) { return one; });
}

/// What the metadata says of one thing; empty if nothing.
[[gnu::cold, gnu::noinline]] inline std::string_view metadata_value(const safetensors& file,
                                                                    std::string_view key) {
  const auto at = file.metadata().find(key);
  return at == file.metadata().end() ? std::string_view{} : std::string_view{at->second};
}

/// Whether the file says that it is what this program runs.
template <class Human2D>
[[gnu::cold]] result<void> check_metadata(const safetensors& file) {
  const auto value = [&](const char* key) { return metadata_value(file, key); };
  const auto expect = [&](const char* key, std::string_view found, const std::string& expected) {
    return error{errc::mismatch, sentence({file.origin(), ": expected weights whose metadata '",
                                           key, "' is ", expected, ", found ",
                                           found.empty() ? "none" : sentence({"'", found, "'"})})};
  };
  if (value("format") != "maquette-1") return expect("format", value("format"), "'maquette-1'");
  constexpr human2d_architecture expected = architecture_of(static_cast<const Human2D*>(nullptr));
  human2d_architecture found;
  if (!read_architecture(value("human2d"), found))
    return expect("human2d", value("human2d"), sentence({"an architecture of ", expected.text()}));
  if (found != expected)
    return error{errc::mismatch, sentence({file.origin(), ": expected a Human2D of ",
                                           expected.text(), ", found one of ", found.text()})};
  const std::string input = std::to_string(Human2D::input_size);
  if (value("input") != input) return expect("input", value("input"), '\'' + input + '\'');
  if (!value("preprocessing").starts_with("rgb / 255 - 0.5"))
    return expect("preprocessing", value("preprocessing"), "'rgb / 255 - 0.5' of the crop");
  if (value("joint_order") != "MPII-16")
    return expect("joint_order", value("joint_order"), "'MPII-16'");
  return {};
}

/// Compares one network's answer with the file's, at a share of the largest value expected.
[[gnu::cold]] inline result<void> check_answer(const std::string& origin, const char* name,
                                               std::span<const float> expected,
                                               std::span<const float> found, float share) {
  float largest = 1;
  for (const float value : expected) largest = std::max(largest, std::abs(value));
  float worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const float difference = std::abs(found[i] - expected[i]);
    if (!(difference <= worst)) worst = difference;
    if (std::isnan(worst)) break;
  }
  // An infinite answer would hide every difference.
  if (std::isfinite(largest) && worst <= share * largest) return {};
  return error{errc::mismatch,
               sentence({origin, ": expected the networks to answer the file's self-test as '",
                         name, "' says, found a difference of ", worst})};
}

/// Means over an 8 x 8 grid of square blocks: planes [C, S, S] to [C, 8, 8].
inline std::vector<float> block_means(std::span<const float> planes, int channels, int size) {
  const int block = size / 8;
  std::vector<float> means(static_cast<std::size_t>(channels) * 64);
  for (int c = 0; c < channels; ++c)
    for (int y = 0; y < size; ++y)
      for (int x = 0; x < size; ++x)
        means[static_cast<std::size_t>((c * 8 + y / block) * 8 + x / block)] +=
            planes[static_cast<std::size_t>((c * size + y) * size + x)];
  for (float& mean : means) mean /= static_cast<float>(block * block);
  return means;
}

}  // namespace detail

/// Runs the question and answer that a weights file carries as `selftest.*`: a picture [64, 64, 3]
/// whose pixels stand for 4 x 4, its mask [64, 64] and joints [48], and what each network must make
/// of them.
///
/// It proves that this build computes what the networks' trainer computed. Errors: mismatch, naming
/// the file and the answer that differs or is missing.
template <class Human2D>
[[gnu::cold]] result<void> self_test(const networks<Human2D>& nets, const safetensors& file,
                                     const float_tensors& tensors, const executor& threads = {}) {
  constexpr int size = Human2D::input_size;
  constexpr int half = Human2D::output_size;
  const auto take = [&](const char* name, std::size_t count) -> std::span<const float> {
    const named_tensor* tensor = tensors.find(name);
    if (tensor == nullptr || tensor->values.size() != count) return {};
    return tensor->values;
  };
  const auto picture = take("selftest.picture", std::size_t{64} * 64 * 3);
  const auto mask = take("selftest.mask", std::size_t{64} * 64);
  const auto joints = take("selftest.joints", 3 * Human2D::joints);
  const auto heatmaps = take("selftest.heatmaps", std::size_t{Human2D::joints} * 64);
  const auto silhouette = take("selftest.silhouette", std::size_t{2} * 64);
  const auto pose = take("selftest.pose", pose_prior<>::pose_shape::size);
  const auto beta = take("selftest.beta", 10);
  for (const auto& part : {picture, mask, joints, heatmaps, silhouette, pose, beta})
    if (part.empty())
      return error{
          errc::mismatch,
          detail::sentence({file.origin(),
                            ": expected a self-test (selftest.picture, mask, joints, heatmaps, "
                            "silhouette, pose and beta), found it missing or of another shape"})};

  workspace memory(networks<Human2D>::workspace_bytes);
  const context<cpu> here{cpu{threads}, memory.scratch()};
  std::vector<float> input(std::size_t{size} * size * 3);
  for (int y = 0; y < size; ++y)
    for (int x = 0; x < size; ++x)
      for (int c = 0; c < 3; ++c)
        input[static_cast<std::size_t>((y * size + x) * 3 + c)] =
            picture[static_cast<std::size_t>((y * 64 / size * 64 + x * 64 / size) * 3 + c)] / 255 -
            0.5F;
  std::vector<float> maps(Human2D::heatmaps_shape::size);
  std::vector<float> logits(Human2D::silhouette_shape::size);
  nets.sight(here, typename Human2D::picture_type(input.data()),
             view<float, typename Human2D::heatmaps_shape>(maps.data()),
             view<float, typename Human2D::silhouette_shape>(logits.data()));
  std::vector<float> body(mask.begin(), mask.end());
  for (float& value : body) value /= 255;
  std::array<float, pose_prior<>::pose_shape::size> found_pose{};
  std::array<float, 10> found_beta{};
  nets.pose(here, view<const float, pose_prior<>::input_shape>(joints.data()),
            view<float, pose_prior<>::pose_shape>(found_pose.data()));
  nets.shape(here, view<const float, shape_prior<>::silhouette_shape>(body.data()),
             view<float, shape_prior<>::beta_shape>(found_beta.data()));

  const auto mean_maps = detail::block_means(maps, Human2D::joints, half);
  const auto mean_logits = detail::block_means(logits, 2, half);
  const auto check = [&](const char* name, std::span<const float> expected,
                         std::span<const float> found, float share = 2e-4F) {
    return detail::check_answer(file.origin(), name, expected, found, share);
  };
  constexpr float seen = Human2D::how == arithmetic::int8       ? 5e-2F
                         : Human2D::how == arithmetic::bfloat16 ? 2e-2F
                                                                : 2e-4F;
  if (result<void> same = check("selftest.heatmaps", heatmaps, mean_maps, seen); !same) return same;
  if (result<void> same = check("selftest.silhouette", silhouette, mean_logits, seen); !same)
    return same;
  if (result<void> same = check("selftest.pose", pose, found_pose); !same) return same;
  return check("selftest.beta", beta, found_beta);
}

/// Binds the three networks of an open weights file: `human2d.*`, `pose_prior.*`, `shape_prior.*`,
/// and reads its calibration, the precision of PosePrior's error and the curve of the whole body's,
/// if it has them.
///
/// Checks the metadata (format, architecture, input, preprocessing, joint order), binds, and with
/// `with_self_test` runs the file's self-test. The file is not needed afterwards. Errors: mismatch,
/// in one sentence for the metadata and one line a tensor (see `nn::bind`).
template <class Human2D>
[[gnu::cold]] result<networks<Human2D>> load_networks(const safetensors& file,
                                                      bool with_self_test = true,
                                                      const executor& threads = {}) {
  if (result<void> fits = detail::check_metadata<Human2D>(file); !fits) return fits.error();
  const float_tensors tensors(file);
  const auto named = [&](const error& e) {
    return error{e.code, file.origin() + ": " + e.message};
  };
  result<nn::bound<Human2D>> sight = nn::bind<Human2D>(tensors.source(), "human2d.");
  if (!sight) return named(sight.error());
  result<nn::bound<pose_prior<>>> pose = nn::bind<pose_prior<>>(tensors.source(), "pose_prior.");
  if (!pose) return named(pose.error());
  result<nn::bound<shape_prior<>>> shape =
      nn::bind<shape_prior<>>(tensors.source(), "shape_prior.");
  if (!shape) return named(shape.error());
  const result<joint_calibration> calibration = load_calibration(tensors, file.origin());
  if (!calibration) return calibration.error();
  result<std::vector<double>> precision = load_pose_precision(tensors, file.origin());
  if (!precision) return precision.error();
  const result<std::optional<error_curve>> errors = load_error_curve(tensors, file.origin());
  if (!errors) return errors.error();
  networks<Human2D> nets{std::move(*sight),
                         std::move(*pose),
                         std::move(*shape),
                         *calibration,
                         std::move(*precision),
                         *errors,
                         std::string(detail::metadata_value(file, "licence"))};
  if (with_self_test)
    if (result<void> agrees = self_test(nets, file, tensors, threads); !agrees)
      return agrees.error();
  return nets;
}

}  // namespace maquette
