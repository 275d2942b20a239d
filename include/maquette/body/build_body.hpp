// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "maquette/body/body_model.hpp"
#include "maquette/body/joints.hpp"
#include "maquette/body/skeleton.hpp"
#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"

namespace maquette {

/// One dense array of a body file under its own key; an empty shape and no values if it is missing.
struct body_array {
  std::vector<std::size_t> shape;
  std::vector<double> values;

  [[nodiscard]] bool missing() const { return shape.empty() && values.empty(); }
};

/// A body's arrays as they stand in a file, under SMPL's own keys.
struct body_arrays {
  body_array v_template;            ///< [V, 3]
  body_array shapedirs;             ///< [V, 3, B], B >= 1
  body_array posedirs;              ///< [V, 3, 207]
  body_array joint_regressor;       ///< J_regressor [24, V]
  body_array weights;               ///< [V, 24]
  body_array kintree_table;         ///< [2, 24]: parents, own numbers; root's parent -1 or 2^32 - 1
  body_array faces;                 ///< f [F, 3]
  body_array joint_regressor_mpii;  ///< [16, V], optional
  body_array mirror_vertex;         ///< vert_sym_idxs [V], optional
};

namespace detail {

/// Checks a body's arrays one by one and gathers a line for each that is wrong.
class body_checker {
 public:
  [[nodiscard]] const std::string& faults() const { return faults_; }

  [[gnu::cold]] void fault(std::string_view key, std::string_view expected,
                           std::string_view found) {
    faults_ += sentence({"; ", key, ": expected ", expected, ", found ", found});
  }

  /// `extents`: 0 stands for any extent but 0.
  [[gnu::cold]] bool shape(std::string_view key, const body_array& array,
                           std::vector<std::size_t> extents) {
    if (array.missing()) {
      fault(key, shape_text(extents), "no such array");
      return false;
    }
    bool same = array.shape.size() == extents.size();
    for (std::size_t i = 0; same && i < extents.size(); ++i) {
      same = extents[i] == 0 ? array.shape[i] != 0 : array.shape[i] == extents[i];
    }
    const std::size_t size = std::accumulate(array.shape.begin(), array.shape.end(), std::size_t{1},
                                             std::multiplies<>());
    if (!same || size != array.values.size()) {
      fault(key, shape_text(extents), shape_text(array.shape));
      return false;
    }
    for (std::size_t i = 0; i < array.values.size(); ++i) {
      // Also what a float cannot hold: the body is computed in float32.
      if (!(std::abs(array.values[i]) <= double{std::numeric_limits<float>::max()})) {
        fault(key, "finite numbers", sentence({array.values[i], " at element ", i}));
        return false;
      }
    }
    return true;
  }

  bool rows_sum_to_one(std::string_view key, const body_array& array) {
    const std::size_t columns = array.shape[1];
    for (std::size_t r = 0; r < array.shape[0]; ++r) {
      double sum = 0;
      for (std::size_t c = 0; c < columns; ++c) sum += array.values[r * columns + c];
      if (!(std::abs(sum - 1) <= 1e-3)) {
        fault(key, "rows that sum to 1", sentence({sum, " in row ", r}));
        return false;
      }
    }
    return true;
  }

  bool indices(std::string_view key, const body_array& array, std::size_t limit) {
    for (std::size_t i = 0; i < array.values.size(); ++i) {
      const double v = array.values[i];
      if (!(v >= 0 && v < static_cast<double>(limit)) || v != std::floor(v)) {
        fault(key, sentence({"indices from 0 to ", limit - 1}), sentence({v, " at element ", i}));
        return false;
      }
    }
    return true;
  }

 private:
  [[nodiscard, gnu::cold]] static std::string shape_text(const std::vector<std::size_t>& extents) {
    std::string text = "[";
    for (std::size_t i = 0; i < extents.size(); ++i) {
      if (i != 0) text += ", ";
      text += extents[i] == 0 ? std::string("any") : std::to_string(extents[i]);
    }
    return text + "]";
  }

