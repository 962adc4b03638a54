// SPDX-License-Identifier: MIT
// Which kernels inductor makes of small networks, and what they take: by hand, and as measured.
#include <algorithm>

#include "support/catch.hpp"
#include "support/compiled_case.hpp"
#include "vggplan/graph/builder.hpp"

namespace vggplan::lowering::compiled {
namespace {

using Catch::Detail::Approx;
using support::CompiledCase;

TEST_CASE(
    "convolutions of contiguous networks are turned but where groups, few channels out or small ones speak against") {
  const auto turned = [](const std::vector<graph::Convolution>& convolutions, job::Mode mode) {
    graph::Builder builder("net", {convolutions.empty() ? 3 : convolutions.front().in_channels, 4, 4}, 4);
    for (const graph::Convolution& conv : convolutions) {
      builder.append("conv" + std::to_string(builder.last()), conv);
    }
    builder.append("flatten", graph::Flatten{});
    CompiledCase some;
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
  CompiledCase some;
  some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
  some.job.precision = job::Precision::tf32;
  some.job.mode = mode;
  const Captured captured = some.captured();
  return std::ranges::count_if(captured.forward_calls, [](const Call& work) {
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
    CompiledCase some;
    some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
    some.job.precision = job::Precision::tf32;
    some.job.mode = mode;
    const Captured captured = some.captured();
    CHECK(std::ranges::count(captured.forward.buffers, Category::weight_copies, &Buffer::category) == 2);
    std::int64_t bytes = 0;
    for (const Call& work : captured.forward_calls) {
      bytes += work.cast && work.passes.empty() ? work.ops.front().bytes().count() : 0;
    }
    CHECK(bytes == (4 + 4) * 80 * 80 * (9 + 2));  // read and written
  }
}

TEST_CASE("a pool that is written out is written flat; one of PyTorch's own, channels_last, is flattened by a copy") {
  const auto copied = [](std::int64_t side, std::int64_t width) {
    graph::Builder builder("flat", {4, 8, 8}, 4);
    builder.append("conv", graph::Convolution{4, 4});
    if (side > 0) {
      builder.append("pool", graph::AdaptiveAveragePool{side, width});
    }
    const graph::NodeId id = builder.append("flatten", graph::Flatten{});
    builder.append("fc", graph::Linear{builder.shape().channels, 4});
    CompiledCase some;
    some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
    some.job.layout = base::Layout::nhwc;
    return std::ranges::count(some.captured().forward.buffers, layer_id(id), &Buffer::layer);
  };
  CHECK(copied(8, 8) == 0);
  CHECK(copied(1, 1) == 0);
  CHECK(copied(3, 3) == 1);
  CHECK(copied(8, 3) == 1);
  CHECK(copied(3, 8) == 1);
  CHECK(copied(0, 0) == 1);  // of a convolution
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
    CompiledCase some;
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
  CompiledCase some;
  some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
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
    graph::Builder builder("net", {channels, 4, 4}, 4);
    builder.append("conv", graph::Convolution{channels, width});
    builder.append("flatten", graph::Flatten{});
    CompiledCase some;
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
  CompiledCase some;
  some.network = std::move(builder).finish(graph::Objective::cross_entropy).value();
  some.job.precision = precision;
  const Captured captured = some.captured();
  std::int64_t most = 0;
  for (const Call& work : backward ? captured.backward_calls : captured.forward_calls) {
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
  CompiledCase some;
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
    CompiledCase some;
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

}  // namespace
}  // namespace vggplan::lowering::compiled
