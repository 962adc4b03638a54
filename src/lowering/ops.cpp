// SPDX-License-Identifier: MIT
// What PyTorch 2.11 starts, read from profiles of whole training steps (tests/data/measurements/kernel_profiles.jsonl):
// convolution and bias addition are two operations, pooling backward fills its output with zeros first, autocast
// converts every weight anew in each step.
#include "vggplan/lowering/ops.hpp"

#include "lowering/optimizer_ops.hpp"
#include "lowering/partition.hpp"
#include "lowering/step.hpp"

namespace vggplan::lowering {
namespace {

void append_optimizer(const graph::Network& network, const job::Job& job, std::vector<timing::Op>& ops) {
  const Share held = held_gradients(network, job);
  if (job.accumulation * job.forward_passes > 1) {
    timing::Op op = timing::make_op(timing::OpKind::grad_accumulate, base::MathMode::fp32,
                                    job::parameter_type(job.precision), base::Layout::nchw, {held.elements});
    op.phase = base::Phase::backward;
    op.kernels = held.tensors;
    op.after_first = true;
    ops.push_back(op);
  }
  append_optimizer_ops(job, held, fullest_update(network, job), ops);
}

}  // namespace

std::vector<timing::Op> lower_ops(const graph::Network& network, const job::Job& job,
                                  const std::vector<Segment>& segments) {
  // Of the same run that writes the tape; its allocations are not asked for, so that any framework and device do.
  static const Framework kFramework{};
  static const Device kDevice{};
  std::vector<timing::Op> ops;
  job::Job alone = job;
  alone.parallel = {};
  Step step(network, alone, segments, kFramework, kDevice, {.workspaces = Workspaces::none});
  step.ops = &ops;
  step.image = step.tape.allocate(0, Category::input, memory::kNoLayer);
  forward(step);
  if (step.training()) {
    for (Parameter& parameter : step.parameters) {
      parameter.gradient = step.tape.reserve();
    }
    backward(step, true);
    append_optimizer(network, job, ops);
  }
  return ops;
}

}  // namespace vggplan::lowering
