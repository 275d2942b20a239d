// SPDX-License-Identifier: Apache-2.0
// The body model against an independent float64 implementation: see make_body_goldens.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "maquette/body/smpl.hpp"
#include "maquette/io/body_npz.hpp"

using namespace maquette;

namespace {

const std::string source = MAQUETTE_SOURCE_DIR;

template <class T>
std::vector<T> read(const npz& archive, const char* key) {
  const result<npy_array> array = archive.read(key);
  REQUIRE(array);
  result<std::vector<T>> values = array->values<T>();
  REQUIRE(values);
  return *values;
}

struct errors {
  double vertices = 0;
  double joints = 0;
  double mpii = 0;
};

/// The largest differences from the goldens over all their poses, in metres.
template <class T>
errors compare(const std::string& body, const std::string& goldens) {
  const result<basic_body_model<T>> model = load_body<T>(body);
  const std::string reason = model ? "" : model.error().message;
  REQUIRE_MESSAGE(model, reason);
  const result<npz> archive = npz::open(goldens);
  REQUIRE(archive);
  const auto beta = read<T>(*archive, "beta");
  const auto theta = read<T>(*archive, "theta");
  const auto translation = read<T>(*archive, "translation");
  const auto chosen = read<std::size_t>(*archive, "chosen");
  const auto vertices = read<double>(*archive, "vertices");
  const auto joints = read<double>(*archive, "joints");
  const auto mpii = read<double>(*archive, "mpii");

  basic_smpl_workspace<T> workspace(*model);
  std::vector<T> mesh(3 * model->vertex_count);
  std::vector<T> found(72);
  std::vector<T> found_mpii(48);
  errors worst;
  const auto raise = [](double& most, T a, double b) {
    most = std::max(most, std::abs(static_cast<double>(a) - b));
  };
  const std::size_t poses = theta.size() / 72;
  CHECK(poses >= 4);
  for (std::size_t p = 0; p < poses; ++p) {
    const basic_smpl_parameters<T> parameters{
        std::span<const T>(beta).subspan(10 * p, 10),
        std::span<const T>(theta).subspan(72 * p, 72),
        {translation[3 * p], translation[3 * p + 1], translation[3 * p + 2]}};
    smpl<T>(*model, parameters, workspace, mesh, found);
    mpii_joints<T>(*model, mesh, found, found_mpii);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      for (std::size_t k = 0; k < 3; ++k) {
        raise(worst.vertices, mesh[3 * chosen[i] + k], vertices[3 * (chosen.size() * p + i) + k]);
      }
    }
    for (std::size_t i = 0; i < 72; ++i) raise(worst.joints, found[i], joints[72 * p + i]);
    for (std::size_t i = 0; i < 48; ++i) raise(worst.mpii, found_mpii[i], mpii[48 * p + i]);
  }
  MESSAGE(body.substr(source.size()) << ": vertices " << worst.vertices << " m, joints "
                                     << worst.joints << " m, mpii " << worst.mpii << " m");
  return worst;
}

void check(const errors& worst, double limit) {
  CHECK(worst.vertices < limit);
  CHECK(worst.joints < limit);
  CHECK(worst.mpii < limit);
}

}  // namespace

TEST_CASE("a small random body is posed as by the float64 reference") {
  const std::string data = source + "/tests/golden/data/";
  check(compare<float>(data + "body_small.npz", data + "body_small_poses.npz"), 1e-5);
  check(compare<double>(data + "body_small.npz", data + "body_small_poses.npz"), 1e-12);
}

TEST_CASE("the default body is posed as by the float64 reference") {
  const std::string goldens = source + "/tests/golden/data/body_default_poses.npz";
  check(compare<float>(source + "/weights/body.npz", goldens), 1e-5);
  check(compare<double>(source + "/weights/body.npz", goldens), 1e-12);
}
