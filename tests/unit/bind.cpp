#include "maquette/nn/bind.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <string>

#include "maquette/model/human2d.hpp"
#include "maquette/model/pose_prior.hpp"
#include "maquette/model/shape_prior.hpp"
#include "support/synthetic.hpp"

using namespace maquette;

namespace {

using network = nn::residual<4, 6>;

named_tensor& tensor(synthetic::weights<network>& weights, const std::string& name) {
  return *std::find_if(weights.tensors.begin(), weights.tensors.end(),
                       [&](const named_tensor& t) { return t.name == name; });
}

}  // namespace

TEST_CASE("the paper's networks have the paper's number of parameters") {
  // PyTorch's count of parameters and running statistics.
  CHECK(nn::parameter_count<human2d<>>() == 18475172);
  CHECK(nn::parameter_count<pose_prior<>>() == 4416656);
  CHECK(nn::parameter_count<shape_prior<>>() == 615090);
}

TEST_CASE("binding takes tensors in any order and ignores what lies outside of the prefix") {
  synthetic::weights<network> weights("here.");
  const std::vector<float> other(3, std::numeric_limits<float>::quiet_NaN());
  weights.tensors.push_back({"elsewhere.weight", tensor_shape(3), other});
  weights.tensors.push_back({"here.norm1.num_batches_tracked", tensor_shape(), {other.data(), 1}});
  std::reverse(weights.tensors.begin(), weights.tensors.end());
  const auto bound = nn::bind<network>(weights.tensors, "here.");
  REQUIRE_MESSAGE(bound, bound.error().message);
  CHECK(bound->parameter_bytes() > 0);
}

TEST_CASE("binding reports every missing, extra, misshapen and broken tensor at once") {
  synthetic::weights<network> weights("n.");
  std::vector<float> broken(2, 1.0F);
  tensor(weights, "n.conv1.weight").shape = tensor_shape(4, 3, 1, 1);
  broken[1] = std::numeric_limits<float>::infinity();
  const std::vector<float> bias = {0, 0, std::numeric_limits<float>::quiet_NaN()};
  tensor(weights, "n.conv2.bias").values = bias;
  const std::vector<float> variance = {1, -2, 1};
  tensor(weights, "n.norm2.running_var").values = variance;
  tensor(weights, "n.skip.bias").name = "n.skip.offset";
  const auto bound = nn::bind<network>(weights.tensors, "n.");
  REQUIRE(!bound);
  CHECK(bound.error().code == errc::mismatch);
  CHECK(bound.error().message ==
        "The tensor n.conv1.weight has the shape [4, 3, 1, 1] where [3, 4, 1, 1] was expected.\n"
        "The tensor n.norm2.running_var holds -2.000000 at index 1 where a variance was expected.\n"
        "The tensor n.conv2.bias holds nan at index 2 where a finite number was expected.\n"
        "The tensor n.skip.bias of shape [6] is missing.\n"
        "The tensor n.skip.offset of shape [6] has no place in the network.");
}

TEST_CASE("an empty source misses every tensor") {
  const auto bound = nn::bind<network>({});
  REQUIRE(!bound);
  const std::string& message = bound.error().message;
  CHECK(std::count(message.begin(), message.end(), '\n') + 1 == 20);
}
