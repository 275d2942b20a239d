// SPDX-License-Identifier: Apache-2.0
// Each kernel at the networks' shapes against what the core can do at most, as a Markdown table:
// roofline [rounds]. Kernels and ceilings take turns; every figure is the median of the rounds.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include "ceilings.hpp"
#include "counts.hpp"
#include "maquette/body/packed_body.hpp"
#include "maquette/body/smpl.hpp"
#include "maquette/io/body_npz.hpp"
#include "maquette/kernel/linear.hpp"
#include "maquette/kernel/pool.hpp"
#include "maquette/render/shading.hpp"
#include "maquette/render/silhouette.hpp"

namespace {

using namespace maquette;
using namespace roofline;

constexpr double kernel_seconds = 2e-3;
constexpr double ceiling_seconds = 5e-4;

/// One row of the table.
struct entry {
  std::string kernel;
  std::string shape;
  counts count;
  bool in_bfloat16 = false;
  std::function<void()> call;
  aligned_floats stream{};  ///< as large as what a call touches
  std::vector<double> seconds{};
  std::vector<double> of_arithmetic{};
  std::vector<double> of_load_store{};
  std::vector<double> of_memory{};
};

/// What was seen of the ceilings.
struct ceilings {
  std::vector<double> float_flops, bfloat16_flops, loads, stores;
};

aligned_floats ramp(double size) {
  aligned_floats values(static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < values.size(); ++i)
    values.data()[i] = static_cast<float>(static_cast<int>(i * 2654435761U % 2001) - 1000) * 1e-3F;
  return values;
}

std::string extents(int height, int width) {
  return std::to_string(height) + " x " + std::to_string(width);
}

enum class way { product, strassen, winograd, bfloat16, bfloat16_winograd };

/// What the kernels work on; a deque, so that what was made stays where it is.
class shapes {
 public:
  std::vector<entry> entries;

  void convolution(const std::string& name, conv2d_geometry g, way how, bool prologue,
                   bool addend) {
    g.may_transform = how != way::product && how != way::bfloat16;
    const float* const in = make(static_cast<double>(g.height) * g.width * g.in_channels);
    float* const out = make(static_cast<double>(g.out_pixels()) * g.out_channels);
    const float* const weight = make(static_cast<double>(g.patch_size()) * g.out_channels);
    const float* const channels = make(g.in_channels + g.out_channels);
    const bool half = how == way::bfloat16 || how == way::bfloat16_winograd;
    const auto size = half                   ? kernel::conv2d_bfloat16_packed_size
                      : how == way::strassen ? kernel::conv2d_strassen_packed_size
                                             : kernel::conv2d_packed_size;
    const auto pack = half                   ? kernel::conv2d_bfloat16_pack
                      : how == way::strassen ? kernel::conv2d_strassen_pack
                                             : kernel::conv2d_pack;
    float* const packed = make(static_cast<double>(size(g)));
    pack(g, weight, channels, nullptr, packed);
    float* const scratch = make(static_cast<double>(half ? kernel::conv2d_bfloat16_scratch_size(g)
                                                         : kernel::conv2d_scratch_size(g)) +
                                1);
    // What is added lies apart from the output: onto itself the sums would grow.
    kernel::fusion with{.relu = !addend};
    if (prologue) with.prologue = {channels, channels};
    if (addend) with.addend = make(static_cast<double>(g.out_pixels()) * g.out_channels);
    const auto count = how == way::bfloat16            ? count_bfloat16(g, with)
                       : how == way::bfloat16_winograd ? count_winograd<std::uint32_t>(g, with)
                       : how == way::winograd          ? count_winograd<float>(g, with)
                       : how == way::strassen          ? count_strassen(g, with)
                                                       : count_packed_product(g, with);
    const std::string shape = std::to_string(g.in_channels) + " to " +
                              std::to_string(g.out_channels) + ", " + extents(g.height, g.width);
    add(name, shape, count, half, [=] {
      if (half) {
        kernel::conv2d_bfloat16(cpu{}, g, in, packed, out, with, scratch);
      } else if (how == way::strassen) {
        kernel::conv2d_strassen(cpu{}, g, in, packed, out, with);
      } else {
        kernel::conv2d(cpu{}, g, in, packed, out, with, scratch);
      }
    });
  }

