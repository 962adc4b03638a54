// SPDX-License-Identifier: MIT
// The memory side of an estimate: tape, allocator, and what they say as figures.
#pragma once

#include <vector>

#include "vggplan/estimate/estimate.hpp"
#include "vggplan/estimate/run.hpp"
#include "vggplan/lowering/schedule.hpp"
#include "vggplan/memory/simulate.hpp"

namespace vggplan::estimate {

/// A job as the lower rooms see it.
struct Lowered {
  graph::Network network{};
  std::vector<lowering::Segment> segments{};
  std::vector<graph::Network> sizes{};  ///< for each of the job's sizes, where there are several
};
base::Result<Lowered> lower(const job::Job& job);

/// A job on a target, and what is known of the framework.
struct Question {
  const Lowered& lowered;
  const job::Job& job;
  const Target& target;
  const lowering::Framework& framework;
};

/// Whether convolutions run outside tensor cores there: cuDNN is then free to choose among algorithms.
bool in_true_fp32(const job::Job& job, const hardware::Gpu& gpu);

/// What of the GPU shapes allocations.
lowering::Device device_of(const hardware::Gpu& gpu, const lowering::Framework& framework);

MemoryAnswer memory_answer(const Question& asked);

/// Upper end of the range of what is reserved, of a job that fits. `expected`: memory_answer's.
Bytes reserved_high(const Question& asked, const MemoryAnswer& expected);

Memory memory_part(const Question& asked, bool timeline);

/// Bytes that live at the same time whatever the allocator does: parameters, optimizer state and, at the end
/// of the forward pass, what autograd holds.
Bytes memory_floor(const Lowered& lowered, const job::Job& job);

/// As it is lowered: micro-batches after the second repeat it, and so few stand for any larger number.
job::Job simulated(job::Job job);

}  // namespace vggplan::estimate
