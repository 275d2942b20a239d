// SPDX-License-Identifier: Apache-2.0
#include "maquette/render/rasterizer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

#include "../../examples/thread_pool.hpp"
#include "maquette/render/silhouette.hpp"

using namespace maquette;

namespace {

struct mesh {
  std::vector<float> vertices;  // x, y in pixels, z
  std::vector<std::uint32_t> triangles;

  std::uint32_t add(double x, double y, double z = 1) {
    vertices.insert(vertices.end(),
                    {static_cast<float>(x), static_cast<float>(y), static_cast<float>(z)});
    return static_cast<std::uint32_t>(vertices.size() / 3 - 1);
  }
  void face(std::uint32_t a, std::uint32_t b, std::uint32_t c) {
    triangles.insert(triangles.end(), {a, b, c});
  }
  raster_mesh view() const { return {vertices, triangles}; }
};

/// How many faces cover each pixel: every face is drawn alone.
std::vector<int> coverage(const mesh& m, int width, int height, cull_mode cull = cull_mode::none) {
  std::vector<int> count(static_cast<std::size_t>(width * height));
  std::vector<std::uint8_t> mask(count.size());
  for (std::size_t f = 0; f < m.triangles.size(); f += 3) {
    std::fill(mask.begin(), mask.end(), std::uint8_t{0});
    raster_options options;
    options.cull = cull;
    rasterize_silhouette({m.vertices, std::span<const std::uint32_t>(m.triangles).subspan(f, 3)},
                         width, height, mask, 1, options);
    for (std::size_t i = 0; i < mask.size(); ++i) count[i] += mask[i];
  }
  return count;
}

struct picture {
  int width;
  int height;
  std::vector<float> depth;
  std::vector<std::int32_t> face;
  std::vector<float> barycentric;

  picture(int w, int h)
      : width(w),
        height(h),
        depth(static_cast<std::size_t>(w * h)),
        face(depth.size()),
        barycentric(3 * depth.size()) {
    clear(target());
  }
  raster_target target() { return {width, height, depth, face, barycentric}; }
  std::size_t at(int x, int y) const { return static_cast<std::size_t>(y * width + x); }
};

double cross2(double ax, double ay, double bx, double by) { return ax * by - ay * bx; }

/// A sphere of triangles, outward faces counter-clockwise, projected with y down.
mesh sphere(double centre_x, double centre_y, double radius, int rings, int sectors, double turn) {
  mesh m;
  const double pi = std::numbers::pi;
  const auto place = [&](double polar, double azimuth) {
    // World: y up, towards the viewer +z; then the picture's y and the camera's z are negated.
    const double x = std::sin(polar) * std::sin(azimuth + turn);
    const double y = std::cos(polar);
    const double z = std::sin(polar) * std::cos(azimuth + turn);
    const double tilt = 0.4 * turn;
    const double ty = std::cos(tilt) * y - std::sin(tilt) * z;
    const double tz = std::sin(tilt) * y + std::cos(tilt) * z;
    return m.add(centre_x + radius * x, centre_y - radius * ty, 10 - tz);
  };
  const std::uint32_t top = place(0, 0);
  for (int r = 1; r < rings; ++r) {
    for (int s = 0; s < sectors; ++s) place(pi * r / rings, 2 * pi * s / sectors);
  }
  const std::uint32_t bottom = place(pi, 0);
  const auto ring = [&](int r, int s) {
    return 1U + static_cast<std::uint32_t>((r - 1) * sectors + s % sectors);
  };
  for (int s = 0; s < sectors; ++s) {
    m.face(top, ring(1, s), ring(1, s + 1));
    for (int r = 1; r + 1 < rings; ++r) {
      m.face(ring(r, s), ring(r + 1, s), ring(r + 1, s + 1));
      m.face(ring(r, s), ring(r + 1, s + 1), ring(r, s + 1));
    }
    m.face(ring(rings - 1, s), bottom, ring(rings - 1, s + 1));
  }
  return m;
}

}  // namespace

