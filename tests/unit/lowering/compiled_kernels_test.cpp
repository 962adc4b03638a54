// SPDX-License-Identifier: MIT
// Which kernels inductor makes of small networks, and what they take: by hand, and as measured.
#include <algorithm>
#include <map>
#include <set>

#include "support/catch.hpp"
#include "support/compiled_case.hpp"
#include "support/lowered.hpp"
#include "vggplan/graph/builder.hpp"

namespace vggplan::lowering::compiled {
namespace {

using Catch::Detail::Approx;
using support::CompiledCase;

CompiledCase case_of(graph::Builder&& builder, job::Mode mode = job::Mode::train) {
  CompiledCase some;
  some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
  some.job.precision = job::Precision::tf32;
  some.job.mode = mode;
  return some;
}

/// Layers one behind the other, from node 1 on.
CompiledCase row_of(const graph::Shape& image, const std::vector<graph::Kind>& kinds,
                    job::Mode mode = job::Mode::train) {
  graph::Builder builder("row", image, 4);
  for (const graph::Kind& kind : kinds) {
    builder.append("n" + std::to_string(builder.last()), kind);
  }
  return case_of(std::move(builder), mode);
}

TEST_CASE(
    "convolutions of contiguous networks are turned but where groups, few channels out or small ones speak against") {
  const auto turned = [](const std::vector<graph::Convolution>& convolutions, job::Mode mode) {
    std::vector<graph::Kind> kinds(convolutions.begin(), convolutions.end());
    kinds.emplace_back(graph::Flatten{});
    const std::int64_t channels = convolutions.empty() ? 3 : convolutions.front().in_channels;
    return turns_convolutions(row_of({channels, 4, 4}, kinds, mode).step());
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
  CHECK_FALSE(trained({{128, 64, {1, 2}, {1, 1}, {0, 0}}}));
  CHECK(trained({{128, 65}}));
  CHECK(trained({point}));
  CHECK_FALSE(trained({{128, 128}, grouped(128, 2)}));
  CHECK(trained({grouped(128, 128)}));  // depthwise
  for (const std::vector<Conv>& all : {std::vector<Conv>{{64, 64}}, {{128, 64}}, {grouped(128, 2)}}) {
    CHECK(turned(all, job::Mode::infer));
  }
  CHECK_FALSE(turned({}, job::Mode::infer));
}

/// Kernels of forward that are no call of a library, of what lies between a convolution and the next. What has two
/// operands reads the stem as well.
std::int64_t fused_kernels(const std::vector<graph::Kind>& kinds, job::Mode mode) {
  graph::Builder builder("fused", {4, 8, 8}, 4);
  const graph::NodeId stem = builder.append("stem", graph::Convolution{4, 4});
  graph::NodeId last = builder.append("conv", graph::Convolution{4, 4});
  for (const graph::Kind& kind : kinds) {
    const bool two = std::holds_alternative<graph::Add>(kind) || std::holds_alternative<graph::Multiply>(kind) ||
                     std::holds_alternative<graph::Concatenate>(kind);
    last = builder.add("n" + std::to_string(last), kind,
                       two ? std::vector<graph::NodeId>{last, stem} : std::vector<graph::NodeId>{last});
  }
  builder.append("next", graph::Convolution{builder.shape().channels, 4});
  builder.append("flatten", graph::Flatten{});
  const Captured captured = case_of(std::move(builder), mode).captured();
  return std::ranges::count_if(captured.forward_calls, [](const Call& call) {
    return call.passes.empty() && !call.product && !call.ops.empty();
  });
}

TEST_CASE("in inference any row of what is computed element by element is one kernel, up to the next pool") {
  using graph::Kind;
  const std::vector<Kind> all{graph::Activation{graph::Function::relu, false}, graph::BatchNorm{4}, graph::Dropout{},
                              graph::Add{}, graph::Multiply{}};
  const std::vector<Kind> ends{graph::Concatenate{}, graph::Resize{{16, 16}}, graph::Activation{}};
  std::mt19937 random(45);
  // With the bias of the convolution before; beside it the stem's bias, and that of the last. Weights and images lie
  // as they are asked for: all convolutions are small, and inference turns them.
  const std::int64_t none = fused_kernels({}, job::Mode::infer);
  for (int i = 0; i < 60; ++i) {
    std::vector<Kind> kinds;
    for (std::int64_t count = support::pick(random, 0, 3); count > 0; --count) {
      kinds.push_back(all.at(random() % all.size()));
    }
    kinds.push_back(ends.at(random() % ends.size()));
    if (random() % 2 == 0) {
      kinds.emplace_back(graph::Activation{graph::Function::silu, false});
    }
    INFO(i);
    CHECK(fused_kernels(kinds, job::Mode::infer) == none);
    kinds.emplace_back(graph::MaxPool{});
    CHECK(fused_kernels(kinds, job::Mode::infer) == none + 1);
    kinds.emplace_back(graph::Activation{});
    CHECK(fused_kernels(kinds, job::Mode::infer) == none + 2);
  }
}

TEST_CASE("a batch norm by running statistics joins a sum, one by those of the batch reads it") {
  const auto kernels = [](bool frozen) {
    return fused_kernels({graph::Add{}, graph::BatchNorm{4, frozen}}, job::Mode::train);
  };
  CHECK(kernels(true) == fused_kernels({graph::Add{}}, job::Mode::train));
  CHECK(kernels(false) > kernels(true));
}

TEST_CASE("weights of several taps are turned, in training as in inference; autocast copies each once") {
  for (const job::Mode mode : {job::Mode::train, job::Mode::infer}) {
    const graph::Convolution square{80, 80};
    const graph::Convolution point{80, 80, {1, 1}, {1, 1}, {0, 0}};
    const graph::Convolution pair{80, 80, {1, 2}, {1, 1}, {0, 0}};
    CompiledCase some = row_of({80, 6, 6}, {square, point, pair, graph::Flatten{}}, mode);
    const auto copies = [](const Captured& of) {
      return std::ranges::count(of.forward.buffers, Category::weight_copies, &Buffer::category);
    };
    const Captured captured = some.captured();
    CHECK(copies(captured) == 2);
    CHECK(std::ranges::count(captured.relaid, true) == (mode == job::Mode::train ? 2 : 0));
    some.job.precision = job::Precision::amp_bf16;
    CHECK(copies(some.captured()) == 3);
    std::int64_t bytes = 0;
    for (const Call& call : captured.forward_calls) {
      bytes += call.cast && call.passes.empty() ? call.ops.front().bytes().count() : 0;
    }
    CHECK(bytes == (4 + 4) * 80 * 80 * (9 + 2));  // read and written
  }
}

TEST_CASE("a pool that is written out is written flat; one of PyTorch's own, channels_last, is flattened by a copy") {
  const auto copied = [](std::int64_t side, std::int64_t width, const graph::Shape& map = {4, 8, 8}) {
    std::vector<graph::Kind> kinds{graph::Convolution{4, 4}};
    if (side > 0) {
      kinds.emplace_back(graph::AdaptiveAveragePool{side, width});
    }
    kinds.emplace_back(graph::Flatten{});
    const LayerId flat = layer_id(kinds.size());
    kinds.emplace_back(graph::Linear{4 * (side > 0 ? side * width : map.height * map.width), 4});
    CompiledCase some = row_of(map, kinds);
    some.job.layout = base::Layout::nhwc;
    return std::ranges::count(some.captured().forward.buffers, flat, &Buffer::layer);
  };
  CHECK(copied(8, 8) == 0);
  CHECK(copied(1, 1) == 0);
  CHECK(copied(3, 3) == 1);
  CHECK(copied(8, 3) == 1);
  CHECK(copied(3, 8) == 1);
  CHECK(copied(0, 0) == 1);  // of a convolution
  CHECK(copied(0, 0, {4, 1, 2}) == 1);
  CHECK(copied(0, 0, {4, 1, 1}) == 0);
}

TEST_CASE("a bias joins what reads the product element by element, and else comes with it") {
  const graph::Linear product{4, 4};
  const auto kernels = [](const std::vector<graph::Kind>& kinds) {
    return row_of({4, 1, 1}, kinds).captured().forward.kernels.size();
  };
  CHECK(kernels({graph::Flatten{}, product, product}) == 2);
  CHECK(kernels({graph::Flatten{}, product, graph::Activation{}, product}) == 3);
}

TEST_CASE("an activation that is averaged is written by one kernel, and its sign beside it") {
  constexpr graph::NodeId id = 2;
  CompiledCase some = row_of(
      {4, 8, 8}, {graph::Convolution{4, 4}, graph::Activation{}, graph::AdaptiveAveragePool{1, 1}, graph::Flatten{}});
  some.job.batch = 2;
  const Captured captured = some.captured();
  std::vector<std::int64_t> written;
  for (const Kernel& kernel : captured.forward.kernels) {
    for (const BufferId b : kernel.writes) {
      const Buffer& buffer = captured.forward.buffers[b];
      const bool map = buffer.layer == layer_id(id) || captured.forward_calls[kernel.call].node == id;
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
    CompiledCase some = row_of({channels, 4, 4}, {graph::Convolution{channels, width}, graph::Flatten{}});
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
  CompiledCase some = case_of(std::move(builder));
  some.job.precision = precision;
  const Captured captured = some.captured();
  std::int64_t most = 0;
  for (const Call& call : backward ? captured.backward_calls : captured.forward_calls) {
    for (const timing::Op& op : call.ops) {
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
  graph::Builder twice = pooled({}, 1);  // what a pool is searched for is not searched for again
  twice.append("again", graph::MaxPool{});
  CHECK(streamed(twice, job::Precision::bf16, true) / kRate == Approx(2.55).epsilon(0.01));
  graph::Builder builder("norm", {3, 64, 64}, 4);
  builder.append("conv", graph::Convolution{3, 64});
  builder.append("norm", graph::BatchNorm{64});
  CHECK(streamed(builder, job::Precision::bf16, false) == Approx(4.5).epsilon(0.05));
}

TEST_CASE("the gradient of a Linear layer's bias is summed in as many parts as in generated code") {
  CompiledCase some = row_of({64, 1, 1}, {graph::Flatten{}, graph::Linear{64, 64}});
  some.job.batch = 1024;
  const auto& buffers = some.captured().backward.buffers;
  CHECK(std::ranges::count(buffers, 8 * 64 * 4, &Buffer::bytes) == 1);  // 1024 rows of 64 in 8 parts
}

TEST_CASE(
    "parts of a bias's gradient are summed with the map where each is a row of it, else by a kernel of their own") {
  const auto beside = [](std::int64_t width) {
    CompiledCase some = row_of({128, 128, width}, {graph::Convolution{128, 128}, graph::Activation{}, graph::MaxPool{},
                                                   graph::AdaptiveAveragePool{1, 1}, graph::Flatten{}});
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

/// Of forward: what the kernel that writes the node's map may write over, as the nodes of these buffers.
std::vector<graph::NodeId> over_of(const Captured& captured, graph::NodeId id) {
  std::vector<graph::NodeId> nodes;
  for (const Kernel& kernel : captured.forward.kernels) {
    if (captured.forward.buffers[kernel.writes.front()].layer == layer_id(id)) {
      for (const BufferId b : kernel.over) {
        nodes.push_back(static_cast<graph::NodeId>(captured.forward.buffers[b].layer));
      }
    }
  }
  return nodes;
}

TEST_CASE("a sum is written over the first of its maps that nobody else reads") {
  for (const graph::NodeId shared : {0U, 1U, 2U}) {
    graph::Builder builder("sum", {4, 8, 8}, 4);
    std::vector<graph::NodeId> maps;
    for (const char* name : {"a", "b", "c"}) {
      maps.push_back(builder.add(name, graph::Convolution{4, 4}, {0}));
    }
    const graph::NodeId sum = builder.add("sum", graph::Add{}, maps);
    const graph::NodeId next = builder.append("next", graph::Convolution{4, 4});
    if (shared > 0) {
      builder.add("again", graph::Add{}, {next, shared});
    }
    builder.append("flatten", graph::Flatten{});
    CHECK(over_of(case_of(std::move(builder)).captured(), sum) ==
          std::vector<graph::NodeId>{shared == 1 ? maps[1] : maps[0]});
  }
}

TEST_CASE(
    "the gradient of what was dropped is written over that of the product behind, through what only passes it on") {
  using graph::Kind;
  for (const std::vector<Kind>& between :
       std::vector<std::vector<Kind>>{{}, {graph::Flatten{}}, {graph::BatchNorm{4, true}}}) {
    constexpr graph::NodeId before = 2;
    std::vector<Kind> kinds{graph::Flatten{}, graph::Linear{4, 4}, graph::Dropout{}};
    kinds.insert(kinds.end(), between.begin(), between.end());
    kinds.emplace_back(graph::Linear{4, 4});
    const graph::NodeId behind = kinds.size();
    const Captured captured = row_of({4, 1, 1}, kinds).captured();
    const auto kernel = std::ranges::find_if(captured.backward.kernels, [&](const Kernel& one) {
      const Buffer& first = captured.backward.buffers[one.writes.front()];
      return first.layer == layer_id(before) && first.category == Category::activation_gradients;
    });
    REQUIRE(kernel != captured.backward.kernels.end());
    REQUIRE(kernel->over.size() == 1);
    CHECK(captured.backward.buffers[kernel->over.front()].layer == layer_id(behind));
  }
}

TEST_CASE("of an activation a dropout keeps the sign beside its own mask, unless somebody else keeps the activation") {
  const auto masks = [](bool read_before, bool frozen) {
    graph::Builder builder("dropped", {4, 8, 8}, 4);
    const graph::NodeId conv = builder.append("conv", graph::Convolution{4, 4});
    const graph::NodeId map = builder.append("relu", graph::Activation{});
    const graph::NodeId first = read_before ? builder.append("other", graph::Convolution{4, 4}) : map;
    const graph::NodeId dropped = builder.add("dropout", graph::Dropout{}, {map});
    builder.add("sum", graph::Add{}, {first, dropped});
    builder.append("flatten", graph::Flatten{});
    CompiledCase some = case_of(std::move(builder));
    some.network.nodes[conv].trained = !frozen;
    return std::ranges::count(some.captured().forward.buffers, base::DType::u8, &Buffer::type);
  };
  CHECK(masks(false, false) == 2);
  CHECK(masks(true, false) == 1);
  CHECK(masks(false, true) == 0);
  const Captured alone = row_of({4, 8, 8}, {graph::Convolution{4, 4}, graph::Dropout{}, graph::Flatten{}}).captured();
  CHECK(std::ranges::count(alone.forward.buffers, base::DType::u8, &Buffer::type) == 1);
}

TEST_CASE("an activation's gradient is written for batch norm's sums where searching windows would be done again") {
  const auto written = [](bool pools, bool twice) {
    graph::Builder builder("sums", {4, 8, 8}, 4);
    builder.append("conv", graph::Convolution{4, 4});
    builder.append("norm", graph::BatchNorm{4});
    const graph::NodeId relu = builder.append("relu", graph::Activation{});
    if (pools) {
      builder.append("pool", graph::MaxPool{});
    }
    const graph::NodeId map = builder.last();
    const graph::NodeId next = builder.append("next", graph::Convolution{4, 4});
    if (twice) {  // two gradients meet
      builder.add("both", graph::Add{}, {next, builder.add("other", graph::Convolution{4, 4}, {map})});
    }
    builder.append("flatten", graph::Flatten{});
    CompiledCase some = case_of(std::move(builder));
    some.job.layout = base::Layout::nhwc;
    return std::ranges::count_if(some.captured().backward.buffers, [&](const Buffer& buffer) {
      return buffer.layer == layer_id(relu) && buffer.category == Category::activation_gradients;
    });
  };
  CHECK(written(false, false) == 0);
  CHECK(written(false, true) == 0);
  CHECK(written(true, false) == 1);
}

TEST_CASE("sums of batch norm that are not split have its gradient in fp32 first: in the kernel, or beside 16 bits") {
  for (const job::Precision precision : {job::Precision::tf32, job::Precision::bf16}) {
    CompiledCase some =
        row_of({4, 8, 8}, {graph::Convolution{4, 4}, graph::BatchNorm{4}, graph::Convolution{4, 4}, graph::Flatten{}});
    some.job.precision = precision;
    some.job.batch = 2;
    const Captured captured = some.captured();
    std::int64_t inside = 0;
    for (const Kernel& kernel : captured.backward.kernels) {
      inside += kernel.inner;
    }
    const auto beside = std::ranges::count_if(captured.backward.buffers, [](const Buffer& buffer) {
      return buffer.bytes == 2 * 4 * 64 * 4 && buffer.layer == 2 && buffer.type == base::DType::f32;
    });
    CHECK(inside == (precision == job::Precision::tf32 ? 2 * 4 * 64 * 4 : 0));
    CHECK(beside == 1);  // the gradient itself, or what it is made of
  }
}

TEST_CASE("a map is turned if one of those that read it leads to a convolution, and flattening then copies it") {
  for (const bool leads : {false, true}) {
    graph::Builder builder("heads", {80, 4, 4}, 4);
    builder.append("conv", graph::Convolution{80, 80});
    const graph::NodeId map = builder.append("relu", graph::Activation{});
    const graph::NodeId flat = builder.append("flatten", graph::Flatten{});
    const graph::NodeId scores = builder.append("fc", graph::Linear{80 * 16, 4});
    const graph::NodeId other =
        leads ? builder.add("other", graph::Convolution{80, 80}, {map}) : builder.add("other", graph::MaxPool{}, {map});
    CompiledCase some;
    some.network = std::move(builder).finish(graph::Objective::ssd, {scores, other}).value();
    some.job.precision = job::Precision::tf32;
    CHECK(std::ranges::count(some.captured().forward.buffers, layer_id(flat), &Buffer::layer) == (leads ? 1 : 0));
  }
}

TEST_CASE("the images that a CUDA graph copies live until the last kernel that reads them, of backward if it does") {
  for (const auto& [mode, trained] :
       {std::pair(job::Mode::infer, true), {job::Mode::train, true}, {job::Mode::train, false}}) {
    graph::Builder builder("copied", {1, 8, 8}, 4);  // one channel is not turned
    const graph::NodeId a = builder.add("a", graph::Convolution{1, 4}, {0});
    const graph::NodeId b = builder.add("b", graph::Convolution{1, 4}, {0});
    builder.add("both", graph::Concatenate{}, {a, b});
    builder.append("next", graph::Convolution{8, 4});
    builder.append("flatten", graph::Flatten{});
    CompiledCase some = case_of(std::move(builder), mode);
    some.job.compile = job::Compile::reduce_overhead;
    some.network.nodes[a].trained = some.network.nodes[b].trained = trained;
    const memory::Tape tape = support::tape_of(some.network, some.job, support::without_workspaces());
    base::Phase phase{};
    std::map<memory::TensorId, memory::Event> live;
    std::set<memory::LayerId> made;
    for (const memory::Event& event : tape.steps.at(1)) {
      phase = event.kind == memory::Event::Kind::phase ? event.phase : phase;
      if (event.kind == memory::Event::Kind::allocate) {
        live[event.tensor] = event;
        made.insert(event.layer);
      } else if (event.kind == memory::Event::Kind::release && live.contains(event.tensor) &&
                 live.at(event.tensor).category == Category::input &&
                 live.at(event.tensor).stream == memory::kGraphStream) {
        const bool kept = mode == job::Mode::train && trained;
        CHECK(phase == (kept ? base::Phase::backward : base::Phase::forward));
        CHECK(made.contains(layer_id(b)));
        CHECK((kept || !made.contains(layer_id(b + 1))));
        live.erase(event.tensor);
      }
    }
    CHECK(std::ranges::none_of(live, [](const auto& one) { return one.second.category == Category::input; }));
  }
}

TEST_CASE("a compiled forward takes and frees each buffer in its turn: by hand") {
  graph::Convolution a{4, 4};
  graph::Convolution b{4, 8};
  a.bias = b.bias = false;
  CompiledCase some = row_of({4, 8, 8}, {a, graph::MaxPool{}, b, graph::Flatten{}});
  some.job.layout = base::Layout::nhwc;
  const auto requests = [&](job::Mode mode) {
    some.job.mode = mode;
    const memory::Tape tape = support::tape_of(some.network, some.job, support::without_workspaces());
    support::RequestList list(tape);
    list.add(tape.setup);
    std::for_each(tape.steps.begin(), tape.steps.end() - 1, [&](const auto& events) { list.add(events); });
    const auto before = static_cast<std::ptrdiff_t>(list.list().size());
    list.add(tape.steps.back());
    return std::vector<std::int64_t>(
        std::find_if(list.list().begin() + before, list.list().end(), [](std::int64_t bytes) { return bytes > 0; }),
        list.list().end());
  };
  constexpr std::int64_t kMap = 4 * 64 * 4;
  constexpr std::int64_t kPooled = 4 * 16 * 4;
  constexpr std::int64_t kScores = 8 * 16 * 4;
  using Sizes = std::vector<std::int64_t>;
  CHECK(requests(job::Mode::infer) == Sizes{kMap, kPooled, -kMap, kScores, -kPooled, kScores, -kScores});
  // What lies where is kept: a byte for each that is pooled, and what b reads.
  const Sizes forward{kMap, kPooled, 4 * 16, -kMap, kScores, kScores, -kScores};
  const Sizes trained = requests(job::Mode::train);
  CHECK(Sizes(trained.begin(), trained.begin() + static_cast<std::ptrdiff_t>(forward.size())) == forward);
}

TEST_CASE("padding is tried for steps, not for evaluations between them") {
  CompiledCase some = row_of({24, 1, 1}, {graph::Flatten{}, graph::Linear{24, 20}});
  some.job.batch = some.job.eval_batch = 21;
  const Device device;
  const memory::Tape tape = support::tape_of(some.network, some.job, support::without_workspaces(), device);
  const auto timed = [&](const std::vector<memory::Event>& events) {
    return std::ranges::count(events, device.l2_cache.count(), &memory::Event::bytes);
  };
  CHECK(timed(tape.steps.front()) > 0);
  CHECK(timed(tape.steps.at(tape.steps.size() - 2)) == 0);
  CompiledCase little = row_of({7, 1, 1}, {graph::Flatten{}, graph::Linear{7, 7}});  // three short sides
  little.job.batch = 7;
  CHECK(timed(support::tape_of(little.network, little.job, support::without_workspaces(), device).steps.front()) == 0);
}

}  // namespace
}  // namespace vggplan::lowering::compiled
