// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "maquette/body/body_model.hpp"
#include "maquette/body/joints.hpp"
#include "maquette/body/matrix3.hpp"
#include "maquette/body/skeleton.hpp"
#include "maquette/core/assert.hpp"

namespace maquette {

/// A body of one shape, as `joint_moments` poses it.
struct shaped_moments {
  std::array<vec3<double>, smpl24::count> rest_joints{};  ///< J, metres
  std::vector<double> moments;                            ///< [pairs, 3] without the pose's part
};

/// MPII's joints of a posed body and what their derivatives need, in metres and the body's frame.
struct posed_moments {
  std::array<mat3<double>, smpl24::count> world{};   ///< rotation of G_j
  std::array<vec3<double>, smpl24::count> joints{};  ///< SMPL's joints
  /// [16, 24]: S_mj = the part of MPII's joint m that turns with SMPL's joint j; S_m0 is joint m.
  std::array<std::array<vec3<double>, smpl24::count>, mpii16::count> parts{};
  std::vector<double> moments;  ///< [pairs, 3]
};

/// Everything of a body that its 16 MPII joints depend on: exact, and a few hundredths of the mesh.
///
/// A joint is m = sum_i a_mi sum_k w_ik G'_k v_i with v_i linear in shape and pose features. So it
/// is m = sum_k (W_k M_mk + c_mk t'_k) with the moments M_mk = sum_i a_mi w_ik v_i, linear in the
/// same, and c_mk = sum_i a_mi w_ik; only the few pairs (m, k) whose joints touch are kept. A posed
/// SMPL joint among the regressor's columns is a point fixed to its parent.
class joint_moments {
 public:
  static constexpr std::size_t feature_count = 9 * (smpl24::count - 1);

  template <class T>
  [[gnu::noinline]] explicit joint_moments(const basic_body_model<T>& body)
      : shape_count_(body.shape_count) {
    for (std::size_t j = 0; j < smpl24::count; ++j) {
      parents_[j] = body.parents[j];
      for (std::size_t k = 0; k < 3; ++k) rest_[j][k] = double{body.joint_template[3 * j + k]};
    }
    joint_directions_.assign(body.joint_directions.begin(), body.joint_directions.end());
    std::array<std::array<int, smpl24::count>, mpii16::count> place{};
    for (auto& row : place) row.fill(-1);
    for_each_term(body, [&](std::size_t m, std::size_t k, double weight, auto&&) {
      if (place[m][k] < 0) {
        place[m][k] = static_cast<int>(pairs_.size());
        pairs_.push_back({static_cast<std::uint8_t>(m), static_cast<std::uint8_t>(k), 0});
      }
      pairs_[static_cast<std::size_t>(place[m][k])].weight += weight;
    });
    const std::size_t size = 3 * pairs_.size();
    template_.resize(size);
    shape_directions_.resize(shape_count_ * size);
    pose_directions_.resize(feature_count * size);
    for_each_term(body, [&](std::size_t m, std::size_t k, double weight, auto&& point) {
      const std::size_t at = 3 * static_cast<std::size_t>(place[m][k]);
      for (std::size_t axis = 0; axis < 3; ++axis) {
        template_[at + axis] += weight * point(part::rest, 0, axis);
        for (std::size_t b = 0; b < shape_count_; ++b)
          shape_directions_[b * size + at + axis] += weight * point(part::shape, b, axis);
        for (std::size_t f = 0; f < feature_count; ++f)
          pose_directions_[f * size + at + axis] += weight * point(part::pose, f, axis);
      }
    });
    for (const pair& p : pairs_) {
      for_each_ancestor(p.joint, [&](std::size_t j) { shares_[p.mpii][j] += p.weight; });
    }
  }

  /// How much of MPII's joint m turns with SMPL's joint j: c_mj, the share of its weights.
  [[nodiscard]] double share(std::size_t m, std::size_t j) const { return shares_[m][j]; }

  [[nodiscard]] shaped_moments make_shaped() const {
    return {{}, std::vector<double>(template_.size())};
  }
  [[nodiscard]] posed_moments make_posed() const {
    return {{}, {}, {}, std::vector<double>(template_.size())};
  }

  /// The body of shape beta (any length up to the model's, the rest are 0). Allocates nothing.
  void shape(std::span<const float> beta, shaped_moments& out) const {
    MAQUETTE_ASSERT(beta.size() <= shape_count_, "more shape numbers than the body has");
    const std::size_t size = template_.size();
    out.rest_joints = rest_;
    std::copy(template_.begin(), template_.end(), out.moments.begin());
    for (std::size_t b = 0; b < beta.size(); ++b) {
      const double coefficient{beta[b]};
      for (std::size_t j = 0; j < smpl24::count; ++j)
        for (std::size_t k = 0; k < 3; ++k)
          out.rest_joints[j][k] += coefficient * joint_directions_[72 * b + 3 * j + k];
      add(coefficient, shape_directions_.data() + b * size, out.moments);
    }
  }

