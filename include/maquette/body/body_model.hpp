// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "maquette/body/joints.hpp"
#include "maquette/core/assert.hpp"

namespace maquette {

/// A sparse matrix by rows: row r holds entries [offsets[r], offsets[r + 1]).
template <class T>
struct sparse_rows {
  std::vector<std::uint32_t> offsets;
  std::vector<std::uint32_t> columns;
  std::vector<T> values;

  [[nodiscard]] std::size_t rows() const { return offsets.empty() ? 0 : offsets.size() - 1; }
};

/// A body that SMPL's equations can pose: any number of vertices, SMPL's 24 joints.
///
/// Plain data in SMPL's own terms: metres, y up, facing +z, left at +x. `build_body` makes one from
/// raw arrays and checks them; `load_body` does so from a file.
template <class T>
struct basic_body_model {
  static constexpr std::size_t joint_count = smpl24::count;
  static constexpr std::size_t pose_feature_count = 9 * (joint_count - 1);

  std::size_t vertex_count = 0;
  std::size_t shape_count = 0;
  std::vector<T> v_template;             ///< [V, 3]
  std::vector<T> shapedirs;              ///< [shape_count, V, 3]: one direction after the other
  std::vector<T> posedirs;               ///< [207, V, 3]: of row-major R - I, joints 1 to 23
  std::vector<std::uint32_t> faces;      ///< [F, 3], outward faces counter-clockwise
  std::vector<int> parents;              ///< [24], -1 for the root, a parent before its children
  sparse_rows<T> joint_regressor;        ///< [24, V]
  std::size_t influences = 0;            ///< joints that move one vertex, at most (SMPL's: 4)
  std::vector<std::uint8_t> skin_joint;  ///< [V, influences]
  std::vector<T> skin_weight;            ///< [V, influences], rows sum to 1, zeros last

  /// [16, V + 24]: MPII's joints from the posed vertices and, in columns V and up, the posed
  /// joints.
  sparse_rows<T> mpii_regressor;

  std::vector<T> joint_template;    ///< [24, 3]: joint_regressor v_template
  std::vector<T> joint_directions;  ///< [shape_count, 24, 3]: joint_regressor shapedirs

  std::vector<std::uint32_t> mirror_vertex;  ///< [V]: partner across x = 0; empty if not known
};

using body_model = basic_body_model<float>;

/// MPII's 16 joints [16, 3] of a posed body, in the frame of `vertices` [V, 3] and `joints` [24,
/// 3].
template <class T>
void mpii_joints(const basic_body_model<T>& model, std::span<const T> vertices,
                 std::span<const T> joints, std::span<T> out) {
  MAQUETTE_ASSERT(vertices.size() == 3 * model.vertex_count && joints.size() == 72 &&
                      out.size() == 3 * mpii16::count,
                  "mpii_joints takes [V, 3] and [24, 3] and gives [16, 3]");
  const sparse_rows<T>& rows = model.mpii_regressor;
  for (std::size_t j = 0; j < mpii16::count; ++j) {
    T sum[3]{};
    for (std::size_t e = rows.offsets[j]; e < rows.offsets[j + 1]; ++e) {
      const std::size_t column = rows.columns[e];
      const T* const p = column < model.vertex_count
                             ? vertices.data() + 3 * column
                             : joints.data() + 3 * (column - model.vertex_count);
      for (std::size_t k = 0; k < 3; ++k) sum[k] += rows.values[e] * p[k];
    }
    for (std::size_t k = 0; k < 3; ++k) out[3 * j + k] = sum[k];
  }
}

}  // namespace maquette
