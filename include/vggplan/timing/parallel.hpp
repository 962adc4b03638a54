// SPDX-License-Identifier: MIT
// Seconds of one training step on several GPUs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "vggplan/timing/collectives.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::timing {

/// The gradients of one layer.
struct Gradient {
  std::size_t layer{};
  base::Bytes bytes{};
  bool is_unit{false};  ///< FSDP2 gathers and scatters it by itself (the Linear layers); the rest is one unit
};

/// Gradients that DDP reduces in one collective.
struct Bucket {
  base::Bytes bytes{};
  std::size_t last{};  ///< index of the gradient that completes it
};

/// What the GPUs send each other in a step.
struct Exchange {
  base::Sharding sharding{base::Sharding::ddp};
  std::vector<Gradient> gradients{};  ///< in the order in which they become ready
  std::vector<Bucket> buckets{};      ///< in the order in which they are full
  bool bucket_view{false};
  std::int64_t rounds{1};  ///< times a step: FSDP2 gathers and scatters in every micro-batch, DDP reduces in the last
};

struct ParallelTime {
  StepTime step{};
  base::Estimated<base::Seconds> communication{};  ///< sum of the collectives
  base::Estimated<base::Seconds> exposed{};        ///< of that, while no kernel runs
  /// What else several GPUs cost: copies into and out of buckets, kernels slowed by collectives beside them,
  /// waiting for the slowest GPU. With `exposed` it is what `step` has more than a GPU alone.
  base::Estimated<base::Seconds> overhead{};
};

/// What a GPU does by itself, however many there are besides.
struct OwnTime {
  StepTime step{};
  std::vector<double> ready{};  ///< seconds from the start of backward to each gradient; then to its end
};
OwnTime own_time(std::span<const Op> ops, const hardware::Gpu& gpu, const Calibration& calibration,
                 const StepOptions& options, const Exchange& exchange);

/// The same with what the GPUs send each other. With one GPU in the fabric there is nothing to send.
ParallelTime parallel_step_time(const OwnTime& own, const hardware::Gpu& gpu, const Calibration& calibration,
                                const Exchange& exchange, const Fabric& fabric);
ParallelTime parallel_step_time(std::span<const Op> ops, const hardware::Gpu& gpu, const Calibration& calibration,
                                const StepOptions& options, const Exchange& exchange, const Fabric& fabric);

}  // namespace vggplan::timing
