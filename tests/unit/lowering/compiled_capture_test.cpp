// SPDX-License-Identifier: MIT
// What must hold of a compiled network, whatever it is: of random ones whose paths fork and meet.
#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>

#include "lowering/compiled/capture.hpp"
#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/random_network.hpp"
#include "support/tape_faults.hpp"
#include "vggplan/lowering/ops.hpp"

namespace vggplan::lowering::compiled {
namespace {

using Catch::Detail::Approx;

using graph::Network;
using Nodes = std::set<NodeId>;

constexpr std::array<job::Precision, 4> kPrecisions{job::Precision::tf32, job::Precision::amp_bf16,
                                                    job::Precision::amp_fp16, job::Precision::bf16};

bool is_product(const graph::Node& node) {
  return std::holds_alternative<graph::Convolution>(node.kind) || std::holds_alternative<graph::Linear>(node.kind);
}

/// A network, of which some layers are frozen, and a job.
struct Case {
  Case() { job.compile = job::Compile::usual; }
  explicit Case(std::mt19937& random)
      : network(random() % 2 == 0 ? support::RandomNetwork(random).build()
                                  : support::RandomNetwork(random, 60, 70).build()) {  // which is turned
    job.image = network.input;
    job.classes = network.classes;
    job.batch = support::pick(random, 1, 4);
    job.precision = kPrecisions.at(random() % kPrecisions.size());
    job.layout = static_cast<base::Layout>(random() % 2);
    job.compile = random() % 3 == 0 ? job::Compile::reduce_overhead : job::Compile::usual;
    const bool evaluates = random() % 4 == 0;
    for (NodeId id = 0; id < network.nodes.size(); ++id) {
      graph::Node& node = network.nodes[id];
      node.trained = is_product(node) ? random() % 5 != 0 : node.trained;
      if (auto* norm = std::get_if<graph::BatchNorm>(&node.kind)) {
        norm->frozen = evaluates;
        node.trained = !evaluates;
      }
    }
  }

  [[nodiscard]] Step step() const {
    static const Framework kFramework{};
    static const Device kDevice{};
    static const std::vector<Segment> kNone{};
    return {network, job, kNone, kFramework, kDevice, {}};
  }
  [[nodiscard]] Captured captured() const { return capture(step()); }
  [[nodiscard]] bool turns() const { return job.layout == base::Layout::nchw && turns_convolutions(step()); }

