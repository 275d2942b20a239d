// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "maquette/body/body_model.hpp"
#include "maquette/body/rotation.hpp"
#include "maquette/body/smpl.hpp"
#include "maquette/core/backend.hpp"
#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/core/simd.hpp"
#include "maquette/core/workspace.hpp"
#include "maquette/estimator/crop.hpp"
#include "maquette/estimator/decode.hpp"
#include "maquette/estimator/estimate.hpp"
#include "maquette/estimator/expected_error.hpp"
#include "maquette/estimator/find_person.hpp"
#include "maquette/estimator/guard.hpp"
#include "maquette/estimator/mirror.hpp"
#include "maquette/estimator/placing.hpp"
#include "maquette/estimator/pose_numbers.hpp"
#include "maquette/estimator/turn.hpp"
#include "maquette/estimator/weights.hpp"
#include "maquette/fit/joint_moments.hpp"
#include "maquette/fit/pose_precision.hpp"
#include "maquette/fit/refine.hpp"
#include "maquette/fit/stature.hpp"
#include "maquette/io/body_npz.hpp"
#include "maquette/io/npz.hpp"
#include "maquette/io/safetensors.hpp"
#include "maquette/model/human2d_sizes.hpp"
#include "maquette/render/camera.hpp"

namespace maquette {

/// The memory of one estimate in the making: one per thread, reused.
template <class Human2D>
class estimator_workspace {
 public:
  estimator_workspace(const body_model& body, const joint_moments& moments)
      : scratch(networks<Human2D>::workspace_bytes),
        picture(std::size_t{3} * Human2D::input_size * Human2D::input_size),
        heatmaps(Human2D::heatmaps_shape::size),
        logits(Human2D::silhouette_shape::size),
        mirrored_heatmaps(heatmaps.size()),
        mirrored_logits(logits.size()),
        smpl(body),
        fit(moments) {}

  /// Nearly all of it; what grows with the photo is not counted.
  [[nodiscard]] std::size_t bytes() const {
    return networks<Human2D>::workspace_bytes + sizeof(*this) + fit.bytes() - sizeof(fit) +
           sizeof(float) * (picture.size() + 2 * heatmaps.size() + 2 * logits.size() +
                            smpl.v_posed.size() + 2 * smpl.coefficients.size());
  }

  workspace scratch;
  std::vector<float> picture;
  std::vector<float> heatmaps;
  std::vector<float> logits;
  std::vector<float> mirrored_heatmaps;
  std::vector<float> mirrored_logits;
  crop_workspace crop;
  component_workspace components;
  std::optional<crop_box> seen;  // whose picture and maps are in the memory above
  crop_reading reading;
  crop_reading other_reading;
  smpl_workspace smpl;
  refine_workspace fit;
  std::array<float, 72> joints{};
  std::array<float, 48> mpii{};
  std::array<std::uint8_t, crop_reading::cells> mask{};
};

namespace detail {

/// Milliseconds since it was made or last asked.
class stopwatch {
 public:
  double lap() {
    const double current = now();
    return current - std::exchange(last_, current);
  }

 private:
  // The clock behind std::chrono::steady_clock, whose header would be a tenth of what is parsed.
  static double now() {
    std::timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return 1e3 * static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_nsec);
  }

  double last_ = now();
};

/// A map [Size, Size] as one of [64, 64], in place, without values in between.
template <int Size>
void enlarge(std::array<float, crop_reading::cells>& map) {
  const auto from = [](int cell) { return cell * Size / crop_reading::size; };
  for (int y = crop_reading::size - 1; y >= 0; --y)
    for (int x = crop_reading::size - 1; x >= 0; --x)
      map[static_cast<std::size_t>(y * crop_reading::size + x)] =
          map[static_cast<std::size_t>(from(y) * Size + from(x))];
}

}  // namespace detail

/// From a photo to a body: finds the person, reads joints and silhouette, and makes an SMPL body of
/// them with a camera (Pavlakos et al. 2018, section 4).
///
/// A call is const: any number of threads may share one estimator, each with its own workspace.
template <class Human2D = compact_human2d, Backend B = cpu>
class basic_estimator {
  static_assert(std::same_as<B, cpu>, "photos and meshes lie in the processor's memory");
  static_assert(Human2D::joints == mpii16::count && Human2D::output_size == crop_reading::size,
                "the priors take MPII's 16 joints and a silhouette of 64 x 64");

