// SPDX-License-Identifier: MIT
// The time side of an estimate: ops, collectives and the input side.
#pragma once

#include <string>
#include <vector>

#include "estimate/memory_part.hpp"
#include "vggplan/base/units.hpp"
#include "vggplan/estimate/estimate.hpp"
#include "vggplan/estimate/run.hpp"
#include "vggplan/timing/calibration.hpp"
#include "vggplan/timing/input.hpp"
#include "vggplan/timing/parallel.hpp"

namespace vggplan::estimate {

/// A job on a target, and what its time is reckoned with.
struct Timed {
  const job::Job& job;
  const Target& target;
  const Knowledge& knowledge;
  const timing::Calibration& calibration;
};

/// Between machines, for each of them.
struct Interconnect {
  base::BytesPerSecond per_node{};
  bool assumed{};         ///< the job names no machine whose network is known
  std::string machine{};  ///< whose it is; empty: nobody's
};
Interconnect interconnect_of(const job::Job& job, const Target& target, const Knowledge& knowledge);

/// What the job's GPUs talk to each other over.
timing::Fabric fabric_of(const job::Job& job, const Target& target, const Knowledge& knowledge);

/// A step as the timing room sees it. Does not depend on the GPU.
struct StepWork {
  std::vector<timing::Op> ops{};
  timing::Exchange exchange{};
};
StepWork work_of(const Lowered& lowered, const job::Job& asked, const hardware::Gpu& gpu,
                 const lowering::Framework& framework);

/// Of one GPU by itself. Under DDP it does not depend on how many there are.
timing::OwnTime own_time_of(const StepWork& work, const Timed& asked);
timing::ParallelTime step_of(const StepWork& work, const timing::OwnTime& own, const Timed& asked);

/// Of images of each size, or of the one that there is.
std::vector<timing::ParallelTime> timed_sizes(const Lowered& lowered, const Timed& asked);

/// What the GPUs of one machine take, and the workers that keep them and the storage busy.
timing::Demand demand(const Timed& asked, base::Seconds step);
/// Workers of one machine, whole ones in the process of each GPU: as many as asked for, or as many as needed, if the
/// CPUs are known no more than those.
std::int64_t workers_of(const job::Job& job, const Target& target, const timing::Demand& demand);
/// What one machine's workers, copies and storage deliver against its GPUs.
timing::InputThroughput feed(const Timed& asked, base::Seconds step, double decode_factor = 1.0);
/// What each known storage would deliver, to all machines together.
std::vector<StorageOffer> storage_offers(const Timed& asked, base::Seconds step);
timing::ImagePath image_path(const job::Job& job);

/// The slowest side: "gpu", "communication", "workers", "copy" or "storage".
std::string bound_by(const timing::ParallelTime& parallel, const timing::InputThroughput& throughput);

/// What is fed to steps of the expected, the longest and the shortest time.
struct Fed {
  timing::InputThroughput value{};
  timing::InputThroughput slow{};
  timing::InputThroughput fast{};
};
Time time_part(const Lowered& lowered, const job::Job& job, const timing::ParallelTime& parallel, const Fed& fed,
               const hardware::Gpu& gpu);
Input input_part(const Timed& asked, base::Seconds step);

/// Images per second over all GPUs, the input side included.
double images_per_second(const job::Job& job, const timing::InputThroughput& throughput);

}  // namespace vggplan::estimate
