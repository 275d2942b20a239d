// Draws skinned, textured, lit meshes with maquette's scan conversion: the native half of the
// photographer.
//
// Everything is in camera axes (x right, y down, z forward, metres). A picture is drawn at
// `samples` x `samples` points per pixel and averaged after tone mapping, so colours and coverage
// come out anti-aliased.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "maquette/kernel/raster.hpp"

namespace kernel = maquette::kernel;

extern "C" {

/// How a surface's colour comes about: an affine map of the texture's sRGB colour, then a
/// procedural pattern.
struct darkroom_material {
  float colour[12];         // [3, 4] rows: r, g, b, constant
  float pattern_colour[3];  // sRGB
  float pattern_mix;        // opacity of the pattern
  float pattern_axes[6];    // [2, 3] pattern coordinates per metre of the rest pose
  float pattern_phase[2];
  float pattern_duty;    // share of a period that is painted
  float specular;        // strength of the highlight
  float shininess;       // its exponent
  std::int32_t pattern;  // 0 none, 1 stripes, 2 checks, 3 dots, 4 camouflage
};

/// A region of the rest pose that wears another material: a box in (|x|, y, z) with a slanted upper
/// end.
struct darkroom_paint {
  float low[3];
  float high[3];
  float neck_slope;  // the upper end rises by this much per metre of |x|
  float inflation;   // metres that the surface is moved along its normal
  std::int32_t material;
};

struct darkroom_mesh {
  const float* rest;              // [V, 3] shaped rest pose
  const float* pattern_position;  // [V, 3] template rest pose, where patterns and paints live
  const std::uint8_t* bones;      // [V, influences]
  const float* weights;           // [V, influences]
  const float* transforms;        // [24, 3, 4] rest pose to camera axes
  const std::int32_t* triangles;  // [F, 3]
  const std::int32_t* corners;    // [F, 3] into uv
  const std::uint8_t* regions;    // [F] material of each face
  const float* uv;                // [T, 2]
  const std::uint8_t* texture;    // [height, width, 4] sRGB and alpha
  const darkroom_material* materials;
  const darkroom_paint* paints;
  std::int32_t vertex_count;
  std::int32_t influences;
  std::int32_t triangle_count;
  std::int32_t texture_width;
  std::int32_t texture_height;
  std::int32_t paint_count;
  std::int32_t see_through;  // 1: texels with alpha below one half are holes
  std::int32_t label;        // 1 the person, 2 what the person wears, 3 somebody else
};

struct darkroom_camera {
  float focal;
  float centre[2];
  std::int32_t width;
  std::int32_t height;
};

struct darkroom_light {
  float harmonics[27];  // [9, 3] radiance, real spherical harmonics in the light's axes (y up)
  float to_light[9];    // [3, 3] camera axes to the light's axes
  float sun[3];         // unit vector towards the sun, camera axes
  float sun_colour[3];
  float exposure;
  float floor_normal[3];  // upward, camera axes
  float floor_offset;     // floor: normal . p = offset
  float floor_shadow;     // 0 none .. 1 black
  std::int32_t shadow_size;
};

struct darkroom_picture {
  std::uint8_t* colour;  // [height, width, 4] premultiplied sRGB and coverage of all meshes
  std::uint8_t* person;  // [height, width] coverage by labels 1 and 2
  float* shade;          // [height, width] light that reaches the floor, 0 .. 1
  float* depth;          // [samples height, samples width], +inf where empty
  std::uint8_t* label;   // [samples height, samples width], 0 where empty
  std::int32_t samples;
};
}

