// SPDX-License-Identifier: MIT
#include "support/catch.hpp"
#include "support/vgg.hpp"
#include "vggplan/estimate/run.hpp"

namespace vggplan::estimate {
namespace {

/// By walking back from one output to the pixels that reach it.
std::int64_t by_walking_back(const graph::ModelSpec& model) {
  std::int64_t window = 1;
  for (auto width = model.features.rbegin(); width != model.features.rend(); ++width) {
    window = *width == graph::kPool ? window * 2 : window + 2;
  }
  return window;
}

TEST_CASE("an output of the last pooling sees what walking back from it reaches") {
  CHECK(receptive_field(support::vgg16(224, 224)).size == 212);  // as published for pool5 of VGG16
  for (const int depth : {11, 13, 16, 19}) {
    const ReceptiveField field = receptive_field(support::network(support::vgg(depth), {3, 64, 64}));
    CHECK(field.size == by_walking_back(support::vgg(depth)));
    CHECK(field.stride == 32);
  }
}

}  // namespace
}  // namespace vggplan::estimate
