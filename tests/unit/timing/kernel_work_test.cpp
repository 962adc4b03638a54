// SPDX-License-Identifier: MIT
#include "timing/kernel_work.hpp"

#include <vector>

#include "unit/timing/fixtures.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {
namespace {

using enum OpKind;

Op pool_or_norm(OpKind kind, const Extent& extent, DType type = DType::f32, Layout layout = Layout::nchw) {
  return make_op(kind, base::MathMode::fp32, type, layout, extent);
}

/// By which factor an op takes longer than its tensors say.
double excess(OpKind kind, const Extent& extent, DType type = DType::f32, Layout layout = Layout::nchw) {
  const Op op = pool_or_norm(kind, extent, type, layout);
  return kernel_bytes(op) / op.bytes().as_double();
}

}  // namespace

TEST_CASE("a contiguous adaptive pool takes what its windows cover, pixel by pixel") {
  for (const auto& [side, height, width] :
       {std::tuple{7, 7, 7}, std::tuple{7, 14, 7}, std::tuple{7, 1, 1}, std::tuple{7, 7, 10}, std::tuple{7, 10, 7},
        std::tuple{2, 3, 5}, std::tuple{3, 20, 17}}) {
    // PyTorch's windows: from floor(i in / out) to ceil((i + 1) in / out).
    std::vector<std::int64_t> additions(static_cast<std::size_t>(height * width), 0);
    for (int i = 0; i < side * side; ++i) {
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
          const bool in_rows = y >= i / side * height / side && y * side < (i / side + 1) * height;
          const bool in_columns = x >= i % side * width / side && x * side < (i % side + 1) * width;
          additions[static_cast<std::size_t>(y * width + x)] += in_rows && in_columns ? 1 : 0;
        }
      }
    }
    double sum = 0.0;
    bool overlap = false;
    for (const std::int64_t n : additions) {
      sum += static_cast<double>(n);
      overlap = overlap || n > 1;
    }
    const double pixels = height * width;
    const double meeting = sum / pixels;
    const double outputs = side * side;
    // small_maps.jsonl: a fiftieth of an output's time for a pixel, 0.035 of it for an addition that is tried again.
    const double walked = outputs + 0.02 * pixels;
    const double retried = overlap ? 0.035 * sum * meeting * meeting : 0.0;
    const auto work = [&, side = side, height = height, width = width](OpKind kind, DType type) {
      return kernel_bytes(pool_or_norm(kind, {3, 5, side, height, width}, type)) /
             (15.0 * static_cast<double>(base::size_of(type)));
    };
    CAPTURE(side, height, width);
    CHECK(work(avg_pool_backward, DType::bf16) == Approx(walked + retried));
    CHECK(work(avg_pool_backward, DType::f32) == Approx(walked));
    CHECK(work(avg_pool_forward, DType::bf16) == Approx(walked));
  }
  CHECK(excess(avg_pool_forward, {3, 5, 1, 9, 9}) == 1.0);  // to one pixel
  CHECK(excess(avg_pool_forward, {3, 5, 7, 9, 9}, DType::f32, Layout::nhwc) == 1.0);
}

TEST_CASE("a short row of a contiguous map keeps a block busy as long as one of 64 pixels, or of cuDNN's 224") {
  const auto of = [](OpKind kind, std::int64_t pixels, DType type, Layout layout = Layout::nchw) {
    return excess(kind, {400, 5, 5, 1, pixels}, type, layout);
  };
  for (const auto& [kind, type, row] :
       {std::tuple{batch_norm_inference, DType::bf16, 64.0}, std::tuple{batch_norm_inference, DType::f32, 224.0},
        std::tuple{batch_norm_inference, DType::f16, 224.0}, std::tuple{max_pool_backward, DType::f32, 64.0},
        std::tuple{max_pool_backward, DType::bf16, 64.0}, std::tuple{batch_norm_forward, DType::bf16, 64.0},
        std::tuple{batch_norm_forward, DType::f16, 0.0}, std::tuple{max_pool_forward, DType::f32, 0.0},
        std::tuple{batch_norm_backward, DType::bf16, 0.0}, std::tuple{bias_grad, DType::f32, 0.0}}) {
    for (const std::int64_t pixels : {1, 4, 16, 60, 64, 66, 200, 224, 300}) {
      CAPTURE(base::name_of_enum(kind), row, pixels);
      CHECK(of(kind, pixels, type) == Approx(std::max(1.0, row / static_cast<double>(pixels))));
      CHECK(of(kind, pixels, type, Layout::nhwc) == 1.0);
    }
  }
}

TEST_CASE("inference of a contiguous batch norm needs 330 rows to fill the GPU, and none beyond 2^31 elements") {
  const auto of = [](std::int64_t images, std::int64_t channels, std::int64_t side, Layout layout = Layout::nchw) {
    return excess(batch_norm_inference, {images, channels, channels, side, side}, DType::f32, layout);
  };
  CHECK(of(1, 33, 64) == Approx(10.0));
  CHECK(of(3, 11, 64) == Approx(10.0));
  CHECK(of(10, 33, 64) == 1.0);
  CHECK(of(50, 33, 64) == 1.0);
  CHECK(of(1, 33, 64, Layout::nhwc) == 1.0);
  CHECK(of(1, 31, 1 << 13) == Approx(330.0 / 31));
  CHECK(of(1, 32, 1 << 13) == 1.0);
  CHECK(of(8, 4, 1 << 13) == 1.0);
  CHECK(excess(batch_norm_inference, {1, 1, 1, 1, 2'147'483'647}) == Approx(330.0));
  CHECK(excess(batch_norm_forward, {1, 33, 33, 64, 64}) == 1.0);
}

TEST_CASE("as many images of a pool run at a time as 32,768 maps leave room for") {
  const auto of = [](std::int64_t images, std::int64_t channels) {
    return images_side_by_side(pool_or_norm(avg_pool_forward, {images, channels, 7, 8, 8}));
  };
  CHECK(of(3, 512) == 3.0);
  CHECK(of(100, 512) == 64.0);
  CHECK(of(100, 65536) == 1.0);
}

}  // namespace vggplan::timing
