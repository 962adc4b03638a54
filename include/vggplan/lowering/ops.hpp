// SPDX-License-Identifier: MIT
// The work of one training step, in the order in which PyTorch starts it.
#pragma once

#include <vector>

#include "vggplan/graph/graph.hpp"
#include "vggplan/job/job.hpp"
#include "vggplan/lowering/framework.hpp"
#include "vggplan/lowering/schedule.hpp"
#include "vggplan/timing/op.hpp"
#include "vggplan/timing/parallel.hpp"

namespace vggplan::lowering {

/// Ops of one micro-batch (forward, backward with recomputation) and of the optimizer step; layer ids
/// are node ids. Collectives are not among them.
std::vector<timing::Op> lower_ops(const graph::Network& network, const job::Job& job,
                                  const std::vector<Segment>& segments);

/// What GPUs send each other in a step of `job`: gradients in the order in which backward makes them.
timing::Exchange exchange_of(const graph::Network& network, const job::Job& job, const Framework& framework);

}  // namespace vggplan::lowering
