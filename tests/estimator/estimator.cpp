// SPDX-License-Identifier: Apache-2.0
// The whole way from a photo to a body, with untrained networks.
#include "maquette/estimator.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "../support/weights_file.hpp"
#include "allocations.hpp"
#include "maquette/body/packed_body.hpp"
#include "maquette/io/file.hpp"

using namespace maquette;

namespace {

const std::string body_path = MAQUETTE_SOURCE_DIR "/weights/body.npz";

std::vector<std::byte> weights_bytes(bool sees_people) {
  synthetic::weights_file file = synthetic::complete_weights(sees_people);
  synthetic::answer_self_test(file);
  return file.bytes();
}

/// One estimator for all cases: it sees a person wherever it looks.
const estimator& credulous() {
  static const result<estimator> loaded = [] {
    const auto body = read_file(body_path);
    REQUIRE(body);
    return estimator::load(weights_bytes(true), *body);
  }();
  const std::string reason = loaded ? "" : loaded.error().message;
  REQUIRE_MESSAGE(loaded, reason);
  return *loaded;
}

image pattern(std::int32_t width, std::int32_t height) {
  image photo{width, height, {}};
  for (std::int32_t i = 0; i < 3 * width * height; ++i)
    photo.pixels.push_back(static_cast<std::uint8_t>(i * 37 % 251));
  return photo;
}

/// The message of a file that must not load.
std::string refusal(const synthetic::weights_file& file) {
  const std::vector<std::byte> bytes = file.bytes();
  const result<safetensors> parsed = safetensors::parse(bytes, "some.safetensors");
  REQUIRE(parsed);
  const auto nets = load_networks<compact_human2d>(*parsed);
  REQUIRE(!nets);
  CHECK(nets.error().message.starts_with("some.safetensors: "));
  return nets.error().message;
}

bool mentions(const std::string& message, const char* part) {
  const bool found = message.find(part) != std::string::npos;
  if (!found) MESSAGE(message);
  return found;
}

}  // namespace

TEST_CASE("an estimate is consistent with itself") {
  const image photo = pattern(90, 120);
  const result<estimate> found = credulous()(photo, {.box = image_box{20, 10, 70, 110}});
  REQUIRE(found);
  CHECK(found->crop.side == doctest::Approx(125));
  CHECK(found->view.focal == doctest::Approx(5000.0 * 125 / 256));
  CHECK(found->translation.z > 0);
  CHECK(found->score > 0.9F);
  // The camera projects the joints in space to where the estimate says they are in the photo.
  const body_model& body = credulous().body();
  std::vector<float> mpii(48);
  std::array<float, 72> joints = found->joints_3d;
  for (std::size_t i = 0; i < joints.size(); ++i)
    joints[i] = static_cast<float>(double{joints[i]} - found->translation[i % 3]);
  mpii_joints<float>(body, found->vertices, joints, mpii);
  for (std::size_t j = 0; j < 16; ++j) {
    const image_point p = project(found->view, detail::mesh_vertex(mpii, j) + found->translation);
    CHECK(double{found->projected_joints[2 * j]} == doctest::Approx(p.u).epsilon(1e-3));
    CHECK(double{found->projected_joints[2 * j + 1]} == doctest::Approx(p.v).epsilon(1e-3));
  }
}

TEST_CASE("a known focal length puts the principal point in the middle and turns the body to it") {
  const image photo = pattern(120, 120);
  const image_box box{5, 30, 45, 90};  // far to the left
  const result<estimate> usual = credulous()(photo, {.box = box, .refine = false});
  const result<estimate> known = credulous()(photo, {.box = box, .focal = 400.0, .refine = false});
  REQUIRE(usual);
  REQUIRE(known);
  CHECK(known->view.focal == 400.0);
  CHECK(known->view.centre_x == 60.0);
  CHECK(known->view.centre_y == 60.0);

  // What lies on the optical axis of the crop's camera lies on the ray through the crop's middle.
  const mat3<double> turn = detail::towards(known->view, {25, 60});
  const image_point middle = project(known->view, turn * vec3<double>{0, 0, 7});
  CHECK(middle.u == doctest::Approx(25));
  CHECK(middle.v == doctest::Approx(60));
  const auto relative = [](const estimate& e, std::size_t v) {
    return detail::mesh_vertex(e.vertices, v) - detail::mesh_vertex(e.vertices, 0);
  };
  double worst = 0;
  for (std::size_t v = 1; v < known->vertices.size() / 3; v += 97)
    worst = std::max(worst, norm(relative(*known, v) - turn * relative(*usual, v)));
  CHECK(worst < 1e-5);
}