TEST_CASE("triangulated quads and fans cover each of their pixels once, at any offset") {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> uniform(0, 1);
  constexpr int size = 40;
  for (int i = 0; i < 300; ++i) {
    // The grid's lines fall on pixel centres, on eighths of a pixel or anywhere.
    const auto place = [&] {
      const double v = 4 + 32 * uniform(random);
      return i % 3 == 0 ? std::floor(v) + 0.5 : i % 3 == 1 ? std::floor(8 * v) / 8 : v;
    };
    mesh m;
    // A fan around an inner point: a star-shaped polygon's corners by angle.
    const double cx = 20 + uniform(random) - 0.5;
    const double cy = 20 + uniform(random) - 0.5;
    const std::uint32_t hub = m.add(cx, cy);
    // Four corners or more keep every angle at the hub below a straight one.
    std::vector<double> angles(4 + static_cast<std::size_t>(i % 9));
    for (std::size_t k = 0; k < angles.size(); ++k) {
      angles[k] = 2 * std::numbers::pi * (static_cast<double>(k) + 0.8 * uniform(random)) /
                  static_cast<double>(angles.size());
    }
    for (const double a : angles) {
      const double r = 3 + 15 * uniform(random);
      m.add(cx + r * std::cos(a), cy + r * std::sin(a));
    }
    const auto corners = static_cast<std::uint32_t>(angles.size());
    for (std::uint32_t k = 0; k < corners; ++k) m.face(hub, 1 + k, 1 + (k + 1) % corners);
    const std::vector<int> fan = coverage(m, size, size);
    CHECK(*std::max_element(fan.begin(), fan.end()) <= 1);

    // A jittered sheet of quads, split either way: inside its border every pixel exactly once.
    mesh sheet;
    const double x0 = place() / 8, y0 = place() / 8;
    for (int y = 0; y <= 6; ++y) {
      for (int x = 0; x <= 6; ++x) {
        const bool inner = x > 0 && x < 6 && y > 0 && y < 6;
        const double jitter = inner ? 1.5 : 0;
        sheet.add(x0 + 5 * x + jitter * (uniform(random) - 0.5),
                  y0 + 5 * y + jitter * (uniform(random) - 0.5));
      }
    }
    for (std::uint32_t y = 0; y < 6; ++y) {
      for (std::uint32_t x = 0; x < 6; ++x) {
        const std::uint32_t a = 7 * y + x, b = a + 1, c = a + 8, d = a + 7;
        if (uniform(random) < 0.5) {
          sheet.face(a, b, c);
          sheet.face(c, a, d);  // either winding
        } else {
          sheet.face(a, b, d);
          sheet.face(b, c, d);
        }
      }
    }
    const std::vector<int> covered = coverage(sheet, size, size);
    int wrong = 0;
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        const double u = x + 0.5, v = y + 0.5;
        // The border's own rule: left and top edges belong to the sheet, right and bottom do not.
        // Within half of a 1/256 pixel of the border the snapped edge decides.
        const double margin = 1.0 / 256;
        const auto side = [&](double p, double low) {
          if (std::abs(p - low) < margin || std::abs(p - low - 30) < margin) return -1;
          return p > low && p < low + 30 ? 1 : 0;
        };
        const int in_x = side(u, x0), in_y = side(v, y0);
        const int n = covered[static_cast<std::size_t>(y * size + x)];
        wrong += in_x < 0 || in_y < 0 ? n > 1 : n != in_x * in_y;
      }
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("edges on pixel centres: the left and top ones belong to the triangle") {
  mesh square;
  square.add(2.5, 3.5);
  square.add(6.5, 3.5);
  square.add(6.5, 8.5);
  square.add(2.5, 8.5);
  square.face(0, 1, 2);
  square.face(0, 2, 3);
  const std::vector<int> count = coverage(square, 10, 10);
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 10; ++x) {
      CHECK(count[static_cast<std::size_t>(10 * y + x)] == (x >= 2 && x < 6 && y >= 3 && y < 8));
    }
  }
}

