// SPDX-License-Identifier: MIT
// From a job and a target to an estimate. Searches ask the cheaper questions of `Engine` first; tests
// of searches put made-up models there.
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
#include "vggplan/memory/tape.hpp"
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
  std::string today{};                        ///< an ISO date that the age of prices is told by; empty: it is not told
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

struct Options {
  bool timeline{false};
  bool layers{false};
};

/// One job on one target. An error only for a job that makes no sense; "does not fit" is an answer.
base::Result<Estimate> estimate(const job::Job& job, const Target& target, const Knowledge& knowledge,
                                const Options& options = {});

/// The GPU's own coefficients, or those of a measured one carried over; an error where nothing was measured.
base::Result<timing::Calibration> calibration_for(const hardware::Gpu& gpu, const Knowledge& knowledge);

/// What a process of the job asks of the allocator, and the names of the layers on that tape.
struct Process {
  memory::Tape tape{};
  std::vector<std::string> layers{};
};
base::Result<Process> process_of(const job::Job& job, const Target& target, const lowering::Framework& framework);

/// The target on a card that has room for such a limit: for questions about what a job would take.
Target with_usable(Target target, Bytes usable);

/// What the allocator may reserve on each GPU: `target.usable`, less where context and NCCL leave less.
Bytes usable_memory(const job::Job& job, const Target& target, const lowering::Framework& framework);

/// Memory alone, under that limit.
base::Result<MemoryAnswer> simulate_memory(const job::Job& job, const Target& target, const Knowledge& knowledge);

/// Pixels of the image that one element of the last map before the head sees, and by how many its neighbour's window is
/// shifted.
struct ReceptiveField {
  std::int64_t size{};
  std::int64_t stride{};
};
ReceptiveField receptive_field(const graph::Network& network);

/// Images that one epoch computes: its last batch may be short and counts whole. Nothing where the number of
/// images is unknown.
std::optional<double> images_of_epoch(const job::Job& job);
/// Inference goes through the data set once.
std::int64_t epochs_of(const job::Job& job);

/// Whether the builds of the framework have code for the GPU.
bool runs_on(const lowering::Framework& framework, const hardware::Gpu& gpu);

/// An error where the GPU cannot compute in the job's precision, not even in a wider type: bf16 before Ampere.
base::Status check_precision(const job::Job& job, const hardware::Gpu& gpu);

/// Bytes of one image file: the user's figure, or measured bytes per pixel of the format.
Bytes bytes_per_image(const job::Job& job);

/// Bytes that are read of one image: its file, or its pixels from a decoded cache.
Bytes bytes_read_per_image(const job::Job& job);

/// torch.save of a state_dict: `with_optimizer` adds the optimizer's.
Bytes checkpoint_bytes(const graph::Network& network, const job::Job& job, bool with_optimizer);

}  // namespace vggplan::estimate
