// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "maquette/body/matrix3.hpp"
#include "maquette/core/executor.hpp"
#include "maquette/estimator/decode.hpp"
#include "maquette/estimator/find_person.hpp"
#include "maquette/fit/refine.hpp"
#include "maquette/render/camera.hpp"

namespace maquette {

/// How long each stage of an estimate took, in milliseconds.
struct stage_times {
  double find = 0;     ///< every look at the photo but those kept
  double human2d = 0;  ///< the crop kept, Human2D on it, decoding
  double priors = 0;   ///< pose and shape
  double smpl = 0;     ///< mesh and joints
  double camera = 0;   ///< translation and projection
  double fit = 0;      ///< the pose brought onto the joints seen and its mesh; the stature, too
};

/// What is known about one photo before it is looked at.
struct estimate_options {
  /// The person's box in photo pixels; without one the person is searched for. Who gives a box says
  /// that there is a person: `least_score` is not asked then.
  std::optional<image_box> box{};
  /// The photo's focal length in its pixels, the principal point being its middle; without one the
  /// focal length is 5000 at a crop of 256 pixels.
  std::optional<double> focal{};
  /// How far in front of the camera the person's pelvis is, metres, along the optical axis; asks
  /// for `focal`. A silhouette does not tell a tall person from a short one who is nearer: with the
  /// distance the shape follows the size seen, see `stature`. Shapes have limits and outlines
  /// errors, so `translation` comes near this distance but need not be it.
  std::optional<double> distance{};
  /// Score below which the answer is that there is no person; see `person_score`.
  float least_score = least_person_score;
  /// Whether Human2D also looks at the mirrored crop, and the mean of both is taken; twice the
  /// work.
  bool flip_average = true;
  /// Whether a person who is not clearly seen (`upright_is_sure`), or perhaps seen where nobody was
  /// found, is also looked at turned by quarters, as one is who lies or is upside down: four
  /// glances more, and as many looks as without it where one of the quarters shows more.
  bool look_turned = true;
  /// How a joint's place is read from its heat map.
  joint_decoding decoding = joint_decoding::soft_argmax;
  /// Whether the pose is brought onto the joints seen after the networks; see `refine_pose`.
  bool refine = true;
  refine_options fit{};
};

/// A body for a photo. Kept from call to call it need not allocate again.
///
/// The camera's frame is x right, y down, z forward, in metres; photo pixels have centres at .5.
/// All numbers are finite. Where the joints tell nothing (`tells_pose`) somebody stands upright in
/// the box and faces the camera; where the silhouette tells nothing (`tells_shape`) the shape is
/// the mean; score and probabilities say so by being low, `expected_error` by being high.
struct estimate {
  crop_box crop;    ///< what the networks looked at, in photo pixels
  image_box box;    ///< the person's box in photo pixels
  float score = 0;  ///< how sure it is that there is a person; see `person_score`
  /// How far the mesh's vertices may be from the person's, on average and in metres, both bodies at
  /// their own origin: about half of the pictures like this one had less; see `error_curve`. None
  /// where the weights do not say.
  std::optional<float> expected_error{};
  /// [16, 3] as seen: x, y in photo pixels, and the probability that the joint is there, see
  /// `joint_calibration`
  std::array<float, 48> joints{};
  std::array<float, 64 * 64> silhouette{};   ///< [64, 64] as seen: probability of body in the crop
  std::array<float, 72> theta{};             ///< [24, 3] axis-angle, the root in the camera's frame
  std::array<float, 10> beta{};              ///< shape; 0 where the body has no direction
  vec3<double> translation{};                ///< added to SMPL's result, camera's frame
  camera view;                               ///< from the camera's frame to photo pixels
  std::vector<float> vertices;               ///< [V, 3] without the translation
  std::array<float, 72> joints_3d{};         ///< [24, 3] with the translation
  std::array<float, 32> projected_joints{};  ///< [16, 2] of the body, in photo pixels
  stage_times milliseconds;
};

/// Where the networks and the body come from.
struct estimator_options {
  bool self_test = true;             ///< run the self-test of the weights file
  std::size_t max_shape_count = 10;  ///< shape directions kept of the body
  executor threads{};                ///< for the self-test
};

}  // namespace maquette