  Network network{};
  job::Job job{};
};

/// Of which products each buffer of a program is made, by way of others.
std::vector<Nodes> made_of(const Program& program, const std::vector<Work>& work) {
  std::vector<Nodes> made(program.buffers.size());
  std::set<BufferId> there;
  for (BufferId b = 0; b < made.size(); ++b) {
    if (program.buffers[b].given) {
      there.insert(b);
    }
  }
  std::set<std::size_t> done;
  for (const Kernel& kernel : program.kernels) {
    const Work& here = work.at(kernel.work);
    CHECK(done.insert(kernel.work).second);
    Nodes nodes;
    if (here.product || !here.passes.empty()) {
      nodes.insert(here.node);
    }
    for (const BufferId b : kernel.reads) {
      CHECK(there.contains(b));
      nodes.insert(made[b].begin(), made[b].end());
    }
    for (const BufferId b : kernel.over) {
      CHECK(std::ranges::count(kernel.reads, b) == 1);
    }
    for (const BufferId b : kernel.writes) {
      CHECK(there.insert(b).second);
      made[b] = nodes;
    }
    CHECK(std::ranges::is_sorted(kernel.reads));
  }
  CHECK(done.size() == work.size());
  CHECK(there.size() == made.size());
  return made;
}

/// Products before and behind each node.
struct Around {
  explicit Around(const Network& network) : before(network.nodes.size()), behind(network.nodes.size()) {
    std::vector<Nodes> all(network.nodes.size());
    for (NodeId id = 0; id < network.nodes.size(); ++id) {
      for (const NodeId input : network.nodes[id].inputs) {
        all[id].insert(all[input].begin(), all[input].end());
        all[id].insert(input);
      }
      for (const NodeId earlier : all[id]) {
        if (is_product(network.nodes[earlier])) {
          before[id].insert(earlier);
        }
        if (is_product(network.nodes[id])) {
          behind[earlier].insert(id);
        }
      }
    }
  }
  std::vector<Nodes> before;
  std::vector<Nodes> behind;
};

/// Of a network's parameters, the node of each.
std::vector<NodeId> nodes_of_parameters(const Network& network) {
  std::vector<NodeId> nodes;
  for (NodeId id = 0; id < network.nodes.size(); ++id) {
    nodes.insert(nodes.end(), graph::parameter_tensors(network.nodes[id]).size(), id);
  }
  return nodes;
}

TEST_CASE("compiled, each layer is computed of those before it, and each gradient of those behind it") {
  std::mt19937 random(41);
  for (int i = 0; i < 120; ++i) {
    INFO(i);
    const Case some(random);
    const Captured captured = some.captured();
    const Around around(some.network);
    const std::vector<Nodes> forward = made_of(captured.forward, captured.forward_work);
    const std::vector<Nodes> backward = made_of(captured.backward, captured.backward_work);
    // Forward: every product of those before it.
    for (const Kernel& kernel : captured.forward.kernels) {
      const Work& work = captured.forward_work[kernel.work];
      if (work.product || !work.passes.empty()) {
        Nodes expected = around.before[work.node];
        expected.insert(work.node);
        CHECK(forward[kernel.writes.front()] == expected);
      }
    }
    CHECK(forward[captured.outputs.front()] == around.before[some.network.nodes.size() - 1]);
    // Backward: gradients of trained parameters, each of its size, of the products behind it.
    const std::vector<NodeId> nodes = nodes_of_parameters(some.network);
    REQUIRE(captured.gradients.size() == nodes.size());
    const std::int64_t parameter_bytes = base::size_of(job::parameter_type(some.job.precision));
    for (std::size_t p = 0; p < nodes.size(); ++p) {
      const NodeId id = nodes[p];
      CHECK((captured.gradients[p] != kNoBuffer) == some.network.nodes[id].trained);
      // Autograd copies what was turned to the layout of its weight: filters of one tap lie alike.
      const auto* conv = std::get_if<graph::Convolution>(&some.network.nodes[id].kind);
      const bool relaid = some.turns() && conv != nullptr && conv->taps() > 1 && (p == 0 || nodes[p - 1] != id);
      CHECK(captured.relaid[p] == (relaid && some.network.nodes[id].trained));
      if (captured.gradients[p] == kNoBuffer) {
        continue;
      }
      const bool weight = p == 0 || nodes[p - 1] != id;
      const std::int64_t elements = graph::parameter_tensors(some.network.nodes[id])[weight ? 0 : 1].elements;
      const Buffer& gradient = captured.backward.buffers[captured.gradients[p]];
      CHECK(gradient.output);
      if (is_product(some.network.nodes[id])) {  // those of batch norm are sums in fp32
        CHECK(gradient.bytes == elements * parameter_bytes);
      }
      Nodes expected = around.behind[id];
      if (weight && is_product(some.network.nodes[id])) {
        expected.insert(id);
      }
      CHECK(backward[captured.gradients[p]] == expected);
    }
    // What is handed from forward to backward is the same there, and the input of a convolution among it.
    std::map<BufferId, BufferId> saved;
    for (const auto& [ours, theirs] : captured.kept) {
      CHECK(captured.forward.buffers[ours].bytes == captured.backward.buffers[theirs].bytes);
      CHECK(captured.forward.buffers[ours].output);
      saved[theirs] = ours;
    }
    for (const Kernel& kernel : captured.backward.kernels) {
      const Work& work = captured.backward_work[kernel.work];
      const bool of_weight = std::ranges::count(work.passes, ConvPass::weight_gradient) > 0;
      const bool reads_input = std::ranges::any_of(kernel.reads, [&](BufferId b) {
        const Buffer& buffer = captured.backward.buffers[b];
        return buffer.category == Category::input ||
               (saved.contains(b) && forward[saved.at(b)] == around.before[work.node]);
      });
      CHECK((!of_weight || reads_input));
    }
  }
}

bool may_wait(const graph::Node& node) {
  const auto* norm = std::get_if<graph::BatchNorm>(&node.kind);
  return std::holds_alternative<graph::MaxPool>(node.kind) || (norm != nullptr && !norm->frozen);
}

TEST_CASE("compiled, convolutions and products do what the network's do, and kernels stream what they read and write") {
  std::mt19937 random(42);
  int with_all = 0;
  for (int i = 0; i < 80; ++i) {
    INFO(i);
    const Case some(random);
    const Captured captured = some.captured();
    // Where instructions take longer than memory they count as bytes.
    const bool waits = std::ranges::any_of(some.network.nodes, may_wait);
    with_all += waits ? 0 : 1;
    const auto check = [&](const Program& program, const std::vector<Work>& work) {
      for (const Kernel& kernel : program.kernels) {
        const Work& here = work[kernel.work];
        if (here.cast || here.product || !here.passes.empty() || here.ops.empty() ||
            here.ops.front().kind != timing::OpKind::fused) {
          continue;
        }
        const auto bytes = [&](const std::vector<BufferId>& list) {
          std::int64_t sum = 0;
          for (const BufferId b : list) {
            sum += program.buffers[b].bytes;
          }
          return sum;
        };
        CHECK(here.ops.front().written.count() == bytes(kernel.writes));
        const std::int64_t read = here.ops.front().read.count();
        CHECK((waits ? read >= bytes(kernel.reads) : read == bytes(kernel.reads)));
      }
    };
    check(captured.forward, captured.forward_work);
    check(captured.backward, captured.backward_work);
  }
  CHECK(with_all >= 10);
}

TEST_CASE(
    "convolutions of contiguous networks are turned but where groups, few channels out or small ones speak against") {
  const auto turned = [](const std::vector<graph::Convolution>& convolutions, job::Mode mode) {
    graph::Builder builder("net", {convolutions.empty() ? 3 : convolutions.front().in_channels, 4, 4}, 4);
    for (const graph::Convolution& conv : convolutions) {
      builder.append("conv" + std::to_string(builder.last()), conv);
    }
    builder.append("flatten", graph::Flatten{});
    Case some;
    some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
    some.job.mode = mode;
    return turns_convolutions(some.step());
  };
  using Conv = graph::Convolution;
  const auto trained = [&](const std::vector<Conv>& all) { return turned(all, job::Mode::train); };
  const auto grouped = [](std::int64_t channels, std::int64_t groups) {
    Conv conv{channels, channels};
    conv.groups = groups;
    return conv;
  };
  const Conv point{128, 64, {1, 1}, {1, 1}, {0, 0}};
  // torch/_inductor/graph.py, decide_layout_opt, of the channels of the weights.
  CHECK_FALSE(trained({}));
  CHECK_FALSE(trained({{64, 64}, {64, 64}}));  // all small
  CHECK(trained({{64, 64}, {64, 65}}));
  CHECK(trained({{65, 64}}));
  CHECK(trained({{65, 64}, {64, 64}}));
  CHECK_FALSE(trained({{128, 128}, {128, 64}}));  // half the channels, of several taps
  CHECK(trained({{128, 65}}));
  CHECK(trained({point}));
  CHECK_FALSE(trained({{128, 128}, grouped(128, 2)}));
  CHECK(trained({grouped(128, 128)}));  // depthwise
  for (const std::vector<Conv>& all : {std::vector<Conv>{{64, 64}}, {{128, 64}}, {grouped(128, 2)}}) {
    CHECK(turned(all, job::Mode::infer));
  }
  CHECK_FALSE(turned({}, job::Mode::infer));
}

/// Kernels of forward that are no call of a library, of what lies between a convolution and the mean of its map.
std::int64_t fused_kernels(const std::vector<graph::Kind>& kinds, job::Mode mode, bool residual) {
  graph::Builder builder("fused", {4, 8, 8}, 4);
  const graph::NodeId stem = builder.append("stem", graph::Convolution{4, 4});
  graph::NodeId last = builder.append("conv", graph::Convolution{4, 4});
  if (residual) {
    last = builder.add("sum", graph::Add{}, {last, stem});
  }
  for (const graph::Kind& kind : kinds) {
    last = builder.append("n" + std::to_string(last), kind);
  }
  builder.append("next", graph::Convolution{builder.shape().channels, 4});
  builder.append("flatten", graph::Flatten{});
  Case some;
  some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
  some.job.precision = job::Precision::tf32;
  some.job.mode = mode;
  const Captured captured = some.captured();
  return std::ranges::count_if(captured.forward_work, [](const Work& work) {
    return work.passes.empty() && !work.product && !work.ops.empty();
  });
}

TEST_CASE("what is computed element by element is one kernel") {
  using graph::Kind;
  const Kind relu = graph::Activation{graph::Function::relu, false};
  const Kind silu = graph::Activation{graph::Function::silu, false};
  for (const bool residual : {false, true}) {
    const auto kernels = [&](const std::vector<Kind>& kinds) {
      return fused_kernels(kinds, job::Mode::infer, residual);
    };
    // With the bias of the convolution before; beside it the stem's bias, and that of the last. Weights and images lie
    // as they are asked for: all convolutions are small, and inference turns them.
    const std::int64_t none = kernels({});
    for (const std::vector<Kind>& kinds : std::vector<std::vector<Kind>>{{relu},
                                                                         {relu, silu},
                                                                         {graph::BatchNorm{4}},
                                                                         {graph::BatchNorm{4}, relu},
                                                                         {relu, graph::BatchNorm{4}},
                                                                         {graph::Resize{{16, 16}}},
                                                                         {relu, graph::Resize{{16, 16}}},
                                                                         {graph::Resize{{16, 16}}, relu},
                                                                         {graph::Dropout{}, relu, graph::Dropout{}}}) {
      CHECK(kernels(kinds) == none);
    }
    CHECK(kernels({relu, graph::MaxPool{}}) == none + 1);
    CHECK(kernels({relu, graph::MaxPool{}, relu}) == none + 2);
  }
}

TEST_CASE("a batch norm by running statistics joins a sum, one by those of the batch reads it") {
  const auto kernels = [](const std::vector<graph::Kind>& kinds) {
    return fused_kernels(kinds, job::Mode::train, true);
  };
  CHECK(kernels({graph::BatchNorm{4, true}}) == kernels({}));
  CHECK(kernels({graph::BatchNorm{4, false}}) > kernels({}));
}

TEST_CASE("weights of several taps are turned, in training as in inference") {
  for (const job::Mode mode : {job::Mode::train, job::Mode::infer}) {
    graph::Builder builder("net", {80, 6, 6}, 4);
    builder.append("square", graph::Convolution{80, 80});
    builder.append("point", graph::Convolution{80, 80, {1, 1}, {1, 1}, {0, 0}});
    builder.append("pair", graph::Convolution{80, 80, {1, 2}, {1, 1}, {0, 0}});
    builder.append("flatten", graph::Flatten{});
    Case some;
    some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
    some.job.precision = job::Precision::tf32;
    some.job.mode = mode;
    const Captured captured = some.captured();
    CHECK(std::ranges::count(captured.forward.buffers, Category::weight_copies, &Buffer::category) == 2);
  }
}

TEST_CASE("a pool that is written out is written flat; one of PyTorch's own, channels_last, is flattened by a copy") {
  const auto copied = [](std::int64_t side) {
    graph::Builder builder("flat", {4, 8, 8}, 4);
    builder.append("conv", graph::Convolution{4, 4});
    if (side > 0) {
      builder.append("pool", graph::AdaptiveAveragePool{side, side});
    }
    const graph::NodeId id = builder.append("flatten", graph::Flatten{});
    builder.append("fc", graph::Linear{builder.shape().channels, 4});
    Case some;
    some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
    some.job.layout = base::Layout::nhwc;
    return std::ranges::count(some.captured().forward.buffers, layer_id(id), &Buffer::layer);
  };
  CHECK(copied(8) == 0);
  CHECK(copied(1) == 0);
  CHECK(copied(3) == 1);
  CHECK(copied(0) == 1);  // of a convolution
}

TEST_CASE("a bias joins what reads the product element by element, and else comes with it") {
  const auto kernels = [](bool activated) {
    graph::Builder builder("products", {4, 1, 1}, 4);
    builder.append("flatten", graph::Flatten{});
    builder.append("fc1", graph::Linear{4, 4});
    if (activated) {
      builder.append("relu", graph::Activation{});
    }
    builder.append("fc2", graph::Linear{4, 4});
    Case some;
    some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
    some.job.precision = job::Precision::tf32;
    return some.captured().forward.kernels.size();
  };
  CHECK(kernels(false) == 2);
  CHECK(kernels(true) == 3);
}

TEST_CASE("an activation that is averaged is written by one kernel, and its sign beside it") {
  graph::Builder builder("mean", {4, 8, 8}, 4);
  builder.append("conv", graph::Convolution{4, 4});
  const graph::NodeId id = builder.append("relu", graph::Activation{});
  builder.append("mean", graph::AdaptiveAveragePool{1, 1});
  builder.append("flatten", graph::Flatten{});
  Case some;
  some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
  some.job.batch = 2;
  const Captured captured = some.captured();
  std::vector<std::int64_t> written;
  for (const Kernel& kernel : captured.forward.kernels) {
    for (const BufferId b : kernel.writes) {
      const Buffer& buffer = captured.forward.buffers[b];
      const bool map = buffer.layer == layer_id(id) || captured.forward_work[kernel.work].node == id;
      if (map) {
        written.push_back(buffer.bytes);
      }
    }
  }
  constexpr std::int64_t kElements = 2 * 4 * 64;
  CHECK(written == std::vector<std::int64_t>{4 * kElements, kElements});
}

TEST_CASE("the images are copied where convolutions are turned or cast, and they lie otherwise") {
  const auto copies = [](std::int64_t channels, job::Precision precision, base::Layout layout,
                         std::int64_t width = 80) {
    graph::Builder builder("net", {channels, 4, 4}, 4);
    builder.append("conv", graph::Convolution{channels, width});
    builder.append("flatten", graph::Flatten{});
    Case some;
    some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
    some.job.precision = precision;
    some.job.layout = layout;
    return std::ranges::count(some.captured().forward.buffers, Category::input, &Buffer::category) - 1;
  };
  using base::Layout;
  using job::Precision;
  CHECK(copies(3, Precision::tf32, Layout::nchw) == 1);
  CHECK(copies(3, Precision::tf32, Layout::nchw, 64) == 0);  // not turned
  CHECK(copies(1, Precision::tf32, Layout::nchw) == 0);      // lies alike
  CHECK(copies(3, Precision::tf32, Layout::nhwc) == 0);
  CHECK(copies(1, Precision::amp_bf16, Layout::nhwc) == 1);
}

/// Bytes that the longest kernel of forward or backward could stream meanwhile, for each element of its map.
double streamed(const graph::Builder& made, job::Precision precision, bool backward) {
  graph::Builder builder = made;
  builder.append("mean", graph::AdaptiveAveragePool{1, 1});
  builder.append("flatten", graph::Flatten{});
  builder.append("fc", graph::Linear{builder.shape().channels, 4});
  Case some;
  some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
  some.job.precision = precision;
  const Captured captured = some.captured();
  std::int64_t most = 0;
  for (const Work& work : backward ? captured.backward_work : captured.forward_work) {
    for (const timing::Op& op : work.ops) {
      most = op.kind == timing::OpKind::fused ? std::max(most, op.bytes().count()) : most;
    }
  }
  return static_cast<double>(most) / (64.0 * 64 * 64);
}

TEST_CASE("searching the windows that an element was largest of, and Welford's sums, take as long as was measured") {
  constexpr double kRate = 4.24;  // bytes a picosecond that an H200 streams
  const auto pooled = [&](const graph::Window& window, int pools) {
    graph::Builder builder("pool", {3, 64, 64}, 4);
    builder.append("conv", graph::Convolution{3, 64});
    const graph::NodeId map = builder.append("relu", graph::Activation{});
    std::vector<graph::NodeId> maps;
    for (int i = 0; i < pools; ++i) {
      maps.push_back(builder.add("pool" + std::to_string(i), graph::MaxPool{window}, {map}));
    }
    if (pools > 1) {
      builder.add("sum", graph::Add{}, maps);
    }
    return builder;
  };
  graph::Window overlapping{{3, 3}, {2, 2}, {1, 1}};
  for (const job::Precision precision : {job::Precision::bf16, job::Precision::tf32}) {
    // Picoseconds an element; an element lies in one window, in up to four, or in one of each of two pools.
    CHECK(streamed(pooled({}, 1), precision, true) / kRate == Approx(2.55).epsilon(0.01));
    CHECK(streamed(pooled(overlapping, 1), precision, true) / kRate == Approx(2.55 + 3 * 1.4).epsilon(0.01));
    CHECK(streamed(pooled({}, 2), precision, true) / kRate == Approx(2 * 2.55).epsilon(0.01));
  }
  graph::Builder builder("norm", {3, 64, 64}, 4);
  builder.append("conv", graph::Convolution{3, 64});
  builder.append("norm", graph::BatchNorm{64});
  CHECK(streamed(builder, job::Precision::bf16, false) == Approx(4.5).epsilon(0.05));
}

TEST_CASE("the gradient of a Linear layer's bias is summed in as many parts as in generated code") {
  graph::Builder builder("product", {64, 1, 1}, 64);
  builder.append("flatten", graph::Flatten{});
  builder.append("fc", graph::Linear{64, 64});
  Case some;
  some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
  some.job.precision = job::Precision::tf32;
  some.job.batch = 1024;
  const auto& buffers = some.captured().backward.buffers;
  CHECK(std::ranges::count(buffers, 8 * 64 * 4, &Buffer::bytes) == 1);  // 1024 rows of 64 in 8 parts
}

TEST_CASE(
    "parts of a bias's gradient are summed with the map where each is a row of it, else by a kernel of their own") {
  const auto beside = [](std::int64_t width) {
    graph::Builder builder("rows", {128, 128, width}, 4);
    builder.append("conv", graph::Convolution{128, 128});
    builder.append("relu", graph::Activation{});
    builder.append("pool", graph::MaxPool{});
    builder.append("mean", graph::AdaptiveAveragePool{1, 1});
    builder.append("flatten", graph::Flatten{});
    Case some;
    some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
    some.job.precision = job::Precision::bf16;
    some.job.layout = base::Layout::nhwc;
    some.job.batch = 4;
    const Captured captured = some.captured();
    const std::int64_t parts = 4 * 128 * reduction_splits(Device{}, 4 * 128 * width, 128, true);
    std::size_t written = 0;  // by the kernel that writes the parts
    for (const Kernel& kernel : captured.backward.kernels) {
      for (const BufferId b : kernel.writes) {
        const Buffer& buffer = captured.backward.buffers[b];
        written += buffer.bytes == parts && buffer.type == base::DType::f32 ? kernel.writes.size() : 0;
      }
    }
    return written;
  };
  CHECK(beside(128) == 2);  // 512 parts of 128 pixels
  CHECK(beside(126) == 1);
}

TEST_CASE("each kernel is timed in its configurations when buffers of its sizes are first met, and never again") {
  std::mt19937 random(44);
  for (int i = 0; i < 30; ++i) {
    INFO(i);
    Case some(random);
    some.job.compile = job::Compile::usual;
    some.job.batch = support::pick(random, 1, 3);  // of so few rows no padding is tried
    const Captured captured = some.captured();
    std::map<std::vector<std::int64_t>, int> trials;
    for (const Program* program : {&captured.forward, &captured.backward}) {
      for (const Kernel& kernel : program->kernels) {
        std::vector<std::int64_t> sizes{kernel.trials};
        for (const auto* list : {&kernel.reads, &kernel.writes}) {
          sizes.push_back(-1);
          for (const BufferId b : *list) {
            sizes.push_back(program->buffers[b].bytes);
          }
        }
        trials[sizes] = kernel.trials > 1 ? kernel.trials : 0;
      }
    }
    std::int64_t expected = 0;
    for (const auto& [sizes, count] : trials) {
      expected += count;
    }
    const Device device;
    const memory::Tape tape = support::tape_of(some.network, some.job, support::without_workspaces(), device);
    const auto timed = [&](const std::vector<memory::Event>& events) {
      return std::ranges::count(events, device.l2_cache.count(), &memory::Event::bytes);
    };
    CHECK(timed(tape.steps.front()) == expected);
    CHECK(timed(tape.steps.back()) == 0);
  }
}

}  // namespace
}  // namespace vggplan::lowering::compiled

