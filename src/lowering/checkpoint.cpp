// SPDX-License-Identifier: MIT
// torch/utils/checkpoint.py, use_reentrant=False, with early stop.
#include <span>

#include "lowering/kinds/kinds.hpp"
#include "lowering/step.hpp"

namespace vggplan::lowering {

void list_checkpoint(Step& step, const Segment& segment, bool recompute) {
  step.begin_ops(timing::kNoLayer, recompute ? base::Phase::backward : base::Phase::forward, recompute);
  timing::Op op = timing::make_op(timing::OpKind::checkpoint, base::MathMode::fp32,
                                  job::activation_type(step.job.precision), step.job.layout, {});
  op.tensors = 0;
  for (NodeId id = segment.first; id < segment.last; ++id) {
    op.tensors += step.needs_gradient(id) ? packs(step.node(id)) : 0;
  }
  step.op(op);
}

namespace {

/// Variables of a segment that runs again, of which `id` was the last node.
void end_inner_variables(Step& step, NodeId before, const Segment& segment, NodeId id) {
  for (const NodeId variable : step.flow.ends[id]) {
    if (variable == before || variable >= segment.first) {
      step.tape.drop(step.values[variable]);
    }
  }
}

/// The early stop is an exception: it ends all variables that are left.
void leave(Step& step, NodeId before, const Segment& segment, NodeId stop) {
  const auto end = [&](NodeId variable) {
    if (variable != 0 && step.flow.last_use[variable] >= stop) {
      step.tape.drop(step.values[variable]);
    }
  };
  end(before);
  for (NodeId id = segment.first; id < stop; ++id) {
    end(id);
  }
}

}  // namespace

void recompute(Step& step, std::size_t index, std::span<const Visit> again) {
  const Segment& segment = step.segments[index];
  const Packed& packed = step.packed[index];
  const NodeId before = step.node(segment.first).inputs.front();
  step.values[before] = step.saved[packed.first].segment_input;
  list_checkpoint(step, segment, true);
  if (before != 0) {
    step.tape.retain(step.values[before]);
  }
  for (const Visit& visit : again) {
    gather_forward(step, visit.node);
    run_forward(step, {visit.node, step.node(visit.node), step.needs_gradient(visit.node), true});
    reshard_parameters(step, visit.node);
    end_inner_variables(step, before, segment, visit.node);
  }
  if (packed.stop == packed.last) {
    pack_operands(step, {packed.last, step.node(packed.last), true, true});
  }
  leave(step, before, segment, packed.stop);
  end_autocast(step);
}

}  // namespace vggplan::lowering
