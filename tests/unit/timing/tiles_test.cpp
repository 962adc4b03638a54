// SPDX-License-Identifier: MIT
#include "timing/tiles.hpp"

#include "timing/rates.hpp"
#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

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

TEST_CASE("tiles that are begun cost as much as full ones: counted one by one") {
  // How many steps of `step` it takes to cover the channels.
  const auto covering = [](std::int64_t channels, std::int64_t step) {
    std::int64_t covered = 0;
    while (covered < channels) {
      covered += step;
    }
    return covered;
  };
  // Tiles are 128 wide, or 64 where that is enough for half of one; what is summed over comes in slices of 32.
  const auto tile = [&](std::int64_t channels, std::int64_t narrow) {
    return covering(channels, channels <= 128 ? narrow : 128);
  };
  const auto is_power = [](std::int64_t width) { return (width & (width - 1)) == 0; };
  for (const std::int64_t in : {17, 24, 32, 40, 64, 72, 96, 121, 128, 129, 136, 144, 192, 256, 264, 384, 512}) {
    for (const std::int64_t out : {17, 32, 48, 64, 72, 128, 136, 144, 256, 320, 512}) {
      const std::int64_t c = covering(in, 8);  // whole vectors of 16 bytes
      const std::int64_t k = covering(out, 8);
      const bool fast = is_power(c) && is_power(k);
      const bool even = c % 16 == 0 && k % 16 == 0;  // vectors
      const auto slower = [&](double odd) { return fast ? 1.0 : even ? 1.08 : odd; };
      const auto flops = [&](OpKind kind, bool transposed = false) {
        return tiled_product(make_op(kind, base::MathMode::bf16, base::DType::bf16, base::Layout::nhwc,
                                     {2, in, out, 5, 9}, {3, 3, 1, 1, 1, transposed, 4, 7}))
                   .flops /
               (2.0 * 9);
      };
      CAPTURE(in, out);
      const auto forward = static_cast<double>(tile(k, 64) * covering(c, 32)) * slower(1.35);
      CHECK(flops(OpKind::conv_forward) == Approx(2 * 28 * forward));
      CHECK(flops(OpKind::conv_forward, true) == Approx(2 * 45 * forward));
      CHECK(flops(OpKind::conv_input_grad) ==
            Approx(2 * 28 * static_cast<double>(tile(c, 64) * covering(k, 32)) * slower(1.4)));
      CHECK(flops(OpKind::conv_weight_grad) ==
            Approx(2 * 28 * static_cast<double>(tile(k, 64) * tile(c, 32)) * slower(1.25)));
    }
  }
}

TEST_CASE("groups have no tiles, and of one channel each every tap of every result is a read") {
  const auto product = [](OpKind kind, std::int64_t groups) {
    return product_of(make_op(kind, base::MathMode::bf16, base::DType::bf16, base::Layout::nhwc, {2, 64, 64, 10, 6},
                              {3, 5, 2, 1, groups, false, 5, 3}));
  };
  CHECK(product(OpKind::conv_forward, 1).flops > 0.0);
  CHECK(product(OpKind::conv_forward, 1).bytes == Approx(2.0 * (2 * 64 * 60 + 2 * 64 * 15 + 64 * 64 * 15)));
  CHECK(product(OpKind::conv_forward, 4).flops == Approx(2.0 * 2 * 15 * 15 * 64 * 16));
  CHECK(product(OpKind::conv_forward, 4).bytes == Approx(2.0 * (2 * 64 * 60 + 2 * 64 * 15 + 64 * 16 * 15)));
  for (const OpKind kind : {OpKind::conv_forward, OpKind::conv_weight_grad}) {
    CHECK(product(kind, 64).flops == 0.0);
    CHECK(product(kind, 64).bytes == Approx(2.0 * 2 * 64 * 15 * 15));
  }
  CHECK(product(OpKind::conv_input_grad, 64).bytes == Approx(2.0 * 2 * 64 * 60 * 15));
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
  SECTION("of 4 bytes a vector is four channels, and 49 taps are two rows") {
    const Op op = make_op(OpKind::conv_forward, base::MathMode::tf32, base::DType::f32, base::Layout::nchw,
                          {3, 62, 33, 9, 9}, {7, 7, 2, 1, 1, false, 5, 5});
    CHECK(copies_of(op).bytes == Approx(8.0 * (3 * 96 * 64 + 3 * 32 * 36) / 0.55 + 8.0 * 64 * 64 * 36));
    CHECK(copies_of(op).starts == 2.0);
  }
  SECTION("a result of 32 rows is turned without padding it, the input with") {
    const Copies copies = copies_of(half(OpKind::conv_forward, {1, 61, 64, 4, 8}, base::Layout::nchw));
    CHECK(copies.bytes == Approx(2.0 * 2 * 32 * (64 / 0.55 + 64) + 2.0 * 2 * 32 * 64 * 64));
    CHECK(copies.starts == 2.0);
  }
}

TEST_CASE("copies run where the kernels that need them do") {
  const auto copied = [](const Extent& extent, const Filter& filter, base::MathMode math = base::MathMode::tf32) {
    const Op op = make_op(OpKind::conv_forward, math, base::DType::f32, base::Layout::nchw, extent, filter);
    return copy_seconds(op, round_gpu(), round_calibration()) > 0.0;
  };
  CHECK(copied({8, 64, 64, 56, 56}, {}));
  CHECK_FALSE(copied({8, 16, 64, 56, 56}, {}));
  CHECK_FALSE(copied({8, 64, 64, 56, 56}, {}, base::MathMode::fp32));
  CHECK(copied({8, 64, 64, 56, 56}, {5, 5, 1, 1, 1, false, 56, 56}));
  CHECK(copied({8, 64, 64, 56, 56}, {2, 1, 1, 1, 1, false, 56, 56}));
  CHECK(copied({8, 3, 64, 56, 56}, {5, 5, 1, 1, 1, false, 56, 56}));
  CHECK_FALSE(copied({8, 64, 64, 56, 56}, {1, 1, 1, 1, 1, false, 56, 56}));
  CHECK_FALSE(copied({8, 64, 64, 56, 56}, {5, 5, 1, 1, 2, false, 56, 56}));
  const Op op = convolution(OpKind::conv_forward, {8, 64, 64, 56, 56}, base::Layout::nchw);
  SECTION("at the rate of turning with a start for each, or two thirds of the bandwidth where nobody measured it") {
    const Op padded = convolution(OpKind::conv_forward, {8, 61, 64, 56, 56}, base::Layout::nchw);
    Calibration calibration = round_calibration();
    CHECK(copy_seconds(padded, round_gpu(), calibration) == Approx(copies_of(padded).bytes / 0.66e12));
    calibration.streams.push_back(
        {turning_of(base::DType::f32), 3e-6, base::BytesPerSecond(9e12), base::BytesPerSecond(2e12)});
    sort_by_shape(calibration);
    CHECK(copy_seconds(padded, round_gpu(), calibration) == Approx(2 * 3e-6 + copies_of(padded).bytes / 2e12));
    CHECK(copy_seconds(op, round_gpu(), calibration) == Approx(3e-6 + copies_of(op).bytes / 2e12));
  }
  hardware::Gpu gpu = round_gpu();
  CHECK(copy_seconds(op, gpu, round_calibration()) > 0.0);
  gpu.tf32_tensor.reset();
  CHECK(copy_seconds(op, gpu, round_calibration()) == 0.0);
  CHECK(copy_seconds(relu(1000), round_gpu(), round_calibration()) == 0.0);
}

}  // namespace vggplan::timing
