// SPDX-License-Identifier: MIT
// One operation of a training step as work: what the timing model knows of it. No layer, no framework.
#pragma once

#include <cstddef>
#include <cstdint>
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
  std::int64_t launches{1};  ///< kernels that the host starts for it
  OptimizerLoop loop{OptimizerLoop::foreach};
  bool recompute{false};    ///< second forward of a checkpointed segment
  bool after_first{false};  ///< absent in the first micro-batch (gradient accumulation)
  bool operator==(const Op&) const = default;

  [[nodiscard]] base::Bytes bytes() const { return read + written; }
};

std::string_view name_of(OpKind kind);

}  // namespace vggplan::timing