  std::string faults_;
};

/// Parents of a kinematic tree, or none if it is no tree with the root first.
[[nodiscard, gnu::cold]] inline std::vector<int> tree_parents(const body_array& table,
                                                              body_checker& checker) {
  constexpr double unsigned_root = 4294967295.0;  // 2^32 - 1: SMPL's -1 in an unsigned array
  const std::size_t count = table.shape[1];
  std::vector<int> parents(count, -1);
  for (std::size_t j = 0; j < count; ++j) {
    const double parent = table.values[j];
    const double own = table.values[count + j];
    const bool root = parent == -1 || parent >= unsigned_root;
    if (own != static_cast<double>(j)) {
      checker.fault("kintree_table", "joints numbered in order", sentence({own, " at joint ", j}));
      return {};
    }
    if (j == 0 ? !root : !(parent >= 0 && parent < own && parent == std::floor(parent))) {
      checker.fault("kintree_table",
                    j == 0 ? "a root (-1 or 2^32 - 1) first" : "a parent before its child",
                    sentence({parent, " as parent of joint ", j}));
      return {};
    }
    if (j != 0) parents[j] = static_cast<int>(parent);
  }
  return parents;
}

template <class T>
[[nodiscard, gnu::cold]] sparse_rows<T> to_sparse(const body_array& dense) {
  sparse_rows<T> sparse;
  sparse.offsets.push_back(0);
  const std::size_t columns = dense.shape[1];
  for (std::size_t r = 0; r < dense.shape[0]; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      const double value = dense.values[r * columns + c];
      if (value == 0) continue;
      sparse.columns.push_back(static_cast<std::uint32_t>(c));
      sparse.values.push_back(static_cast<T>(value));
    }
    sparse.offsets.push_back(static_cast<std::uint32_t>(sparse.columns.size()));
  }
  return sparse;
}

/// [V, 3, D] to [D, V, 3], the first `kept` directions.
template <class T>
[[nodiscard]] std::vector<T> directions_first(const body_array& array, std::size_t kept) {
  const std::size_t size = array.shape[0] * 3;
  const std::size_t count = array.shape[2];
  std::vector<T> out(kept * size);
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t d = 0; d < kept; ++d) {
      out[d * size + i] = static_cast<T>(array.values[i * count + d]);
    }
  }
  return out;
}

/// What one MPII joint, but for the head's top, takes of SMPL's posed joints [24] (sum 1), where
/// people mark it in photographs and the shipped networks therefore look for it: a hip an eighth of
/// the hips' distance further out and 0.06 of the trunk further up than SMPL's, a shoulder 0.07 of
/// the trunk up, knee and ankle 0.04 of the bone above, pelvis between the hips, thorax between the
/// shoulders, upper neck SMPL's head (weights/recipes/build_body.py).
[[nodiscard, gnu::cold]] inline std::array<double, smpl24::count> marked_joint(int joint) {
  std::array<double, smpl24::count> share{};
  const auto add = [&](int of, double value) { share[static_cast<std::size_t>(of)] += value; };
  const auto raise = [&](double by) {
    for (const int shoulder : {smpl24::l_shoulder, smpl24::r_shoulder}) add(shoulder, by / 2);
    for (const int hip : {smpl24::l_hip, smpl24::r_hip}) add(hip, -by / 2);
  };
  const auto between = [&](int a, int b, double share_of_b) {
    add(a, 1 - share_of_b);
    add(b, share_of_b);
  };
  const int own = joint_map<mpii16, smpl24>[static_cast<std::size_t>(joint)];
  switch (joint) {
    case mpii16::r_hip:
    case mpii16::l_hip:
      between(own, mirror_joint<smpl24>[static_cast<std::size_t>(own)], -0.125);
      raise(0.06);
      break;
    case mpii16::pelvis:
      between(smpl24::l_hip, smpl24::r_hip, 0.5);
      raise(0.06);
      break;
    case mpii16::r_knee:
    case mpii16::l_knee:
    case mpii16::r_ankle:
    case mpii16::l_ankle:
      between(own, smpl_parents[static_cast<std::size_t>(own)], 0.04);
      break;
    case mpii16::r_shoulder:
    case mpii16::l_shoulder:
      add(own, 1);
      raise(0.07);
      break;
    case mpii16::thorax:
      between(smpl24::l_shoulder, smpl24::r_shoulder, 0.5);
      raise(0.07);
      break;
    case mpii16::upper_neck:
      add(smpl24::head, 1);
      break;
    default:
      add(own, 1);
  }
  return share;
}