namespace vggplan::lowering {
namespace {

/// Of all ops of each node: FLOPs.
std::map<std::pair<NodeId, base::Phase>, std::int64_t> flops_of(const graph::Network& network, const job::Job& job) {
  std::map<std::pair<NodeId, base::Phase>, std::int64_t> flops;
  for (const timing::Op& op : lower_ops(network, job, {})) {
    if (op.flops.count() > 0) {
      flops[{op.layer, op.phase}] += op.flops.count();
    }
  }
  return flops;
}

TEST_CASE("compiled, a step computes what it does when it is not, and nothing of it leaks") {
  std::mt19937 random(43);
  for (int i = 0; i < 80; ++i) {
    INFO(i);
    compiled::Case some(random);
    job::Job eager = some.job;
    eager.compile = job::Compile::none;
    CHECK(flops_of(some.network, some.job) == flops_of(some.network, eager));
    const bool graphs = some.job.compile == job::Compile::reduce_overhead;
    std::vector<base::Phase> calls;
    for (const timing::Op& op : lower_ops(some.network, some.job, {})) {
      if (op.kind == timing::OpKind::compiled_call) {
        calls.push_back(op.phase);
        CHECK(op.layer == timing::kNoLayer);
      }
      if (op.kind == timing::OpKind::compiled_call || op.kind == timing::OpKind::fused || op.flops.count() > 0) {
        CHECK(op.launch == (graphs ? timing::Launch::graph : timing::Launch::compiled));
      }
    }
    CHECK(calls == std::vector{base::Phase::forward, base::Phase::backward});
    some.job.accumulation = support::pick(random, 1, 2);
    some.job.mode = random() % 4 == 0 ? job::Mode::infer : job::Mode::train;
    some.job.parallel.gpus = support::pick(random, 1, 2);
    INFO(support::description(some.job) << base::name_of_enum(some.job.compile) << some.network.nodes.size());
    CHECK(support::fault_of(support::tape_of(some.network, some.job, support::built_in_framework()), 2) == "");
  }
}

}  // namespace
}  // namespace vggplan::lowering