 public:
  using human2d_type = Human2D;
  using workspace_type = estimator_workspace<Human2D>;

  /// Opens a weights file (safetensors) and a body file (npz).
  ///
  /// Errors, each naming the file: not_found, unreadable, malformed, unsupported, mismatch.
  static result<basic_estimator> load(const std::string& weights, const std::string& body,
                                      const estimator_options& options = {}) {
    const result<safetensors> weights_file = safetensors::open(weights);
    if (!weights_file) return weights_file.error();
    result<body_model> model = load_body(body, options.max_shape_count);
    if (!model) return model.error();
    return make(*weights_file, std::move(*model), options);
  }

  /// The same from memory, which may be given back afterwards.
  static result<basic_estimator> load(std::span<const std::byte> weights,
                                      std::span<const std::byte> body,
                                      const estimator_options& options = {}) {
    const result<safetensors> weights_file = safetensors::parse(weights, "weights in memory");
    if (!weights_file) return weights_file.error();
    const result<npz> archive = npz::parse(body, "body in memory", detail::body_limits);
    if (!archive) return archive.error();
    result<body_model> model = load_body(*archive, "body in memory", options.max_shape_count);
    if (!model) return model.error();
    return make(*weights_file, std::move(*model), options);
  }

  [[nodiscard]] const body_model& body() const { return body_; }
  [[nodiscard]] const networks<Human2D>& nets() const { return networks_; }
  [[nodiscard]] workspace_type make_workspace() const { return {body_, moments_}; }

  /// Estimates the person in a photo into `out`; see `estimate`.
  ///
  /// Allocates nothing but an error's sentence once `workspace` and `out` have served a photo of
  /// that size. Errors: no_person (without a box); malformed (a photo without pixels; a box of less
  /// than a pixel either way, beside the photo, or more than 16 times its longer side; a focal
  /// length outside 1 to 10^7 pixels; a distance without one, or outside 0.001 to 100,000 metres).
  result<void> operator()(const picture_view& photo, const estimate_options& options,
                          workspace_type& workspace, estimate& out, const B& backend = {}) const {
    if (photo.pixels == nullptr)
      return error{errc::malformed, "expected a photo with pixels, found none"};
    if (result<void> valid = check(photo.width, photo.height, options); !valid) return valid;
    detail::stopwatch watch;
    const double width = photo.width;
    const double height = photo.height;
    const context<B> here{backend, workspace.scratch.scratch()};
    crop_reading& reading = workspace.reading;
    workspace.seen.reset();
    if (!options.box) {
      const auto glance = [&](const crop_box& crop, crop_reading& result) {
        look(glancing_, photo, crop, options, here, workspace, result);
      };
      const auto look_closely = [&](const crop_box& crop, crop_reading& result) {
        look(networks_.sight.network(), photo, crop, options, here, workspace, result);
      };
      find_person(width, height, glance, look_closely, workspace.components, reading,
                  workspace.other_reading);
    } else {
      reading.crop = crop_around(*options.box);
    }
    if (options.box || options.flip_average) {
      look_both_ways(photo, options, here, workspace, reading);
      keep_person(reading, workspace.components);
    }
    if (options.look_turned) look_turned(photo, options, here, workspace);
    out.milliseconds.human2d = reading.milliseconds;
    out.milliseconds.find = std::max(0.0, watch.lap() - reading.milliseconds);
    const std::optional<image_box> seen = person_box(reading, width, height);
    if (!options.box && !(reading.score >= options.least_score))
      return error{errc::no_person,
                   detail::sentence({"expected a person, found none: the best score is ",
                                     std::max(reading.score, 0.0F), " where at least ",
                                     options.least_score, " was expected"})};
    if (!options.box && !seen)
      return error{errc::no_person, "expected a person, found none who spans four pixels"};
    out.box = options.box ? *options.box : *seen;
    embody(width, height, options, here, workspace, out);
    return {};
  }

