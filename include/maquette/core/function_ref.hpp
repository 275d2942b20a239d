// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <concepts>

namespace maquette {

template <class Signature>
class function_ref;

/// A borrowed function, which must outlive what holds this; std::function's header and its copies
/// would take longer to compile.
template <class Result, class... Arguments>
class function_ref<Result(Arguments...)> {
 public:
  template <class Function>
  requires(!std::same_as<Function, function_ref> && std::invocable<const Function&, Arguments...>)
      function_ref(const Function& function)
      : function_(&function), call_([](const void* f, Arguments... arguments) -> Result {
          return (*static_cast<const Function*>(f))(arguments...);
        }) {}

  Result operator()(Arguments... arguments) const { return call_(function_, arguments...); }

 private:
  const void* function_;
  Result (*call_)(const void*, Arguments...);
};

}  // namespace maquette