TEST_CASE("a convex closed mesh covers its silhouette once with its front faces") {
  for (int i = 0; i < 20; ++i) {
    const mesh m = sphere(32.37 + 0.1 * i, 31.8 - 0.07 * i, 24 + 0.2 * i, 12, 17, 0.31 * i);
    const std::vector<int> all = coverage(m, 64, 64);
    const std::vector<int> front = coverage(m, 64, 64, cull_mode::back);
    const std::vector<int> back = coverage(m, 64, 64, cull_mode::front);
    int inside = 0;
    for (std::size_t p = 0; p < all.size(); ++p) {
      CHECK(front[p] <= 1);
      CHECK(front[p] == back[p]);
      CHECK(all[p] == front[p] + back[p]);
      inside += front[p];
    }
    CHECK(inside > 1500);

    // With a depth test the front faces win everywhere.
    picture with_all(64, 64), with_front(64, 64);
    rasterize(m.view(), with_all.target());
    raster_options options;
    options.cull = cull_mode::back;
    rasterize(m.view(), with_front.target(), options);
    CHECK(with_all.face == with_front.face);
    CHECK(with_all.depth == with_front.depth);
  }
}

TEST_CASE("depth and barycentrics are those of the ray through the pixel's centre") {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> uniform(0, 1);
  constexpr double focal = 50, centre = 32;
  int compared = 0;
  for (int i = 0; i < 300; ++i) {
    std::array<std::array<double, 3>, 3> p;
    mesh m;
    for (auto& corner : p) {
      const double z = 1 + 4 * uniform(random);
      // Corners on the 1/256 grid, so that the reference need not know of snapping.
      const double u = std::floor(256 * (4 + 56 * uniform(random))) / 256;
      const double v = std::floor(256 * (4 + 56 * uniform(random))) / 256;
      m.add(u, v, z);
      const double narrow = m.vertices.back();
      corner = {(u - centre) / focal * narrow, (v - centre) / focal * narrow, narrow};
    }
    m.face(0, 1, 2);
    picture out(64, 64);
    rasterize(m.view(), out.target());
    for (int y = 0; y < 64; ++y) {
      for (int x = 0; x < 64; ++x) {
        // Solve [p0 p1 p2] b = t d for the ray d, with sum b = 1: Cramer in space, in double.
        const std::array<double, 3> d{(x + 0.5 - centre) / focal, (y + 0.5 - centre) / focal, 1};
        const auto triple = [](const std::array<double, 3>& a, const std::array<double, 3>& b,
                               const std::array<double, 3>& c) {
          return a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0]) +
                 a[2] * (b[0] * c[1] - b[1] * c[0]);
        };
        const double b0 = triple(d, p[1], p[2]);
        const double b1 = triple(p[0], d, p[2]);
        const double b2 = triple(p[0], p[1], d);
        const double sum = b0 + b1 + b2;
        const std::size_t at = out.at(x, y);
        if (out.face[at] < 0) {
          CHECK(std::isinf(out.depth[at]));
          continue;
        }
        const double depth = triple(p[0], p[1], p[2]) / sum;
        const double whole =
            std::abs(cross2(
                p[1][0] / p[1][2] - p[0][0] / p[0][2], p[1][1] / p[1][2] - p[0][1] / p[0][2],
                p[2][0] / p[2][2] - p[0][0] / p[0][2], p[2][1] / p[2][2] - p[0][1] / p[0][2])) *
            focal * focal;
        if (whole < 4) continue;  // slivers: the quotient above loses the digits, not ours
        ++compared;
        CHECK(std::abs(double{out.barycentric[3 * at]} - b0 / sum) < 2e-6);
        CHECK(std::abs(double{out.barycentric[3 * at + 1]} - b1 / sum) < 2e-6);
        CHECK(std::abs(double{out.barycentric[3 * at + 2]} - b2 / sum) < 2e-6);
        CHECK(std::abs(double{out.depth[at]} - depth) < 2e-6 * depth);
      }
    }
  }
  CHECK(compared > 20000);
}