  /// As many layers in turn as a network has of them, so that no cache keeps what it would not.
  void linear(int in_features, int out_features, int layers) {
    const conv2d_geometry g = kernel::linear_geometry(in_features, out_features);
    const double size = static_cast<double>(kernel::conv2d_packed_size(g));
    const float* const in = make(in_features);
    float* const out = make(out_features);
    const float* const packed = make(size * layers);
    counts count = count_packed_product(g, {});
    std::string shape = std::to_string(in_features) + " to " + std::to_string(out_features);
    if (layers > 1) shape += ", " + std::to_string(layers) + " in turn";
    for (double* each :
         {&count.by_definition, &count.done, &count.loads, &count.stores, &count.bytes})
      *each *= layers;
    add("linear", shape, count, false, [=] {
      for (int layer = 0; layer < layers; ++layer)
        kernel::linear(cpu{}, in_features, out_features, 1, in,
                       packed + static_cast<std::size_t>(size) * static_cast<std::size_t>(layer),
                       out);
    });
  }

  void max_pool(int channels, int height, int width) {
    const double in_size = static_cast<double>(channels) * height * width;
    const float* const in = make(in_size);
    float* const out = make(in_size / 4);
    counts count;
    count.bytes = sizeof(float) * in_size * 1.25;
    count.loads = vectors_of(in_size);
    count.stores = vectors_of(in_size / 4);
    add("max pool 2x2", std::to_string(channels) + ", " + extents(height, width), count, false,
        [=] {
          kernel::max_pool(cpu{}, {channels, height, width}, in, out);
        });
  }

  void upsample_add(int channels, int extent) {
    const double in_size = static_cast<double>(channels) * extent * extent;
    const float* const in = make(in_size);
    float* const out = make(4 * in_size);
    counts count;
    count.by_definition = count.done = 4 * in_size;
    count.bytes = sizeof(float) * in_size * (1 + 4);
    count.loads = vectors_of(2 * 4 * in_size);
    count.stores = vectors_of(4 * in_size);
    add("upsample-add", std::to_string(channels) + ", onto " + extents(2 * extent, 2 * extent),
        count, false, [=] { kernel::upsample_add(cpu{}, channels, extent, extent, in, out); });
  }

  void add(const std::string& name, const std::string& shape, const counts& count, bool in_bfloat16,
           std::function<void()> call) {
    entries.push_back({name, shape, count, in_bfloat16, std::move(call)});
    entries.back().stream = ramp(count.bytes / sizeof(float));
  }

 private:
  float* make(double size) { return memory_.emplace_back(ramp(size)).data(); }

  std::deque<aligned_floats> memory_;
};

conv2d_geometry square(int in, int out, int height, int width, int taps = 1, int stride = 1) {
  return {.in_channels = in,
          .out_channels = out,
          .height = height,
          .width = width,
          .kernel = {taps, taps},
          .stride = {stride, stride},
          .padding = {taps / 2, taps / 2}};
}

/// Human2D of so many features at 256 x 256: the stem, then the hourglass from 64 x 64 down.
void add_human2d(shapes& to, int features) {
  const int half = features / 2;
  const int quarter = features / 4;
  const conv2d_geometry stem = square(3, quarter, 256, 256, 7, 2);
  to.convolution("7x7 stride 2, float32", stem, way::product, false, false);
  to.convolution("7x7 stride 2, bfloat16", stem, way::bfloat16, false, false);
  const conv2d_geometry band = square(quarter, quarter, 34, 128);
  to.convolution("1x1, float32", band, way::product, true, false);
  to.convolution("1x1, bfloat16", band, way::bfloat16, true, false);
  const conv2d_geometry band_3x3 = square(quarter, quarter, 34, 128, 3);
  to.convolution("3x3, F(4x4), float32", band_3x3, way::winograd, false, false);
  to.convolution("3x3, F(4x4), bfloat16", band_3x3, way::bfloat16_winograd, false, false);
  for (const int extent : {64, 16, 4}) {
    const conv2d_geometry in = square(features, half, extent, extent);
    const conv2d_geometry out = square(half, features, extent, extent);
    // As the layers have it.
    const bool strassen = kernel::conv2d_strassen_can(in) && loops::strassen_pays(in, 0);
    const way how = strassen ? way::strassen : way::product;
    const std::string by = strassen ? ", Strassen, float32" : ", float32";
    to.convolution("1x1" + by, in, how, true, false);
    to.convolution("1x1, bfloat16", in, way::bfloat16, true, false);
    to.convolution("1x1 and addend" + by, out, how, false, true);
    to.convolution("1x1 and addend, bfloat16", out, way::bfloat16, false, true);
  }
  for (const int extent : {64, 32, 16, 8}) {
    const conv2d_geometry middle = square(half, half, extent, extent, 3);
    to.convolution("3x3, F(4x4), float32", middle, way::winograd, false, false);
    to.convolution("3x3, F(4x4), bfloat16", middle, way::bfloat16_winograd, false, false);
  }
  const conv2d_geometry smallest = square(half, half, 4, 4, 3);
  to.convolution("3x3, product, float32", smallest, way::product, false, false);
  to.convolution("3x3, product, bfloat16", smallest, way::bfloat16, false, false);
  to.convolution("1x1 (heat maps), float32", square(features, 16, 64, 64), way::product, false,
                 false);
  to.max_pool(half, 32, 128);
  to.max_pool(features, 64, 64);
  to.upsample_add(features, 32);
}

void add_priors(shapes& to) {
  to.linear(48, 1024, 1);
  to.linear(1024, 1024, 4);
  to.linear(1024, 144, 1);
  to.convolution("3x3, product, float32", square(4, 4, 64, 64, 3), way::product, false, false);
  to.convolution("3x3, product, float32", square(8, 8, 32, 32, 3), way::product, false, false);
  to.convolution("3x3, F(4x4), float32", square(16, 16, 16, 16, 3), way::winograd, false, false);
  to.linear(512, 512, 2);
}

/// The default body in so many different poses, and its silhouette.
class bodies {
 public:
  explicit bodies(const body_model& model) : model_(model), packed_(model) {}

