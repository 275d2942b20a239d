// SPDX-License-Identifier: Apache-2.0
// The silhouette of body_worker by Mesa's rasterizer for processors (OSMesa): obeys the driver.
// Each call hands the vertices over, draws all faces white without a depth test, and waits.
#define GL_GLEXT_PROTOTYPES
#include <GL/gl.h>
#include <GL/glext.h>
#include <GL/osmesa.h>

#include <array>
#include <cstdint>
#include <vector>

#include "body_scene.hpp"
#include "commands.hpp"

namespace {

/// From the camera's frame to OpenGL's clip space; rows of the picture grow downwards, as they do
/// in the camera, so that row 0 of the buffer is the picture's first.
std::array<float, 16> projection(const maquette::camera& view, double near, double far) {
  constexpr double size = body_scene::size;
  std::array<float, 16> m{};  // column by column
  m[0] = static_cast<float>(2 * view.focal / size);
  m[5] = m[0];
  m[8] = static_cast<float>(2 * view.centre_x / size - 1);
  m[9] = static_cast<float>(2 * view.centre_y / size - 1);
  m[10] = static_cast<float>((far + near) / (far - near));
  m[11] = 1;
  m[14] = static_cast<float>(-2 * far * near / (far - near));
  return m;
}

}  // namespace

int main() {
  const auto body = default_body();
  if (!body) return fail(body.error().message);
  const body_scene scene(*body);
  constexpr int size = body_scene::size;
  std::vector<std::uint8_t> pixels(std::size_t{size} * size * 4);
  const OSMesaContext mesa = OSMesaCreateContextExt(OSMESA_RGBA, 0, 0, 0, nullptr);
  if (mesa == nullptr || !OSMesaMakeCurrent(mesa, pixels.data(), GL_UNSIGNED_BYTE, size, size))
    return fail("mesa_worker: Mesa gives no context");
  glMatrixMode(GL_PROJECTION);
  const double depth = scene.translation.z;
  glLoadMatrixf(projection(scene.view, depth / 2, 2 * depth).data());
  glMatrixMode(GL_MODELVIEW);
  glTranslated(scene.translation.x, scene.translation.y, scene.translation.z);
  std::array<GLuint, 2> buffers{};
  glGenBuffers(2, buffers.data());
  glBindBuffer(GL_ARRAY_BUFFER, buffers[0]);
  glBindBuffer(GL_ELEMENT_ARRAY_BUFFER, buffers[1]);
  const auto bytes = [](const auto& values) {
    return static_cast<GLsizeiptr>(values.size() * sizeof(values[0]));
  };
  glBufferData(GL_ELEMENT_ARRAY_BUFFER, bytes(scene.faces), scene.faces.data(), GL_STATIC_DRAW);
  glEnableClientState(GL_VERTEX_ARRAY);
  glVertexPointer(3, GL_FLOAT, 0, nullptr);
  const auto call = [&] {
    glBufferData(GL_ARRAY_BUFFER, bytes(scene.vertices), scene.vertices.data(), GL_STREAM_DRAW);
    glClear(GL_COLOR_BUFFER_BIT);
    glDrawElements(GL_TRIANGLES, static_cast<GLsizei>(scene.faces.size()), GL_UNSIGNED_INT,
                   nullptr);
    glFinish();
  };
  return obey<decltype(call), std::uint8_t>(call, {pixels});
}
