// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "maquette/core/buffer.hpp"
#include "maquette/core/result.hpp"
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

/// What binding found wrong, one sentence a problem.
struct complaints {
  std::size_t count = 0;
  std::string text;

  void add(const std::string& sentence) {
    ++count;
    text += (text.empty() ? "" : "\n") + sentence;
  }
};

/// Bookkeeping of PyTorch's batch norm that takes no part in the network.
inline bool is_bookkeeping(std::string_view name) { return name.ends_with(".num_batches_tracked"); }

/// Complains about the first value that no network can have learnt.
[[gnu::cold]] inline void check_values(const named_tensor& tensor, complaints& problems) {
  const bool is_variance = tensor.name.ends_with("running_var");
  for (std::size_t i = 0; i < tensor.values.size(); ++i) {
    const float value = tensor.values[i];
    if (std::isfinite(value) && !(is_variance && value < 0)) continue;
    problems.add("The tensor " + std::string(tensor.name) + " holds " + std::to_string(value) +
                 " at index " + std::to_string(i) + " where a " +
                 (is_variance ? "variance" : "finite number") + " was expected.");
    return;
  }
}

/// Points a layer's parameter at the tensor of its name, or says why not.
[[gnu::cold]] inline void bind_parameter(const std::string& name, parameter_slot to,
                                         tensor_source from, std::vector<bool>& used,
                                         complaints& problems) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i].name != name) continue;
    used[i] = true;
    if (from[i].shape != to.shape || from[i].values.size() != to.size) {
      problems.add("The tensor " + name + " has the shape " + text_of(from[i].shape) + " where " +
                   text_of(to.shape) + " was expected.");
      return;
    }
    check_values(from[i], problems);
    to.data = from[i].values.data();
    return;
  }
  problems.add("The tensor " + name + " of shape " + text_of(to.shape) + " is missing.");
}

/// Complains about the tensors behind the prefix that no parameter used.
[[gnu::cold]] inline void check_left_over(tensor_source tensors, const std::vector<bool>& used,
                                          std::string_view prefix, complaints& problems) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const std::string_view name = tensors[i].name;
    if (used[i] || !name.starts_with(prefix) || is_bookkeeping(name)) continue;
    problems.add("The tensor " + std::string(name) + " of shape " + text_of(tensors[i].shape) +
                 " has no place in the network.");
  }
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
    for_each_parameter(network_,
                       [](const std::string&, parameter_slot slot) { slot.data = nullptr; });
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
  detail::complaints problems;
  std::vector<bool> used(tensors.size(), false);
  for_each_parameter(
      network,
      [&](const std::string& name, parameter_slot to) {
        detail::bind_parameter(name, to, tensors, used, problems);
      },
      std::string(prefix));
  detail::check_left_over(tensors, used, prefix, problems);
  if (problems.count > 0) return error{errc::mismatch, std::move(problems.text)};
  return bound<Network>(std::move(network));
}

}  // namespace maquette::nn
