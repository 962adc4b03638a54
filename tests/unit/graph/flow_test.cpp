// SPDX-License-Identifier: MIT
// Flow of small networks, by hand.
#include "vggplan/graph/flow.hpp"

#include "support/catch.hpp"
#include "support/vgg.hpp"
#include "vggplan/graph/builder.hpp"

namespace vggplan::graph {
namespace {

using Ids = std::vector<NodeId>;
using Flags = std::vector<bool>;

/// 0 image, 1 conv, 2 conv, 3 ReLU, 4 conv, 5 sum with 2, 6 ReLU, 7 pool, 8 flatten, 9 fc, 10 loss.
Network residual() {
  Builder builder("residual", {3, 8, 8}, 10);
  builder.append("stem", Convolution{3, 4});
  const NodeId identity = builder.append("conv1", Convolution{4, 4});
  builder.append("relu1", Activation{});
  const NodeId branch = builder.append("conv2", Convolution{4, 4});
  builder.add("sum", Add{true}, {branch, identity});
  builder.append("relu2", Activation{});
  builder.append("pool", AdaptiveAveragePool{1, 1});
  builder.append("flatten", Flatten{});
  builder.append("fc", Linear{4, 10});
  return std::move(builder).finish(Objective::cross_entropy).value();
}

TEST_CASE("of a residual block: what skips it lives to the sum") {
  const Flow flow = flow_of(residual());
  CHECK(flow.last_use == Ids{1, 2, 5, 4, 5, 6, 7, 8, 9, 10, 10});
  CHECK(flow.needs_gradient == Flags{false, true, true, true, true, true, true, true, true, true, true});
}

TEST_CASE("of a concatenation: channels add up, in order") {
  Builder builder("joined", {3, 8, 8}, 2);
  const NodeId left = builder.append("left", Convolution{3, 5});
  const NodeId right = builder.add("right", Convolution{3, 7, {1, 1}, {1, 1}, {0, 0}}, {0});
  const NodeId both = builder.add("both", Concatenate{}, {left, right});
  CHECK(builder.shape(both) == Shape{12, 8, 8});
  builder.append("out", Convolution{12, 2, {1, 1}, {1, 1}, {0, 0}});
  const Network net = std::move(builder).finish(Objective::pixel_cross_entropy).value();
  const Flow flow = flow_of(net);
  CHECK(flow.last_use == Ids{2, 3, 3, 4, 5, 5});
  CHECK(count(net).parameters == (27 * 5 + 5) + (3 * 7 + 7) + (12 * 2 + 2));
}

TEST_CASE("nothing before the first trained node has a gradient") {
  Network net = residual();
  net.nodes[1].trained = net.nodes[2].trained = false;
  const Flow flow = flow_of(net);
  CHECK(flow.needs_gradient == Flags{false, false, false, false, true, true, true, true, true, true, true});
  const std::vector<LayerCounts> counts = count_nodes(net);
  CHECK(counts[1].flops_backward.count() == 0);
  CHECK(counts[2].flops_backward.count() == 0);
  CHECK(counts[4].flops_backward == counts[4].flops_forward);  // the weight gradient alone
  CHECK(counts[9].flops_backward.count() == 2 * counts[9].flops_forward.count());
  CHECK(trained_tensors(net).size() == 4);
  CHECK(count(net).parameters == count(residual()).parameters);
}

TEST_CASE("a trained image has a gradient through frozen layers") {
  Network net = residual();
  for (Node& node : net.nodes) {
    node.trained = std::holds_alternative<Image>(node.kind);
  }
  const Flow flow = flow_of(net);
  CHECK(flow.needs_gradient == Flags(11, true));
  CHECK(trained_tensors(net).empty());
  CHECK(count(net).flops_backward == count(net).flops_forward);  // input gradients alone
  CHECK_FALSE(trains(net.nodes[1]));
  CHECK(trains(net.nodes[0]));
}

TEST_CASE("a variable of forward() holds its output beyond the last reader") {
  const Network net = support::vgg16(224, 224);
  const NodeId flatten = support::id_of(net, "flatten");
  CHECK(flow_of(net).last_use[flatten] == support::id_of(net, "fc3"));
  CHECK(flow_of(net).last_use[support::id_of(net, "fc1")] == support::id_of(net, "relu_fc1"));
}

}  // namespace
}  // namespace vggplan::graph
