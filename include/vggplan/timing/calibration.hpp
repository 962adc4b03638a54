// SPDX-License-Identifier: MIT
// Fitted coefficients of the timing model for one GPU. Data: configs/calibration/<gpu>.json, written by
// `vggplan calibrate`, never by hand. docs/how-time-is-modelled.md says what each means.
#pragma once

#include <string>
#include <vector>

#include "vggplan/base/estimated.hpp"
#include "vggplan/base/units.hpp"
#include "vggplan/timing/collectives.hpp"
#include "vggplan/timing/input.hpp"
#include "vggplan/timing/shape_class.hpp"

namespace vggplan::timing {

/// A kernel that streams memory: seconds = start + bytes / rate. The rate is `cached` where what it
/// touches fits the L2 cache, `uncached` where it is larger, in between a mixture.
struct StreamRate {
  ShapeClass shape{};
  double start_seconds{};
  base::BytesPerSecond cached{};
  base::BytesPerSecond uncached{};
  bool operator==(const StreamRate&) const = default;
};

/// Share of the roofline that kernels of one class reach, by size: straight lines between nodes that
/// stand `octaves_per_node` apart, over the logarithms of both. May exceed 1 (Winograd, data in cache).
struct ShareCurve {
  ShapeClass shape{};
  double first_octave{};  ///< log2 of the size at the first node
  double octaves_per_node{2.0};
  std::vector<double> shares{};
  bool operator==(const ShareCurve&) const = default;
};

/// What the host needs to start work, in seconds: the GPU waits where this takes longer than the kernels.
struct HostCosts {
  double step_seconds{};              ///< once a step: the loop, zero_grad
  double forward_op_seconds{};        ///< Python module and dispatch of one op
  double unrecorded_share{1.0};       ///< of that, where autograd records nothing
  double cast_seconds{};              ///< autocast's of one tensor, in forward and of its gradient
  double backward_seconds{};          ///< once a step: autograd's engine and its thread
  double backward_op_seconds{};       ///< autograd node; no Python
  double gradient_seconds{};          ///< more for a layer with parameters, whose gradients are handed over
  double kernel_seconds{};            ///< each further kernel of an op
  double checkpoint_seconds{};        ///< a checkpointed segment: its context, the states of the random generators
  double recompute_seconds{};         ///< the same where it runs again, in the middle of backward
  double saved_tensor_seconds{};      ///< hooks, in Python, of a tensor that a segment saves; either time
  double optimizer_pass_seconds{};    ///< one pass over all tensors at once (foreach, fused)
  double optimizer_tensor_seconds{};  ///< each tensor, once, of such an optimizer: they are sorted into lists
  double optimizer_call_seconds{};    ///< one pass over one tensor (loop)
  double scaler_seconds{};            ///< GradScaler: unscale, read, update
  double busy_share{};                ///< more for each second that the GPU is busy with the op: launches slow down
  double gap_seconds{};               ///< on the GPU, between one kernel and the next
  bool operator==(const HostCosts&) const = default;
};

/// How fast hosts are, told by what one addition to a small tensor takes them from Python, in seconds. `HostCosts` are
/// those of a host that takes `operation`; all are 0 where nobody measured it.
struct HostSpeed {
  double operation{};
  double low{};   ///< of the fastest host that was measured
  double high{};  ///< of the slowest
  bool operator==(const HostSpeed&) const = default;
};

/// How far measured steps lie from the model, as ratios measured / modelled: from the 2nd to the 98th percentile, with
/// a margin.
struct Spread {
  double low{0.95};
  double high{1.05};
  bool operator==(const Spread&) const = default;
};

struct Calibration {
  std::string gpu{};  ///< name of the GPU that is timed
  base::Basis basis{base::Basis::calibrated};
  std::string carried_from{};  ///< the measured GPU, where it is another one; see carry_over.hpp
  base::Bytes l2_cache{};
  std::vector<StreamRate> streams{};  ///< sorted by shape
  std::vector<ShareCurve> curves{};   ///< sorted by shape
  HostCosts host{};
  HostSpeed host_speed{};
  LinkRates links{};
  InputRates input{};
  Spread spread{};       ///< of the steps that the device bounds
  Spread spread_fp32{};  ///< cuDNN's choice in true fp32 changes several-fold with the size
  Spread spread_host{};  ///< of what the host takes, its speed being known
  bool operator==(const Calibration&) const = default;
};

/// The tables are searched, so they must be in order.
void sort_by_shape(Calibration& calibration);

/// All that kernels and the host take, `factor` times as long. Collectives and the input side stay as they are.
void slow_down(Calibration& calibration, double factor);

}  // namespace vggplan::timing
