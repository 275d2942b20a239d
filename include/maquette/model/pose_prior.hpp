// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>

#include "maquette/nn/bilinear.hpp"
#include "maquette/nn/bind.hpp"
#include "maquette/nn/sequential.hpp"

namespace maquette {

/// How a rotation leaves a network: as SMPL's axis-angle (3 numbers), or as the first two columns
/// of its matrix before they are made orthonormal (6 numbers; Zhou et al. 2019).
///
/// The columns know no jump at half a turn, where an upright person's root lies: docs/ablations.md.
enum class rotation_numbers : int { axis_angle = 3, two_columns = 6 };

/// From joints in the picture to SMPL's pose (Pavlakos et al. 2018, section 4.2): linear layers and
/// two bilinear units.
///
/// Joints: [3 Joints], joint by joint x, y in [-1, 1] of the crop and the confidence; all 0 where
/// there is no joint. Pose: the numbers of 24 rotations in the camera's frame, root included, joint
/// by joint; `theta_of` makes axis-angles of them. An upright person's root is near half a turn
/// about x.
template <int Joints = 16, int Width = 1024,
          rotation_numbers Rotation = rotation_numbers::two_columns>
struct pose_prior {
  using input_shape = shape<3 * Joints>;
  using pose_shape = shape<24 * static_cast<int>(Rotation)>;

  nn::linear<3 * Joints, Width> input;
  nn::batch_norm<Width> norm;
  nn::layer_list<nn::bilinear<Width>, nn::bilinear<Width>> blocks;
  nn::linear<Width, pose_shape::size> output;

  static constexpr std::size_t workspace_bytes =
      arena::bytes_of<shape<Width>>() + nn::bilinear<Width>::template scratch<shape<Width>>();

  void parameters(auto&& visit) {
    visit("input", input);
    visit("norm", norm);
    visit("blocks", blocks);
    visit("output", output);
  }

  [[gnu::cold]] void pack(nn::packer& to) {
    input.pack(to, norm);
    nn::pack_layers(blocks, to);
    output.pack(to);
  }

  template <Backend B>
  void operator()(const context<B>& context, view<const float, input_shape> joints,
                  view<float, pose_shape> pose) const {
    MAQUETTE_ASSERT(context.scratch.available() >= workspace_bytes,
                    "pose_prior: the workspace is smaller than workspace_bytes");
    const arena::scope scope(context.scratch);
    const auto hidden = context.scratch.template take<shape<Width>>();
    input(context, joints, hidden, {.relu = true});
    blocks.template at<0>()(context, hidden.as_const(), hidden);
    blocks.template at<1>()(context, hidden.as_const(), hidden);
    output(context, hidden.as_const(), pose);
  }
};

}  // namespace maquette