  /// The body for what somebody saw in a crop of a photo of `width` x `height` pixels, be it this
  /// estimator (`workspace.reading` after a call) or another detector of joints and silhouettes.
  ///
  /// Given are the reading's crop, a square in photo pixels; its joints in MPII's order, x and y in
  /// [-1, 1] of the crop, with the height of the heat map's peak as confidence, which the weights'
  /// calibration turns into a probability (0: not seen); and the probability of body. The score is
  /// worked out from these and `least_score` is not asked; `coarse` and `milliseconds` say nothing.
  ///
  /// Whatever the reading holds, the body is finite: see `discard_nonsense`, and what the fields of
  /// `estimate` say of a reading that tells nothing. Errors: malformed (as above; a crop of less
  /// than a pixel, or larger or further off than 20 times the photo's longer side).
  result<void> from_reading(const crop_reading& seen, std::int32_t width, std::int32_t height,
                            const estimate_options& options, workspace_type& workspace,
                            estimate& out, const B& backend = {}) const {
    if (result<void> valid = check(width, height, options); !valid) return valid;
    const double reach = largest_box * crop_margin * std::max(width, height);
    if (!(seen.crop.side >= 1 && seen.crop.side <= reach && std::abs(seen.crop.x) <= reach &&
          std::abs(seen.crop.y) <= reach))
      return error{errc::malformed, "expected a crop in or near the photo, found another"};
    crop_reading& reading = workspace.reading;
    if (&seen != &reading) reading = seen;
    discard_nonsense(reading);
    reading.score = person_score(reading);
    out.milliseconds = {};
    const std::optional<image_box> box = person_box(reading, width, height);
    out.box = options.box ? *options.box : box ? *box : box_within(reading.crop);
    embody(width, height, options, {backend, workspace.scratch.scratch()}, workspace, out);
    return {};
  }

  /// Estimates the person in a photo with memory of its own.
  result<estimate> operator()(const picture_view& photo, const estimate_options& options = {},
                              const B& backend = {}) const {
    workspace_type memory = make_workspace();
    estimate out;
    if (result<void> done = (*this)(photo, options, memory, out, backend); !done)
      return done.error();
    return out;
  }

 private:
  static constexpr double largest_box = 16;
  static constexpr double largest_focal = 1e7;
  static constexpr double least_distance = 1e-3;
  static constexpr double largest_distance = 1e5;

  using glancing_type = typename Human2D::template resized<Human2D::input_size * 3 / 4>;

  [[gnu::cold]] basic_estimator(networks<Human2D> nets, body_model body)
      : networks_(std::move(nets)),
        glancing_(networks_.sight.network().template for_pictures_of<glancing_type::input_size>()),
        body_(std::move(body)),
        moments_(body_),
        stature_(body_) {}

  [[gnu::cold]] static result<basic_estimator> make(const safetensors& weights, body_model body,
                                                    const estimator_options& options) {
    result<networks<Human2D>> nets =
        load_networks<Human2D>(weights, options.self_test, options.threads);
    if (!nets) return nets.error();
    return basic_estimator(std::move(*nets), std::move(body));
  }

  static result<void> check(std::int32_t width, std::int32_t height,
                            const estimate_options& options) {
    if (width < 1 || height < 1)
      return error{errc::malformed, "expected a photo with pixels, found none"};
    if (options.box && !(options.box->width() >= 1 && options.box->height() >= 1))
      return error{errc::malformed,
                   detail::sentence({"expected a box of at least one pixel each way, found one of ",
                                     options.box->width(), " x ", options.box->height()})};
    if (options.box && !(options.box->right > 0 && options.box->left < width &&
                         options.box->bottom > 0 && options.box->top < height))
      return error{errc::malformed,
                   "expected a box that shows a part of the photo, found one beside it"};
    if (options.box && !(std::max(options.box->width(), options.box->height()) <=
                         largest_box * std::max(width, height)))
      return error{errc::malformed,
                   detail::sentence({"expected a box of at most ", static_cast<int>(largest_box),
                                     " times the photo's longer side, found a larger one"})};
    if (options.focal && !(*options.focal >= 1 && *options.focal <= largest_focal))
      return error{errc::malformed,
                   detail::sentence({"expected a focal length of 1 to 10000000 pixels, found ",
                                     *options.focal})};
    if (options.distance && !options.focal)
      return error{errc::malformed, "expected a focal length with the distance, found none"};
    if (options.distance &&
        !(*options.distance >= least_distance && *options.distance <= largest_distance))
      return error{errc::malformed,
                   detail::sentence({"expected a distance of 0.001 to 100000 metres, found ",
                                     *options.distance})};
    return {};
  }