TEST_CASE("the nearest face is seen, in whatever order faces come") {
  std::mt19937 random(4);
  std::uniform_real_distribution<double> uniform(0, 1);
  mesh m;
  for (std::uint32_t f = 0; f < 40; ++f) {
    for (int k = 0; k < 3; ++k) {
      m.add(48 * uniform(random), 48 * uniform(random), 2 + 8 * uniform(random));
    }
    m.face(3 * f, 3 * f + 1, 3 * f + 2);
  }
  picture out(48, 48);
  rasterize(m.view(), out.target());
  std::vector<float> nearest(48 * 48, std::numeric_limits<float>::infinity());
  for (std::size_t f = 0; f < 40; ++f) {
    picture alone(48, 48);
    rasterize({m.vertices, std::span<const std::uint32_t>(m.triangles).subspan(3 * f, 3)},
              alone.target());
    for (std::size_t i = 0; i < nearest.size(); ++i) {
      nearest[i] = std::min(nearest[i], alone.depth[i]);
    }
  }
  CHECK(out.depth == nearest);

  mesh reversed = m;
  for (std::size_t f = 0; f < 40; ++f) {
    for (std::size_t k = 0; k < 3; ++k) {
      reversed.triangles[3 * f + k] = m.triangles[3 * (39 - f) + k];
    }
  }
  picture again(48, 48);
  rasterize(reversed.view(), again.target());
  CHECK(again.depth == out.depth);
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    CHECK((again.face[i] < 0 ? -1 : 39 - again.face[i]) == out.face[i]);
  }
}

TEST_CASE("a picture drawn in bands is the picture drawn at once") {
  const mesh m = sphere(30, 33, 25, 9, 14, 0.7);
  picture whole(64, 64), bands(64, 64);
  rasterize(m.view(), whole.target());
  for (int row = 0; row < 64; row += 13) {
    raster_options options;
    options.first_row = row;
    options.last_row = std::min(64, row + 13);
    rasterize(m.view(), bands.target(), options);
  }
  CHECK(whole.depth == bands.depth);
  CHECK(whole.face == bands.face);
  CHECK(whole.barycentric == bands.barycentric);
}

TEST_CASE("the silhouette's area is the polygon's") {
  std::mt19937 random(5);
  std::uniform_real_distribution<double> uniform(0, 1);
  double excess = 0, length = 0;
  for (int i = 0; i < 400; ++i) {
    mesh m;
    const int corners = 4 + i % 8;
    std::vector<std::array<double, 2>> polygon;
    for (int k = 0; k < corners; ++k) {
      const double a = 2 * std::numbers::pi * (k + 0.7 * uniform(random)) / corners;
      const double r = 60 + 60 * uniform(random);
      polygon.push_back({128.3 + r * std::cos(a), 127.6 + r * std::sin(a)});
      m.add(polygon.back()[0], polygon.back()[1]);
    }
    const std::uint32_t hub = m.add(128.3, 127.6);
    double area = 0, perimeter = 0;
    for (std::size_t k = 0; k < polygon.size(); ++k) {
      const auto& a = polygon[k];
      const auto& b = polygon[(k + 1) % polygon.size()];
      area += cross2(a[0] - 128.3, a[1] - 127.6, b[0] - 128.3, b[1] - 127.6) / 2;
      perimeter += std::hypot(a[0] - b[0], a[1] - b[1]);
      m.face(hub, static_cast<std::uint32_t>(k),
             static_cast<std::uint32_t>((k + 1) % polygon.size()));
    }
    std::vector<std::uint8_t> mask(256 * 256);
    rasterize_silhouette(m.view(), 256, 256, mask, 1);
    const auto pixels = static_cast<double>(std::count(mask.begin(), mask.end(), 1));
    // An edge along the grid may be off by half a pixel over its whole length, never more.
    CHECK(std::abs(pixels - area) < 0.5 * perimeter);
    excess += pixels - area;
    length += perimeter;
  }
  // Over many polygons the border is drawn neither too far out nor too far in.
  CHECK(std::abs(excess) < 0.005 * length);
}

