// How much of a network's values is alive at once, counted from its graph: a network may ask for no
// more.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <vector>

#include "maquette/model/human2d.hpp"

using namespace maquette;

namespace {

/// Operations one behind the other, and the values that they read and write. A value lives from the
/// operation that first writes it to the last one that touches it; an operation may also need
/// memory for itself.
class lifetimes {
 public:
  using value = std::size_t;

  value make(std::size_t bytes) {
    values_.push_back({bytes, never, 0});
    return values_.size() - 1;
  }
  void run(std::initializer_list<value> touched, std::size_t own_bytes = 0) {
    for (const value one : touched) {
      values_[one].first = std::min(values_[one].first, own_.size());
      values_[one].last = own_.size();
    }
    own_.push_back(own_bytes);
  }
  std::size_t peak() const {
    std::size_t most = 0;
    for (std::size_t now = 0; now < own_.size(); ++now) {
      std::size_t alive = own_[now];
      for (const auto& one : values_)
        if (one.first <= now && now <= one.last) alive += one.bytes;
      most = std::max(most, alive);
    }
    return most;
  }

 private:
  static constexpr std::size_t never = ~std::size_t{0};
  struct span {
    std::size_t bytes, first, last;
  };
  std::vector<span> values_;
  std::vector<std::size_t> own_;
};

/// Human2D of two stacks: what its definition (Newell et al. 2016; Pavlakos et al. 2018,
/// section 4.1) keeps alive.
template <int Features, int Modules, arithmetic How, int DeepModules>
struct human2d_lifetimes {
  static constexpr int joints = 16;
  lifetimes graph;
  using value = lifetimes::value;

  static constexpr std::size_t bytes(int channels, int height, int width) {
    return sizeof(float) * static_cast<std::size_t>(channels) *
           static_cast<std::size_t>(height * width);
  }
  /// What a module's 3x3 kernel needs for itself.
  template <int Channels, int Rows, int Columns>
  static constexpr std::size_t of_3x3 =
      nn::conv2d<Channels, Channels, 3, 1, How>::template scratch<shape<Channels, Rows, Columns>>();

  /// y = x + three convolutions of x, the last of which may add to x where it lies.
  template <int Side, int Middle = Features / 2>
  void module(value x, value y) {
    const value first = graph.make(bytes(Middle, Side, Side));
    const value second = graph.make(bytes(Middle, Side, Side));
    graph.run({x, first});
    graph.run({first, second}, of_3x3<Middle, Side, Side>);
    graph.run({second, x, y});
  }
  template <int Side, int Count = Modules>
  void modules(value x, value y) {
    for (int one = 0; one < Count; ++one) module<Side>(one == 0 ? x : y, y);
  }
  template <int Order, int Side>
  void hourglass(value x, value y) {
    constexpr int count = Order > 2 ? Modules : DeepModules;
    const value low = graph.make(bytes(Features, Side / 2, Side / 2));
    if (x == y) graph.run({x, low});
    modules<Side, count>(x, y);
    if (x != y) graph.run({x, low});
    modules<Side / 2, count>(low, low);
    if constexpr (Order > 1)
      hourglass<Order - 1, Side / 2>(low, low);
    else
      modules<Side / 2, count>(low, low);
    modules<Side / 2, count>(low, low);
    graph.run({low, y});
  }
  value stem() {
    constexpr int band = 32, seen = band + 2;
    const value convolved = graph.make(bytes(Features / 4, 128, 128));
    const value pooled = graph.make(bytes(Features / 2, 64, 64));
    graph.run({convolved});
    for (int row = 0; row < 128; row += band) {
      // The change of channels leaves the first values' place to the result.
      const value widened = graph.make(bytes(Features / 2, seen, 128));
      const value second = graph.make(bytes(Features / 4, seen, 128));
      graph.run({convolved, widened});
      graph.run({widened, second}, of_3x3<Features / 4, seen, 128>);
      graph.run({second, convolved, widened});
      graph.run({widened, pooled});
    }
    const value y = graph.make(bytes(Features, 64, 64));
    module<64, Features / 4>(pooled, pooled);
    module<64>(pooled, y);
    return y;
  }

  std::size_t peak() {
    const value start = stem();
    value x = start;
    for (int stack = 0; stack < 2; ++stack) {
      const value y = graph.make(bytes(Features, 64, 64));
      hourglass<4, 64>(x, y);
      modules<64>(y, y);
      const value heads = graph.make(bytes(joints + 2, 64, 64));
      graph.run({y, heads});
      graph.run({heads});
      if (stack == 0) {
        graph.run({heads, y});
        graph.run({start, y});
      }
      x = y;
    }
    return graph.peak();
  }
};

template <int Features, int Modules, arithmetic How = arithmetic::float32,
          int DeepModules = Modules>
void check_peak() {
  CAPTURE(Features);
  CAPTURE(Modules);
  human2d_lifetimes<Features, Modules, How, DeepModules> alive;
  CHECK(human2d<16, Features, 2, Modules, 256, How, DeepModules>::workspace_bytes == alive.peak());
}

}  // namespace

TEST_CASE("lifetimes: what is read no more makes room") {
  lifetimes graph;
  const auto a = graph.make(100), b = graph.make(10), c = graph.make(50);
  graph.run({a});
  graph.run({a, b}, 5);
  graph.run({b, c});
  CHECK(graph.peak() == 115);
  graph.run({a});
  CHECK(graph.peak() == 160);
}

TEST_CASE("human2d asks for as much memory as is alive at once") {
  check_peak<96, 1>();
  check_peak<256, 1>();
  check_peak<256, 3>();
  check_peak<96, 1, arithmetic::bfloat16>();
  check_peak<256, 3, arithmetic::bfloat16>();
  check_peak<96, 1, arithmetic::float32_small>();
  check_peak<96, 1, arithmetic::float32, 3>();
}
