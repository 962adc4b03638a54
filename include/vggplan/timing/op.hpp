// SPDX-License-Identifier: MIT
// One operation of a training step as work: what the timing model knows of it. No layer, no framework.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "vggplan/base/dtype.hpp"
#include "vggplan/base/phase.hpp"
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
  host_read,        ///< the host waits for a value: queue runs dry
};

/// Layer of an op that belongs to none.
inline constexpr std::size_t kNoLayer = static_cast<std::size_t>(-1);

/// Which implementation walks the tensors of an optimizer.
enum class OptimizerLoop { foreach, fused, single };

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

struct Op {
  OpKind kind{OpKind::fill};
  base::Phase phase{base::Phase::forward};
  std::size_t layer{kNoLayer};
  base::MathMode math{base::MathMode::fp32};
  base::Layout layout{base::Layout::nchw};
  base::DType type{base::DType::f32};  ///< of the activations it reads or writes
  Extent extent{};
  base::Flops flops{};
  base::Bytes read{};
  base::Bytes written{};
  std::int64_t kernels{1};  ///< that the host starts for it
  std::int64_t passes{1};   ///< over `tensors` tensors each, where the host walks them (optimizers)
  std::int64_t tensors{1};
  OptimizerLoop loop{OptimizerLoop::foreach};
  bool records{true};       ///< autograd records it; not so in inference
  bool recompute{false};    ///< second forward of a checkpointed segment
  bool after_first{false};  ///< absent in the first micro-batch (gradient accumulation)
  bool operator==(const Op&) const = default;

  [[nodiscard]] base::Bytes bytes() const { return read + written; }
};

std::string_view name_of(OpKind kind);
std::optional<OpKind> op_kind(std::string_view name);
bool is_convolution(OpKind kind);
bool is_linear(OpKind kind);

/// An op with the work and the traffic that its kind and extent imply: every tensor read and written
/// once. Casts go from or to fp32, by `type`, the type of the result; pools state their input in
/// `extent` and the adaptive pool its output side in `extent.k`.
Op make_op(OpKind kind, base::MathMode math, base::DType type, base::Layout layout, const Extent& extent);

/// What an update rule does: how often it goes over the parameters, and how many tensors of their size
/// it reads and writes in all.
struct UpdateRule {
  std::int64_t passes{1};
  std::int64_t reads{1};
  std::int64_t writes{1};
  bool operator==(const UpdateRule&) const = default;
};

/// The update of `elements` parameters in `tensors` tensors.
Op make_optimizer(base::DType type, OptimizerLoop loop, std::int64_t elements, std::int64_t tensors,
                  const UpdateRule& rule);

}  // namespace vggplan::timing