TEST_CASE("meshes of a pixel and less") {
  mesh m;
  m.add(3.1, 4.1);
  m.add(3.9, 4.1);
  m.add(3.5, 4.9);
  m.face(0, 1, 2);
  std::vector<std::uint8_t> mask(64);
  rasterize_silhouette(m.view(), 8, 8, mask, 1);
  CHECK(std::count(mask.begin(), mask.end(), 1) == 1);
  CHECK(mask[4 * 8 + 3] == 1);
  std::fill(mask.begin(), mask.end(), std::uint8_t{0});
  mesh small;
  small.add(3.6, 4.6);
  small.add(3.9, 4.6);
  small.add(3.7, 4.9);
  small.face(0, 1, 2);
  rasterize_silhouette(small.view(), 8, 8, mask, 1);
  CHECK(std::count(mask.begin(), mask.end(), 1) == 0);
  picture one(1, 1);
  mesh cover;
  cover.add(-10, -10, 3);
  cover.add(10, -10, 3);
  cover.add(0, 20, 3);
  cover.face(0, 1, 2);
  rasterize(cover.view(), one.target());
  CHECK(one.face[0] == 0);
  CHECK(one.depth[0] == doctest::Approx(3));
}

TEST_CASE("faces that cannot be drawn are left out and counted") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const auto draw = [](const std::array<float, 9>& corners, const raster_options& options = {}) {
    const std::array<std::uint32_t, 3> face{0, 1, 2};
    picture out(16, 16);
    const std::size_t dropped = rasterize({corners, face}, out.target(), options);
    const auto drawn =
        std::count_if(out.face.begin(), out.face.end(), [](int f) { return f >= 0; });
    std::vector<std::uint8_t> mask(256);
    CHECK(rasterize_silhouette({corners, face}, 16, 16, mask, 1, options) == dropped);
    CHECK(std::count(mask.begin(), mask.end(), 1) == drawn);
    return std::pair{dropped, drawn};
  };
  CHECK(draw({2, 2, 1, 12, 2, 1, 2, 12, 1}).second > 40);
  for (std::size_t i = 0; i < 9; ++i) {
    for (const float bad : {nan, inf, -inf, 1e30F, -1e30F}) {
      std::array<float, 9> corners{2, 2, 1, 12, 2, 1, 2, 12, 1};
      corners[i] = bad;
      if (i % 3 == 2 && bad == 1e30F) continue;  // merely far away
      CHECK(draw(corners) == std::pair{std::size_t{1}, std::ptrdiff_t{0}});
    }
  }
  // In front of the near plane, at the camera, behind it: out as a whole.
  for (const float z : {1e-4F, 0.0F, -0.0F, -1.0F}) {
    CHECK(draw({2, 2, z, 12, 2, 1, 2, 12, 1}) == std::pair{std::size_t{1}, std::ptrdiff_t{0}});
  }
  raster_options far_plane;
  far_plane.near_plane = 2;
  CHECK(draw({2, 2, 1, 12, 2, 3, 2, 12, 3}, far_plane).first == 1);
  // Without area nothing is drawn, and nothing is wrong.
  CHECK(draw({2, 2, 1, 2, 2, 1, 2, 12, 1}) == std::pair{std::size_t{0}, std::ptrdiff_t{0}});
  CHECK(draw({2, 2, 1, 6, 6, 1, 12, 12, 1}) == std::pair{std::size_t{0}, std::ptrdiff_t{0}});
  // Off the screen on every side, and larger than the screen by far.
  CHECK(draw({-20, 2, 1, -3, 2, 1, -20, 12, 1}).second == 0);
  CHECK(draw({20, 2, 1, 30, 2, 1, 20, 12, 1}).second == 0);
  CHECK(draw({2, -20, 1, 12, -20, 1, 2, -3, 1}).second == 0);
  CHECK(draw({2, 20, 1, 12, 20, 1, 2, 30, 1}).second == 0);
  CHECK(draw({-1e6F, -1e6F, 1, 1e6F, -1e6F, 1, 0, 1e6F, 1}).second == 256);
  // Indices out of range.
  const std::array<float, 9> corners{2, 2, 1, 12, 2, 1, 2, 12, 1};
  const std::array<std::uint32_t, 6> faces{0, 1, 3, 0, 1, 0xFFFFFFFFU};
  std::vector<std::uint8_t> mask(256);
  CHECK(rasterize_silhouette({corners, faces}, 16, 16, mask) == 2);
}