/// MPII's joints where the file has no regressor for them: `marked_joint`, and for the head's top
/// SMPLify's vertex 411 of SMPL's 6890, or else the template's highest vertex.
template <class T>
[[nodiscard, gnu::cold]] sparse_rows<T> mpii_from_skeleton(const basic_body_model<T>& model) {
  sparse_rows<T> rows;
  rows.offsets.push_back(0);
  const auto add = [&](std::size_t column, double value) {
    rows.columns.push_back(static_cast<std::uint32_t>(column));
    rows.values.push_back(static_cast<T>(value));
  };
  for (int j = 0; j < static_cast<int>(mpii16::count); ++j) {
    if (j == mpii16::head_top) {
      std::size_t top = 0;
      for (std::size_t v = 0; v < model.vertex_count; ++v) {
        if (model.v_template[3 * v + 1] > model.v_template[3 * top + 1]) top = v;
      }
      add(model.vertex_count == 6890 ? 411 : top, 1);
    } else {
      const auto share = marked_joint(j);
      for (std::size_t k = 0; k < share.size(); ++k) {
        if (share[k] != 0) add(model.vertex_count + k, share[k]);
      }
    }
    rows.offsets.push_back(static_cast<std::uint32_t>(rows.columns.size()));
  }
  return rows;
}

template <class T>
[[gnu::cold]] void pack_skin_weights(const body_array& weights, basic_body_model<T>& model) {
  const std::size_t joints = weights.shape[1];
  model.influences = 0;
  for (std::size_t v = 0; v < model.vertex_count; ++v) {
    const double* const row = weights.values.data() + v * joints;
    const auto zeros = static_cast<std::size_t>(std::count(row, row + joints, 0.0));
    model.influences = std::max(model.influences, joints - zeros);
  }
  model.skin_joint.assign(model.vertex_count * model.influences, 0);
  model.skin_weight.assign(model.vertex_count * model.influences, T{0});
  for (std::size_t v = 0; v < model.vertex_count; ++v) {
    std::size_t slot = v * model.influences;
    for (std::size_t j = 0; j < joints; ++j) {
      const double weight = weights.values[v * joints + j];
      if (weight == 0) continue;
      model.skin_joint[slot] = static_cast<std::uint8_t>(j);
      model.skin_weight[slot++] = static_cast<T>(weight);
    }
  }
}

/// The regressor's rows applied to `points` [V, 3]: [24, 3].
template <class T>
void regress(const body_array& regressor, const double* points, std::size_t stride, T* out) {
  const std::size_t vertices = regressor.shape[1];
  for (std::size_t j = 0; j < regressor.shape[0]; ++j) {
    double sum[3]{};
    for (std::size_t v = 0; v < vertices; ++v) {
      const double weight = regressor.values[j * vertices + v];
      if (weight == 0) continue;
      for (std::size_t k = 0; k < 3; ++k) sum[k] += weight * points[(3 * v + k) * stride];
    }
    for (std::size_t k = 0; k < 3; ++k) out[3 * j + k] = static_cast<T>(sum[k]);
  }
}

}  // namespace detail

