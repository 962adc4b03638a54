// SPDX-License-Identifier: MIT
// What PyTorch allocates and frees while a job runs: set-up, first step, later steps.
#pragma once

#include <vector>

#include "vggplan/graph/graph.hpp"
#include "vggplan/job/job.hpp"
#include "vggplan/lowering/framework.hpp"
#include "vggplan/lowering/schedule.hpp"
#include "vggplan/memory/tape.hpp"

namespace vggplan::lowering {

/// How the central workspaces of the framework profile are to be varied: 1 takes them as they are.
struct Variation {
  double workspace{1.0};
  bool fft{false};               ///< true fp32: cuDNN chooses FFT wherever it can
  bool both_bucket_sets{true};  ///< DDP: the first bucket still lives when the rebuilt ones are made (a race)
};

/// The tape of one process (the one with the most memory, under sharding). Layer ids index `network.layers`.
memory::Tape lower_tape(const graph::Network& network, const job::Job& job, const std::vector<Segment>& segments,
                        const Framework& framework, const Device& device, const Variation& variation = {});

}  // namespace vggplan::lowering