  /// Pose, shape, camera and fit for the workspace's reading; `out.box` is the person's.
  void embody(double width, double height, const estimate_options& options, const context<B>& here,
              workspace_type& workspace, estimate& out) const {
    detail::stopwatch watch;
    const crop_reading& reading = workspace.reading;
    out.score = reading.score;
    out.crop = reading.crop;
    out.silhouette = reading.body;
    for (std::size_t j = 0; j < mpii16::count; ++j) {
      const float* const joint = reading.joints.data() + 3 * j;
      const image_point p =
          crop_to_photo({double{joint[0]} + 1, double{joint[1]} + 1}, reading.crop, 2);
      out.joints[3 * j] = static_cast<float>(p.u);
      out.joints[3 * j + 1] = static_cast<float>(p.v);
      out.joints[3 * j + 2] = joint[2] > 0 ? networks_.calibration.probability(j, joint[2]) : 0.0F;
    }
    crop_reading& upright = workspace.other_reading;
    upright = reading;
    guess(upright, options.flip_average, here, out);
    out.milliseconds.priors = watch.lap();

    set_camera(width, height, options, out);
    out.vertices.resize(3 * body_.vertex_count);
    pose_body(workspace, out);
    out.milliseconds.smpl = watch.lap();

    place(reading, width, height, workspace, out);
    out.milliseconds.camera = watch.lap();
    fit(options, workspace, out);
    if (options.distance) {
      const double pelvis = out.translation.z + double{workspace.joints[3 * smpl24::pelvis + 2]};
      stature_.enlarge(*options.distance / pelvis, size_deviation(double{out.score}),
                       std::span(out.beta).first(used_shape(out).size()));
      limit_shape(out);
      pose_body(workspace, out);
      place(reading, width, height, workspace, out);
      fit(options, workspace, out);
    }
    out.milliseconds.fit = watch.lap();
    for (std::size_t i = 0; i < out.joints_3d.size(); ++i)
      out.joints_3d[i] = static_cast<float>(double{workspace.joints[i]} + out.translation[i % 3]);
    for (std::size_t j = 0; j < mpii16::count; ++j) {
      const image_point p =
          project(out.view, detail::mesh_vertex(workspace.mpii, j) + out.translation);
      out.projected_joints[2 * j] = static_cast<float>(p.u);
      out.projected_joints[2 * j + 1] = static_cast<float>(p.v);
    }
    out.milliseconds.camera += watch.lap();
  }

  /// Pose and shape as the priors see them, or the likeliest where a reading tells nothing, and how
  /// far off they may be.
  ///
  /// They are asked with the person within 45 degrees of upright, as those are whom they know best:
  /// `reading` is turned by quarters, and the root's rotation back. With `both_ways` PosePrior also
  /// sees the mirrored joints, and the mean of both is taken.
  void guess(crop_reading& reading, bool both_ways, const context<B>& here, estimate& out) const {
    const int quarters = quarters_to_upright(reading);
    for (int i = 0; i < quarters; ++i) turn_quarter(reading);
    const std::optional<error_curve>& curve = networks_.errors;
    out.expected_error.reset();
    if (tells_pose(reading)) {
      std::array<float, pose_prior<>::pose_shape::size> pose;
      ask(reading.joints, here, pose);
      if (both_ways) {
        std::array<float, 3 * mpii16::count> joints;
        std::array<float, pose_prior<>::pose_shape::size> mirrored;
        mirror_joints(reading.joints, joints);
        ask(joints, here, mirrored);
        average_mirrored_pose(pose, mirrored);
      }
      if (curve) out.expected_error = curve->expected(root_sureness(pose), out.score);
      for (int i = 0; i < quarters; ++i) turn_root_back(pose);
      theta_of(pose, out.theta);
    } else {
      out.theta = standing_pose();
      if (curve) out.expected_error = curve->expected_unseen();
    }
    out.beta.fill(0);
    if (tells_shape(reading))
      networks_.shape(here, view<const float, shape_prior<>::silhouette_shape>(reading.body.data()),
                      view<float, shape_prior<>::beta_shape>(out.beta.data()));
    limit_shape(out);
  }