/// Makes a body of SMPL's raw arrays, keeping at most `max_shape_count` shape directions (files of
/// SMPL 1.1 have 300).
///
/// Every array that is missing, of the wrong shape, not finite or senseless (an index out of range,
/// weights that do not sum to 1 within 1e-3, a kinematic table that is no tree) is named in the one
/// error, with `name` (the file), what was expected and what was found. Without
/// `joint_regressor_mpii`, MPII's joints are those of the skeleton moved to where people mark them;
/// the head's top is vertex 411 of SMPL's 6890, or else the highest.
template <class T = float>
[[nodiscard, gnu::cold]] result<basic_body_model<T>> build_body(const body_arrays& arrays,
                                                                std::string_view name,
                                                                std::size_t max_shape_count = 10) {
  using model_type = basic_body_model<T>;
  detail::body_checker check;
  const bool template_good = check.shape("v_template", arrays.v_template, {0, 3});
  // Without a good template no other array can be compared with the number of vertices.
  const std::size_t vertices = template_good ? arrays.v_template.shape[0] : 0;
  check.shape("shapedirs", arrays.shapedirs, {vertices, 3, 0});
  check.shape("posedirs", arrays.posedirs, {vertices, 3, model_type::pose_feature_count});
  if (check.shape("J_regressor", arrays.joint_regressor, {smpl24::count, vertices})) {
    check.rows_sum_to_one("J_regressor", arrays.joint_regressor);
  }
  if (check.shape("weights", arrays.weights, {vertices, smpl24::count})) {
    check.rows_sum_to_one("weights", arrays.weights);
  }
  std::vector<int> parents;
  if (check.shape("kintree_table", arrays.kintree_table, {2, smpl24::count})) {
    parents = detail::tree_parents(arrays.kintree_table, check);
  }
  if (check.shape("f", arrays.faces, {0, 3}) && template_good) {
    check.indices("f", arrays.faces, vertices);
  }
  const body_array& mpii = arrays.joint_regressor_mpii;
  if (!mpii.missing() && check.shape("joint_regressor_mpii", mpii, {mpii16::count, vertices})) {
    check.rows_sum_to_one("joint_regressor_mpii", mpii);
  }
  if (!arrays.mirror_vertex.missing() &&
      check.shape("vert_sym_idxs", arrays.mirror_vertex, {vertices}) && template_good) {
    check.indices("vert_sym_idxs", arrays.mirror_vertex, vertices);
  }
  if (!check.faults().empty()) {
    return error{errc::mismatch, detail::sentence({name, " is not a body", check.faults()})};
  }

  const auto narrow = []<class To>(const body_array& from, std::vector<To>& to) {
    to.resize(from.values.size());
    std::transform(from.values.begin(), from.values.end(), to.begin(),
                   [](double value) { return static_cast<To>(value); });
  };
  model_type model;
  model.vertex_count = vertices;
  const std::size_t shape_count = arrays.shapedirs.shape[2];
  model.shape_count = std::min(max_shape_count, shape_count);
  narrow(arrays.v_template, model.v_template);
  model.shapedirs = detail::directions_first<T>(arrays.shapedirs, model.shape_count);
  model.posedirs = detail::directions_first<T>(arrays.posedirs, model_type::pose_feature_count);
  narrow(arrays.faces, model.faces);
  model.parents = std::move(parents);
  model.joint_regressor = detail::to_sparse<T>(arrays.joint_regressor);
  detail::pack_skin_weights(arrays.weights, model);
  model.mpii_regressor =
      mpii.missing() ? detail::mpii_from_skeleton(model) : detail::to_sparse<T>(mpii);
  narrow(arrays.mirror_vertex, model.mirror_vertex);

  model.joint_template.resize(72);
  model.joint_directions.resize(72 * model.shape_count);
  detail::regress(arrays.joint_regressor, arrays.v_template.values.data(), 1,
                  model.joint_template.data());
  for (std::size_t b = 0; b < model.shape_count; ++b) {
    detail::regress(arrays.joint_regressor, arrays.shapedirs.values.data() + b, shape_count,
                    model.joint_directions.data() + 72 * b);
  }
  return model;
}

}  // namespace maquette
