// SPDX-License-Identifier: MIT
// Buffers of PyTorch's sums against its launch configurations, written down a second time: ReduceConfig of
// aten/src/ATen/native/cuda/Reduce.cuh, flexible_launch_configs of aten/src/ATen/native/cuda/Normalization.cuh.
#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "support/catch.hpp"
#include "support/random_job.hpp"
#include "vggplan/lowering/workspace.hpp"

namespace vggplan::lowering {
namespace {

using support::pick;

int last_pow2(std::int64_t n) {
  int power = 1;
  while (std::int64_t{power} * 2 <= n) {
    power *= 2;
  }
  return power;
}

std::int64_t div_up(std::int64_t a, std::int64_t b) { return a / b + (a % b == 0 ? 0 : 1); }

/// Of sums in fp32. `vectors`: values that a thread reads at once, of one output or of as many.
struct ReduceConfig {
  ReduceConfig(std::int64_t outputs, std::int64_t inputs, bool on_fastest, int vectors, const Device& device)
      : num_outputs(outputs), num_inputs(inputs), block_x_reduce(on_fastest) {
    std::int64_t dim0 = on_fastest ? inputs : outputs;
    const std::int64_t dim1 = on_fastest ? outputs : inputs;
    dim0 /= vectors;
    output_vec_size = on_fastest ? 1 : vectors;
    const int max_threads = 512 / output_vec_size;
    const int dim0_pow2 = std::min(last_pow2(dim0), max_threads);
    const int dim1_pow2 = std::min(last_pow2(dim1), max_threads);
    block_width = std::min(dim0_pow2, 32);
    block_height = std::min(dim1_pow2, max_threads / block_width);
    block_width = std::min(dim0_pow2, max_threads / block_height);
    (on_fastest ? step_input : step_output) *= block_width;
    const bool block_y_reduce = values_per_thread() >= block_height * 16 || values_per_thread() >= 256;
    (block_y_reduce ? step_input : step_output) *= block_height;
    const std::int64_t target = device.sm_count * (device.threads_per_sm / (block_width * block_height));
    if (block_y_reduce && values_per_thread() >= 256 && grid() <= target) {
      ctas_per_output =
          std::max(std::min(div_up(target, grid()), div_up(values_per_thread(), 16)), div_up(values_per_thread(), 256));
    }
  }

  [[nodiscard]] std::int64_t values_per_thread() const { return div_up(num_inputs, step_input); }
  [[nodiscard]] std::int64_t grid() const { return div_up(num_outputs / output_vec_size, step_output); }
  [[nodiscard]] std::int64_t global_memory_size() const {
    const std::int64_t size = 4 * num_outputs * ctas_per_output;
    return ctas_per_output == 1 ? 0 : block_x_reduce ? size : size * block_width * output_vec_size;
  }
  [[nodiscard]] std::int64_t semaphore_size() const { return ctas_per_output == 1 ? 0 : 4 * grid(); }

