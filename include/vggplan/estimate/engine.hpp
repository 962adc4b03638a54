// SPDX-License-Identifier: MIT
// What searches ask, the cheaper questions first, and what the answers are made with. Tests of searches put made-up
// models there.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/estimate/estimate.hpp"
#include "vggplan/hardware/hardware.hpp"
#include "vggplan/job/job.hpp"
#include "vggplan/lowering/framework.hpp"
#include "vggplan/timing/calibration.hpp"

namespace vggplan::estimate {

/// A GPU that somebody measured.
struct Measured {
  hardware::Gpu gpu{};
  timing::Calibration calibration{};
};

/// What the catalogue knows that an estimate needs.
struct Knowledge {
  lowering::Framework framework{};
  std::vector<Measured> measured{};  ///< GPUs with a calibration; others' coefficients come from the most alike
  std::vector<hardware::Link> links{};
  std::vector<hardware::Storage> storages{};
  std::vector<hardware::Machine> machines{};  ///< with prices; the cheapest that offers the GPU prices a bare GPU
  std::map<std::string, base::Usd> prices{};  ///< the user's: per GPU and hour by GPU name, per hour by machine name
};

/// The allocator's answer under its limit.
struct MemoryAnswer {
  Verdict verdict{Verdict::fits};
  Bytes usable{};          ///< the limit: what `Engine::usable` says
  Bytes allocated_peak{};  ///< up to the end of step 2
  Bytes run_peak{};        ///< allocated; where it does not fit: what the failing allocation would make
  Bytes reserved_peak{};
  std::int64_t cache_flushes_per_step{};
  Bytes missing{};  ///< where it does not fit: bytes short at the failing allocation
};

struct TimeAnswer {
  Seconds step{};  ///< one optimizer step, accumulation included
  Seconds communication_exposed{};
  double images_per_second{};  ///< over all GPUs, with the input side
  std::string bound_by{};
  std::optional<base::Usd> usd_per_hour{};  ///< whole machines, as they are rented
};

/// Everything a search may ask, cheapest first. All functions are pure and safe to call from several threads.
struct Engine {
  /// What the allocator may reserve on each GPU: context, and NCCL where several GPUs train, take their part first.
  std::function<Bytes(const job::Job&, const Target&)> usable{};
  /// Never more than what the allocator must hold at once in some step: with a byte less, nothing fits. Does not
  /// shrink when the batch or the image grows. A microsecond.
  std::function<Bytes(const job::Job&, const Target&)> memory_floor{};
  /// Never more than `time().step`: the same step without communication, input and optimizer.
  std::function<base::Result<Seconds>(const job::Job&, const Target&)> time_floor{};
  /// Simulation of a few steps: a fraction of a millisecond.
  std::function<base::Result<MemoryAnswer>(const job::Job&, const Target&)> memory{};
  /// Upper end of the range of what is reserved, for a job that fits: `full().memory.reserved_peak.high`. As long as
  /// two to four simulations.
  std::function<base::Result<Bytes>(const job::Job&, const Target&)> reserved_high{};
  std::function<base::Result<TimeAnswer>(const job::Job&, const Target&)> time{};
  std::function<base::Result<Estimate>(const job::Job&, const Target&)> full{};
};

/// The models of this program behind the questions. Keeps answers that do not depend on the target's capacity.
Engine make_engine(Knowledge knowledge);

}  // namespace vggplan::estimate
