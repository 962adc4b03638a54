// SPDX-License-Identifier: MIT
#include "vggplan/lowering/workspace.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/measured.hpp"
#include "vggplan/graph/builder.hpp"
#include "vggplan/lowering/framework.hpp"

namespace vggplan::lowering {
namespace {

using base::Layout;
using base::MathMode;

/// One rule for all: a kernel that reads aligned NHWC tensors and takes 100 bytes.
Framework copying(MathMode math) {
  WorkspaceRule rule;
  rule.math = {math};
  rule.kernels = {{.copies = true, .size = {.bytes = 100}}};
  Framework framework;
  framework.workspace = {rule};
  return framework;
}

std::int64_t forward_bytes(const Framework& framework, const Convolution& conv) {
  return workspace_plans(framework, ConvPass::forward, conv, Device{}).front();
}

TEST_CASE("what does not lie as a kernel reads it is copied, and the weight with it") {
  const Framework framework = copying(MathMode::bf16);
  // 2 images of 6 x 5 are 60 pixels of two bytes; the weight has 9 taps, and 16 bytes align the copies.
  const auto bytes = [&](std::int64_t in, std::int64_t out, Layout layout) {
    return forward_bytes(framework, {2, in, out, 6, 5, 2, MathMode::bf16, layout});
  };
  CHECK(bytes(64, 128, Layout::nhwc) == 100);
  CHECK(bytes(64, 128, Layout::nchw) == (64 + 128) * 60 * 2 + 64 * 128 * 9 * 2 + 16 + 100);
  // Padded to 8 channels: the input alone, the output alone, both.
  CHECK(bytes(3, 64, Layout::nhwc) == 8 * 60 * 2 + 8 * 64 * 9 * 2 + 16 + 100);
  CHECK(bytes(64, 61, Layout::nhwc) == 64 * 60 * 2 + 64 * 64 * 9 * 2 + 16 + 100);
  CHECK(bytes(3, 61, Layout::nchw) == (8 + 64) * 60 * 2 + 8 * 64 * 9 * 2 + 16 + 100);
}

TEST_CASE("a rule holds for 3x3 of stride 1, or for the filters that it names") {
  const auto bytes = [](const Framework& framework, const timing::Filter& filter) {
    return forward_bytes(framework, {2, 64, 128, 6, 4, 2, MathMode::bf16, Layout::nchw, filter});
  };
  // 7x7 of stride 2: the output has a quarter of the 48 pixels, the weight 49 taps.
  const timing::Filter wide{7, 7, 2, 1, 1, false, 3, 2};
  const timing::Filter grouped{3, 3, 1, 1, 4, false, 6, 4};
  const timing::Filter depthwise{3, 3, 1, 1, 64, false, 6, 4};
  Framework framework = copying(MathMode::bf16);
  CHECK(bytes(framework, {}) == bytes(framework, {3, 3, 1, 1, 1, false, 6, 4}));
  CHECK(bytes(framework, {}) > 0);
  CHECK(bytes(framework, wide) == 0);
  framework.workspace[0].filter = FilterRange{};
  CHECK(bytes(framework, {}) == 0);
  CHECK(bytes(framework, wide) == (64 * 48 + 128 * 12 + 64 * 128 * 49) * 2 + 16 + 100);
  CHECK(bytes(framework, grouped) == 0);
  framework.workspace[0].filter = FilterRange{.groups = {2}, .group_channels = {2}};
  CHECK(bytes(framework, grouped) == (64 * 48 + 128 * 48 + 64 * 128 * 9 / 4) * 2 + 16 + 100);
  CHECK(bytes(framework, depthwise) == 0);
}

TEST_CASE("a rule holds within all of its bounds alone, each closed below and open above") {
  constexpr std::int64_t kImages = 2;
  const timing::Filter filter{5, 7, 2, 1, 2, false, 3, 2};
  const Convolution conv{kImages, 64, 128, 6, 4, 2, MathMode::bf16, Layout::nchw, filter};
  const auto holds = [&](auto change, Range range) {
    Framework framework = copying(MathMode::bf16);
    framework.workspace[0].filter = FilterRange{.groups = {2, 3}};
    change(framework.workspace[0], range);
    return forward_bytes(framework, conv) > 0;
  };
  const auto check = [&](std::int64_t value, auto change) {
    CHECK(holds(change, {value, value + 1}));
    CHECK_FALSE(holds(change, {value + 1, value + 2}));
    CHECK_FALSE(holds(change, {value - 1, value}));
  };
  check(7, [](WorkspaceRule& rule, Range range) { rule.filter->kernel = range; });  // the longer side
  check(2, [](WorkspaceRule& rule, Range range) { rule.filter->stride = range; });
  check(2, [](WorkspaceRule& rule, Range range) { rule.filter->groups = range; });
  check(32, [](WorkspaceRule& rule, Range range) { rule.filter->group_channels = range; });
  check(64, [](WorkspaceRule& rule, Range range) { rule.in_channels = range; });
  check(128, [](WorkspaceRule& rule, Range range) { rule.out_channels = range; });
  check(kImages * 24, [](WorkspaceRule& rule, Range range) { rule.pixels = range; });
  // The larger operand: 64 channels of 24 pixels come in, 128 of 6 go out.
  check(kImages * 64 * 24, [](WorkspaceRule& rule, Range range) { rule.elements = range; });
}

TEST_CASE("a tree picks the kernel by sizes, each bound with what is above it") {
  Framework framework = copying(MathMode::bf16);
  WorkspaceRule& rule = framework.workspace[0];
  rule.kernels = {{.size = {.bytes = 1}}, {.size = {.bytes = 2}}, {.size = {.bytes = 3}}, {.size = {.bytes = 4}}};
  const auto bytes = [&](std::int64_t images, std::int64_t in, std::int64_t height, std::int64_t width, Layout layout) {
    return forward_bytes(framework, {images, in, 64, height, width, 2, MathMode::bf16, layout});
  };
  const auto asked = [&](SizeAxis axis, std::int64_t from) {
    rule.tree = {{.axis = axis, .from = from, .below = 0, .above = 1}};
    // 3 images of 4 x 10 with 48 channels: 120 pixels, which 8 divides; 16 divides the channels.
    return bytes(3, 48, 4, 10, Layout::nchw) == 2;
  };
  const std::pair<SizeAxis, std::int64_t> sizes[] = {{SizeAxis::pixels, 120},
                                                     {SizeAxis::images, 3},
                                                     {SizeAxis::map, 40},
                                                     {SizeAxis::height, 4},
                                                     {SizeAxis::width, 10},
                                                     {SizeAxis::in_channels, 48},
                                                     {SizeAxis::out_channels, 64},
                                                     {SizeAxis::nchw, 1},
                                                     {SizeAxis::pixels_alignment, 8},
                                                     {SizeAxis::map_alignment, 8},
                                                     {SizeAxis::channels_alignment, 16}};
  for (const auto& [axis, size] : sizes) {
    INFO(static_cast<int>(axis));
    CHECK(asked(axis, size));
    CHECK_FALSE(asked(axis, size + 1));
  }
  rule.tree = {{.axis = SizeAxis::pixels_alignment, .from = 65, .below = 0, .above = 1}};
  CHECK(bytes(1, 64, 16, 16, Layout::nchw) == 1);  // 256 is divided by 64 as well, and told no further
  // Two levels: few pixels take kernel 3, of the others NHWC kernel 0 and NCHW kernel 1.
  rule.tree = {{SizeAxis::pixels, 100, 3, 1, true, false}, {SizeAxis::nchw, 1, 0, 1}};
  CHECK(bytes(1, 64, 9, 11, Layout::nchw) == 4);
  CHECK(bytes(1, 64, 10, 10, Layout::nhwc) == 1);
  CHECK(bytes(1, 64, 10, 10, Layout::nchw) == 2);
}

TEST_CASE("the tiles of the last wave are split, and come in clusters") {
  Framework framework = copying(MathMode::bf16);
  framework.workspace[0].kernels[0].size.bytes = 0;
  const auto bytes = [&](SplitTiles split, std::int64_t pixels) {
    framework.workspace[0].kernels[0].split = split;
    return forward_bytes(framework, {1, 512, 512, 1, pixels, 2, MathMode::bf16, Layout::nhwc});
  };
  constexpr std::int64_t kTile = std::int64_t{64} * 256 * 4;
  constexpr std::int64_t kHeader = 32;
  // Sums over 9 x 512 are 72 steps of 64 products. 65 x 2 tiles of 64 pixels by 256 channels count as 72 x 2 where 8
  // run side by side: 24 are left of a wave of 120. Each is cut in two for 36 steps a part, with one addition.
  CHECK(bytes({{64, 256}, {8, 1}, 120, 36}, 64 * 65) == 24 * (2 * kTile + 4) + kHeader);
  CHECK(bytes({{64, 256}, {8, 1}, 120, 36}, 64 * 60) == 8 * (2 * kTile + 4) + kHeader);  // 60 rows count as 64
  // One by one: 10 tiles are left, 12 could share each, and two parts are all that 36 steps allow.
  CHECK(bytes({{64, 256}, {1, 1}, 120, 36}, 64 * 65) == 10 * (2 * kTile + 4) + kHeader);
  CHECK(bytes({{64, 256}, {1, 1}, 120, 36}, 64 * 60) == 0);  // a full wave
  Device small;
  small.sm_count = 1;  // 120 slots of a GPU of 132 are none here, but one tile can always run
  CHECK(workspace_plans(framework, ConvPass::forward, {1, 512, 256, 1, 64, 2, MathMode::bf16, Layout::nhwc}, small)
            .front() == 0);
  // 12 parts are added in 6 + 3 + 2 + 1 additions.
  CHECK(bytes({{64, 256}, {1, 1}, 120, 4}, 64 * 65) == 10 * (12 * kTile + 12 * 4) + kHeader);
  // Channels in clusters of three: 2 tiles count as 3.
  CHECK(bytes({{64, 256}, {1, 3}, 117, 36}, 64 * 5) == 15 * (2 * kTile + 4) + kHeader);
}

TEST_CASE("a weight gradient is a product of channels that sums over pixels, once a tap") {
  // Recorded of 128 and 512 channels in tf32 (tests/data/measurements/workspaces.jsonl): 9 tiles of 128 x 128 in 14
  // parts each, 7 + 4 + 2 + 1 additions; and 144 tiles, of which 12 are left and cut in 11 parts, 6 + 3 + 2 + 1.
  Framework framework = copying(MathMode::tf32);
  framework.workspace[0].pass = ConvPass::weight_gradient;
  framework.workspace[0].kernels = {
      {.copies = true, .size = {.bytes = 131}, .split = SplitTiles{{128, 128}, {1, 1}, 132, 6}}};
  const auto bytes = [&](std::int64_t channels) {
    const Convolution conv{32, channels, channels, 28, 28, 4, MathMode::tf32, Layout::nhwc};
    return workspace_plans(framework, ConvPass::weight_gradient, conv, Device{}).front();
  };
  CHECK(std::abs(bytes(128) - 8258199) <= 8);
  CHECK(std::abs(bytes(512) - 8651487) <= 8);
}

TEST_CASE("Winograd transforms whole tiles of 4x4 pixels") {
  Framework framework = copying(MathMode::tf32);
  const auto bytes = [&](ConvPass pass, const Convolution& conv) {
    framework.workspace[0].pass = pass;
    framework.workspace[0].math = {conv.math};
    framework.workspace[0].kernels = {{.winograd = true}};
    return workspace_plans(framework, pass, conv, Device{}).front();
  };
  // Recorded of a weight gradient, 128 to 256 channels on 8 maps of 20 x 26 in tf32: 26 columns take 7 tiles.
  Convolution conv{8, 128, 256, 20, 26, 4, MathMode::tf32, Layout::nchw};
  CHECK(bytes(ConvPass::weight_gradient, conv) == 20201472);
  conv.layout = Layout::nhwc;  // maps of 4160 pixels and the weight are copied
  CHECK(bytes(ConvPass::weight_gradient, conv) == 20201472 + (384 * 4160 + 9 * 128 * 256) * 4 + 16);
  Convolution odd{1, 3, 5, 8, 8, 4, MathMode::tf32, Layout::nchw};  // copies are not padded
  const std::int64_t contiguous = bytes(ConvPass::forward, odd);
  odd.layout = Layout::nhwc;
  CHECK(bytes(ConvPass::forward, odd) == contiguous + ((3 + 5) * 64 + 9 * 3 * 5) * 4 + 16);
  // Recorded of an input gradient in bfloat16: 40 channels of one map of 737 x 913 take what 16 maps would.
  const Convolution narrow{1, 40, 40, 737, 913, 2, MathMode::bf16, Layout::nchw};
  CHECK(bytes(ConvPass::input_gradient, narrow) == 7808947200);
}

TEST_CASE("tensor cores take 4 channels of 4 bytes, CUDA cores any") {
  CHECK(forward_bytes(copying(MathMode::tf32), {1, 6, 8, 10, 10, 4, MathMode::tf32, Layout::nhwc}) ==
        8 * 100 * 4 + 8 * 8 * 9 * 4 + 16 + 100);
  CHECK(forward_bytes(copying(MathMode::fp32), {1, 7, 9, 10, 10, 4, MathMode::fp32, Layout::nhwc}) == 100);
}

TEST_CASE("a fallback that saves nothing is no plan") {
  Framework framework = copying(MathMode::tf32);
  framework.workspace[0].fallbacks = {{1, 0, 1, 0, 0}, {0, 0, 0, 7, 0}};
  const auto plans = [&](Layout layout) {
    return workspace_plans(framework, ConvPass::forward, {1, 64, 64, 10, 10, 4, MathMode::tf32, layout}, Device{});
  };
  constexpr std::int64_t kOperand = 64 * 100 * 4;
  constexpr std::int64_t kWeights = 64 * 64 * 9 * 4;
  CHECK(plans(Layout::nchw) == std::vector<std::int64_t>{2 * kOperand + kWeights + 116, kOperand + kWeights, 7, 0});
  CHECK(plans(Layout::nhwc) == std::vector<std::int64_t>{100, 7, 0});
  framework.workspace[0].fallbacks = {{0, 0, 0, 100, 0}};
  CHECK(plans(Layout::nhwc) == std::vector<std::int64_t>{100, 0});
}

TEST_CASE("of convolutions that no rule was read from half take just what was measured, and 95 % nearly") {
  const Framework framework = support::built_in_framework();
  std::size_t count = 0;
  std::size_t exact = 0;
  std::size_t near = 0;
  for (const support::Row& row : support::read_rows("workspaces_3_held_out.jsonl")) {
    const support::Row& shape = row.at("convolution");
    const auto math = support::named<MathMode>(shape[0].get<std::string>());
    const Convolution conv{shape[2], shape[3],
                           shape[4], shape[5],
                           shape[6], math == MathMode::tf32 || math == MathMode::fp32 ? 4 : 2,
                           math,     support::named<Layout>(shape[1].get<std::string>())};
    for (const ConvPass pass : {ConvPass::forward, ConvPass::input_gradient, ConvPass::weight_gradient}) {
      const support::Row& measured = row.at("workspaces")[static_cast<std::size_t>(pass)];
      if (measured.is_null()) {
        continue;
      }
      const auto bytes = measured.get<std::int64_t>();
      const std::int64_t away = std::abs(workspace_plans(framework, pass, conv, Device{}).front() - bytes);
      ++count;
      exact += away == 0 ? 1 : 0;
      near += away <= bytes / 100 + 1024 ? 1 : 0;
    }
  }
  CHECK(count == 13094);
  CHECK(exact >= 6720);
  CHECK(near >= 12482);
}

TEST_CASE("cudnn.benchmark may try FFT and what its rule says, the larger first") {
  Framework framework = copying(MathMode::fp32);
  std::swap(framework.workspace, framework.benchmark);
  const Convolution conv{1, 4, 4, 8, 8, 4, MathMode::fp32, Layout::nchw};
  using Plans = std::vector<std::int64_t>;
  const std::int64_t fft = fft_workspace(conv);
  CHECK(benchmark_plans(framework, ConvPass::forward, conv) == Plans{fft, 100, 0});
  framework.benchmark[0].kernels[0].size.bytes = fft + 1;
  CHECK(benchmark_plans(framework, ConvPass::forward, conv) == Plans{fft + 1, fft, 0});
  CHECK(benchmark_plans(framework, ConvPass::input_gradient, conv) == Plans{fft, 0, 0});
}

TEST_CASE("a batch beyond the limit of elements runs in chunks of as many images as keep it, if one does") {
  Framework framework = copying(MathMode::bf16);
  framework.split_elements = 100 * 128 * 60;  // of the larger operand
  const auto bytes = [&](std::int64_t images, std::int64_t height) {
    return forward_bytes(framework, {images, 64, 128, height, 5, 2, MathMode::bf16, Layout::nchw});
  };
  CHECK(bytes(101, 12) == bytes(100, 12));
  CHECK(bytes(250, 12) == bytes(100, 12));
  CHECK(bytes(100, 12) > bytes(99, 12));
  CHECK(bytes(201, 6) == bytes(200, 6));
  CHECK(bytes(9, 1200) == bytes(1, 1200));
  CHECK(bytes(9, 1201) > 8 * bytes(1, 1200));  // not even one
}

TEST_CASE("cuBLAS has the workspace of the first line that names the architecture, or all; none where none does") {
  Framework framework;
  framework.cublas_workspaces = {{{9, 10}, base::Bytes(3)}, {{8}, base::Bytes(2)}, {{}, base::Bytes(1)}};
  const auto bytes = [&](std::int64_t major) { return cublas_workspace(framework, major).count(); };
  CHECK(bytes(9) == 3);
  CHECK(bytes(10) == 3);
  CHECK(bytes(8) == 2);
  CHECK(bytes(7) == 1);
  framework.cublas_workspaces.pop_back();
  CHECK(bytes(8) == 2);
  CHECK(bytes(7) == 0);
}

TEST_CASE("that sum takes its buffers while backward makes the gradient of the bias") {
  for (const graph::Shape& map : {graph::Shape{4, 1, 1}, {4, 2, 4}}) {  // each pixel is a row
    graph::Builder builder("rows", map, 4096);
    builder.append("fc", graph::Linear{4, 4096});
    builder.append("mean", graph::AdaptiveAveragePool{1, 1});
    job::Job job;
    job.batch = 2048 / (map.height * map.width);
    const memory::Tape tape = support::tape_of(std::move(builder).finish(graph::Objective::cross_entropy).value(), job,
                                               support::without_workspaces());
    CHECK(std::ranges::count_if(tape.steps.back(), [](const memory::Event& event) {
            return event.bytes == 64 << 20 && event.category == memory::Category::other;
          }) == 1);
  }
}

}  // namespace
}  // namespace vggplan::lowering
