// SPDX-License-Identifier: Apache-2.0
// SMPL and the rasterizer beside their peers: obeys the driver. FOLDER holds beta.f32 and
// theta.f32.
//   body_worker smpl|smpl-eigen|silhouette FOLDER
#include <Eigen/Core>
#include <Eigen/Geometry>
#include <Eigen/SparseCore>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "body_scene.hpp"
#include "commands.hpp"
#include "maquette/render/silhouette.hpp"

using namespace maquette;

namespace {

/// SMPL as one writes it with Eigen: all blend shapes in one product, the skinning weights as a
/// sparse matrix.
class eigen_smpl {
 public:
  explicit eigen_smpl(const body_model& body)
      : body_(body),
        directions_(size(body), body.shape_count + body_model::pose_feature_count),
        coefficients_(directions_.cols()),
        weights_(static_cast<Eigen::Index>(body.vertex_count), 24),
        blended_(size(body)),
        transforms_(24, 12),
        vertex_transforms_(weights_.rows(), 12) {
    const auto shapes = static_cast<Eigen::Index>(body.shape_count);
    directions_.leftCols(shapes) =
        Eigen::Map<const Eigen::MatrixXf>(body.shapedirs.data(), size(body), shapes);
    directions_.rightCols(207) =
        Eigen::Map<const Eigen::MatrixXf>(body.posedirs.data(), size(body), 207);
    std::vector<Eigen::Triplet<float>> entries;
    for (std::size_t i = 0; i < body.skin_weight.size(); ++i)
      if (body.skin_weight[i] != 0)
        entries.emplace_back(i / body.influences, body.skin_joint[i], body.skin_weight[i]);
    weights_.setFromTriplets(entries.begin(), entries.end());
  }

  void operator()(const std::vector<float>& beta, const std::vector<float>& theta,
                  std::vector<float>& vertices) {
    std::array<Eigen::Matrix3f, 24> rotations;
    for (std::size_t j = 0; j < 24; ++j) {
      const Eigen::Map<const Eigen::Vector3f> turn(theta.data() + 3 * j);
      const float angle = turn.norm();
      rotations[j] = Eigen::Matrix3f::Identity();
      if (angle > 0) rotations[j] = Eigen::AngleAxisf(angle, turn / angle).toRotationMatrix();
    }
    const auto shapes = static_cast<Eigen::Index>(beta.size());
    const Eigen::Map<const Eigen::VectorXf> shape(beta.data(), shapes);
    coefficients_.head(shapes) = shape;
    for (std::size_t j = 1; j < 24; ++j)
      Eigen::Map<row_major<3, 3>>(coefficients_.data() + shapes + 9 * (j - 1)) =
          rotations[j] - Eigen::Matrix3f::Identity();
    blended_.noalias() = directions_ * coefficients_;
    blended_ += Eigen::Map<const Eigen::VectorXf>(body_.v_template.data(), blended_.size());

    const Eigen::Matrix<float, 72, 1> joints =
        Eigen::Map<const Eigen::Matrix<float, 72, 1>>(body_.joint_template.data()) +
        Eigen::Map<const Eigen::Matrix<float, 72, Eigen::Dynamic>>(body_.joint_directions.data(),
                                                                   72, shapes) *
            shape;
    std::array<Eigen::Affine3f, 24> world;
    for (std::size_t j = 0; j < 24; ++j) {
      const Eigen::Vector3f joint = joints.segment<3>(static_cast<Eigen::Index>(3 * j));
      const Eigen::Affine3f local = Eigen::Translation3f(joint) * rotations[j] *
                                    Eigen::Translation3f(Eigen::Vector3f(-joint));
      world[j] =
          body_.parents[j] < 0 ? local : world[static_cast<std::size_t>(body_.parents[j])] * local;
      Eigen::Map<row_major<3, 4>>(transforms_.row(static_cast<Eigen::Index>(j)).data()) =
          world[j].affine();
    }
    vertex_transforms_.noalias() = weights_ * transforms_;
    for (Eigen::Index v = 0; v < weights_.rows(); ++v) {
      const Eigen::Map<const row_major<3, 4>> transform(vertex_transforms_.row(v).data());
      Eigen::Map<Eigen::Vector3f>(vertices.data() + 3 * v) =
          transform * blended_.segment<3>(3 * v).homogeneous();
    }
  }

 private:
  template <int Rows, int Columns>
  using row_major = Eigen::Matrix<float, Rows, Columns, Eigen::RowMajor>;

  static Eigen::Index size(const body_model& body) {
    return static_cast<Eigen::Index>(3 * body.vertex_count);
  }

  const body_model& body_;
  Eigen::MatrixXf directions_;  // [3 V, shapes + 207]
  Eigen::VectorXf coefficients_;
  Eigen::SparseMatrix<float, Eigen::RowMajor> weights_;
  Eigen::VectorXf blended_;
  row_major<Eigen::Dynamic, 12> transforms_;
  row_major<Eigen::Dynamic, 12> vertex_transforms_;
};

int serve_silhouette(const body_model& body) {
  const body_scene scene(body);
  std::vector<float> projected(scene.vertices.size());
  std::vector<std::uint8_t> mask(std::size_t{body_scene::size} * body_scene::size);
  const auto call = [&] {
    draw_silhouette(scene.view, scene.vertices, scene.translation, scene.faces, projected,
                    body_scene::size, body_scene::size, mask);
  };
  return obey<decltype(call), std::uint8_t>(call, {mask});
}

int serve_smpl(const body_model& body, const std::string& folder, bool with_eigen) {
  const std::vector<float> beta = read_floats(folder + "/beta.f32");
  const std::vector<float> theta = read_floats(folder + "/theta.f32");
  if (beta.size() != body.shape_count || theta.size() != 72)
    return fail(folder + ": expected beta.f32 and theta.f32");
  std::vector<float> vertices(3 * body.vertex_count);
  if (with_eigen) {
    eigen_smpl model(body);
    const auto call = [&] { model(beta, theta, vertices); };
    return obey<decltype(call), float>(call, {vertices});
  }
  smpl_workspace workspace(body);
  std::vector<float> joints(72);
  const auto call = [&] { smpl<float>(body, {beta, theta, {}}, workspace, vertices, joints); };
  return obey<decltype(call), float>(call, {vertices});
}

}  // namespace

int main(int count, char** arguments) {
  const std::string usage = "usage: body_worker smpl|smpl-eigen|silhouette FOLDER";
  if (count != 3) return fail(usage);
  const result<body_model> body = default_body();
  if (!body) return fail(body.error().message);
  const std::string name = arguments[1];
  if (name == "silhouette") return serve_silhouette(*body);
  if (name == "smpl" || name == "smpl-eigen")
    return serve_smpl(*body, arguments[2], name == "smpl-eigen");
  return fail(usage);
}