  MAQUETTE_NOINLINE void ask(std::span<const float> joints, const context<B>& here,
                             std::span<float> pose) const {
    networks_.pose(here, view<const float, pose_prior<>::input_shape>(joints.data()),
                   view<float, pose_prior<>::pose_shape>(pose.data()));
  }

  void limit_shape(estimate& out) const {
    for (float& b : out.beta) b = std::isnan(b) ? 0 : std::clamp(b, -largest_beta, largest_beta);
    const std::size_t used = used_shape(out).size();
    std::fill(out.beta.begin() + static_cast<std::ptrdiff_t>(used), out.beta.end(), 0.0F);
  }

  /// Where the body stands, from the joints and the silhouette, or in the box.
  MAQUETTE_NOINLINE void place(const crop_reading& reading, double width, double height,
                               workspace_type& workspace, estimate& out) const {
    std::optional<vec3<double>> translation =
        estimate_translation(out.view, workspace.mpii, out.joints, out.vertices,
                             detail::seen_extent(reading, workspace.mask, width, height), 1,
                             2 * reading.crop.side / Human2D::input_size);
    if (!translation) translation = translation_from_extent(out.view, out.vertices, {out.box});
    out.translation = translation.value_or(vec3<double>{0, 0, out.view.focal});
  }

  /// The pose and the place that bring the body onto the joints seen, if that is wanted.
  MAQUETTE_NOINLINE void fit(const estimate_options& options, workspace_type& workspace,
                             estimate& out) const {
    if (!options.refine) return;
    refine_pose(moments_, used_shape(out), out.view, out.joints,
                out.crop.side / Human2D::input_size, out.theta, out.translation, workspace.fit,
                options.fit, pose_precision(networks_.precision));
    pose_body(workspace, out);
  }

  /// As many shape numbers of the estimate as the body has directions.
  [[nodiscard]] std::span<const float> used_shape(const estimate& out) const {
    return std::span<const float>(out.beta).first(std::min(out.beta.size(), body_.shape_count));
  }

  /// The mesh and the joints of the estimate's pose and shape, without the translation.
  MAQUETTE_NOINLINE void pose_body(workspace_type& memory, estimate& out) const {
    smpl<float>(body_, {used_shape(out), out.theta, {}}, memory.smpl,
                std::span<float>(out.vertices), std::span<float>(memory.joints));
    mpii_joints<float>(body_, out.vertices, memory.joints, memory.mpii);
  }

  /// Human2D, of any picture size, on one crop of the photo, turned by so many quarters
  /// counter-clockwise; what it saw is turned back. Out of line, for it is asked for from several
  /// places.
  template <class Network>
  MAQUETTE_NOINLINE void look(const Network& network, const picture_view& photo,
                              const crop_box& crop, const estimate_options& options,
                              const context<B>& here, workspace_type& memory, crop_reading& reading,
                              int quarters = 0) const {
    detail::stopwatch watch;
    const std::span<float> picture = std::span(memory.picture).first(Network::picture_type::size);
    crop_to_input(photo, crop, Network::input_size, memory.crop, picture);
    for (int i = 0; i < quarters; ++i) turn_quarter(picture, Network::input_size, 3);
    network(here, typename Network::picture_type(memory.picture.data()),
            view<float, typename Network::heatmaps_shape>(memory.heatmaps.data()),
            view<float, typename Network::silhouette_shape>(memory.logits.data()));
    reading.crop = crop;
    reading.coarse = Network::input_size < Human2D::input_size;
    memory.seen = crop;
    if (reading.coarse || quarters != 0) memory.seen.reset();
    read<Network>(options, memory, reading, quarters);
    reading.milliseconds = watch.lap();
  }