  void add_to(shapes& to) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{32}}) add_batch(to, count);
    add_silhouette(to);
  }

 private:
  void add_batch(shapes& to, std::size_t count) {
    const double bodies = static_cast<double>(count);
    const double vertices = static_cast<double>(model_.vertex_count);
    const std::span<float> theta = make(72 * count);
    const std::span<float> out = make(3 * model_.vertex_count * count);
    const std::span<float> joints = make(72 * count);
    const std::span<float> beta = make(10);
    auto& parameters = parameters_.emplace_back();
    for (std::size_t i = 0; i < count; ++i)
      parameters.push_back({beta, theta.subspan(72 * i, 72), {}});
    smpl_batch_workspace& workspace = workspaces_.emplace_back();
    // A stored direction is one multiplication and addition a body; then 12 numbers a weight, and a
    // point through 3 x 4.
    const double directions = static_cast<double>(packed_.bytes()) / sizeof(float);
    const double weights =
        vertices * static_cast<double>(std::max<std::size_t>(model_.influences, 4));
    counts of;
    of.by_definition = of.done = bodies * (2 * directions + 2 * 12 * weights + 18 * vertices);
    of.bytes =
        static_cast<double>(packed_.bytes()) + 8 * weights + bodies * 3 * sizeof(float) * vertices;
    to.add("blend shapes and skinning", std::to_string(count) + (count > 1 ? " bodies" : " body"),
           of, false, [this, &parameters, &workspace, out, joints] {
             smpl_batch(packed_, parameters, workspace, out, joints);
           });
  }

  void add_silhouette(shapes& to) {
    constexpr int size = 256;
    const std::span<float> vertices = make(3 * model_.vertex_count);
    const std::span<float> projected = make(vertices.size());
    std::vector<float> joints(72);
    std::vector<float> theta(72);
    theta[0] = std::numbers::pi_v<float>;
    smpl_workspace workspace(model_);
    smpl<float>(model_, {{}, theta, {}}, workspace, vertices, joints);
    const camera view{};
    const vec3<double> translation =
        framing_translation(view, vertices, {0.05 * size, 0.05 * size, 0.95 * size, 0.95 * size});
    mask_.resize(std::size_t{size} * size);
    counts of;
    of.bytes = static_cast<double>(2 * sizeof(float) * vertices.size() +
                                   sizeof(std::uint32_t) * model_.faces.size() + mask_.size());
    to.add("silhouette, front faces", extents(size, size), of, false,
           [this, view, translation, vertices, projected] {
             draw_silhouette(view, vertices, translation, model_.faces, projected, size, size,
                             mask_, {.cull = cull_mode::back});
           });
  }

  std::span<float> make(std::size_t size) {
    return {memory_.emplace_back(ramp(static_cast<double>(size))).data(), size};
  }

  const body_model& model_;
  packed_body<float> packed_;
  std::deque<aligned_floats> memory_{};
  std::deque<std::vector<smpl_parameters>> parameters_{};
  std::deque<smpl_batch_workspace> workspaces_{};
  std::vector<std::uint8_t> mask_{};
};

