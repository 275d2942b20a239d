// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "maquette/core/buffer.hpp"
#include "maquette/core/result.hpp"
#include "maquette/core/sentence.hpp"
#include "maquette/core/tensor.hpp"
#include "maquette/nn/layer.hpp"

namespace maquette::nn {

namespace detail {

/// "[64, 3, 7, 7]"
[[gnu::cold]] inline std::string text_of(const tensor_shape& shape) {
  std::string text = "[";
  for (const std::int64_t extent : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(extent);
  }
  return text + ']';
}

/// Bookkeeping of PyTorch's batch norm that takes no part in the network.
inline bool is_bookkeeping(std::string_view name) { return name.ends_with(".num_batches_tracked"); }

/// Points parameters at the tensors of their names, and collects what is wrong with them, one
/// sentence a problem.
class parameter_binder {
 public:
  explicit parameter_binder(tensor_source tensors)
      : tensors_(tensors), used_(tensors.size(), false) {}

  /// Points one parameter at the tensor of its name, or says why not.
  [[gnu::cold]] void operator()(const std::string& name, parameter_slot to) {
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (tensors_[i].name != name) continue;
      used_[i] = true;
      if (tensors_[i].shape != to.shape || tensors_[i].values.size() != to.size)
        return complain({"The tensor ", name, " has the shape ", text_of(tensors_[i].shape),
                         " where ", text_of(to.shape), " was expected."});
      check_values(tensors_[i]);
      to.data = tensors_[i].values.data();
      return;
    }
    complain({"The tensor ", name, " of shape ", text_of(to.shape), " is missing."});
  }

  /// What is wrong, with the tensors behind the prefix that no parameter used.
  [[gnu::cold]] result<void> finish(std::string_view prefix) {
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const std::string_view name = tensors_[i].name;
      if (used_[i] || !name.starts_with(prefix) || is_bookkeeping(name)) continue;
      complain({"The tensor ", name, " of shape ", text_of(tensors_[i].shape),
                " has no place in the network."});
    }
    if (problems_.empty()) return {};
    return error{errc::mismatch, std::move(problems_)};
  }

 private:
  /// Complains about the first value that no network can have learnt.
  [[gnu::cold]] void check_values(const named_tensor& tensor) {
    const bool is_variance = tensor.name.ends_with("running_var");
    for (std::size_t i = 0; i < tensor.values.size(); ++i) {
      const float value = tensor.values[i];
      if (std::isfinite(value) && !(is_variance && value < 0)) continue;
      return complain({"The tensor ", tensor.name, " holds ", value, " at index ", i, " where a ",
                       is_variance ? "variance" : "finite number", " was expected."});
    }
  }
  [[gnu::cold]] void complain(std::initializer_list<maquette::detail::sentence_part> parts) {
    if (!problems_.empty()) problems_ += '\n';
    problems_ += maquette::detail::sentence(parts);
  }

  tensor_source tensors_;
  std::vector<bool> used_;
  std::string problems_;
};

/// Points a network's parameters at the tensors behind the prefix, or says what is wrong with them.
[[gnu::cold]] inline result<void> point_at(tensor_source tensors, std::string_view prefix,
                                           const any_layers& network) {
  parameter_binder binder(tensors);
  const auto visit = [&](const std::string& name, parameter_slot slot) { binder(name, slot); };
  parameter_walk(parameter_visitor(visit), std::string(prefix)).over(network);
  return binder.finish(prefix);
}

/// A prepared network needs its tensors no more.
[[gnu::cold]] inline void let_go(const any_layers& network) {
  const auto visit = [](const std::string&, parameter_slot slot) { slot.data = nullptr; };
  parameter_walk(parameter_visitor(visit), {}).over(network);
}

}  // namespace detail

/// A network with its parameters, prepared for its kernels; it owns them in one buffer.
///
/// A call is const, allocates nothing and locks nothing: any number of threads may share one, each
/// with its own workspace.
template <class Network>
class bound {
 public:
  using network_type = Network;

  /// What the network's own call takes.
  template <class... Arguments>
  auto operator()(Arguments&&... arguments) const {
    return network_(std::forward<Arguments>(arguments)...);
  }

  const Network& network() const { return network_; }
  /// What the prepared parameters take up.
  std::size_t parameter_bytes() const { return memory_.bytes().size(); }

  /// Prepares a network whose parameters point at tensors; afterwards it needs them no more.
  explicit bound(Network network) : network_(std::move(network)) { prepare(); }

 private:
  [[gnu::cold]] void prepare() {
    packer counting;
    pack_layers(network_, counting);
    memory_ = buffer(counting.bytes());
    packer writing(memory_.bytes());
    pack_layers(network_, writing);
    detail::let_go(detail::parameter_walk::erased(network_));
  }

  Network network_;
  buffer memory_;
};

/// Gives a network its trained parameters: checks, folds batch norms where that is exact, and
/// packs.
///
/// Only names behind the prefix count (`"human2d."`). The error lists every tensor that is missing,
/// left over or of another shape, and every one that holds NaN, infinity or a negative variance.
/// The source is not needed afterwards.
template <class Network>
result<bound<Network>> bind(tensor_source tensors, std::string_view prefix = {}) {
  Network network;
  const detail::any_layers layers = detail::parameter_walk::erased(network);
  if (result<void> all = detail::point_at(tensors, prefix, layers); !all) return all.error();
  return bound<Network>(std::move(network));
}

}  // namespace maquette::nn
