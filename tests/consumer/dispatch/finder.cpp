#include "finder.hpp"

#include <cmath>
#include <maquette/core/dispatch.hpp>
#include <maquette/maquette.hpp>

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

namespace {

class maquette_finder : public finder {
 public:
  std::string level() const override { return TEXT(MAQUETTE_LEVEL); }
  int lanes() const override { return maquette::simd::width; }
  std::vector<float> convolve(std::span<const float> picture, int size, int kernel) const override {
    const maquette::kernel::conv2d_geometry g{.in_channels = 16,
                                              .out_channels = 24,
                                              .height = size,
                                              .width = size,
                                              .kernel = {kernel, kernel},
                                              .padding = {kernel / 2, kernel / 2}};
    std::vector<float> weights(static_cast<std::size_t>(24 * 16 * kernel * kernel));
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = std::sin(static_cast<float>(i));
    const std::vector<float> bias(24, 0.5F);
    std::vector<float> packed(static_cast<std::size_t>(maquette::kernel::conv2d_packed_size(g)));
    std::vector<float> scratch(static_cast<std::size_t>(maquette::kernel::conv2d_scratch_size(g)));
    std::vector<float> result(static_cast<std::size_t>(24 * size * size));
    maquette::kernel::conv2d_pack(g, weights.data(), bias.data(), nullptr, packed.data());
    maquette::kernel::conv2d(maquette::cpu{}, g, picture.data(), packed.data(), result.data(),
                             {.relu = true}, scratch.data());
    return result;
  }
};

}  // namespace

extern "C" const finder* MAQUETTE_DISPATCH(make_finder)() {
  static const maquette_finder only;
  return &only;
}
