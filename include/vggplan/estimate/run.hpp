// SPDX-License-Identifier: MIT
// From a job and a target to an estimate, and the parts of one that others ask for.
#pragma once

#include <string>
#include <vector>

#include "vggplan/estimate/engine.hpp"
#include "vggplan/memory/tape.hpp"

namespace vggplan::estimate {

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

/// Whether the builds of the framework have code for the GPU.
bool runs_on(const lowering::Framework& framework, const hardware::Gpu& gpu);

/// An error where the GPU cannot compute in the job's precision, not even in a wider type: bf16 before Ampere.
base::Status check_precision(const job::Job& job, const hardware::Gpu& gpu);

}  // namespace vggplan::estimate
