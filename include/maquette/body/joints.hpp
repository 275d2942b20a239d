// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <string_view>

#include "maquette/body/skeleton.hpp"

namespace maquette {

// A joint set has an enum `joint`, a `count`, the data set's own `names` and the anatomical `parts`
// by which joints of different sets are recognised as the same.

/// The 16 joints of the MPII data set: what human2d finds.
struct mpii16 {
  enum joint : int {
    r_ankle,
    r_knee,
    r_hip,
    l_hip,
    l_knee,
    l_ankle,
    pelvis,
    thorax,
    upper_neck,
    head_top,
    r_wrist,
    r_elbow,
    r_shoulder,
    l_shoulder,
    l_elbow,
    l_wrist
  };
  static constexpr std::size_t count = 16;
  static constexpr std::array<std::string_view, count> names{
      "r_ankle",    "r_knee",     "r_hip",      "l_hip",    "l_knee",  "l_ankle",
      "pelvis",     "thorax",     "upper_neck", "head_top", "r_wrist", "r_elbow",
      "r_shoulder", "l_shoulder", "l_elbow",    "l_wrist"};
  static constexpr std::array<std::string_view, count> parts = names;
};

/// The 14 joints of Leeds Sports Pose. Its neck lies between MPII's thorax and upper neck; where
/// joints are matched by name it is taken for the upper neck.
struct lsp14 {
  enum joint : int {
    r_ankle,
    r_knee,
    r_hip,
    l_hip,
    l_knee,
    l_ankle,
    r_wrist,
    r_elbow,
    r_shoulder,
    l_shoulder,
    l_elbow,
    l_wrist,
    neck,
    head_top
  };
  static constexpr std::size_t count = 14;
  static constexpr std::array<std::string_view, count> names{
      "r_ankle", "r_knee",     "r_hip",      "l_hip",   "l_knee",  "l_ankle", "r_wrist",
      "r_elbow", "r_shoulder", "l_shoulder", "l_elbow", "l_wrist", "neck",    "head_top"};
  static constexpr std::array<std::string_view, count> parts{
      "r_ankle", "r_knee",     "r_hip",      "l_hip",   "l_knee",  "l_ankle",    "r_wrist",
      "r_elbow", "r_shoulder", "l_shoulder", "l_elbow", "l_wrist", "upper_neck", "head_top"};
};

/// The 17 key points of COCO.
struct coco17 {
  enum joint : int {
    nose,
    l_eye,
    r_eye,
    l_ear,
    r_ear,
    l_shoulder,
    r_shoulder,
    l_elbow,
    r_elbow,
    l_wrist,
    r_wrist,
    l_hip,
    r_hip,
    l_knee,
    r_knee,
    l_ankle,
    r_ankle
  };
  static constexpr std::size_t count = 17;
  static constexpr std::array<std::string_view, count> names{
      "nose",       "l_eye",   "r_eye",   "l_ear",   "r_ear",   "l_shoulder",
      "r_shoulder", "l_elbow", "r_elbow", "l_wrist", "r_wrist", "l_hip",
      "r_hip",      "l_knee",  "r_knee",  "l_ankle", "r_ankle"};
  static constexpr std::array<std::string_view, count> parts = names;
};

namespace detail {

template <class To, class From>
[[nodiscard]] constexpr std::array<int, To::count> match_joints() {
  std::array<int, To::count> from{};
  for (std::size_t i = 0; i < To::count; ++i) {
    from[i] = -1;
    for (std::size_t j = 0; j < From::count; ++j) {
      if (To::parts[i] == From::parts[j]) from[i] = static_cast<int>(j);
    }
  }
  return from;
}

}  // namespace detail

/// Where each joint of `To` is found among those of `From`, -1 where there is no counterpart:
/// `to[i] = from[joint_map<To, From>[i]]`.
///
/// Hips, shoulders and ankles of different sets are the same part but not the same point:
/// annotators place hips up to several centimetres from SMPL's rotation centres (SMPLify gives them
/// weight 0).
template <class To, class From>
inline constexpr std::array<int, To::count> joint_map = detail::match_joints<To, From>();

}  // namespace maquette