TEST_CASE("a known distance makes the body as large as it looks from there") {
  const image photo = pattern(120, 120);
  const image_box box{30, 10, 90, 110};
  const auto at = [&](std::optional<double> distance) {
    const auto found =
        credulous()(photo, {.box = box, .focal = 400.0, .distance = distance, .refine = false});
    REQUIRE(found);
    return *found;
  };
  const auto depth = [](const estimate& found) { return double{found.joints_3d[2]}; };
  const stature size(credulous().body());
  const auto log_size = [&](const estimate& found) {
    double sum = 0;
    for (std::size_t k = 0; k < found.beta.size(); ++k)
      sum += size.slope()[k] * double{found.beta[k]};
    return sum;
  };
  // The size itself, measured on the mesh.
  const auto spread = [](const estimate& found) {
    const vec3<double> first{double{found.joints_3d[0]}, double{found.joints_3d[1]},
                             double{found.joints_3d[2]}};
    const vec3<double> pelvis = first - found.translation;
    double sum = 0;
    for (std::size_t v = 0; v < found.vertices.size() / 3; ++v) {
      const vec3<double> from = detail::mesh_vertex(found.vertices, v) - pelvis;
      sum += dot(from, from);
    }
    return std::sqrt(sum);
  };
  const estimate usual = at({});
  // From where it looks as large as it is, but for what a fit usually lacks.
  const double as_seen = depth(usual) * std::exp(-0.02);
  const estimate same = at(as_seen);
  for (std::size_t k = 0; k < usual.beta.size(); ++k)
    CHECK(same.beta[k] == doctest::Approx(usual.beta[k]).epsilon(1e-4));
  double square = 0;
  for (const double g : size.slope()) square += g * g;
  const double deviation = 0.2 * std::exp(-2.55 * double{usual.score});
  for (const double ratio : {0.9, 1.1}) {
    const estimate other = at(ratio * as_seen);
    // Prior and picture share the difference.
    const double moved = (log_size(other) - log_size(usual)) / std::log(ratio);
    CHECK(moved == doctest::Approx(square / (square + deviation * deviation)).epsilon(1e-3));
    const double larger = std::log(spread(other) / spread(usual)) / std::log(ratio);
    CHECK(larger == doctest::Approx(moved).epsilon(0.1));
    // Limbs and trunk do not grow alike, so the ends by which the picture is measured lag behind.
    const double further = std::log(depth(other) / depth(usual)) / std::log(ratio);
    CHECK(further > 0.5 * moved);
    CHECK(further < 1.2 * moved);
    CHECK(other.theta == usual.theta);
  }
  for (const double distance : {1e-3, 9e4})
    for (const float beta : at(distance).beta) CHECK(std::abs(beta) <= 3);
}

TEST_CASE("refinement brings the joints closer to those seen and can be left out") {
  const image photo = pattern(90, 120);
  const image_box box{20, 10, 70, 110};
  const refine_options trusting{.sigma = 30, .least_confidence = 0, .anchor = 1};
  const result<estimate> kept = credulous()(photo, {.box = box, .refine = false});
  const result<estimate> refined = credulous()(photo, {.box = box, .fit = trusting});
  REQUIRE(kept);
  REQUIRE(refined);
  CHECK(refined->joints == kept->joints);
  CHECK(refined->beta == kept->beta);
  const auto cost = [](const estimate& found) {
    double sum = 0;
    for (std::size_t j = 0; j < 16; ++j) {
      const double u{found.projected_joints[2 * j] - found.joints[3 * j]};
      const double v{found.projected_joints[2 * j + 1] - found.joints[3 * j + 1]};
      const double square = (u * u + v * v) * (256 * 256) / (found.crop.side * found.crop.side);
      const double weight = std::clamp(double{found.joints[3 * j + 2]}, 0.0, 1.0);
      sum += weight * weight * square / (900 + square);
    }
    return sum;
  };
  CHECK(cost(*refined) <= cost(*kept));
  if (cost(*kept) > 0) CHECK(refined->theta != kept->theta);
}

