// SPDX-License-Identifier: MIT
// One operation of a training step as work: what the timing model knows of it. No layer, no framework.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include "vggplan/base/dtype.hpp"
#include "vggplan/base/phase.hpp"
#include "vggplan/base/settings.hpp"
#include "vggplan/base/units.hpp"

namespace vggplan::timing {

enum class OpKind {
  conv_forward,
  conv_input_grad,
  conv_weight_grad,
  linear_forward,
  linear_input_grad,
  linear_weight_grad,
  bias_add,   ///< of a convolution: a broadcast addition of its own
  bias_grad,  ///< a sum over all but the channels
  relu_forward,
  relu_backward,
  max_pool_forward,
  max_pool_backward,
  avg_pool_forward,
  avg_pool_backward,
  batch_norm_forward,
  batch_norm_inference,
  batch_norm_backward,
  layer_norm_forward,
  layer_norm_backward,
  average_pool_forward,  ///< of windows, at their own pace
  average_pool_backward,
  relu6_forward,
  relu6_backward,
  silu_forward,
  silu_backward,
  sigmoid_forward,
  sigmoid_backward,
  gelu_forward,
  gelu_backward,
  hard_swish_forward,
  hard_swish_backward,
  add,                  ///< of two maps, in place or not
  multiply,             ///< of a map by a number a channel
  multiply_reduce,      ///< its gradient to the numbers: a product and a sum over pixels
  concatenate,          ///< `c`: all channels
  slice_copy,           ///< part of the channels, `c` of them
  slice_relu_backward,  ///< relu_backward of such a part
  nearest_forward,
  nearest_backward,
  bilinear_forward,
  bilinear_backward,
  pixel_loss_forward,  ///< cross entropy over the channels of each pixel
  pixel_loss_backward,
  mse_forward,
  mse_backward,
  smooth_l1_forward,
  smooth_l1_backward,
  dropout_forward,
  dropout_backward,
  loss_forward,
  loss_backward,
  cast,             ///< from one element type to another
  fill,             ///< zeros
  copy,             ///< from one layout to another, same type
  grad_accumulate,  ///< grad += new
  optimizer,        ///< one pass over tensors of the optimizer
  grad_unscale,     ///< GradScaler: division and the check for infinities
  fused,            ///< a kernel of inductor's: what it reads and writes is told by the op itself
  compiled_call,    ///< a compiled program is entered: guards, autograd's function, its arguments; host alone
  host_read,        ///< the host waits for a value: queue runs dry
  checkpoint,       ///< a checkpointed segment is entered, or run again: host alone, with hooks on `tensors`
};

/// Layer of an op that belongs to none.
inline constexpr std::size_t kNoLayer = static_cast<std::size_t>(-1);

/// How the host starts an op: PyTorch's own way, from code that inductor wrote, or with all others as one CUDA graph.
enum class Launch { eager, compiled, graph };

/// `n` images of `c` channels and `h` x `w` pixels; `k` output channels where they differ from `c`
/// (convolutions, Linear: c inputs and k outputs, h = w = 1). Pools state their input.
struct Extent {
  std::int64_t n{1};
  std::int64_t c{1};
  std::int64_t k{1};
  std::int64_t h{1};
  std::int64_t w{1};
  bool operator==(const Extent&) const = default;
};

/// How a convolution or a pool walks its map, and what comes out. As it is constructed it is VGG's: 3x3 of stride 1 and
/// padding 1, or a maximum pool of 2x2.
struct Filter {
  std::int64_t height{3};
  std::int64_t width{3};
  std::int64_t stride{1};
  std::int64_t dilation{1};
  std::int64_t groups{1};
  bool transposed{false};
  std::int64_t out_height{0};  ///< 0: as VGG's. Of what resizes as well, whose other numbers stay as they are
  std::int64_t out_width{0};
  auto operator<=>(const Filter&) const = default;
  [[nodiscard]] std::int64_t taps() const { return height * width; }
};

struct Op {
  OpKind kind{OpKind::fill};
  base::Phase phase{base::Phase::forward};
  std::size_t layer{kNoLayer};
  base::MathMode math{base::MathMode::fp32};
  base::Layout layout{base::Layout::nchw};
  base::DType type{base::DType::f32};  ///< of the activations it reads or writes
  Extent extent{};
  Filter filter{};
  base::Flops flops{};
  base::Bytes read{};
  base::Bytes written{};
  std::int64_t kernels{1};  ///< that the host starts for it
  std::int64_t passes{1};   ///< over `tensors` tensors each, where the host walks them (optimizers)
  std::int64_t tensors{1};  ///< of an optimizer; of a checkpointed segment what it saves for backward
  base::OptimizerImpl impl{base::OptimizerImpl::foreach};
  Launch launch{Launch::eager};
  bool narrow_parameters{false};  ///< of 16 bits, in a batch norm
  bool records{true};             ///< autograd records it; not so in inference
  bool recompute{false};          ///< second forward of a checkpointed segment
  bool stands_in{false};          ///< was measured, in the place of a kernel that was not
  bool after_first{false};        ///< absent in the first micro-batch (gradient accumulation)
  bool operator==(const Op&) const = default;

  [[nodiscard]] base::Bytes bytes() const { return read + written; }
};

bool is_convolution(OpKind kind);
bool is_linear(OpKind kind);
bool is_batch_norm(OpKind kind);

/// An op with the work and the traffic that its kind and extent imply: every tensor read and written
/// once. Casts go from or to fp32, by `type`, the type of the result; pools state their input in
/// `extent` and the adaptive pool its output side in `extent.k`.
Op make_op(OpKind kind, base::MathMode math, base::DType type, base::Layout layout, const Extent& extent,
           const Filter& filter = {});

/// Pixels of the maps that an op reads and makes: of one image, in the direction of forward.
std::int64_t pixels_in(const Op& op);
std::int64_t pixels_out(const Op& op);

/// What an update rule does: how often it goes over the parameters, and how many tensors of their size
/// it reads and writes in all.
struct UpdateRule {
  std::int64_t passes{1};
  std::int64_t reads{1};
  std::int64_t writes{1};
  bool operator==(const UpdateRule&) const = default;
};

/// The update of `elements` parameters in `tensors` tensors.
Op make_optimizer(base::DType type, base::OptimizerImpl impl, std::int64_t elements, std::int64_t tensors,
                  const UpdateRule& rule);

}  // namespace vggplan::timing

namespace vggplan::base {

template <>
struct NameTable<timing::OpKind> : NamesAsWritten<timing::OpKind> {};

}  // namespace vggplan::base
