// SPDX-License-Identifier: MIT
// Every kind of op against tensors counted by hand.
#include <map>
#include <set>

#include "unit/timing/fixtures.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::timing {
namespace {

using enum OpKind;

/// How often the kernels of an op go through a tensor as large as its input, and as large as its result.
struct Passes {
  std::vector<OpKind> kinds{};
  std::int64_t read_in{};
  std::int64_t read_out{};
  std::int64_t written_in{};
  std::int64_t written_out{};
  std::int64_t kernels{1};
};

/// As kernel profiles show them. Those with tensors of two types or of another size come below.
const std::vector<Passes>& passes_by_kind() {
  static const std::vector<Passes> kPasses{
      {{bias_add, relu_forward, relu6_forward, silu_forward, sigmoid_forward, gelu_forward, hard_swish_forward,
        multiply, concatenate, slice_copy, layer_norm_forward, batch_norm_inference, fused, optimizer, grad_unscale,
        copy},
       1,
       0,
       1,
       0},
      {{relu_backward, relu6_backward, silu_backward, sigmoid_backward, gelu_backward, hard_swish_backward, add,
        slice_relu_backward, layer_norm_backward, mse_backward, smooth_l1_backward, batch_norm_forward,
        grad_accumulate},
       2,
       0,
       1,
       0},
      {{batch_norm_backward}, 4, 0, 1, 0},
      {{average_pool_forward, nearest_forward, bilinear_forward}, 1, 0, 0, 1},
      {{average_pool_backward, nearest_backward, bilinear_backward}, 0, 1, 1, 0},
      {{multiply_reduce, mse_forward, smooth_l1_forward}, 3, 0, 1, 0, 2},
      {{loss_forward, pixel_loss_forward}, 2, 0, 2, 0, 2},
      {{loss_backward, pixel_loss_backward}, 2, 0, 2, 0, 4},
      {{fill}, 0, 0, 1, 0},
      {{compiled_call, checkpoint}, 0, 0, 0, 0, 0},
  };
  return kPasses;
}
const std::set<OpKind> kOthers{conv_forward,      conv_input_grad,
                               conv_weight_grad,  linear_forward,
                               linear_input_grad, linear_weight_grad,
                               bias_grad,         max_pool_forward,
                               max_pool_backward, avg_pool_forward,
                               avg_pool_backward, dropout_forward,
                               dropout_backward,  cast,
                               host_read};

Op op_of(OpKind kind, base::DType type, const Extent& extent, const Filter& filter = {},
         base::Layout layout = base::Layout::nchw, base::MathMode math = base::MathMode::fp32) {
  return make_op(kind, math, type, layout, extent, filter);
}

/// Read, written and kernels.
using Traffic3 = std::array<std::int64_t, 3>;
Traffic3 traffic_of(const Op& op) { return {op.read.count(), op.written.count(), op.kernels}; }

}  // namespace

TEST_CASE("every kind goes through its tensors as often as was counted") {
  std::set<OpKind> seen = kOthers;
  for (const base::DType type : {base::DType::f32, base::DType::bf16}) {
    const std::int64_t size = type == base::DType::f32 ? 4 : 2;
    constexpr std::int64_t kIn = 3 * 5 * 10 * 6;  // elements of three images of five channels
    constexpr std::int64_t kOut = 3 * 5 * 4 * 7;
    for (const Passes& passes : passes_by_kind()) {
      for (const OpKind kind : passes.kinds) {
        CAPTURE(base::name_of_enum(kind), size);
        seen.insert(kind);
        const Op op = op_of(kind, type, {3, 5, 9, 10, 6}, {3, 3, 2, 1, 1, false, 4, 7});
        CHECK(traffic_of(op) == Traffic3{size * (passes.read_in * kIn + passes.read_out * kOut),
                                         size * (passes.written_in * kIn + passes.written_out * kOut), passes.kernels});
        CHECK(op.flops.count() == 0);
      }
    }
  }
  CHECK(seen.size() == base::NameTable<OpKind>::table.size());
}

