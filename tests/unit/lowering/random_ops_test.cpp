// SPDX-License-Identifier: MIT
// The work of a step, node by node, of random networks of which some layers are frozen.
#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <tuple>

#include "lowering/kinds/kinds.hpp"
#include "lowering/layout.hpp"
#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/random_network.hpp"
#include "support/tape_faults.hpp"
#include "vggplan/graph/flow.hpp"
#include "vggplan/lowering/ops.hpp"
#include "vggplan/lowering/saved.hpp"

namespace vggplan::lowering {
namespace {

using base::Phase;
using graph::NodeId;
using timing::Op;
using timing::OpKind;

/// How many operations a node starts forward, and back where its output has a gradient: aten's names for them.
struct Started {
  int forward{1};
  int backward{1};
  bool operator==(const Started&) const = default;
};

Started started_by(const graph::Network& network, const graph::Flow& flow, NodeId id) {
  const graph::Node& node = network.nodes[id];
  const int trained = node.trained ? 1 : 0;
  const int passes_on = node.inputs.empty() || !flow.needs_gradient[node.inputs.front()] ? 0 : 1;
  Started started;
  if (const auto* conv = std::get_if<graph::Convolution>(&node.kind)) {
    const int bias = conv->bias ? 1 : 0;
    started = {1 + bias, passes_on + trained + trained * bias};  // cudnn_convolution, add_; sum
  } else if (const auto* linear = std::get_if<graph::Linear>(&node.kind)) {
    started = {1, passes_on + trained + (linear->bias ? trained : 0)};  // addmm; mm, mm, sum
  } else if (std::holds_alternative<graph::BatchNorm>(node.kind)) {
    started = {2, 1};  // and num_batches_tracked.add_(1)
  } else if (const auto* activation = std::get_if<graph::Activation>(&node.kind)) {
    using graph::Function;
    const bool clones = activation->in_place && flow.needs_gradient[id] &&
                        (activation->function == Function::relu6 || activation->function == Function::silu);
    started = {clones ? 2 : 1, 1};
  } else if (std::holds_alternative<graph::Add>(node.kind) || std::holds_alternative<graph::Concatenate>(node.kind)) {
    started = {1, 0};  // views and the same tensor
  } else if (std::holds_alternative<graph::Multiply>(node.kind)) {
    started = {1, 2};
  } else if (std::holds_alternative<graph::Flatten>(node.kind) || std::holds_alternative<graph::Image>(node.kind) ||
             std::holds_alternative<graph::Loss>(node.kind)) {
    started = {0, 0};
  }
  started.backward = flow.needs_gradient[id] ? started.backward : 0;
  return started;
}

/// Gradients that meet: one addition for each reader with a gradient but the first.
std::int64_t meetings(const graph::Network& network, const graph::Flow& flow) {
  std::vector<int> arriving(network.nodes.size());
  for (NodeId id = 0; id + 1 < network.nodes.size(); ++id) {
    for (const NodeId input : network.nodes[id].inputs) {
      arriving[input] += flow.needs_gradient[id] && flow.needs_gradient[input] ? 1 : 0;
    }
  }
  std::int64_t more = 0;
  for (const int count : arriving) {
    more += std::max(0, count - 1);
  }
  return more;
}

/// Of a ReLU, whether its gradient is some channels of each image, with gaps: that of what is concatenated with others.
/// Nothing where that is not told by the one node that reads it.
std::optional<bool> gets_a_slice(const graph::Network& network, std::int64_t batch, NodeId id) {
  const graph::Node* reader = nullptr;
  for (const graph::Node& node : network.nodes) {
    if (std::ranges::count(node.inputs, id) > 0) {
      if (reader != nullptr) {
        return std::nullopt;
      }
      reader = &node;
    }
  }
  if (std::holds_alternative<graph::Concatenate>(reader->kind) && reader->inputs.size() > 1) {
    return batch > 1;
  }
  return std::holds_alternative<graph::Convolution>(reader->kind) ? std::optional(false) : std::nullopt;
}

bool is_of_shape(const Op& op, const graph::Shape& shape) {
  return op.extent.c == shape.channels && op.extent.h == shape.height && op.extent.w == shape.width;
}

/// By a filter that its operations state.
bool changes_size(const graph::Node& node) {
  return std::holds_alternative<graph::MaxPool>(node.kind) || std::holds_alternative<graph::AveragePool>(node.kind) ||
         std::holds_alternative<graph::Resize>(node.kind);
}

graph::Network partly_frozen(std::mt19937& random) {
  graph::Network network = support::RandomNetwork(random).build();
  for (graph::Node& node : network.nodes) {
    node.trained = random() % 4 != 0 || std::holds_alternative<graph::BatchNorm>(node.kind) ||
                   graph::parameter_tensors(node).empty();
  }
  network.nodes.front().trained = random() % 4 == 0;
  return network;
}

job::Job job_for(const graph::Network& network, std::mt19937& random) {
  job::Job job;
  job.image = network.input;
  job.classes = network.classes;
  job.batch = support::pick(random, 1, 4);
  return job;
}

TEST_CASE("each node starts the operations of its kind, forward and back, of its own maps") {
  std::mt19937 random(51);
  int slices = 0;
  for (int i = 0; i < 100; ++i) {
    const graph::Network network = partly_frozen(random);
    const graph::Flow flow = graph::flow_of(network);
    const job::Job job = job_for(network, random);
    INFO("network " << i);
    std::vector<Started> started(network.nodes.size(), {0, 0});
    std::vector<int> reduced(network.nodes.size());  // products whose gradient is summed to the size of an operand
    std::int64_t additions = 0;
    for (const Op& op : lower_ops(network, job, {})) {
      if (op.kind == OpKind::grad_accumulate) {
        ++additions;
        continue;
      }
      if (op.layer == timing::kNoLayer) {
        continue;
      }
      const graph::Node& node = network.nodes[op.layer];
      (op.phase == Phase::forward ? started[op.layer].forward : started[op.layer].backward) += 1;
      CHECK(op.records == flow.needs_gradient[op.layer]);
      reduced[op.layer] += op.kind == OpKind::multiply_reduce ? 1 : 0;
      if (op.kind == OpKind::relu_backward || op.kind == OpKind::slice_relu_backward) {
        const bool slice = op.kind == OpKind::slice_relu_backward;
        slices += slice ? 1 : 0;
        CHECK(gets_a_slice(network, job.batch, op.layer).value_or(slice) == slice);
        CHECK(std::get<graph::Activation>(node.kind).function == graph::Function::relu);
      }
      CHECK((op.kind != OpKind::fill || op.bytes().count() == 8));  // a counter of 64 bits
      if (timing::is_linear(op.kind)) {
        const timing::Extent rows{job.batch * node.output.height * node.output.width, node.input.channels,
                                  node.output.channels, 1, 1};
        CHECK(op.extent == rows);
      } else if (op.kind != OpKind::fill) {
        CHECK(op.extent.n == job.batch);
        CHECK((is_of_shape(op, node.input) || is_of_shape(op, node.output)));
        if (changes_size(node)) {
          CHECK(timing::pixels_out(op) == node.output.height * node.output.width);
        }
      }
    }
    for (NodeId id = 0; id < network.nodes.size(); ++id) {
      INFO(network.nodes[id].name << " " << graph::kind_name(network.nodes[id].kind));
      const Started expected = started_by(network, flow, id);
      const bool multiplies = std::holds_alternative<graph::Multiply>(network.nodes[id].kind) && expected.backward > 0;
      CHECK(reduced[id] == (multiplies ? std::ranges::count_if(network.nodes[id].inputs,
                                                               [&](NodeId input) {
                                                                 return network.nodes[input].output !=
                                                                        network.nodes[id].output;
                                                               })
                                       : 0));
      CHECK(started[id].forward == expected.forward);
      CHECK(started[id].backward == expected.backward);
    }
    CHECK(additions == meetings(network, flow));
    CHECK(support::fault_of(support::tape_of(network, job, support::without_workspaces()), 1) == "");
  }
  CHECK(slices > 0);
}

/// Autocast runs them in fp32.
bool widens(const graph::Kind& kind) {
  return std::holds_alternative<graph::LayerNorm>(kind) || std::holds_alternative<graph::Softmax>(kind) ||
         std::holds_alternative<graph::Resize>(kind);
}

bool is_norm(const graph::Node& node) {
  return std::holds_alternative<graph::LayerNorm>(node.kind) || std::holds_alternative<graph::BatchNorm>(node.kind);
}

/// In forward: of its parameters, and of its operand.
std::int64_t casts_of(const graph::Network& network, const job::Job& job, NodeId id) {
  return std::ranges::count_if(lower_ops(network, job, {}), [&](const Op& op) {
    return op.layer == id && op.kind == OpKind::cast && op.phase == Phase::forward;
  });
}

/// Calls of libraries, and of PyTorch's own pools, are the same, and nothing leaks.
void check_compiled(const graph::Network& network, job::Job job) {
  using Calls = std::multiset<std::tuple<NodeId, OpKind, std::int64_t, std::int64_t, std::int64_t>>;
  const auto calls = [&](bool pools) {
    Calls found;
    for (const Op& op : lower_ops(network, job, {})) {
      const bool pool = op.kind == OpKind::avg_pool_forward || op.kind == OpKind::avg_pool_backward;
      if (timing::is_convolution(op.kind) || timing::is_linear(op.kind) || (pool && pools)) {
        found.emplace(op.layer, op.kind, op.extent.n * op.extent.h * op.extent.w, op.extent.c, op.extent.k);
      }
    }
    return found;
  };
  const Calls all = calls(true);
  const Calls products = calls(false);
  job.compile = job::Compile::usual;
  CHECK(calls(false) == products);
  CHECK(std::ranges::includes(all, calls(true)));  // means are written out
  CHECK(support::fault_of(support::tape_of(network, job, support::without_workspaces()), 1) == "");
}

/// `saved`: tensors that autograd packs for its backward (tools/autograd/derivatives.yaml), empty ones included.
struct Alone {
  graph::Kind kind{};
  Started started{};
  std::int64_t saved{};
};

TEST_CASE("every kind starts its operations, hands its gradient on, and lets go of all that it takes") {
  using graph::Function;
  const graph::Window overlapping{{3, 2}, {1, 2}, {0, 0}};
  std::vector<Alone> kinds{{graph::LayerNorm{}, {1, 1}, 4},
                           {graph::Softmax{}, {1, 1}, 1},
                           {graph::Dropout{}, {1, 1}, 1},
                           {graph::Dropout{0.5, true}, {1, 1}, 1},
                           {graph::Dropout{0}, {0, 0}, 0},
                           {graph::MaxPool{overlapping}, {1, 1}, 2},
                           {graph::AveragePool{overlapping}, {1, 1}, 1},
                           {graph::AdaptiveAveragePool{3, 3}, {1, 1}, 1},
                           {graph::AdaptiveAveragePool{1, 1}, {1, 1}, 0},
                           {graph::Resize{{11, 11}, true}, {1, 1}, 0},
                           {graph::Resize{{11, 11}}, {1, 1}, 0},
                           {graph::Linear{6, 6}, {1, 3}, 2},
                           {graph::Linear{6, 6, false}, {1, 2}, 2},
                           {graph::Convolution{6, 6}, {2, 3}, 2},
                           {graph::BatchNorm{6}, {2, 1}, 7}};
  for (const Function function : {Function::relu, Function::relu6, Function::leaky_relu, Function::silu, Function::gelu,
                                  Function::sigmoid, Function::hard_swish, Function::hard_sigmoid, Function::tanh}) {
    // In place, what is not told by the result is cloned.
    const bool by_result = function == Function::relu || function == Function::leaky_relu ||
                           function == Function::sigmoid || function == Function::tanh;
    kinds.push_back({graph::Activation{function, false}, {1, 1}, 1});
    kinds.push_back({graph::Activation{function, true}, {by_result ? 1 : 2, 1}, 1});
  }
  for (const Alone& alone : kinds) {
    graph::Builder builder("alone", {3, 8, 8}, 6);
    builder.append("conv", graph::Convolution{3, 6});
    const NodeId id = builder.append("here", alone.kind);
    builder.append("next", graph::Convolution{6, 6});
    builder.append("pool", graph::AdaptiveAveragePool{1, 1});
    builder.append("flatten", graph::Flatten{});
    const graph::Network network = std::move(builder).finish(graph::Objective::cross_entropy).value();
    INFO(graph::kind_name(alone.kind));
    job::Job job;
    job.batch = 2;
    Started started{0, 0};
    for (const Op& op : lower_ops(network, job, {})) {
      if (op.layer == id) {
        (op.phase == Phase::forward ? started.forward : started.backward) += 1;
        CHECK((!changes_size(network.nodes[id]) ||
               timing::pixels_out(op) == network.nodes[id].output.height * network.nodes[id].output.width));
        const bool pools = std::holds_alternative<graph::MaxPool>(alone.kind) ||
                           std::holds_alternative<graph::AveragePool>(alone.kind);
        CHECK((!pools || (op.filter.height == 3 && op.filter.width == 2 && op.filter.stride == 2)));
        CHECK((!timing::is_linear(op.kind) || op.extent == timing::Extent{2 * 64, 6, 6, 1, 1}));  // each pixel a row
      }
    }
    CHECK(started == alone.started);
    CHECK(packs(network.nodes[id]) == alone.saved);
    graph::Network frozen = network;
    frozen.nodes[1].trained = frozen.nodes[id].trained = false;
    check_compiled(frozen, job);
    for (const job::Precision precision : {job::Precision::tf32, job::Precision::bf16, job::Precision::amp_bf16}) {
      for (const base::Layout layout : {base::Layout::nchw, base::Layout::nhwc}) {
        job.precision = precision;
        job.layout = layout;
        const memory::Tape tape = support::tape_of(network, job, support::without_workspaces());
        CHECK(support::fault_of(tape, 1) == "");
        job::Job twice = job;
        twice.accumulation = 2;
        CHECK(support::fault_of(support::tape_of(network, twice, support::without_workspaces()), 1) == "");
        for (const Op& op : lower_ops(network, job, {})) {
          CHECK(op.narrow_parameters == (timing::is_batch_norm(op.kind) && precision == job::Precision::bf16));
        }
        CHECK(casts_of(network, job, id + 1) == (job::is_autocast(precision) ? 2 + (widens(alone.kind) ? 1 : 0) : 0));
        check_compiled(network, job);
        std::int64_t parameters = 0;
        std::int64_t of_products = 0;
        for (const graph::Node& node : network.nodes) {
          for (const graph::ParameterTensor& tensor : graph::parameter_tensors(node)) {
            parameters += tensor.elements;
            of_products += is_norm(node) ? 0 : tensor.elements;
          }
        }
        // Autocast's are made in 16 bits first.
        CHECK(support::taken(tape.steps.back(), memory::Category::gradients) ==
              parameters * (precision == job::Precision::bf16 ? 2 : 4) +
                  (job::is_autocast(precision) ? 2 * of_products : 0));
      }
    }
  }
}

TEST_CASE("a layer norm keeps its input, and mean and deviation of each position in fp32") {
  graph::Builder builder("norm", {3, 8, 8}, 6);
  builder.append("conv", graph::Convolution{3, 6});
  const NodeId id = builder.append("norm", graph::LayerNorm{});
  builder.append("mean", graph::AdaptiveAveragePool{1, 1});
  builder.append("flatten", graph::Flatten{});
  const graph::Network network = std::move(builder).finish(graph::Objective::cross_entropy).value();
  job::Job job;
  job.batch = 2;
  constexpr std::int64_t kPositions = 2 * 64;
  for (const auto& [precision, bytes] : {std::pair(job::Precision::tf32, 4), std::pair(job::Precision::bf16, 2)}) {
    job.precision = precision;
    CHECK(saved_bytes(network, {}, job).layers[id].count() == kPositions * (6 * bytes + 2 * 4));
  }
}

TEST_CASE("flattening copies maps that lie otherwise, but of one channel or one pixel") {
  const auto copies = [](std::int64_t values, const graph::Shape& map, base::Layout layout) {
    graph::Node node{.kind = graph::Flatten{values}};
    node.input = map;
    return flatten_copies(node, layout);
  };
  using base::Layout;
  const graph::Shape map{4, 2, 1};
  CHECK_FALSE(copies(0, map, Layout::nchw));
  CHECK(copies(0, map, Layout::nhwc));
  CHECK(copies(0, {2, 2, 1}, Layout::nhwc));
  CHECK_FALSE(copies(0, {1, 2, 1}, Layout::nhwc));
  CHECK_FALSE(copies(0, {4, 1, 1}, Layout::nhwc));
  // Rows of positions: the channels last.
  CHECK(copies(4, map, Layout::nchw));
  CHECK_FALSE(copies(4, map, Layout::nhwc));
  CHECK_FALSE(copies(4, {4, 1, 1}, Layout::nchw));
}

TEST_CASE("what autograd packs of a node are operands, which it has before the node runs, or results") {
  using graph::Activation;
  using graph::Function;
  struct Packing {
    graph::Kind kind{};
    std::int64_t tensors{};
    bool operands{};
  };
  for (const Packing& packing : std::vector<Packing>{{graph::Convolution{}, 2, true},
                                                     {graph::Linear{}, 2, true},
                                                     {graph::Multiply{}, 2, true},
                                                     {graph::AveragePool{}, 1, true},
                                                     {graph::AdaptiveAveragePool{}, 1, true},
                                                     {Activation{Function::silu, true}, 1, true},
                                                     {Activation{Function::leaky_relu, false}, 1, true},
                                                     {Activation{Function::leaky_relu, true}, 1, false},
                                                     {Activation{}, 1, false},
                                                     {graph::BatchNorm{}, 7, false},
                                                     {graph::LayerNorm{}, 4, false},
                                                     {graph::MaxPool{}, 2, false},
                                                     {graph::Softmax{}, 1, false},
                                                     {graph::Dropout{}, 1, false},
                                                     {graph::Add{}, 0, false},
                                                     {graph::Concatenate{}, 0, false},
                                                     {graph::Resize{}, 0, false},
                                                     {graph::Flatten{}, 0, false}}) {
    graph::Node node{.kind = packing.kind};
    node.output = {1, 7, 7};
    INFO(graph::kind_name(node.kind));
    CHECK(packs(node) == packing.tensors);
    CHECK(packs_operands(node) == packing.operands);
  }
}

using OpsOfNodes = std::multiset<std::tuple<NodeId, OpKind, Phase>>;
OpsOfNodes without_casts(const graph::Network& network, const job::Job& job) {
  OpsOfNodes work;
  for (const Op& op : lower_ops(network, job, {})) {
    if (op.kind != OpKind::cast) {
      work.emplace(op.layer, op.kind, op.phase);
    }
  }
  return work;
}

/// Outputs that are in fp32 under autocast: images, resized maps, and what is made of them but by a product.
std::vector<bool> widened(const graph::Network& network) {
  std::vector<bool> wide(network.nodes.size(), false);
  for (NodeId id = 0; id < wide.size(); ++id) {
    const graph::Node& node = network.nodes[id];
    const bool product =
        std::holds_alternative<graph::Convolution>(node.kind) || std::holds_alternative<graph::Linear>(node.kind);
    const bool any = std::ranges::any_of(node.inputs, [&](NodeId input) { return wide[input]; });
    wide[id] = node.inputs.empty() || std::holds_alternative<graph::Resize>(node.kind) || (any && !product);
  }
  return wide;
}

TEST_CASE("autocast adds casts alone: of each parameter, of its gradient, and of what was widened") {
  std::mt19937 random(52);
  for (int i = 0; i < 60; ++i) {
    INFO("network " << i);
    const graph::Network network = partly_frozen(random);
    job::Job job = job_for(network, random);
    job.layout = static_cast<base::Layout>(random() % 2);
    const OpsOfNodes plain = without_casts(network, job);
    job.precision = job::Precision::amp_bf16;
    CHECK(without_casts(network, job) == plain);
    const graph::Flow flow = graph::flow_of(network);
    const std::vector<bool> wide = widened(network);
    std::map<NodeId, Started> casts;
    for (const Op& op : lower_ops(network, job, {})) {
      if (op.kind == OpKind::cast && op.layer != timing::kNoLayer) {
        const std::int64_t elements = op.extent.n * op.extent.c;  // between two and four bytes
        CHECK(op.bytes().count() == 6 * elements);
        (op.phase == Phase::forward ? casts[op.layer].forward : casts[op.layer].backward) += 1;
      }
    }
    for (auto& [id, cast] : casts) {
      const graph::Node& node = network.nodes[id];
      const auto tensors = static_cast<int>(graph::parameter_tensors(node).size());
      const int operand = wide[node.inputs.front()] ? 1 : 0;
      const int back = (node.trained ? tensors : 0) + (flow.needs_gradient[node.inputs.front()] ? operand : 0);
      INFO(node.name);
      CHECK(cast.forward - 1 == tensors + operand);
      CHECK(cast.backward - 1 == (flow.needs_gradient[id] ? back : 0));
    }
  }
}

TEST_CASE("each objective has its own operations, over all scores, once forward and once back") {
  using graph::Objective;
  const auto of_loss = [](Objective objective, const graph::Shape& shape) {
    graph::Builder builder("loss", {3, 8, 8}, shape.channels);
    builder.append("conv", graph::Convolution{3, shape.channels});
    if (shape.height == 1) {
      builder.append("pool", graph::AdaptiveAveragePool{1, 1});
    }
    const graph::Network network = std::move(builder).finish(objective).value();
    job::Job job;
    job.batch = 2;
    // The logarithms, an index of 64 bits for each position and a total; or both operands of a difference.
    const std::int64_t scores = 2 * shape.elements();
    const std::int64_t positions = 2 * shape.height * shape.width;
    const std::int64_t kept = objective == Objective::mse ? 4 * scores : 4 * scores + 8 * positions + 4;
    const std::int64_t output = objective == Objective::mse ? 4 * scores : 0;  // which nothing else keeps
    CHECK(saved_bytes(network, {}, job).loss.count() == kept + output);
    job.precision = job::Precision::amp_bf16;  // in 32 bits, of a copy
    CHECK(saved_bytes(network, {}, job).loss.count() ==
          (objective == Objective::mse ? 8 * scores : 6 * scores + 8 * positions + 4));
    job.precision = job::Precision::tf32;
    if (objective == Objective::pixel_cross_entropy) {  // channels_last scores are copied
      const auto scores_taken = [&] {
        const memory::Tape tape = support::tape_of(network, job, support::without_workspaces());
        return std::ranges::count_if(tape.steps.front(), [&](const memory::Event& event) {
          return event.category == memory::Category::other && event.bytes == 4 * scores;
        });
      };
      CHECK(scores_taken() == 1);
      job.layout = base::Layout::nhwc;
      CHECK(scores_taken() == 2);
      job.layout = base::Layout::nchw;
    }
    std::vector<std::pair<OpKind, timing::Extent>> found;
    for (const Op& op : lower_ops(network, job, {})) {
      if (op.layer == timing::kNoLayer && op.phase != Phase::optimizer) {
        found.emplace_back(op.kind, op.extent);
      }
    }
    return found;
  };
  const graph::Shape map{5, 8, 8};
  const timing::Extent whole{2, 5, 5, 8, 8};
  using Found = std::vector<std::pair<OpKind, timing::Extent>>;
  const timing::Extent rows{2, 5, 1, 1, 1};
  CHECK(of_loss(Objective::cross_entropy, {5, 1, 1}) ==
        Found{{OpKind::loss_forward, rows}, {OpKind::loss_backward, rows}});
  CHECK(of_loss(Objective::pixel_cross_entropy, map) ==
        Found{{OpKind::pixel_loss_forward, whole}, {OpKind::pixel_loss_backward, whole}});
  CHECK(of_loss(Objective::mse, map) == Found{{OpKind::mse_forward, whole}, {OpKind::mse_backward, whole}});
}

TEST_CASE(
    "the loss of detectors is of boxes and of classes, of each position, whose targets are there from set-up on") {
  graph::Builder builder("boxes", {3, 8, 8}, 3);
  const NodeId conv = builder.append("conv", graph::Convolution{3, 12});
  const NodeId boxes = builder.append("boxes", graph::Flatten{4});
  const NodeId scores = builder.add("scores", graph::Flatten{3}, {conv});
  const graph::Network network = std::move(builder).finish(graph::Objective::ssd, {boxes, scores}).value();
  job::Job job;
  job.batch = 2;
  std::multiset<std::pair<OpKind, std::int64_t>> found;
  for (const Op& op : lower_ops(network, job, {})) {
    if (op.layer == timing::kNoLayer && op.phase != Phase::optimizer) {
      found.emplace(op.kind, op.extent.n * op.extent.c * op.extent.h * op.extent.w);
    }
  }
  constexpr std::int64_t kValues = 2 * 12 * 64;
  CHECK(found == std::multiset<std::pair<OpKind, std::int64_t>>{{OpKind::smooth_l1_forward, kValues},
                                                                {OpKind::smooth_l1_backward, kValues},
                                                                {OpKind::loss_forward, kValues},
                                                                {OpKind::loss_backward, kValues}});
  const memory::Tape tape = support::tape_of(network, job, support::without_workspaces());
  std::multiset<std::int64_t> inputs;
  for (const memory::Event& event : tape.setup) {
    if (event.category == memory::Category::input) {
      inputs.insert(event.bytes);
    }
  }
  // The logarithms, and of the boxes the loss's storage and the differences, until they are summed.
  CHECK(std::ranges::count_if(tape.steps.front(), [](const memory::Event& event) {
          return event.category == memory::Category::other && event.bytes == 4 * kValues;
        }) == 3);
  CHECK(support::fault_of(tape, 2) == "");
  // The images; 4 numbers of each of 192 boxes, and a class of each of 256 positions.
  CHECK(inputs == std::multiset<std::int64_t>{2 * 3 * 64 * 4, 2 * (192 * 4 * 4 + 256 * 8)});
}

}  // namespace
}  // namespace vggplan::lowering
