// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>
#include <type_traits>

namespace maquette {

template <class Signature>
class function_ref;

/// A borrowed object that can be called while const, and must outlive what holds this; what it
/// returns is dropped where the signature says void. std::function, which owns, would take longer
/// to compile.
template <class Result, class... Arguments>
class function_ref<Result(Arguments...)> {
 public:
  template <class Function>
  requires(
      !std::same_as<Function, function_ref> && std::is_object_v<Function> &&
      std::invocable<const Function&, Arguments...>) explicit function_ref(const Function& function)
      : function_(&function), call_([](const void* f, Arguments... arguments) -> Result {
          return static_cast<Result>((*static_cast<const Function*>(f))(arguments...));
        }) {}

  Result operator()(Arguments... arguments) const { return call_(function_, arguments...); }

 private:
  const void* function_;
  Result (*call_)(const void*, Arguments...);
};

}  // namespace maquette