TEST_CASE("batches and tiles draw what the plain walk over one face after another draws") {
  std::mt19937 random(6);
  std::uniform_real_distribution<double> uniform(0, 1);
  const auto plain = [](const mesh& m, int width, int height, const raster_options& options) {
    std::vector<std::uint8_t> mask(static_cast<std::size_t>(width * height), 7);
    const kernel::raster_window window{0, std::max(0, options.first_row), width,
                                       std::min(height, options.last_row)};
    for (std::size_t f = 0; f < m.triangles.size(); f += 3) {
      std::array<kernel::raster_point, 3> p;
      for (std::size_t k = 0; k < 3; ++k) {
        const float* const corner = m.vertices.data() + 3 * m.triangles[f + k];
        p[k] = kernel::raster_snap(corner[0], corner[1]);
      }
      const std::int64_t area = kernel::raster_area(p[0], p[1], p[2]);
      if (options.cull == cull_mode::back && area > 0) continue;
      if (options.cull == cull_mode::front && area < 0) continue;
      kernel::raster_scan(p[0], p[1], p[2], area, window, [&](int x, int y, float, float, float) {
        mask[static_cast<std::size_t>(y * width + x)] = 9;
      });
    }
    return mask;
  };
  const std::array<std::array<int, 2>, 9> sizes{
      {{1, 1}, {2, 3}, {3, 9}, {9, 3}, {4, 4}, {5, 5}, {7, 13}, {64, 48}, {201, 150}}};
  for (int i = 0; i < 400; ++i) {
    const auto [width, height] = sizes[static_cast<std::size_t>(i) % sizes.size()];
    // From less than a pixel to more than the picture, on and off the grid of 1/256 pixel, at
    // pixel centres and halfway between two places on the grid; some without an area.
    const double extent = std::exp2(-2 + 11 * uniform(random));
    const auto rounded = [&](double v) {
      const int kind = static_cast<int>(4 * uniform(random));
      return kind == 0   ? std::floor(v) + 0.5
             : kind == 1 ? std::floor(8 * v) / 8
             : kind == 2 ? (std::floor(256 * v) + 0.5) / 256
                         : v;
    };
    mesh m;
    const int faces = 1 + static_cast<int>(200 * uniform(random));
    for (int f = 0; f < faces; ++f) {
      const double x = 1.4 * width * (uniform(random) - 0.15);
      const double y = 1.4 * height * (uniform(random) - 0.15);
      for (int k = 0; k < 3; ++k) {
        m.add(rounded(x + extent * (uniform(random) - 0.5)),
              rounded(y + extent * (uniform(random) - 0.5)), 1 + uniform(random));
      }
      const auto first = static_cast<std::uint32_t>(3 * f);
      m.face(first, first + 1, f % 16 == 5 ? first : first + 2);
    }
    raster_options options;
    options.cull = i % 3 == 0 ? cull_mode::none : i % 3 == 1 ? cull_mode::back : cull_mode::front;
    if (i % 4 == 1) {
      options.first_row = static_cast<int>(height * uniform(random));
      options.last_row = options.first_row + static_cast<int>(height * uniform(random));
    }
    const std::vector<std::uint8_t> expected = plain(m, width, height, options);
    std::vector<std::uint8_t> mask(expected.size(), 7);
    CHECK(rasterize_silhouette(m.view(), width, height, mask, 9, options) == 0);
    CHECK(mask == expected);
    picture depths(width, height);
    CHECK(rasterize(m.view(), depths.target(), options) == 0);
    std::size_t wrong = 0;
    for (std::size_t p = 0; p < expected.size(); ++p) {
      wrong += (depths.face[p] >= 0) != (expected[p] == 9);
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("coordinates are snapped to the nearest place on the grid, ties upwards") {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform(-1, 1);
  const auto exact = [](float v) { return std::floor(256 * static_cast<double>(v) + 0.5); };
  std::size_t wrong = 0;
  for (int i = 0; i < 100000; ++i) {
    const double v = std::exp2(20 * std::abs(uniform(random))) * uniform(random);
    // The floats around a tie are where one rounding too many would show.
    const auto tie = static_cast<float>((std::floor(256 * v) + 0.5) / 256);
    for (const float x :
         {static_cast<float>(v), tie, std::nextafter(tie, -2e6F), std::nextafter(tie, 2e6F)}) {
      wrong += static_cast<double>(kernel::raster_snap(x)) != exact(x);
    }
  }
  for (const float x : {0.0F, -0.0F, kernel::raster_coordinate_limit,
                        -kernel::raster_coordinate_limit, 1e-30F, -1e-30F}) {
    wrong += static_cast<double>(kernel::raster_snap(x)) != exact(x);
  }
  CHECK(wrong == 0);
}

TEST_CASE("silhouettes of several meshes are those of each alone, on any number of threads") {
  constexpr std::int32_t width = 40;
  constexpr std::int32_t height = 30;
  constexpr std::size_t pixels = std::size_t{width} * height;
  constexpr std::size_t count = 5;
  const camera view{50, 20, 15};
  std::mt19937 random(21);
  std::uniform_real_distribution<float> place(-1, 1);
  std::vector<float> vertices(count * 3 * 24);
  for (float& v : vertices) v = place(random);
  std::vector<std::uint32_t> faces(3 * 12);
  for (std::uint32_t& index : faces) index = static_cast<std::uint32_t>(random() % 24);
  std::vector<vec3<double>> translations;
  for (std::size_t n = 0; n < count; ++n) {
    translations.push_back({0.1 * static_cast<double>(n), -0.1, 4 + static_cast<double>(n)});
  }
  std::vector<std::uint8_t> alone(pixels * count, 7);
  std::vector<float> projected_alone(vertices.size());
  for (std::size_t n = 0; n < count; ++n) {
    draw_silhouette(view, std::span(vertices).subspan(72 * n, 72), translations[n], faces,
                    std::span(projected_alone).subspan(72 * n, 72), width, height,
                    std::span(alone).subspan(pixels * n, pixels));
  }
  CHECK(std::count(alone.begin(), alone.end(), 1) > 100);
  thread_pool three(3);
  for (const executor& threads : {executor(), executor(three)}) {
    std::vector<std::uint8_t> together(alone.size(), 9);
    std::vector<float> projected(vertices.size());
    draw_silhouettes(view, vertices, translations, faces, projected, width, height, together, {},
                     threads);
    CHECK(together == alone);
    CHECK(projected == projected_alone);
  }
  draw_silhouettes(view, {}, {}, faces, {}, width, height, {});
}
