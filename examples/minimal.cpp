// SPDX-License-Identifier: Apache-2.0
// A photo in, a mesh and a pose out: what an embedding program writes.
#include <cstdio>

#include "maquette/estimator.hpp"
#include "maquette/io/image.hpp"
#include "maquette/io/obj.hpp"

int main(int count, char** arguments) {
  if (count != 5) return std::puts("usage: minimal WEIGHTS BODY PHOTO MESH.obj"), 2;
  const auto fail = [](const maquette::error& e) { return std::puts(e.message.c_str()), 1; };

  const auto estimator = maquette::estimator::load(arguments[1], arguments[2]);
  if (!estimator) return fail(estimator.error());
  const auto photo = maquette::read_image(arguments[3]);
  if (!photo) return fail(photo.error());

  const auto person = (*estimator)(*photo);
  if (!person) return fail(person.error());
  std::printf("found with a score of %.2f, root rotation %.2f %.2f %.2f\n", person->score,
              person->theta[0], person->theta[1], person->theta[2]);

  const auto written =
      maquette::write_obj(arguments[4], {person->vertices, estimator->body().faces},
                          maquette::mesh_frame::camera);  // upright for a viewer
  return written ? 0 : fail(written.error());
}
