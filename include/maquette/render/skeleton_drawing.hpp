// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <utility>

#include "maquette/body/joints.hpp"
#include "maquette/core/assert.hpp"
#include "maquette/render/canvas.hpp"

namespace maquette {

/// The bones between MPII's joints.
inline constexpr std::array<std::pair<int, int>, 15> mpii_bones{{
    {mpii16::pelvis, mpii16::thorax},
    {mpii16::thorax, mpii16::upper_neck},
    {mpii16::upper_neck, mpii16::head_top},
    {mpii16::pelvis, mpii16::r_hip},
    {mpii16::r_hip, mpii16::r_knee},
    {mpii16::r_knee, mpii16::r_ankle},
    {mpii16::pelvis, mpii16::l_hip},
    {mpii16::l_hip, mpii16::l_knee},
    {mpii16::l_knee, mpii16::l_ankle},
    {mpii16::thorax, mpii16::r_shoulder},
    {mpii16::r_shoulder, mpii16::r_elbow},
    {mpii16::r_elbow, mpii16::r_wrist},
    {mpii16::thorax, mpii16::l_shoulder},
    {mpii16::l_shoulder, mpii16::l_elbow},
    {mpii16::l_elbow, mpii16::l_wrist},
}};

/// Colours of the person's left side, right side and middle line.
struct side_colours {
  colour left{64, 156, 255};
  colour right{255, 138, 61};
  colour middle{240, 240, 240};
};

/// Draws MPII's 16 joints [16, 3] (u, v in the picture's pixels, confidence) as bones and dots,
/// coloured by side, with a dark rim that keeps them visible on any ground.
///
/// Joints whose confidence is below `least_confidence` are left out with their bones. `radius`, in
/// pixels, is that of a joint; 0 takes 1/80 of the skeleton's longer extent, 1.5 at least.
inline void draw_skeleton(const canvas& picture, std::span<const float> joints,
                          double least_confidence = 0.1, double radius = 0,
                          const side_colours& colours = {}) {
  MAQUETTE_ASSERT(joints.size() == 3 * mpii16::count, "16 joints of u, v and confidence");
  const auto point = [&](int j) {
    const auto i = 3 * static_cast<std::size_t>(j);
    return image_point{double{joints[i]}, double{joints[i + 1]}};
  };
  const auto visible = [&](int j) {
    return double{joints[3 * static_cast<std::size_t>(j) + 2]} >= least_confidence;
  };
  const auto ink = [&](int j) {
    const char side = mpii16::names[static_cast<std::size_t>(j)].substr(0, 2) == "l_"   ? 'l'
                      : mpii16::names[static_cast<std::size_t>(j)].substr(0, 2) == "r_" ? 'r'
                                                                                        : 'm';
    return side == 'l' ? colours.left : side == 'r' ? colours.right : colours.middle;
  };
  constexpr int count = static_cast<int>(mpii16::count);
  if (radius <= 0) {
    double low_u = 1e9, low_v = 1e9, high_u = -1e9, high_v = -1e9;
    for (int j = 0; j < count; ++j) {
      if (!visible(j)) continue;
      low_u = std::min(low_u, point(j).u);
      high_u = std::max(high_u, point(j).u);
      low_v = std::min(low_v, point(j).v);
      high_v = std::max(high_v, point(j).v);
    }
    radius = std::max(1.5, std::max(high_u - low_u, high_v - low_v) / 80);
  }
  constexpr colour rim{20, 22, 28};
  const double line = 0.55 * radius;
  for (const bool outline : {true, false}) {
    const double grow = outline ? std::max(1.0, radius / 4) : 0.0;
    for (const auto& [from, to] : mpii_bones) {
      if (!visible(from) || !visible(to)) continue;
      draw_line(picture, point(from), point(to), line + grow, outline ? rim : ink(to));
    }
    for (int j = 0; j < count; ++j) {
      if (visible(j)) {
        draw_line(picture, point(j), point(j), radius + grow, outline ? rim : ink(j));
      }
    }
  }
}

}  // namespace maquette