TEST_CASE("with flip averaging a mirrored photo gives the mirrored silhouette and confidences") {
  const image photo = pattern(90, 120);
  image mirrored = photo;
  for (std::size_t y = 0; y < 120; ++y)
    for (std::size_t x = 0; x < 90; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        mirrored.pixels[(y * 90 + x) * 3 + c] = photo.pixels[(y * 90 + 89 - x) * 3 + c];
  const estimate_options options{.box = image_box{20, 10, 70, 110}};
  const result<estimate> plain = credulous()(photo, options);
  const result<estimate> other = credulous()(mirrored, options);
  REQUIRE(plain);
  REQUIRE(other);
  float worst = 0;
  for (std::size_t y = 0; y < 64; ++y)
    for (std::size_t x = 0; x < 64; ++x)
      worst = std::max(
          worst, std::abs(plain->silhouette[y * 64 + x] - other->silhouette[y * 64 + 63 - x]));
  CHECK(worst < 1e-4F);
  for (std::size_t j = 0; j < 16; ++j) {
    const auto partner = static_cast<std::size_t>(mirror_joint<mpii16>[j]);
    CHECK(plain->joints[3 * j + 2] ==
          doctest::Approx(other->joints[3 * partner + 2]).epsilon(1e-3));
  }
}

TEST_CASE("after a search the joints are those of two looks at its crop, one of them mirrored") {
  const image photo = pattern(320, 240);
  estimator::workspace_type memory = credulous().make_workspace();
  estimate out;
  REQUIRE(credulous()(photo, {}, memory, out));

  constexpr int size = estimator::human2d_type::input_size;
  crop_workspace resampling;
  workspace scratch(compact_human2d::workspace_bytes);
  std::vector<float> picture(3 * size * size);
  std::vector<float> maps[2];
  std::vector<float> logits(compact_human2d::silhouette_shape::size);
  crop_to_input(photo, out.crop, size, resampling, picture);
  for (std::vector<float>& way : maps) {
    way.resize(compact_human2d::heatmaps_shape::size);
    credulous().nets().sight(context<cpu>{{}, scratch.scratch()},
                             compact_human2d::picture_type(picture.data()),
                             view<float, compact_human2d::heatmaps_shape>(way.data()),
                             view<float, compact_human2d::silhouette_shape>(logits.data()));
    mirror_picture(picture, size);
  }
  const view<float, compact_human2d::heatmaps_shape> mean(maps[0].data());
  average_mirrored(mean, view<const float, compact_human2d::heatmaps_shape>(maps[1].data()));
  crop_reading expected;
  decode_heatmaps(mean.as_const(), expected.joints);
  separate_sides(mean.as_const(), expected.joints);
  discard_nonsense(expected);
  CHECK(!memory.reading.coarse);
  CHECK(memory.reading.joints == expected.joints);
}

TEST_CASE("from the second photo on, an estimate allocates nothing") {
  const image photo = pattern(160, 120);
  const estimate_options options{.fit = {.least_confidence = 0}};
  estimator::workspace_type memory = credulous().make_workspace();
  estimate out;
  REQUIRE(credulous()(photo, options, memory, out));
  const std::size_t before = allocation_count();
  const bool again = credulous()(photo, options, memory, out).has_value();
  const std::size_t used = allocation_count() - before;
  CHECK(again);
  CHECK(used == 0);
}

TEST_CASE("no crop of a photo takes more memory than the first one did") {
  const image photo = pattern(700, 900);
  crop_workspace memory;
  std::vector<float> input(std::size_t{3} * 64 * 64);
  crop_to_input(photo, {300, 300, 20}, 64, memory, input);
  const std::size_t before = allocation_count();
  for (const double side : {1.0, 30.0, 64.0, 65.5, 130.0, 700.0, 900.0, 5000.0})
    for (const double at : {-400.0, 0.0, 0.3, 500.0})
      crop_to_input(photo, {at, at, side}, 64, memory, input);
  CHECK(allocation_count() == before);
}

TEST_CASE("from the second call on, a batch of packed bodies allocates nothing") {
  const result<body_model> model = load_body(body_path);
  REQUIRE(model);
  const packed_body<bfloat16> packed(*model);
  const std::vector<float> theta(72, 0.1F);
  const std::vector<smpl_parameters> bodies(6, smpl_parameters{{}, theta});
  std::vector<float> vertices(3 * model->vertex_count * bodies.size());
  std::vector<float> joints(72 * bodies.size());
  smpl_batch_workspace memory;
  smpl_batch(packed, bodies, memory, vertices, joints);
  const std::size_t before = allocation_count();
  smpl_batch(packed, bodies, memory, vertices, joints);
  const std::size_t fewer = bodies.size() - 2;
  smpl_batch(packed, std::span(bodies).first(fewer), memory,
             std::span(vertices).first(3 * model->vertex_count * fewer),
             std::span(joints).first(72 * fewer));
  CHECK(allocation_count() == before);
}

TEST_CASE("shape numbers without a direction in the body are 0") {
  const result<estimator> narrow =
      estimator::load(std::string(MAQUETTE_SOURCE_DIR) + "/weights/maquette.safetensors", body_path,
                      {.max_shape_count = 3});
  REQUIRE(narrow);
  crop_reading reading{};
  reading.crop = {0, 0, 64};
  for (std::size_t j = 0; j < mpii16::count; ++j) {
    reading.joints[3 * j + 1] = 0.1F * static_cast<float>(j) - 0.8F;
    reading.joints[3 * j + 2] = 1;
  }
  for (std::size_t i = 0; i < crop_reading::cells; ++i)
    reading.body[i] = i % 64 > 20 && i % 64 < 44 ? 1.0F : 0.0F;
  auto memory = narrow->make_workspace();
  estimate out;
  REQUIRE(narrow->from_reading(reading, 64, 64, {}, memory, out));
  CHECK(std::any_of(out.beta.begin(), out.beta.begin() + 3, [](float b) { return b != 0; }));
  CHECK(std::all_of(out.beta.begin() + 3, out.beta.end(), [](float b) { return b == 0; }));
}

TEST_CASE("nobody, no photo, no box, no focal length: each has its error") {
  const std::vector<std::byte> weights = weights_bytes(false);
  const auto body = read_file(body_path);
  REQUIRE(body);
  const result<estimator> sceptical = estimator::load(weights, *body);
  REQUIRE(sceptical);
  const image photo = pattern(64, 48);
  const auto nobody = (*sceptical)(photo);
  REQUIRE(!nobody);
  CHECK(nobody.error().code == errc::no_person);

  CHECK(!credulous()(picture_view{}));
  CHECK(!credulous()(photo, {.box = image_box{10, 10, 10, 40}}));
  CHECK(!credulous()(photo, {.focal = 0.0}));
  const auto outside = credulous()(photo, {.box = image_box{500, 500, 600, 600}});
  REQUIRE(!outside);
  CHECK(outside.error().code == errc::malformed);

  constexpr double infinite = std::numeric_limits<double>::infinity();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  for (const image_box& box : {image_box{0, 0, infinite, infinite}, image_box{nan, 0, 10, 10},
                               image_box{-infinite, 0, infinite, 40}, image_box{0, 0, 1e308, 1e308},
                               image_box{-1e9, -1e9, 1e9, 1e9}})
    CHECK(!credulous()(photo, {.box = box}));
  for (const double focal : {infinite, nan, -3.0, 1e-300, 1e300})
    CHECK(!credulous()(photo, {.focal = focal}));
  CHECK(!credulous()(photo, {.distance = 3.0}));
  for (const double distance : {infinite, nan, -3.0, 0.0, 1e-9, 1e6})
    CHECK(!credulous()(photo, {.focal = 300.0, .distance = distance}));

  // Whoever gives a box knows that there is somebody.
  CHECK(!credulous()(photo, {.least_score = 2}));
  CHECK(credulous()(photo, {.box = image_box{5, 5, 40, 40}, .least_score = 2}));
}

TEST_CASE("the licence of the weights is handed on") {
  synthetic::weights_file file = synthetic::complete_weights(true);
  file.metadata.erase("licence");
  const auto licence = [&] {
    const std::vector<std::byte> bytes = file.bytes();
    const result<safetensors> parsed = safetensors::parse(bytes, "some.safetensors");
    REQUIRE(parsed);
    const auto nets = load_networks<compact_human2d>(*parsed, false);
    REQUIRE(nets);
    return nets->licence;
  };
  CHECK(licence().empty());
  file.metadata["licence"] = "research only";
  CHECK(licence() == "research only");
}

TEST_CASE("a weights file that is not for this program is refused by what it says of itself") {
  synthetic::weights_file file = synthetic::complete_weights(true);
  const auto with = [&](const char* key, const char* value) {
    synthetic::weights_file changed = file;
    changed.metadata[key] = value;
    return refusal(changed);
  };
  CHECK(mentions(with("format", "other-2"), "maquette-1"));
  CHECK(mentions(with("human2d", R"({"joints":16,"features":256,"stacks":2,"modules":3})"),
                 "256 features, 2 stacks and 3 modules"));
  CHECK(mentions(with("human2d", R"({"joints":16,"features":96,"stacks":2,"modules":1})"),
                 "1 module, 2 where maps are small, found one of 16 joints, 96 features, 2 stacks "
                 "and 1 module"));
  CHECK(mentions(with("human2d", "large"), "large"));
  for (const char* deep : {"-1", "0", "3", "\"two\"", "2.5", "99999999999999999999", ""}) {
    const std::string size = R"({"joints":16,"features":96,"stacks":2,"modules":1,"deep_modules":)";
    CHECK(mentions(with("human2d", (size + deep + '}').c_str()), "2 where maps are small"));
  }
  CHECK(mentions(with("input", "128"), "128"));
  CHECK(mentions(with("preprocessing", "ImageNet"), "ImageNet"));
  CHECK(mentions(with("joint_order", "COCO-17"), "COCO-17"));
  CHECK(mentions(refusal(file), "self-test"));

  synthetic::answer_self_test(file);
  synthetic::weights_file wrong = file;
  wrong.tensors.at("selftest.pose").values[5] += 0.01F;
  CHECK(mentions(refusal(wrong), "selftest.pose"));
  wrong = file;
  wrong.tensors.at("selftest.pose").values[5] = std::numeric_limits<float>::infinity();
  CHECK(mentions(refusal(wrong), "selftest.pose"));
  wrong = file;
  wrong.tensors.erase("human2d.stem.conv.bias");
  CHECK(mentions(refusal(wrong), "human2d.stem.conv.bias"));
}

TEST_CASE("a weights file's calibration is read, half or broken ones are refused") {
  synthetic::weights_file file = synthetic::complete_weights(true);
  synthetic::answer_self_test(file);
  file.tensors["calibration.slope"] = {tensor_shape(16), std::vector<float>(16, 5.0F)};
  CHECK(mentions(refusal(file), "calibration.offset"));
  file.tensors["calibration.offset"] = {tensor_shape(15), std::vector<float>(15, -2.0F)};
  CHECK(mentions(refusal(file), "calibration"));
  file.tensors["calibration.offset"] = {tensor_shape(16), std::vector<float>(16, -2.0F)};
  const std::vector<std::byte> bytes = file.bytes();
  const result<safetensors> parsed = safetensors::parse(bytes, "some.safetensors");
  REQUIRE(parsed);
  const auto nets = load_networks<compact_human2d>(*parsed);
  REQUIRE(nets);
  CHECK(nets->calibration.probability(4, 0.4F) == doctest::Approx(0.5));
  file.tensors["calibration.slope"].values[7] = -1;
  CHECK(mentions(refusal(file), "calibration"));
  file.tensors["calibration.slope"].values[7] = std::numeric_limits<float>::quiet_NaN();
  CHECK(mentions(refusal(file), "calibration"));
}