  /// Human2D on the reading's crop, which may be what it saw last, turned by so many quarters, and
  /// on its mirror image where that is wanted.
  MAQUETTE_NOINLINE void look_both_ways(const picture_view& photo, const estimate_options& options,
                                        const context<B>& here, workspace_type& memory,
                                        crop_reading& reading, int quarters = 0) const {
    const Human2D& network = networks_.sight.network();
    double spent = reading.milliseconds;
    if (quarters != 0 || memory.seen != reading.crop || !options.flip_average) {
      look(network, photo, reading.crop, options, here, memory, reading, quarters);
      spent = reading.milliseconds;
    }
    if (!options.flip_average) return;
    detail::stopwatch watch;
    const view<float, typename Human2D::heatmaps_shape> heatmaps(memory.heatmaps.data());
    const view<float, typename Human2D::silhouette_shape> logits(memory.logits.data());
    const view<float, typename Human2D::heatmaps_shape> other(memory.mirrored_heatmaps.data());
    const view<float, typename Human2D::silhouette_shape> other_logits(
        memory.mirrored_logits.data());
    mirror_picture(memory.picture, Human2D::input_size);
    network(here, typename Human2D::picture_type(memory.picture.data()), other, other_logits);
    average_mirrored(heatmaps, other.as_const());
    average_mirrored(logits, other_logits.as_const());
    read<Human2D>(options, memory, reading, quarters);
    reading.milliseconds = spent + watch.lap();
  }

  /// Looks at the reading's crop turned as well, where the look at it as it is was not sure,
  /// without a box only where it saw something, and keeps what was far better seen so. Glances say
  /// which of the quarters it may be.
  void look_turned(const picture_view& photo, const estimate_options& options,
                   const context<B>& here, workspace_type& memory) const {
    crop_reading& reading = memory.reading;
    crop_reading& turned = memory.other_reading;
    const bool found = options.box || reading.score >= options.least_score;
    if (reading.score >= upright_is_sure ||
        (!found && reading.score < score_share_to_turn * options.least_score))
      return;
    int best = 0;
    float most = 0;
    for (int quarters = 0; quarters < 4; ++quarters) {
      look(glancing_, photo, reading.crop, options, here, memory, turned, quarters);
      if (turned.score > most) best = quarters;
      most = std::max(most, turned.score);
    }
    if (best == 0) return;
    look_both_ways(photo, options, here, memory, turned, best);
    if (!(turned.score > turned_score_ratio * reading.score)) return;
    if (!found && turned.score < least_turned_score) return;
    std::swap(reading, turned);
    keep_person(reading, memory.components);
  }

  /// What the last maps of a network say, of a crop that was turned by so many quarters before.
  template <class Network>
  MAQUETTE_NOINLINE static void read(const estimate_options& options, workspace_type& memory,
                                     crop_reading& reading, int quarters) {
    const view<const float, typename Network::heatmaps_shape> heatmaps(memory.heatmaps.data());
    decode_heatmaps(heatmaps, reading.joints, options.decoding);
    separate_sides(heatmaps, reading.joints, options.decoding);
    constexpr int size = Network::output_size;
    const view<const float, typename Network::silhouette_shape> logits(memory.logits.data());
    decode_silhouette(logits, std::span(reading.body).first(std::size_t{size} * size));
    if constexpr (size < crop_reading::size) detail::enlarge<size>(reading.body);
    if (quarters != 0)
      for (int i = quarters; i < 4; ++i) turn_quarter(reading);
    discard_nonsense(reading);
    reading.score = person_score(reading);
  }

  /// The photo's camera: the crop's, extended over the photo; or the user's, in which case the
  /// root's rotation, which is relative to the crop's axis, is turned to the photo's.
  static void set_camera(double width, double height, const estimate_options& options,
                         estimate& out) {
    if (!options.focal) {
      out.view = photo_camera(camera{}, out.crop, Human2D::input_size);
      return;
    }
    out.view = {*options.focal, width / 2, height / 2};
    const image_point middle{out.crop.x + out.crop.side / 2, out.crop.y + out.crop.side / 2};
    const mat3<double> root =
        rodrigues(vec3<double>{double{out.theta[0]}, double{out.theta[1]}, double{out.theta[2]}});
    const vec3<double> turned = axis_angle(detail::towards(out.view, middle) * root);
    for (std::size_t k = 0; k < 3; ++k) out.theta[k] = static_cast<float>(turned[k]);
  }

  networks<Human2D> networks_;
  glancing_type glancing_;  // on the parameters of networks_.sight, whose memory does not move
  body_model body_;
  joint_moments moments_;
  stature stature_;
};

/// The estimator of the shipped weights.
using estimator = basic_estimator<>;

}  // namespace maquette
