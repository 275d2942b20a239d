// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "maquette/body/body_model.hpp"
#include "maquette/body/rotation.hpp"
#include "maquette/core/assert.hpp"
#include "maquette/kernel/skinning.hpp"

namespace maquette {

/// What SMPL computes on the way, kept for those who need derivatives: one per thread, reused.
template <class T>
struct basic_smpl_workspace {
  std::array<mat3<T>, 24> rotations;        ///< R_j, relative to the parent
  std::array<vec3<T>, 24> rest_joints;      ///< J of the unposed, shaped body
  std::array<mat3<T>, 24> world_rotations;  ///< rotation of G_j
  std::array<T, 24 * 16> transforms{};      ///< [24, 4, 4] columns of G'_j: rest position to posed
  std::vector<T> v_posed;                   ///< [V, 3] shape and pose blended, before skinning
  std::vector<T> coefficients;              ///< of the blend shapes in use
  std::vector<const T*> directions;         ///< the blend shapes in use
  std::vector<std::uint32_t> live_groups;  ///< joints whose pose moves a block of vertices, as bits

  /// For the model as it is now: its zeros are looked for here, once.
  explicit basic_smpl_workspace(const basic_body_model<T>& model)
      : v_posed(3 * model.vertex_count),
        coefficients(model.shape_count + basic_body_model<T>::pose_feature_count),
        directions(coefficients.size()),
        live_groups(kernel::skin_blocks(model.vertex_count)) {
    kernel::find_live_groups(model.vertex_count, 9, model.posedirs.data(), live_groups.data());
  }
};

using smpl_workspace = basic_smpl_workspace<float>;

/// What poses a body: beta (any length up to the model's shape_count, the rest are 0), theta [24,
/// 3] axis-angle with the root first, and where the body is moved afterwards.
template <class T>
struct basic_smpl_parameters {
  std::span<const T> beta;
  std::span<const T> theta;
  vec3<T> translation{};
};

using smpl_parameters = basic_smpl_parameters<float>;

namespace detail {

/// What of a body says where its joints are.
template <class T>
struct joint_arrays {
  std::span<const int> parents;         ///< [24]
  std::span<const T> joint_template;    ///< [24, 3]
  std::span<const T> joint_directions;  ///< [shape_count, 24, 3]
};

/// Joints at rest, rotations in the world, the columns of G'_j [24, 4, 4] and the posed joints [24,
/// 3], moved by `translation`: the part of `smpl` that needs no mesh.
template <class T>
void pose_skeleton(const joint_arrays<T>& body, std::span<const T> beta,
                   std::span<const mat3<T>, 24> rotations, vec3<T> translation,
                   std::array<vec3<T>, 24>& rest, std::array<mat3<T>, 24>& world_rotations,
                   T* transforms, T* joints) {
  std::array<vec3<T>, 24> posed;
  for (std::size_t j = 0; j < 24; ++j) {
    for (std::size_t k = 0; k < 3; ++k) {
      T sum = body.joint_template[3 * j + k];
      for (std::size_t b = 0; b < beta.size(); ++b) {
        sum += beta[b] * body.joint_directions[72 * b + 3 * j + k];
      }
      rest[j][k] = sum;
    }
    mat3<T>& world = world_rotations[j];
    if (const int parent = body.parents[j]; parent < 0) {
      world = rotations[j];
      posed[j] = rest[j];
    } else {
      const auto p = static_cast<std::size_t>(parent);
      world = world_rotations[p] * rotations[j];
      posed[j] = posed[p] + world_rotations[p] * (rest[j] - rest[p]);
    }
    const vec3<T> offset = posed[j] - world * rest[j];
    T* const g = transforms + 16 * j;
    for (std::size_t row = 0; row < 3; ++row) {
      for (std::size_t column = 0; column < 3; ++column) g[4 * column + row] = world(row, column);
      g[12 + row] = offset[row];
      joints[3 * j + row] = posed[j][row] + translation[row];
    }
  }
}

/// The axis-angles [24, 3] of a pose as matrices.
template <class T>
std::array<mat3<T>, 24> rotations_of(std::span<const T> theta) {
  MAQUETTE_ASSERT(theta.size() == 72, "a pose has 24 x 3 numbers");
  std::array<mat3<T>, 24> rotations;
  for (std::size_t j = 0; j < 24; ++j) {
    rotations[j] = rodrigues(vec3<T>{theta[3 * j], theta[3 * j + 1], theta[3 * j + 2]});
  }
  return rotations;
}

}  // namespace detail

/// SMPL with the joints' rotations as matrices [24], each relative to its parent, root first.
///
/// v_shaped = v_template + shapedirs beta; J = joint_regressor v_shaped; v_posed = v_shaped +
/// posedirs vec(R_j - I, j = 1..23, row-major); G_j = G_parent [R_j | J_j - J_parent]; G'_j = G_j
/// less its image of J_j; v_i = sum_j w_ij G'_j v_posed_i + translation.
///
/// Writes `vertices` [V, 3] and `joints` [24, 3] in metres, in the frame that the root's rotation
/// leads to, and leaves every intermediate in `workspace`. The root rotates about the pelvis.
/// Allocates nothing. Source: Loper et al., "SMPL", 2015, eq. 2 to 10.
template <class T>
void smpl(const basic_body_model<T>& model, std::span<const T> beta,
          std::span<const mat3<T>, 24> rotations, vec3<T> translation,
          basic_smpl_workspace<T>& workspace, std::span<T> vertices, std::span<T> joints) {
  const std::size_t size = 3 * model.vertex_count;
  MAQUETTE_ASSERT(beta.size() <= model.shape_count, "more shape numbers than the body has");
  MAQUETTE_ASSERT(workspace.v_posed.size() == size, "a workspace of another body");
  MAQUETTE_ASSERT(vertices.size() == size && joints.size() == 72,
                  "smpl writes vertices [V, 3] and joints [24, 3]");
  std::copy(rotations.begin(), rotations.end(), workspace.rotations.begin());

  // Blend shapes whose coefficient is zero cost nothing: the mean shape, joints at rest.
  std::size_t used = 0;
  const auto use = [&](T coefficient, const T* direction) {
    if (coefficient == T{0}) return;
    workspace.coefficients[used] = coefficient;
    workspace.directions[used++] = direction;
  };
  kernel::blend_shapes<T> shapes{model.v_template.data(), workspace.coefficients.data(),
                                 workspace.directions.data()};
  for (std::size_t b = 0; b < beta.size(); ++b) use(beta[b], model.shapedirs.data() + b * size);
  for (std::size_t j = 1; j < 24; ++j) {
    shapes.groups[j] = static_cast<std::uint32_t>(used);
    for (std::size_t k = 0; k < 9; ++k) {
      const T identity = k % 4 == 0 ? T{1} : T{0};
      use(workspace.rotations[j].m[k] - identity, model.posedirs.data() + (9 * (j - 1) + k) * size);
    }
  }
  shapes.groups[24] = static_cast<std::uint32_t>(used);

  detail::pose_skeleton<T>({model.parents, model.joint_template, model.joint_directions}, beta,
                           workspace.rotations, translation, workspace.rest_joints,
                           workspace.world_rotations, workspace.transforms.data(), joints.data());

  const kernel::skin_weights<T> skin{model.influences,
                                     model.skin_joint.data(),
                                     model.skin_weight.data(),
                                     workspace.transforms.data(),
                                     {translation.x, translation.y, translation.z}};
  kernel::blend_and_skin(model.vertex_count, shapes, workspace.live_groups.data(), skin,
                         workspace.v_posed.data(), vertices.data());
}

/// SMPL with the pose as axis-angle: see the overload above.
template <class T>
void smpl(const basic_body_model<T>& model, const basic_smpl_parameters<T>& parameters,
          basic_smpl_workspace<T>& workspace, std::span<T> vertices, std::span<T> joints) {
  const std::array<mat3<T>, 24> rotations = detail::rotations_of(parameters.theta);
  smpl(model, parameters.beta, std::span<const mat3<T>, 24>(rotations), parameters.translation,
       workspace, vertices, joints);
}

}  // namespace maquette
