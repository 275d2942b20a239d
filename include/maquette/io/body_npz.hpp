// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "maquette/body/body_model.hpp"
#include "maquette/body/build_body.hpp"
#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/io/npz.hpp"

namespace maquette {

namespace detail {

/// What the arrays of a body may come to: three times those of SMPL's own file with 300 shapes.
inline constexpr npz_limits body_limits{std::uint64_t{256} << 20};
inline constexpr std::size_t most_body_numbers = std::size_t{1} << 25;

}  // namespace detail

/// The body in an .npz file that is open already; `name` is what messages call it.
///
/// Keys are SMPL's: v_template, shapedirs, posedirs, J_regressor, weights, kintree_table, f, and
/// optionally joint_regressor_mpii and vert_sym_idxs; any numeric type. Other keys are left alone.
/// Errors: those of `npz::read`; mismatch (more than 33,554,432 numbers), with one sentence for all
/// arrays that cannot be used, see `build_body`.
template <class T = float>
[[nodiscard]] result<basic_body_model<T>> load_body(const npz& archive, std::string_view name,
                                                    std::size_t max_shape_count = 10) {
  body_arrays arrays;
  const std::pair<const char*, body_array*> keys[] = {
      {"v_template", &arrays.v_template},
      {"shapedirs", &arrays.shapedirs},
      {"posedirs", &arrays.posedirs},
      {"J_regressor", &arrays.joint_regressor},
      {"weights", &arrays.weights},
      {"kintree_table", &arrays.kintree_table},
      {"f", &arrays.faces},
      {"joint_regressor_mpii", &arrays.joint_regressor_mpii},
      {"vert_sym_idxs", &arrays.mirror_vertex}};
  std::size_t numbers = 0;
  for (const auto& [key, array] : keys) {
    if (!archive.contains(key)) continue;
    const result<npy_array> read = archive.read(key);
    if (!read) return read.error();
    std::size_t count = 1;
    for (const auto extent : read->shape) count *= static_cast<std::size_t>(extent);
    numbers += count;
    if (numbers > detail::most_body_numbers)
      return error{errc::mismatch, detail::sentence({name, ": array '", key, "': expected at most ",
                                                     detail::most_body_numbers,
                                                     " numbers in all, found ", numbers})};
    result<std::vector<double>> values = read->values<double>();
    if (!values) {
      return error{values.error().code,
                   detail::sentence({name, ": array '", key, "': ", values.error().message})};
    }
    for (const auto extent : read->shape) array->shape.push_back(static_cast<std::size_t>(extent));
    array->values = std::move(*values);
  }
  return build_body<T>(arrays, name, max_shape_count);
}

/// Loads a body from an .npz file: the default body, or SMPL's own model saved as arrays.
///
/// At most `max_shape_count` shape directions are kept. Errors: not_found, unreadable, malformed,
/// unsupported (see `npz`); mismatch, naming every array that is wrong (see `build_body`).
template <class T = float>
[[nodiscard]] result<basic_body_model<T>> load_body(const std::string& path,
                                                    std::size_t max_shape_count = 10) {
  const result<npz> archive = npz::open(path, detail::body_limits);
  if (!archive) return archive.error();
  return load_body<T>(*archive, path, max_shape_count);
}

}  // namespace maquette
