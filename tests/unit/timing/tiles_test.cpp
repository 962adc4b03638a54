// SPDX-License-Identifier: MIT
#include "timing/tiles.hpp"

#include "support/catch.hpp"
#include "timing/rates.hpp"
#include "unit/timing/fixtures.hpp"

namespace {

using namespace vggplan;
using namespace vggplan::timing;
using Catch::Detail::Approx;

Op half(OpKind kind, const Extent& extent, base::Layout layout = base::Layout::nhwc) {
  return make_op(kind, base::MathMode::bf16, base::DType::bf16, layout, extent);
}

}  // namespace

TEST_CASE("full tiles cost the work of the convolution and the bytes of its tensors") {
  const Op op = half(OpKind::conv_forward, {2, 128, 256, 10, 20});
  CHECK(tiled_product(op).flops == Approx(2.0 * 9 * 400 * 128 * 256));
  CHECK(tiled_product(op).flops == Approx(op.flops.as_double()));
  CHECK(tiled_product(op).bytes == Approx(op.bytes().as_double()));
  CHECK(copies_of(op).bytes == 0.0);
  CHECK(copies_of(op).starts == 0.0);
}

TEST_CASE("tiles that are begun cost as much as full ones, by hand") {
  // 144 outputs fill two tiles of 128, 144 inputs five slices of 32; 144 channels are 18 vectors of eight.
  CHECK(tiled_product(half(OpKind::conv_forward, {1, 144, 144, 8, 8})).flops ==
        Approx(2.0 * 9 * 64 * 160 * 256 * 1.08));
  // The result of an input gradient has the input's channels.
  CHECK(tiled_product(half(OpKind::conv_input_grad, {1, 144, 64, 8, 8})).flops ==
        Approx(2.0 * 9 * 64 * 256 * 64 * 1.08));
  // Up to a tile there are kernels of half of one.
  CHECK(tiled_product(half(OpKind::conv_forward, {1, 64, 48, 8, 8})).flops == Approx(2.0 * 9 * 64 * 64 * 64 * 1.08));
  // 72 channels are nine vectors of eight.
  CHECK(tiled_product(half(OpKind::conv_weight_grad, {1, 72, 72, 8, 8})).flops ==
        Approx(2.0 * 9 * 64 * 96 * 128 * 1.25));
}

TEST_CASE("more channels are never less work") {
  for (const OpKind kind : {OpKind::conv_forward, OpKind::conv_input_grad, OpKind::conv_weight_grad}) {
    double least = 0.0;
    for (std::int64_t channels = 64; channels <= 1024; channels += 64) {
      const double flops = tiled_product(half(kind, {4, channels, channels, 8, 8})).flops;
      CHECK(flops > least);
      least = 0.9 * flops;  // powers of two have kernels of their own
    }
  }
}

TEST_CASE("contiguous tensors are turned and odd channels padded, by hand") {
  SECTION("two images of 5 x 5 pixels are turned as rows of 32, the nine taps of the weights as well") {
    const Copies copies = copies_of(half(OpKind::conv_forward, {2, 64, 128, 5, 5}, base::Layout::nchw));
    CHECK(copies.bytes == Approx(2.0 * 2 * 2 * 32 * (64 + 128) + 2.0 * 2 * 32 * 64 * 128));
    CHECK(copies.starts == 1.0);
  }
  SECTION("61 channels are written as 64; the tensor of 128 stays as it is") {
    const Copies copies = copies_of(half(OpKind::conv_forward, {2, 61, 128, 5, 5}));
    CHECK(copies.bytes == Approx(2.0 * 2 * 2 * 25 * 64 / 0.55 + 2.0 * 2 * 32 * 64 * 128));
    CHECK(copies.starts == 2.0);
  }
}

TEST_CASE("copies run where the kernels that need them do") {
  const Op op = convolution(OpKind::conv_forward, {8, 64, 64, 56, 56}, base::Layout::nchw);
  hardware::Gpu gpu = round_gpu();
  CHECK(copy_seconds(op, gpu, round_calibration()) > 0.0);
  gpu.tf32_tensor.reset();
  CHECK(copy_seconds(op, gpu, round_calibration()) == 0.0);
  CHECK(copy_seconds(relu(1000), round_gpu(), round_calibration()) == 0.0);
}