  std::int64_t num_outputs;
  std::int64_t num_inputs;
  bool block_x_reduce;
  int output_vec_size{1};
  int block_width{};
  int block_height{};
  std::int64_t step_input{1};
  std::int64_t step_output{1};
  std::int64_t ctas_per_output{1};
};

void check_same(const ReductionBuffers& buffers, const ReduceConfig& config) {
  CHECK(buffers.partial_sums == config.global_memory_size());
  CHECK(buffers.counters == config.semaphore_size());
}

/// A size of any magnitude up to 2^most.
std::int64_t size_up_to(std::mt19937& random, int most) {
  const std::int64_t top = std::int64_t{1} << pick(random, 0, most);
  return random() % 3 == 0 ? top : pick(random, 1, top);
}

/// get_output_vec_size: as many side by side as divide the row, four at most.
int side_by_side(std::int64_t outputs) { return outputs % 4 == 0 ? 4 : outputs % 2 == 0 ? 2 : 1; }

Device drawn_device(std::mt19937& random) {
  Device device;
  device.sm_count = pick(random, 1, 160);
  device.threads_per_sm = random() % 2 == 0 ? 1536 : 2048;
  return device;
}

TEST_CASE("sums over rows and means over pixels take the buffers of PyTorch's launch configuration") {
  std::mt19937 random(7);
  std::size_t split = 0;
  for (int i = 0; i < 3000; ++i) {
    const Device device = drawn_device(random);
    const std::int64_t outputs = size_up_to(random, 13);
    const std::int64_t inputs = size_up_to(random, 22);
    INFO(outputs << " sums of " << inputs);
    const ReduceConfig rows(outputs, inputs, false, side_by_side(outputs), device);
    check_same(linear_bias_reduction(outputs, inputs, device), rows);
    check_same(mean_reduction(outputs, inputs, base::Layout::nhwc, device), rows);
    const ReduceConfig pixels(outputs, inputs, true, inputs > 128 ? 4 : 1, device);
    check_same(mean_reduction(outputs, inputs, base::Layout::nchw, device), pixels);
    split += rows.ctas_per_output > 1 && pixels.ctas_per_output > 1 ? 1U : 0U;
  }
  CHECK(split > 300);
  Device small;
  small.sm_count = 1;  // 16 blocks of 128 threads, of which four go down the rows
  CHECK(linear_bias_reduction(4 * 32 * 16, 4 * 256, small).partial_sums == 0);
  CHECK(linear_bias_reduction(4 * 32 * 16, 4 * 256 + 1, small).partial_sums == std::int64_t{4} * 2048 * 2 * 128);
}

TEST_CASE("the gradient of a convolution's bias is summed in pieces of less than 2^31 bytes") {
  std::mt19937 random(8);
  std::set<std::int64_t> pieces;
  for (int i = 0; i < 2000; ++i) {
    const Device device = drawn_device(random);
    Convolution conv;
    conv.images = random() % 3 == 0 ? 1 : size_up_to(random, 14);
    const bool huge = random() % 8 == 0;
    conv.out_channels = huge ? pick(random, 1, 8) : size_up_to(random, 10);
    conv.height = huge ? pick(random, 12'000, 16'384) : size_up_to(random, 10);
    conv.width = huge ? pick(random, 12'000, 16'384) : size_up_to(random, 10);
    conv.images = huge ? 1 : conv.images;
    conv.element_bytes = random() % 2 == 0 ? 2 : 4;
    conv.layout = random() % 2 == 0 ? base::Layout::nchw : base::Layout::nhwc;
    const std::int64_t pixels = conv.height * conv.width;
    INFO(conv.images << " of " << conv.out_channels << " x " << conv.height << " x " << conv.width);
    // Maps of one pixel have no layout of their own. TensorIterator halves the dimension of the largest stride:
    // channels of a single contiguous map, else images, or rows of pixels.
    const bool rows = conv.layout == base::Layout::nhwc && pixels > 1;
    const bool single = !rows && conv.images == 1;
    std::int64_t outputs = conv.out_channels;
    std::int64_t inputs = conv.images * pixels;
    std::int64_t bytes = outputs * inputs * conv.element_bytes;
    std::int64_t parts = 1;
    for (; bytes >= std::int64_t{1} << 31; bytes = div_up(bytes, 2)) {
      (single ? outputs : inputs) = div_up(single ? outputs : inputs, 2);
      parts *= 2;
    }
    const ReductionBuffers buffers = bias_reduction(conv, device);
    const int vectors = rows ? side_by_side(outputs) : single && inputs > 128 ? 4 : 1;
    check_same(buffers, ReduceConfig(outputs, inputs, !rows, vectors, device));
    CHECK(buffers.pieces == parts);
    // Between pieces, sums of 16 bits are held in fp32.
    CHECK(buffers.between == (parts > 1 && conv.element_bytes == 2 ? 4 * conv.out_channels : 0));
    pieces.insert(parts);
  }
  CHECK(pieces.size() >= 4);
}

TEST_CASE("batch norm of channels_last maps stages sums where PyTorch launches eight rows of blocks or more") {
  std::mt19937 random(9);
  std::set<std::int64_t> rows;
  for (int i = 0; i < 3000; ++i) {
    const std::int64_t channels = size_up_to(random, 12);
    const std::int64_t pixels = size_up_to(random, 22);
    INFO(channels << " channels of " << pixels);
    int block_x = std::min(last_pow2(channels), 32);
    const int block_y = std::min(last_pow2(div_up(pixels, 16)), 512 / block_x);
    if (block_x * block_y != 512) {
      block_x = std::min(last_pow2(channels), 512 / block_y);
    }
    const std::int64_t grid_x = div_up(channels, block_x);
    std::int64_t grid_y = std::min<std::int64_t>(div_up(pixels, std::int64_t{block_y} * 16), 128);
    grid_y = grid_y < 8 ? 1 : grid_y;
    const NormBuffers buffers = batch_norm_staging(channels, pixels);
    const bool staged = grid_y > 1;
    CHECK(buffers.forward == (staged ? 4 * channels * grid_y * 4 : 0));
    CHECK(buffers.backward == (staged ? 2 * channels * grid_y * 4 : 0));
    CHECK(buffers.counters == (staged ? grid_x * 4 : 0));
    rows.insert(grid_y);
  }
  CHECK(rows.contains(8));
  CHECK(rows.contains(128));
}

}  // namespace
}  // namespace vggplan::lowering
