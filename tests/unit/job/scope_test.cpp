// SPDX-License-Identifier: MIT
// What a job asks of its network: frozen layers, a cut, an image that is trained.
#include <algorithm>
#include <utility>

#include "support/catch.hpp"
#include "support/vgg.hpp"
#include "vggplan/job/job.hpp"

namespace vggplan::job {
namespace {

Job vgg16_job() {
  Job job;
  job.model = support::vgg(16);
  job.image = {3, 224, 224};
  return job;
}

graph::Network asked(const graph::Scope& scope) {
  Job job = vgg16_job();
  job.scope = scope;
  return network_of(job).value();
}

std::int64_t trained(const graph::Network& network) {
  std::int64_t elements = 0;
  for (const graph::ParameterTensor& tensor : graph::trained_tensors(network)) {
    elements += tensor.elements;
  }
  return elements;
}

TEST_CASE("what is left to train is what the layers that are not frozen hold") {
  constexpr std::int64_t kAll = 138'357'544;      // torchvision
  constexpr std::int64_t kFeatures = 14'714'688;  // of vgg16().features
  CHECK(trained(asked({})) == kAll);
  CHECK(trained(asked({.freeze = "features"})) == kAll - kFeatures);
  CHECK(trained(asked({.freeze = "all-but-last"})) == 4096 * 1000 + 1000);
  CHECK(trained(asked({.freeze = "first:2"})) == kAll - (3 * 64 * 9 + 64) - (64 * 64 * 9 + 64));
  CHECK(trained(asked({.freeze = "conv1_?"})) == trained(asked({.freeze = "first:2"})));
  CHECK(trained(asked({.trained = graph::Trained::image})) == 0);
}

TEST_CASE("a frozen batch norm normalises by its running statistics, and is trained where only these are frozen") {
  constexpr std::int64_t kAll = 138'365'992;      // torchvision: vgg16_bn
  constexpr std::int64_t kNorms = 2 * 4'224;      // weight and bias of 2x64 + 2x128 + 3x256 + 6x512 channels
  constexpr std::int64_t kFeatures = 14'723'136;  // of vgg16_bn().features
  Job job = vgg16_job();
  job.model = support::vgg(16, true);
  const auto frozen = [&](const graph::Scope& scope) {
    job.scope = scope;
    const graph::Network network = network_of(job).value();
    const auto count = std::count_if(network.nodes.begin(), network.nodes.end(), [](const graph::Node& node) {
      const auto* norm = std::get_if<graph::BatchNorm>(&node.kind);
      return norm != nullptr && norm->frozen;
    });
    return std::pair(count, trained(network));
  };
  using graph::FrozenNorm;
  CHECK(frozen({}) == std::pair(std::ptrdiff_t{0}, kAll));
  CHECK(frozen({.norm = FrozenNorm::statistics}) == std::pair(std::ptrdiff_t{13}, kAll));
  CHECK(frozen({.norm = FrozenNorm::all}) == std::pair(std::ptrdiff_t{13}, kAll - kNorms));
  CHECK(frozen({.freeze = "features", .norm = FrozenNorm::all}) == std::pair(std::ptrdiff_t{13}, kAll - kFeatures));
  CHECK_FALSE(normalizes_by_batch(job));
}

TEST_CASE("a network that is cut ends with the layer and the mean squared error of its output") {
  const graph::Network network = asked({.until = "relu3_3"});
  CHECK(network.nodes[network.nodes.size() - 2].name == "relu3_3");
  CHECK(network.nodes.back().input == graph::Shape{256, 56, 56});
  CHECK(std::get<graph::Loss>(network.nodes.back().kind).objective == graph::Objective::mse);
  CHECK(graph::count(network).parameters == 1'735'488);  // measured: of vgg16().features[:16]
}

TEST_CASE("a trained image has one output to be compared by") {
  Job job = vgg16_job();
  job.model = {.architecture = "ssd300-vgg16"};
  job.image = {3, 300, 300};
  job.scope.trained = graph::Trained::image;
  const auto refused = network_of(job);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().place == "--train");
  CHECK(refused.error().remedy.find("--until") != std::string::npos);
  job.scope.until = "conv4_3";
  CHECK(network_of(job));
}

TEST_CASE("a scope that cannot be is refused by name") {
  const auto place = [](const graph::Scope& scope) {
    Job job = vgg16_job();
    job.scope = scope;
    const auto network = network_of(job);
    return network ? std::string() : network.error().place;
  };
  CHECK(place({.freeze = "nobody"}) == "--freeze");
  CHECK(place({.freeze = "first:14"}) == "--freeze");
  CHECK(place({.freeze = "*"}) == "--freeze");
  CHECK(place({.until = "relu9_9"}) == "--until");
  CHECK(place({.norm = graph::FrozenNorm::all}) == "--freeze-norm");
  CHECK(place({.objective = graph::Objective::ssd}) == "--loss");
  CHECK(place({.until = "pool5", .objective = graph::Objective::cross_entropy}) == "--loss");
  Job job = vgg16_job();
  job.scope.trained = graph::Trained::image;
  CHECK_FALSE(validate(job).has_value());
  job.parallel.gpus = 2;
  REQUIRE(validate(job).has_value());
  CHECK(validate(job)->place == "--train");
}

}  // namespace
}  // namespace vggplan::job