namespace {

struct vec3 {
  float x = 0, y = 0, z = 0;
};
vec3 operator+(vec3 a, vec3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
vec3 operator-(vec3 a, vec3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
vec3 operator*(vec3 a, float s) { return {a.x * s, a.y * s, a.z * s}; }
float dot(vec3 a, vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
vec3 cross(vec3 a, vec3 b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
vec3 normalised(vec3 a) { return a * (1.0F / std::sqrt(std::max(dot(a, a), 1e-20F))); }
vec3 load(const float* p) { return {p[0], p[1], p[2]}; }

struct posed_mesh {
  const darkroom_mesh* mesh = nullptr;
  std::vector<vec3> position;
  std::vector<vec3> normal;
  std::vector<kernel::raster_point> screen;
  std::vector<std::uint8_t> usable;
};

/// Index of the last paint that covers a point of the rest pose, or -1.
int paint_at(const darkroom_mesh& mesh, vec3 p) {
  const float side = std::abs(p.x);
  for (int k = mesh.paint_count - 1; k >= 0; --k) {
    const darkroom_paint& paint = mesh.paints[k];
    if (side >= paint.low[0] && side < paint.high[0] && p.y >= paint.low[1] &&
        p.y < paint.high[1] + paint.neck_slope * side && p.z >= paint.low[2] &&
        p.z < paint.high[2]) {
      return k;
    }
  }
  return -1;
}

void accumulate_normals(const darkroom_mesh& mesh, const std::vector<vec3>& position,
                        std::vector<vec3>& normal) {
  normal.assign(position.size(), vec3{});
  for (std::int32_t f = 0; f < mesh.triangle_count; ++f) {
    const std::int32_t* v = mesh.triangles + 3 * f;
    const vec3 a = position[v[0]];
    const vec3 n = cross(position[v[1]] - a, position[v[2]] - a);
    for (int k = 0; k < 3; ++k) normal[v[k]] = normal[v[k]] + n;
  }
  for (vec3& n : normal) n = normalised(n);
}

void pose(const darkroom_mesh& mesh, posed_mesh& out) {
  const auto count = static_cast<std::size_t>(mesh.vertex_count);
  out.mesh = &mesh;
  std::vector<vec3>& position = out.position;
  position.resize(count);
  for (std::size_t v = 0; v < count; ++v) position[v] = load(mesh.rest + 3 * v);
  if (std::any_of(mesh.paints, mesh.paints + mesh.paint_count,
                  [](auto& paint) { return paint.inflation > 0; })) {
    accumulate_normals(mesh, position, out.normal);
    for (std::size_t v = 0; v < count; ++v) {
      const int paint = paint_at(mesh, load(mesh.pattern_position + 3 * v));
      if (paint >= 0) position[v] = position[v] + out.normal[v] * mesh.paints[paint].inflation;
    }
  }
  for (std::size_t v = 0; v < count; ++v) {
    std::array<float, 12> blend{};
    for (std::int32_t k = 0; k < mesh.influences; ++k) {
      const std::size_t entry =
          v * static_cast<std::size_t>(mesh.influences) + static_cast<std::size_t>(k);
      const float weight = mesh.weights[entry];
      if (weight == 0) continue;
      const float* transform = mesh.transforms + 12 * mesh.bones[entry];
      for (std::size_t i = 0; i < 12; ++i) blend[i] += weight * transform[i];
    }
    const vec3 p = position[v];
    position[v] = {blend[0] * p.x + blend[1] * p.y + blend[2] * p.z + blend[3],
                   blend[4] * p.x + blend[5] * p.y + blend[6] * p.z + blend[7],
                   blend[8] * p.x + blend[9] * p.y + blend[10] * p.z + blend[11]};
  }
}

constexpr float near_plane = 0.1F;

void project(posed_mesh& posed, float focal, float centre_x, float centre_y) {
  const std::size_t count = posed.position.size();
  posed.screen.resize(count);
  posed.usable.resize(count);
  for (std::size_t v = 0; v < count; ++v) {
    const vec3 p = posed.position[v];
    const float x = focal * p.x / p.z + centre_x;
    const float y = focal * p.y / p.z + centre_y;
    posed.usable[v] = p.z > near_plane && kernel::raster_representable(x, y);
    if (posed.usable[v]) posed.screen[v] = kernel::raster_snap(x, y);
  }
}

struct texel {
  float r, g, b, alpha;
};

texel sample(const darkroom_mesh& mesh, float u, float v) {
  const float x = u * static_cast<float>(mesh.texture_width) - 0.5F;
  const float y = (1.0F - v) * static_cast<float>(mesh.texture_height) - 0.5F;
  const float fx = std::floor(x), fy = std::floor(y);
  const float ax = x - fx, ay = y - fy;
  const auto at = [&](float cx, float cy) {
    const int ix = std::clamp(static_cast<int>(cx), 0, mesh.texture_width - 1);
    const int iy = std::clamp(static_cast<int>(cy), 0, mesh.texture_height - 1);
    return mesh.texture +
           4 * (static_cast<std::size_t>(iy) * static_cast<std::size_t>(mesh.texture_width) +
                static_cast<std::size_t>(ix));
  };
  const std::uint8_t* corner[4] = {at(fx, fy), at(fx + 1, fy), at(fx, fy + 1), at(fx + 1, fy + 1)};
  const float weight[4] = {(1 - ax) * (1 - ay), ax * (1 - ay), (1 - ax) * ay, ax * ay};
  float sum[4] = {};
  for (int k = 0; k < 4; ++k) {
    for (int c = 0; c < 4; ++c) sum[c] += weight[k] * static_cast<float>(corner[k][c]);
  }
  constexpr float scale = 1.0F / 255.0F;
  return {sum[0] * scale, sum[1] * scale, sum[2] * scale, sum[3] * scale};
}

float lattice_noise(int x, int y, int z) {
  auto h = static_cast<std::uint32_t>(x) * 374761393U + static_cast<std::uint32_t>(y) * 668265263U +
           static_cast<std::uint32_t>(z) * 2147483647U;
  h = (h ^ (h >> 13)) * 1274126177U;
  return static_cast<float>((h ^ (h >> 16)) & 0xFFFFU) / 65535.0F;
}

float smooth_noise(vec3 p) {
  const float fx = std::floor(p.x), fy = std::floor(p.y), fz = std::floor(p.z);
  const auto ease = [](float t) { return t * t * (3 - 2 * t); };
  const float a[3] = {ease(p.x - fx), ease(p.y - fy), ease(p.z - fz)};
  float sum = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const int i = corner & 1, j = (corner >> 1) & 1, k = corner >> 2;
    sum +=
        (i ? a[0] : 1 - a[0]) * (j ? a[1] : 1 - a[1]) * (k ? a[2] : 1 - a[2]) *
        lattice_noise(static_cast<int>(fx) + i, static_cast<int>(fy) + j, static_cast<int>(fz) + k);
  }
  return sum;
}

bool pattern_covers(const darkroom_material& material, vec3 p) {
  if (material.pattern == 0) return false;
  const float s = dot(load(material.pattern_axes), p) + material.pattern_phase[0];
  const float t = dot(load(material.pattern_axes + 3), p) + material.pattern_phase[1];
  const float fs = s - std::floor(s), ft = t - std::floor(t);
  switch (material.pattern) {
    case 1:
      return fs < material.pattern_duty;
    case 2:
      return (fs < material.pattern_duty) != (ft < material.pattern_duty);
    case 3:
      return (fs - 0.5F) * (fs - 0.5F) + (ft - 0.5F) * (ft - 0.5F) < 0.25F * material.pattern_duty;
    default: {
      const vec3 q{s, t, p.z / std::max(1e-3F, std::abs(p.y) + 1.0F) * 12.0F};
      return smooth_noise(q) * 0.65F + smooth_noise(q * 2.3F) * 0.35F < material.pattern_duty;
    }
  }
}

const std::array<float, 1025>& linear_of_srgb() {
  static const std::array<float, 1025> table = [] {
    std::array<float, 1025> t{};
    for (std::size_t k = 0; k < t.size(); ++k) {
      const float c = static_cast<float>(k) / 1024.0F;
      t[k] = c <= 0.04045F ? c / 12.92F : std::pow((c + 0.055F) / 1.055F, 2.4F);
    }
    return t;
  }();
  return table;
}

const std::array<float, 4097>& srgb_of_linear() {
  static const std::array<float, 4097> table = [] {
    std::array<float, 4097> t{};
    for (std::size_t k = 0; k < t.size(); ++k) {
      const float c = static_cast<float>(k) / 4096.0F;
      t[k] = 255.0F * (c <= 0.0031308F ? 12.92F * c : 1.055F * std::pow(c, 1.0F / 2.4F) - 0.055F);
    }
    return t;
  }();
  return table;
}

float to_linear(float srgb) {
  return linear_of_srgb()[static_cast<std::size_t>(std::clamp(srgb, 0.0F, 1.0F) * 1024.0F + 0.5F)];
}

/// Display value 0 .. 255; highlights above 0.8 are rolled off instead of cut.
float to_display(float linear) {
  const float soft =
      linear > 0.8F ? 1.0F - 0.2F * std::exp(-(linear - 0.8F) * 5.0F) : std::max(linear, 0.0F);
  return srgb_of_linear()[static_cast<std::size_t>(soft * 4096.0F + 0.5F)];
}

/// Irradiance over pi at a unit normal, from nine radiance coefficients (Ramamoorthi and Hanrahan
/// 2001).
vec3 irradiance(const float* sh, vec3 n) {
  const float basis[9] = {0.282095F,
                          0.325735F * n.y,
                          0.325735F * n.z,
                          0.325735F * n.x,
                          0.273137F * n.x * n.y,
                          0.273137F * n.y * n.z,
                          0.078848F * (3 * n.z * n.z - 1),
                          0.273137F * n.x * n.z,
                          0.136569F * (n.x * n.x - n.y * n.y)};
  vec3 sum;
  for (int k = 0; k < 9; ++k) sum = sum + load(sh + 3 * k) * basis[k];
  return {std::max(sum.x, 0.02F), std::max(sum.y, 0.02F), std::max(sum.z, 0.02F)};
}

/// Depth of all meshes as the sun sees them, on an orthographic grid around them.
class shadow_map {
 public:
  shadow_map(const std::vector<posed_mesh>& meshes, vec3 sun, std::int32_t size) : size_(size) {
    forward_ = sun * -1.0F;
    right_ = normalised(std::abs(sun.y) < 0.9F ? cross({0, 1, 0}, sun) : cross({1, 0, 0}, sun));
    up_ = cross(sun, right_);
    vec3 low{1e9F, 1e9F, 0}, high{-1e9F, -1e9F, 0};
    for (const posed_mesh& posed : meshes) {
      for (const vec3 p : posed.position) {
        const float u = dot(p, right_), v = dot(p, up_);
        low = {std::min(low.x, u), std::min(low.y, v), 0};
        high = {std::max(high.x, u), std::max(high.y, v), 0};
      }
    }
    const float extent = std::max(high.x - low.x, high.y - low.y);
    if (!(extent > 0)) return;
    scale_ = static_cast<float>(size - 4) / extent;
    origin_u_ = low.x - 2.0F / scale_;
    origin_v_ = low.y - 2.0F / scale_;
    depth_.assign(static_cast<std::size_t>(size) * static_cast<std::size_t>(size),
                  std::numeric_limits<float>::infinity());
    for (const posed_mesh& posed : meshes) draw(posed);
  }

  /// Share of the sun that reaches a point, from four neighbouring cells.
  [[nodiscard]] float light_at(vec3 p, float bias) const {
    if (depth_.empty()) return 1;
    const float u = (dot(p, right_) - origin_u_) * scale_ - 0.5F;
    const float v = (dot(p, up_) - origin_v_) * scale_ - 0.5F;
    const float limit = static_cast<float>(size_ - 2);
    if (!(u >= 0 && v >= 0 && u < limit && v < limit)) return 1;
    const auto x = static_cast<std::size_t>(u), y = static_cast<std::size_t>(v);
    const float au = u - static_cast<float>(x), av = v - static_cast<float>(y);
    const float depth = dot(p, forward_) - bias;
    const float* row = depth_.data() + y * static_cast<std::size_t>(size_) + x;
    const auto lit = [&](std::size_t k) { return depth <= row[k] ? 1.0F : 0.0F; };
    const auto below = static_cast<std::size_t>(size_);
    return (1 - av) * ((1 - au) * lit(0) + au * lit(1)) +
           av * ((1 - au) * lit(below) + au * lit(below + 1));
  }

 private:
  void draw(const posed_mesh& posed) {
    const std::size_t count = posed.position.size();
    std::vector<kernel::raster_point> cell(count);
    std::vector<float> depth(count);
    for (std::size_t v = 0; v < count; ++v) {
      const vec3 p = posed.position[v];
      cell[v] = kernel::raster_snap((dot(p, right_) - origin_u_) * scale_,
                                    (dot(p, up_) - origin_v_) * scale_);
      depth[v] = dot(p, forward_);
    }
    const kernel::raster_window window{0, 0, size_, size_};
    for (std::int32_t f = 0; f < posed.mesh->triangle_count; ++f) {
      const std::int32_t* v = posed.mesh->triangles + 3 * f;
      const kernel::raster_point a = cell[v[0]], b = cell[v[1]], c = cell[v[2]];
      kernel::raster_scan(
          a, b, c, kernel::raster_area(a, b, c), window,
          [&](std::int32_t x, std::int32_t y, float s0, float s1, float s2) {
            const float d = s0 * depth[v[0]] + s1 * depth[v[1]] + s2 * depth[v[2]];
            float& held = depth_[static_cast<std::size_t>(y) * static_cast<std::size_t>(size_) +
                                 static_cast<std::size_t>(x)];
            held = std::min(held, d);
          });
    }
  }

  std::int32_t size_;
  vec3 forward_, right_, up_;
  float scale_ = 1, origin_u_ = 0, origin_v_ = 0;
  std::vector<float> depth_;
};

struct fragment {
  std::int32_t mesh = -1;
  std::int32_t face = 0;
  float b1 = 0, b2 = 0;
};

template <class T>
T mix(T a, T b, T c, float b1, float b2) {
  return a * (1 - b1 - b2) + b * b1 + c * b2;
}

/// Depth test of one mesh into the fragments; holes of see-through textures stay holes.
void rasterize(const posed_mesh& posed, std::int32_t id, std::int32_t width, std::int32_t height,
               float* depth, std::vector<fragment>& fragments) {
  const darkroom_mesh& mesh = *posed.mesh;
  const kernel::raster_window window{0, 0, width, height};
  for (std::int32_t f = 0; f < mesh.triangle_count; ++f) {
    const std::int32_t* v = mesh.triangles + 3 * f;
    if (!posed.usable[v[0]] || !posed.usable[v[1]] || !posed.usable[v[2]]) continue;
    const kernel::raster_point a = posed.screen[v[0]], b = posed.screen[v[1]],
                               c = posed.screen[v[2]];
    const float za = 1 / posed.position[v[0]].z, zb = 1 / posed.position[v[1]].z,
                zc = 1 / posed.position[v[2]].z;
    const std::int32_t* corner = mesh.corners + 3 * f;
    kernel::raster_scan(a, b, c, kernel::raster_area(a, b, c), window,
                        [&](std::int32_t x, std::int32_t y, float s0, float s1, float s2) {
                          const std::size_t pixel =
                              static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                              static_cast<std::size_t>(x);
                          const float z = 1 / (s0 * za + s1 * zb + s2 * zc);
                          if (!(z < depth[pixel])) return;
                          const float b1 = s1 * zb * z, b2 = s2 * zc * z;
                          if (mesh.see_through) {
                            const float* uv[3] = {mesh.uv + 2 * corner[0], mesh.uv + 2 * corner[1],
                                                  mesh.uv + 2 * corner[2]};
                            if (sample(mesh, mix(uv[0][0], uv[1][0], uv[2][0], b1, b2),
                                       mix(uv[0][1], uv[1][1], uv[2][1], b1, b2))
                                    .alpha < 0.5F) {
                              return;
                            }
                          }
                          depth[pixel] = z;
                          fragments[pixel] = {id, f, b1, b2};
                        });
  }
}

vec3 shade(const posed_mesh& posed, const fragment& hit, const darkroom_light& light,
           const shadow_map& shadows) {
  const darkroom_mesh& mesh = *posed.mesh;
  const std::int32_t* v = mesh.triangles + 3 * hit.face;
  const std::int32_t* corner = mesh.corners + 3 * hit.face;
  const auto at = [&](const std::vector<vec3>& values) {
    return mix(values[v[0]], values[v[1]], values[v[2]], hit.b1, hit.b2);
  };
  const auto coordinate = [&](int k) {
    return mix(mesh.uv[2 * corner[0] + k], mesh.uv[2 * corner[1] + k], mesh.uv[2 * corner[2] + k],
               hit.b1, hit.b2);
  };
  const vec3 rest =
      mix(load(mesh.pattern_position + 3 * v[0]), load(mesh.pattern_position + 3 * v[1]),
          load(mesh.pattern_position + 3 * v[2]), hit.b1, hit.b2);
  const int paint = paint_at(mesh, rest);
  const darkroom_material& material =
      mesh.materials[paint >= 0 ? mesh.paints[paint].material : mesh.regions[hit.face]];
  const texel t = sample(mesh, coordinate(0), coordinate(1));
  const float* m = material.colour;
  vec3 albedo{m[0] * t.r + m[1] * t.g + m[2] * t.b + m[3],
              m[4] * t.r + m[5] * t.g + m[6] * t.b + m[7],
              m[8] * t.r + m[9] * t.g + m[10] * t.b + m[11]};
  if (pattern_covers(material, rest)) {
    albedo =
        albedo * (1 - material.pattern_mix) + load(material.pattern_colour) * material.pattern_mix;
  }
  albedo = {to_linear(albedo.x), to_linear(albedo.y), to_linear(albedo.z)};

  const vec3 position = at(posed.position);
  const vec3 view = normalised(position * -1.0F);
  vec3 normal = normalised(at(posed.normal));
  if (dot(normal, view) < 0) normal = normal * -1.0F;  // hair and cloth are seen from both sides
  const float* r = light.to_light;
  const vec3 lit_normal{dot(load(r), normal), dot(load(r + 3), normal), dot(load(r + 6), normal)};
  vec3 received = irradiance(light.harmonics, lit_normal);
  const vec3 sun = load(light.sun);
  const float facing = dot(normal, sun);
  float highlight = 0;
  vec3 sunlight{};
  if (facing > 0) {
    sunlight = load(light.sun_colour) * shadows.light_at(position + normal * 0.004F, 0.012F);
    received = received + sunlight * facing;
    if (material.specular > 0)
      highlight = material.specular *
                  std::pow(std::max(dot(normal, normalised(sun + view)), 0.0F), material.shininess);
  }
  const vec3 out{albedo.x * received.x + sunlight.x * highlight,
                 albedo.y * received.y + sunlight.y * highlight,
                 albedo.z * received.z + sunlight.z * highlight};
  return out * light.exposure;
}

/// Light on the floor seen through every pixel: the sun's shadow of the meshes.
void shade_floor(const darkroom_camera& camera, const darkroom_light& light,
                 const shadow_map& shadows, float* out) {
  const vec3 normal = load(light.floor_normal);
  const float sun = std::max(0.0F, dot(normal, load(light.sun)));
  for (std::int32_t y = 0; y < camera.height; ++y) {
    for (std::int32_t x = 0; x < camera.width; ++x) {
      const vec3 ray{(static_cast<float>(x) + 0.5F - camera.centre[0]) / camera.focal,
                     (static_cast<float>(y) + 0.5F - camera.centre[1]) / camera.focal, 1.0F};
      const float slope = dot(normal, ray);
      const float distance = light.floor_offset / slope;
      const bool hit = slope < -1e-4F && distance > near_plane && sun > 0.05F;
      const float lit = hit ? shadows.light_at(ray * distance, 0.01F) : 1.0F;
      out[static_cast<std::size_t>(y) * static_cast<std::size_t>(camera.width) +
          static_cast<std::size_t>(x)] = 1.0F - light.floor_shadow * (1.0F - lit);
    }
  }
}

}  // namespace

extern "C" {

/// Marks in `mask` [height, width] every pixel that a mesh with a label up to `last_label` covers.
void darkroom_silhouette(const darkroom_mesh* meshes, std::int32_t mesh_count,
                         const darkroom_camera* camera, std::int32_t last_label,
                         std::uint8_t* mask) {
  const kernel::raster_window window{0, 0, camera->width, camera->height};
  posed_mesh posed;
  for (std::int32_t k = 0; k < mesh_count; ++k) {
    if (meshes[k].label > last_label) continue;
    pose(meshes[k], posed);
    project(posed, camera->focal, camera->centre[0], camera->centre[1]);
    for (std::int32_t f = 0; f < meshes[k].triangle_count; ++f) {
      const std::int32_t* v = meshes[k].triangles + 3 * f;
      if (!posed.usable[v[0]] || !posed.usable[v[1]] || !posed.usable[v[2]]) continue;
      const kernel::raster_point a = posed.screen[v[0]], b = posed.screen[v[1]],
                                 c = posed.screen[v[2]];
      kernel::raster_scan(
          a, b, c, kernel::raster_area(a, b, c), window,
          [&](std::int32_t x, std::int32_t y, float, float, float) {
            mask[static_cast<std::size_t>(y) * static_cast<std::size_t>(camera->width) +
                 static_cast<std::size_t>(x)] = 255;
          });
    }
  }
}

/// Skinned vertices [V, 3] of a mesh in camera axes.
void darkroom_pose(const darkroom_mesh* mesh, float* out) {
  posed_mesh posed;
  pose(*mesh, posed);
  for (const vec3 p : posed.position) {
    *out++ = p.x;
    *out++ = p.y;
    *out++ = p.z;
  }
}

/// Draws the meshes: colour, coverage, floor shadow, and depth and label of every sample.
void darkroom_draw(const darkroom_mesh* meshes, std::int32_t mesh_count,
                   const darkroom_camera* camera, const darkroom_light* light,
                   const darkroom_picture* picture) {
  const std::int32_t samples = picture->samples;
  const std::int32_t width = camera->width * samples, height = camera->height * samples;
  const auto scale = static_cast<float>(samples);
  const std::size_t area = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  std::vector<posed_mesh> posed(static_cast<std::size_t>(mesh_count));
  std::vector<fragment> fragments(area);
  std::fill_n(picture->depth, area, std::numeric_limits<float>::infinity());
  std::fill_n(picture->label, area, std::uint8_t{0});
  for (std::int32_t k = 0; k < mesh_count; ++k) {
    posed_mesh& mesh = posed[static_cast<std::size_t>(k)];
    pose(meshes[k], mesh);
    accumulate_normals(meshes[k], mesh.position, mesh.normal);
    project(mesh, camera->focal * scale, camera->centre[0] * scale, camera->centre[1] * scale);
    rasterize(mesh, k, width, height, picture->depth, fragments);
  }
  const shadow_map shadows(posed, load(light->sun), light->shadow_size);

  const float share = 1.0F / static_cast<float>(samples * samples);
  for (std::int32_t y = 0; y < camera->height; ++y) {
    for (std::int32_t x = 0; x < camera->width; ++x) {
      vec3 colour;
      int covered = 0, shaded = 0, person = 0;
      for (std::int32_t s = 0; s < samples * samples; ++s) {
        const std::size_t pixel =
            static_cast<std::size_t>(y * samples + s / samples) * static_cast<std::size_t>(width) +
            static_cast<std::size_t>(x * samples + s % samples);
        const fragment& hit = fragments[pixel];
        if (hit.mesh < 0) continue;
        const posed_mesh& mesh = posed[static_cast<std::size_t>(hit.mesh)];
        picture->label[pixel] = static_cast<std::uint8_t>(mesh.mesh->label);
        person += mesh.mesh->label <= 2;
        ++covered;
        // Every sample counts for coverage; colour is taken from every other one, in a
        // checkerboard.
        if (covered > 1 && ((s / samples + s % samples) & 1) != 0) continue;
        const vec3 light_out = shade(mesh, hit, *light, shadows);
        colour = colour +
                 vec3{to_display(light_out.x), to_display(light_out.y), to_display(light_out.z)};
        ++shaded;
      }
      if (shaded > 0) colour = colour * (static_cast<float>(covered) / static_cast<float>(shaded));
      const std::size_t at = static_cast<std::size_t>(y) * static_cast<std::size_t>(camera->width) +
                             static_cast<std::size_t>(x);
      const auto byte = [&](float value) {
        return static_cast<std::uint8_t>(value * share + 0.5F);
      };
      picture->colour[4 * at] = byte(colour.x);
      picture->colour[4 * at + 1] = byte(colour.y);
      picture->colour[4 * at + 2] = byte(colour.z);
      picture->colour[4 * at + 3] = byte(255.0F * static_cast<float>(covered));
      picture->person[at] = byte(255.0F * static_cast<float>(person));
    }
  }
  shade_floor(*camera, *light, shadows, picture->shade);
}
}