  /// Poses it with the joints' rotations [24], each relative to its parent; as `smpl` and
  /// `mpii_joints` do, without the translation. Allocates nothing.
  [[gnu::noinline]] void pose(const shaped_moments& shaped,
                              std::span<const mat3<double>, smpl24::count> rotations,
                              posed_moments& out) const {
    const std::size_t size = template_.size();
    std::copy(shaped.moments.begin(), shaped.moments.end(), out.moments.begin());
    for (std::size_t j = 1; j < smpl24::count; ++j)
      for (std::size_t k = 0; k < 9; ++k)
        add(rotations[j].m[k] - (k % 4 == 0 ? 1 : 0),
            pose_directions_.data() + (9 * (j - 1) + k) * size, out.moments);
    const auto& rest = shaped.rest_joints;
    for (std::size_t j = 0; j < smpl24::count; ++j) {
      if (parents_[j] < 0) {
        out.world[j] = rotations[j];
        out.joints[j] = rest[j];
      } else {
        const auto p = static_cast<std::size_t>(parents_[j]);
        out.world[j] = out.world[p] * rotations[j];
        out.joints[j] = out.joints[p] + out.world[p] * (rest[j] - rest[p]);
      }
    }
    for (auto& row : out.parts) row.fill({});
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const pair& p = pairs_[i];
      const vec3<double> moment{out.moments[3 * i], out.moments[3 * i + 1], out.moments[3 * i + 2]};
      const vec3<double> placed =
          out.world[p.joint] * (moment - p.weight * rest[p.joint]) + p.weight * out.joints[p.joint];
      for_each_ancestor(
          p.joint, [&](std::size_t j) { out.parts[p.mpii][j] = out.parts[p.mpii][j] + placed; });
    }
  }

 private:
  enum class part { rest, shape, pose };

  struct pair {
    std::uint8_t mpii;
    std::uint8_t joint;
    double weight;
  };

  /// Calls visit(m, k, a w, point) for everything that moves MPII's joint m with SMPL's joint k,
  /// where point(part, i, axis) is a coordinate at rest or of the i-th direction of a blend shape.
  template <class T, class Visit>
  static void for_each_term(const basic_body_model<T>& body, Visit&& visit) {
    const sparse_rows<T>& rows = body.mpii_regressor;
    const std::size_t size = 3 * body.vertex_count;
    for (std::size_t m = 0; m < mpii16::count; ++m) {
      for (std::size_t e = rows.offsets[m]; e < rows.offsets[m + 1]; ++e) {
        const double value{rows.values[e]};
        const std::size_t column = rows.columns[e];
        if (column >= body.vertex_count) {
          const std::size_t q = column - body.vertex_count;
          const int parent = body.parents[q];
          visit(m, static_cast<std::size_t>(parent < 0 ? 0 : parent), value,
                [&](part what, std::size_t i, std::size_t axis) {
                  if (what == part::rest) return double{body.joint_template[3 * q + axis]};
                  if (what == part::shape)
                    return double{body.joint_directions[72 * i + 3 * q + axis]};
                  return 0.0;
                });
          continue;
        }
        for (std::size_t i = 0; i < body.influences; ++i) {
          const double weight{body.skin_weight[column * body.influences + i]};
          if (weight == 0) break;
          visit(m, std::size_t{body.skin_joint[column * body.influences + i]}, value * weight,
                [&](part what, std::size_t d, std::size_t axis) {
                  const std::size_t at = 3 * column + axis;
                  if (what == part::rest) return double{body.v_template[at]};
                  if (what == part::shape) return double{body.shapedirs[d * size + at]};
                  return double{body.posedirs[d * size + at]};
                });
        }
      }
    }
  }

  static void add(double coefficient, const double* direction, std::span<double> sum) {
    if (coefficient == 0) return;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += coefficient * direction[i];
  }

  /// The joint itself and all above it.
  template <class Visit>
  void for_each_ancestor(std::size_t joint, Visit&& visit) const {
    for (int j = static_cast<int>(joint); j >= 0; j = parents_[static_cast<std::size_t>(j)])
      visit(static_cast<std::size_t>(j));
  }

  std::size_t shape_count_;
  std::array<int, smpl24::count> parents_{};
  std::array<vec3<double>, smpl24::count> rest_{};
  std::vector<double> joint_directions_;  // [shape_count, 24, 3]
  std::vector<pair> pairs_;
  std::vector<double> template_;          // [pairs, 3]
  std::vector<double> shape_directions_;  // [shape_count, pairs, 3]
  std::vector<double> pose_directions_;   // [207, pairs, 3]
  std::array<std::array<double, smpl24::count>, mpii16::count> shares_{};
};

}  // namespace maquette