/// One turn: the kernel, and at once what bounds it.
void measure(entry& one, ceilings& seen) {
  const double seconds = seconds_a_call(kernel_seconds, one.call);
  const double flops =
      one.in_bfloat16 ? bfloat16_operations(ceiling_seconds) : float_operations(ceiling_seconds);
  const double loads = loaded_vectors(ceiling_seconds);
  const double stores = stored_vectors(ceiling_seconds);
  const double bytes = streamed_bytes(ceiling_seconds, one.stream);
  (one.in_bfloat16 ? seen.bfloat16_flops : seen.float_flops).push_back(flops);
  seen.loads.push_back(loads);
  seen.stores.push_back(stores);
  one.seconds.push_back(seconds);
  one.of_arithmetic.push_back(one.count.done / flops / seconds);
  one.of_load_store.push_back(std::max(one.count.loads / loads, one.count.stores / stores) /
                              seconds);
  one.of_memory.push_back(one.count.bytes / bytes / seconds);
}

/// The ceiling that a kernel comes nearest to; where it keeps half the time or more for itself,
/// what bounds it is none of them.
const char* bound_of(double arithmetic, double load_store, double memory) {
  const double largest = std::max({arithmetic, load_store, memory});
  if (largest < 0.5) return "latency";
  if (largest == arithmetic) return "arithmetic";
  return largest == load_store ? "load/store" : "memory";
}

std::string number(double value, const char* format = nullptr) {
  char text[32];
  std::snprintf(text, sizeof text,
                format != nullptr ? format
                : value < 1000    ? "%.3g"
                                  : "%.0f",
                value);
  return value > 0 ? text : "";
}

void print(const entry& one) {
  const double seconds = median(one.seconds);
  const double arithmetic = median(one.of_arithmetic);
  const double load_store = median(one.of_load_store);
  const double memory = median(one.of_memory);
  const counts& of = one.count;
  std::printf("| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n",
              one.kernel.c_str(), one.shape.c_str(), number(1e-6 * of.by_definition).c_str(),
              number(1e-6 * of.done).c_str(), number(1e-6 * of.bytes).c_str(),
              number(of.done / of.bytes, "%.1f").c_str(), number(1e6 * seconds).c_str(),
              number(1e-9 * of.by_definition / seconds, "%.0f").c_str(),
              number(1e-9 * of.done / seconds, "%.0f").c_str(),
              number(1e-9 * of.bytes / seconds, "%.1f").c_str(), number(arithmetic, "%.2f").c_str(),
              number(load_store, "%.2f").c_str(), number(memory, "%.2f").c_str(),
              bound_of(arithmetic, load_store, memory));
}

void print_ceilings(const ceilings& seen) {
  std::printf(
      "Ceilings: %.0f GFLOP/s of float32, %.0f of bfloat16; %.1f loads and %.1f stores of a vector "
      "of %d floats a nanosecond in the first-level cache; a streaming read takes",
      1e-9 * median(seen.float_flops), 1e-9 * median(seen.bfloat16_flops),
      1e-9 * median(seen.loads), 1e-9 * median(seen.stores), simd::width);
  const char* between = "";
  for (const int kilobytes : {32, 512, 8192, 262144}) {
    const aligned_floats buffer = ramp(256.0 * kilobytes);
    std::vector<double> rates;
    for (int i = 0; i < 9; ++i) rates.push_back(streamed_bytes(ceiling_seconds, buffer));
    const bool large = kilobytes >= 1024;
    std::printf("%s %.0f GB/s of %d %s", between, 1e-9 * median(rates),
                large ? kilobytes / 1024 : kilobytes, large ? "MB" : "KB");
    between = ",";
  }
  std::printf(".\n\n");
}

void print_table(const char* title, const std::vector<entry>& entries) {
  std::printf(
      "### %s\n| kernel | shape | MFLOP by definition | done | MB | FLOP a byte | us | GFLOP/s by "
      "definition | done | GB/s | of arithmetic | of load/store | of memory | bound by |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
      title);
  for (const entry& one : entries) print(one);
  std::printf("\n");
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 31;
  const result<body_model> model =
      load_body(std::string(MAQUETTE_SOURCE_DIR) + "/weights/body.npz");
  if (!model || rounds < 1)
    return std::fputs("roofline [ROUNDS], with weights/body.npz\n", stderr), 1;
  shapes compact, paper, rest;
  add_human2d(compact, 96);
  add_human2d(paper, 256);
  add_priors(rest);
  bodies of_model(*model);
  of_model.add_to(rest);
  ceilings seen;
  for (int round = 0; round < rounds; ++round)
    for (shapes* group : {&compact, &paper, &rest})
      for (entry& one : group->entries) measure(one, seen);
  print_ceilings(seen);
  print_table("Human2D, 96 features", compact.entries);
  print_table("Human2D, 256 features", paper.entries);
  print_table("PosePrior, ShapePrior, bodies", rest.entries);
}