TEST_CASE("tensors of two types or of another size are counted by hand") {
  using base::DType;
  constexpr std::int64_t kIn = 3 * 5 * 10 * 7;
  constexpr std::int64_t kPooled = 3 * 5 * 5 * 3;  // 2x2 windows, the last column left over
  for (const DType type : {DType::f32, DType::f16}) {
    const std::int64_t size = base::size_of(type);
    const auto traffic = [&](OpKind kind) { return traffic_of(op_of(kind, type, {3, 5, 2, 10, 7})); };
    CHECK(traffic(max_pool_forward) == Traffic3{kIn * size, kPooled * (size + 8), 1});
    CHECK(traffic(max_pool_backward) == Traffic3{kPooled * (size + 8), 2 * kIn * size, 2});
    CHECK(traffic(avg_pool_forward) == Traffic3{kIn * size, 3 * 5 * 2 * 2 * size, 1});  // adaptive, to 2 x 2
    CHECK(traffic(avg_pool_backward) == Traffic3{3 * 5 * 2 * 2 * size, kIn * size, 1});
    CHECK(traffic(dropout_forward) == Traffic3{kIn * size, kIn * (size + 1), 1});
    CHECK(traffic(dropout_backward) == Traffic3{kIn * (size + 1), kIn * size, 1});
    CHECK(traffic(bias_grad) == Traffic3{kIn * size, 5 * size, 1});
    CHECK(traffic(cast) == Traffic3{kIn * (6 - size), kIn * size, 1});
    CHECK(traffic(host_read) == Traffic3{size, size, 1});
  }
}

TEST_CASE("products have a multiplication and an addition for each image, pixel, tap and pair of channels of a group") {
  for (const Filter& filter : {Filter{}, Filter{3, 1, 2, 1, 2, false, 3, 4}, Filter{2, 2, 2, 1, 1, true, 10, 14}}) {
    constexpr std::int64_t kMap = 5 * 7;
    const std::int64_t made = filter.out_height > 0 ? filter.out_height * filter.out_width : kMap;
    std::int64_t flops = 0;
    for (std::int64_t in = 0; in < 4; ++in) {
      for (std::int64_t out = 0; out < 6; ++out) {
        const bool joined = in / (4 / filter.groups) == out / (6 / filter.groups);
        flops += joined ? 2 * 3 * filter.height * filter.width * (filter.transposed ? kMap : made) : 0;
      }
    }
    const std::int64_t weights = 4 * 6 / filter.groups * filter.height * filter.width;
    for (const OpKind kind : {conv_forward, conv_input_grad, conv_weight_grad}) {
      const Op op = op_of(kind, base::DType::bf16, {3, 4, 6, 5, 7}, filter);
      CHECK(op.flops.count() == flops);
      CHECK(op.bytes().count() == 2 * (3 * 4 * kMap + 3 * 6 * made + weights));
    }
  }
  for (const OpKind kind : {linear_forward, linear_input_grad, linear_weight_grad}) {
    const Op op = op_of(kind, base::DType::f32, {3, 40, 60, 1, 1}, {}, base::Layout::nchw, base::MathMode::tf32);
    CHECK(op.flops.count() == 2 * 3 * 40 * 60);
    CHECK(op.bytes().count() == 4 * (3 * 40 + 3 * 60 + 40 * 60));
    CHECK(op.kernels == 2);
  }
}

TEST_CASE("contiguous convolutions start three kernels more, which turn tensors, but for those in true fp32") {
  using base::Layout;
  using base::MathMode;
  const auto kernels = [](Layout layout, MathMode math) {
    return op_of(conv_forward, base::DType::f32, {1, 64, 64, 8, 8}, {}, layout, math).kernels;
  };
  CHECK(kernels(Layout::nchw, MathMode::tf32) == 5);
  CHECK(kernels(Layout::nhwc, MathMode::tf32) == 2);
  CHECK(kernels(Layout::nchw, MathMode::fp32) == 2);
}

TEST_CASE("an optimizer's kernels take 320 blocks of 65,536 elements each, in every pass") {
  const auto made = [](base::OptimizerImpl impl, std::int64_t elements) {
    return make_optimizer(base::DType::f32, impl, elements, 9, {4, 7, 3});
  };
  for (const base::OptimizerImpl impl : {base::OptimizerImpl::foreach, base::OptimizerImpl::fused}) {
    CHECK(made(impl, 320 * 65536 - 1).kernels == 4);
    CHECK(made(impl, 320 * 65536 + 1).kernels == 8);
    CHECK(made(impl, 10 * 320 * 65536 - 1).kernels == 40);
  }
  const Op loop = made(base::OptimizerImpl::loop, 1000);
  CHECK(loop.kernels == 36);
  CHECK(loop.passes == 4);
  CHECK(loop.tensors == 9);
  CHECK(loop.extent == Extent{1000, 1, 1, 1, 1});
  CHECK(loop.read.count() == 7 * 4000);
  CHECK(loop.written.count() == 3 * 4000);
}

TEST_CASE("convolutions, Linear layers and batch norms are told by their names") {
  for (const auto& row : base::NameTable<OpKind>::table) {
    CAPTURE(row.name);
    CHECK(is_convolution(row.value) == row.name.starts_with("conv_"));
    CHECK(is_linear(row.value) == row.name.starts_with("linear_"));
    CHECK(is_batch_norm(row.value) == row.name.starts_with("batch_norm_"));
  }
}

}  // namespace vggplan::timing
