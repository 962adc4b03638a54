// SPDX-License-Identifier: MIT
#include "vggplan/lowering/workspace.hpp"

#include "support/catch.hpp"
#include "vggplan/lowering/framework.hpp"

namespace vggplan::lowering {
namespace {

using base::Layout;
using base::MathMode;

/// One rule for all: a kernel that reads aligned NHWC tensors and takes 100 bytes.
Framework copying(MathMode math) {
  WorkspaceRule rule;
  rule.math = {math};
  rule.copies = true;
  rule.size.bytes = 100;
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

TEST_CASE("a rule may hold for maps of some sizes, and of those for multiples alone") {
  Framework framework = copying(MathMode::bf16);
  framework.workspace[0].map = {20, 41};
  framework.workspace[0].map_multiple = 4;
  const auto bytes = [&](std::int64_t height, std::int64_t width) {
    return forward_bytes(framework, {2, 64, 64, height, width, 2, MathMode::bf16, Layout::nhwc});
  };
  CHECK(bytes(4, 5) == 100);
  CHECK(bytes(8, 5) == 100);
  CHECK(bytes(7, 5) == 0);  // 35 is no multiple
  CHECK(bytes(4, 4) == 0);  // the map counts, not the pixels of both images
  CHECK(bytes(11, 4) == 0);
}

TEST_CASE("stream-K splits the tiles of the last wave, which come in clusters") {
  Framework framework = copying(MathMode::bf16);
  framework.workspace[0].size.bytes = 0;
  const auto bytes = [&](StreamK stream_k, std::int64_t pixels) {
    framework.workspace[0].stream_k = stream_k;
    return forward_bytes(framework, {1, 512, 512, 1, pixels, 2, MathMode::bf16, Layout::nhwc});
  };
  constexpr std::int64_t kTile = std::int64_t{64} * 256 * 4;
  // 512 channels are 144 steps of 32 products. 65 x 2 tiles of 64 pixels by 256 channels count as 144 in clusters of
  // 16: 24 are left of a wave of 120, and each is cut in two for 72 steps a part.
  CHECK(bytes({64, 256, 120, 16, 72}, 64 * 65) == 24 * 2 * kTile);
  CHECK(bytes({64, 256, 120, 16, 72}, 64 * 60) == 8 * 2 * kTile);  // 120 tiles count as 128
  // One by one: 10 tiles are left, 12 could share each, and two parts are all that 72 steps allow.
  CHECK(bytes({64, 256, 120, 1, 72}, 64 * 65) == 10 * 2 * kTile);
  CHECK(bytes({64, 256, 120, 1, 72}, 64 * 60) == 0);  // a full wave
  CHECK(bytes({64, 256, 120, 1, 4}, 64 * 65) == 10 * 12 * kTile);
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
}

TEST_CASE("the bias of a linear layer sums over images, in several blocks from 1021 on") {
  // Reduce.cuh on 132 SMs: 32 x 4 threads take 4 features each, so 4096 features are 32 columns of blocks. Each thread
  // has a quarter of the images, which are split only from 256 on, into parts of no fewer than 16: 16 blocks, then 32.
  Device device;
  device.sm_count = 132;
  device.threads_per_sm = 2048;
  CHECK(linear_bias_reduction(4096, 1020, device).partial_sums == 0);
  CHECK(linear_bias_reduction(4096, 1021, device).partial_sums == 32 << 20);
  const ReductionBuffers buffers = linear_bias_reduction(4096, 2048, device);
  CHECK(buffers.partial_sums == 64 << 20);  // as measured: a step of vgg16 with 2048 images holds 64 MiB and 512 bytes
  CHECK(buffers.counters == 32 * 4);
  CHECK(linear_bias_reduction(21, 2048, device).partial_sums == 0);
}

}  // namespace
}  // namespace vggplan::lowering
