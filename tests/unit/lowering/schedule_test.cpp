// SPDX-License-Identifier: MIT
#include "vggplan/lowering/schedule.hpp"

#include <algorithm>
#include <limits>

#include "support/catch.hpp"
#include "support/checkpointing.hpp"
#include "support/vgg.hpp"

namespace vggplan::lowering {
namespace {

using job::Checkpointing;
using job::Mode;
using support::kBlock;
using support::network;
using support::sequential;
using support::vgg;
using support::vgg16;

std::vector<Segment> cut_of(const graph::Network& net, const Checkpointing& how) {
  auto found = segments(net, how);
  REQUIRE(found.has_value());
  return std::move(found).value();
}

base::Diagnostic error_of(const graph::Network& net, const Checkpointing& how) {
  const auto found = segments(net, how);
  REQUIRE(!found.has_value());
  return found.error();
}

std::vector<Visit> visits_of(const graph::Network& net, const Checkpointing& how, Mode mode = Mode::train) {
  return schedule(net, cut_of(net, how), mode);
}

/// What torchvision counts from 0 are nodes behind the image.
std::vector<Segment> modules(std::vector<Segment> segments) {
  for (Segment& segment : segments) {
    segment = {kFirstNode + segment.first, kFirstNode + segment.last};
  }
  return segments;
}

// torchvision's vgg16.features: 31 modules, pools at 4, 9, 16, 23, 30.

TEST_CASE("nothing is checkpointed unless asked for") { CHECK(cut_of(vgg16(224, 224), {}).empty()); }

TEST_CASE("a block ends with its pool") {
  CHECK(cut_of(vgg16(224, 224), kBlock) == modules({{0, 5}, {5, 10}, {10, 17}, {17, 24}, {24, 31}}));
}

TEST_CASE("convolutions behind the last pool are a block too") {
  const graph::ModelSpec spec{.name = "open", .features = {8, graph::kPool, 16, 16}};
  CHECK(cut_of(network(spec, {3, 32, 32}), kBlock) == modules({{0, 3}, {3, 7}}));
}

TEST_CASE("checkpoint_sequential cuts equal lengths and leaves the last segment alone") {
  // 31 // 2 = 15, 31 // 3 = 10, 31 // 4 = 7: modules 15, 20 and 21 begin what runs normally.
  const graph::Network net = vgg16(224, 224);
  CHECK(cut_of(net, sequential(1)).empty());
  CHECK(cut_of(net, sequential(2)) == modules({{0, 15}}));
  CHECK(cut_of(net, sequential(3)) == modules({{0, 10}, {10, 20}}));
  CHECK(cut_of(net, sequential(4)) == modules({{0, 7}, {7, 14}, {14, 21}}));
}

TEST_CASE("a checkpointed segment may not begin with an in-place ReLU") {
  const base::Diagnostic error = error_of(vgg16(224, 224), sequential(5));
  CHECK(error.fault == base::Fault::question);
  CHECK(error.place == "--checkpointing");
  CHECK(error.rule ==
        "seq:5 begins a checkpointed segment of vgg16 at relu2_1, an in-place ReLU, which PyTorch refuses in backward");
  CHECK(error.remedy == "use block, seq:2, seq:3, seq:4");
}

TEST_CASE("vgg16 works with two, three and four segments alone") {
  const graph::Network net = vgg16(224, 224);
  for (std::int64_t count = 2; count <= 31; ++count) {
    CHECK(segments(net, sequential(count)).has_value() == (count <= 4));
  }
}

TEST_CASE("the number of segments lies between one and the number of modules") {
  const graph::Network net = vgg16(224, 224);
  const base::Diagnostic error = error_of(net, sequential(32));
  CHECK(error.rule == "takes seq:N with N from 1 to 31, the layers of the features of vgg16, not 32");
  CHECK(error.remedy == "use block, seq:2, seq:3, seq:4");
  CHECK(error_of(net, sequential(0)).place == "--checkpointing");
  CHECK(error_of(net, sequential(std::numeric_limits<std::int64_t>::min())).place == "--checkpointing");
  CHECK(error_of(net, sequential(std::numeric_limits<std::int64_t>::max())).place == "--checkpointing");
}

TEST_CASE("a segment may begin with a batch norm") {
  // vgg16_bn: 44 modules, pools at 6, 13, 23, 33, 43. 44 // 6 = 7: module 21 is bn3_3, 28 is bn4_2.
  const graph::Network net = network(vgg(16, true), {3, 224, 224});
  REQUIRE(net.nodes[kFirstNode + 21].name == "bn3_3");
  CHECK(cut_of(net, sequential(3)) == modules({{0, 14}, {14, 28}}));
  CHECK(cut_of(net, sequential(6)) == modules({{0, 7}, {7, 14}, {14, 21}, {21, 28}, {28, 35}}));
  // 44 // 4 = 11, 44 // 8 = 5, 44 // 11 = 4.
  CHECK(error_of(net, sequential(4)).rule.find("relu3_3") != std::string::npos);
  CHECK(error_of(net, sequential(8)).rule.find("relu1_2") != std::string::npos);
  CHECK(error_of(net, sequential(11)).rule.find("relu2_2") != std::string::npos);
}

TEST_CASE("without checkpoints every layer is visited forward, then backward") {
  const graph::Network net = vgg16(224, 224);
  const auto visits = visits_of(net, {});
  REQUIRE(visits.size() == 2 * support::layer_count(net));
  for (std::size_t i = 0; i < support::layer_count(net); ++i) {
    CHECK(visits[i] == Visit{Pass::forward, kFirstNode + i, kNoSegment});
    CHECK(visits[visits.size() - 1 - i] == Visit{Pass::backward, kFirstNode + i, kNoSegment});
  }
}

TEST_CASE("inference goes forward alone, whatever is checkpointed") {
  const graph::Network net = vgg16(224, 224);
  const auto visits = visits_of(net, kBlock, Mode::infer);
  REQUIRE(visits.size() == support::layer_count(net));
  for (std::size_t i = 0; i < visits.size(); ++i) {
    CHECK(visits[i] == Visit{Pass::forward, kFirstNode + i, kNoSegment});
  }
}

TEST_CASE("a segment is run again just before its own backward") {
  const graph::ModelSpec spec{.name = "tiny", .features = {4, graph::kPool, 8, graph::kPool}, .hidden = {}};
  const graph::Network net = network(spec, {3, 32, 32}, 10, graph::Head::gap);
  // image | conv1_1 relu1_1 pool1 | conv2_1 relu2_1 pool2 | avgpool flatten fc1
  const std::vector<Visit> expected{
      {Pass::forward, 1, 0},           {Pass::forward, 2, 0},           {Pass::forward, 3, 0},
      {Pass::forward, 4, 1},           {Pass::forward, 5, 1},           {Pass::forward, 6, 1},
      {Pass::forward, 7, kNoSegment},  {Pass::forward, 8, kNoSegment},  {Pass::forward, 9, kNoSegment},
      {Pass::backward, 9, kNoSegment}, {Pass::backward, 8, kNoSegment}, {Pass::backward, 7, kNoSegment},
      {Pass::recompute, 4, 1},         {Pass::recompute, 5, 1},         {Pass::recompute, 6, 1},
      {Pass::backward, 6, 1},          {Pass::backward, 5, 1},          {Pass::backward, 4, 1},
      {Pass::recompute, 1, 0},         {Pass::recompute, 2, 0},         {Pass::recompute, 3, 0},
      {Pass::backward, 3, 0},          {Pass::backward, 2, 0},          {Pass::backward, 1, 0},
  };
  CHECK(visits_of(net, kBlock) == expected);
}

}  // namespace
}  // namespace vggplan::lowering
