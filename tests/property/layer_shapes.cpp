// The shape algebra of the layers, checked by the compiler: what fits, what comes out, what it
// needs, and what must not compile.
#include <doctest/doctest.h>

#include <concepts>

#include "maquette/model/human2d.hpp"
#include "maquette/model/pose_prior.hpp"
#include "maquette/model/shape_prior.hpp"

using namespace maquette;
using namespace maquette::nn;

namespace {

template <class Layer, class In, class Out>
concept Makes = LayerFor<Layer, In> && std::same_as<typename Layer::template output<In>, Out>;

static_assert(Makes<conv2d<3, 8, 7, 2>, shape<3, 9, 8>, shape<8, 5, 4>>);
static_assert(Makes<conv2d<3, 8>, shape<3, 1, 1>, shape<8, 1, 1>>);
static_assert(!LayerFor<conv2d<3, 8>, shape<4, 9, 9>>);
static_assert(!LayerFor<conv2d<3, 8>, shape<3, 9>>);
static_assert(Makes<max_pool<>, shape<5, 7, 6>, shape<5, 3, 3>>);
static_assert(!LayerFor<max_pool<>, shape<5, 1, 6>>);
static_assert(Makes<upsample_add, shape<5, 3, 2>, shape<5, 6, 4>>);
static_assert(Makes<linear<4, 7>, shape<4>, shape<7>>);
static_assert(!LayerFor<linear<4, 7>, shape<5>>);
static_assert(Makes<bilinear<4>, shape<4>, shape<4>>);
static_assert(!LayerFor<bilinear<4>, shape<4, 1, 1>>);
static_assert(Makes<batch_norm<4>, shape<4, 2, 2>, shape<4, 2, 2>>);
static_assert(Makes<residual<4, 8>, shape<4, 3, 5>, shape<8, 3, 5>>);
static_assert(!LayerFor<residual<4, 8>, shape<8, 3, 5>>);
static_assert(InPlace<residual<8, 8>> && !InPlace<residual<4, 8>>);
static_assert(Makes<hourglass<2, 8, 1>, shape<8, 4, 12>, shape<8, 4, 12>>);
static_assert(!LayerFor<hourglass<2, 8, 1>, shape<8, 6, 12>>, "6 cannot be halved twice");
static_assert(!LayerFor<hourglass<2, 8, 1>, shape<4, 4, 12>>);
static_assert(
    Makes<sequential<conv2d<3, 4>, max_pool<>, residual<4, 6>>, shape<3, 8, 8>, shape<6, 4, 4>>);
static_assert(!LayerFor<sequential<conv2d<3, 4>, residual<8, 8>>, shape<3, 8, 8>>);
static_assert(sequential<>::count == 0 && residuals<8, 3>::count == 3);

/// Whether a network may be called on a view of this type.
template <class Layer, class X, class Y>
concept CallableOn = requires(const Layer& layer, const context<cpu>& on, X x, Y y) {
  layer(on, x, y);
};
template <int... Extents>
using in = feature_map<const float, shape<Extents...>>;
template <int... Extents>
using out = feature_map<float, shape<Extents...>>;
static_assert(CallableOn<residual<4, 8>, in<4, 3, 3>, out<8, 3, 3>>);
static_assert(!CallableOn<residual<4, 8>, in<4, 3, 3>, out<4, 3, 3>>);
static_assert(!CallableOn<residual<4, 8>, in<8, 3, 3>, out<8, 3, 3>>);
static_assert(!CallableOn<residual<4, 8>, in<4, 3, 3>, in<8, 3, 3>>, "results need variables");
static_assert(!CallableOn<residual<4, 8>, view<const float, shape<4, 3, 3>>, out<8, 3, 3>>,
              "planes are not pixels");

/// The same hourglass needs more memory the larger it is, and never as much as its input a level.
static_assert(hourglass<1, 8, 1>::scratch<shape<8, 8, 8>>() ==
              (8 * 4 * 4 + 2 * 4 * 8 * 8) * sizeof(float));
static_assert(hourglass<4, 256, 3>::scratch<shape<256, 64, 64>>() ==
              hourglass<4, 256, 1>::scratch<shape<256, 64, 64>>());
static_assert(std::is_trivially_copyable_v<human2d<>>, "a network is moved in one piece");
static_assert(human2d<16, 64, 2, 1, 64>::workspace_bytes < human2d<>::workspace_bytes);
// The stem would take twice as much if it were not done in bands of rows.
static_assert(human2d<16, 96, 2, 1>::workspace_bytes < 6'000'000);
static_assert(human2d<>::workspace_bytes < 15'000'000);
static_assert(sequential<residual<4, 4>, residual<4, 4>>::scratch<shape<4, 8, 8>>() ==
                  residual<4, 4>::scratch<shape<4, 8, 8>>(),
              "residuals without a change of channels work in place");

}  // namespace

TEST_CASE("the names of a tree of layers are PyTorch's") {
  sequential<residual<4, 6>, hourglass<1, 6, 2>> network;
  std::vector<std::string> names;
  for_each_parameter(
      network, [&](const std::string& name, parameter_slot) { names.push_back(name); }, "prefix.");
  CHECK(names.size() == 20 + 8 * 18);
  CHECK(names.front() == "prefix.0.norm1.weight");
  CHECK(names[19] == "prefix.0.skip.bias");
  CHECK(names[20] == "prefix.1.up.0.norm1.weight");
  CHECK(names[20 + 2 * 2 * 18] == "prefix.1.inner.0.norm1.weight");
  CHECK(names.back() == "prefix.1.out.1.conv3.bias");
}
