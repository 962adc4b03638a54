// SPDX-License-Identifier: MIT
// Passes over memory of torch.optim's update rules, as torch 2.11 writes them down (sgd.py, adam.py).
#include "lowering/optimizer_ops.hpp"

namespace vggplan::lowering {
namespace {

using base::Phase;
using timing::Op;
using timing::OpKind;
using timing::UpdateRule;

UpdateRule rule_of(job::Optimizer optimizer, bool fused) {
  switch (optimizer) {
    case job::Optimizer::sgd: return {1, 2, 1};  // p += -lr * g
    case job::Optimizer::momentum:
      // g' = g + wd * p; buf *= momentum; buf += g'; p += -lr * buf
      return fused ? UpdateRule{1, 3, 2} : UpdateRule{4, 2 + 1 + 2 + 2, 4};
    case job::Optimizer::adam:
      // m.lerp(g); v *= b2; v += g * g; d = sqrt(v); d /= c; d += eps; p += m / d
      return fused ? UpdateRule{1, 4, 3} : UpdateRule{7, 2 + 1 + 2 + 1 + 1 + 1 + 3, 7};
    case job::Optimizer::adamw:  // and p *= 1 - lr * wd
      return fused ? UpdateRule{1, 4, 3} : UpdateRule{8, 1 + 2 + 1 + 2 + 1 + 1 + 1 + 3, 8};
    case job::Optimizer::rmsprop:  // v *= a; v += (1 - a) * g * g; d = sqrt(v); d += eps; p += -lr * g / d
      return {5, 1 + 2 + 1 + 1 + 3, 5};
  }
  return {};
}

}  // namespace

void append_optimizer_ops(const job::Job& job, const Share& held, const Share& updated, std::vector<timing::Op>& ops) {
  const base::DType type = job::parameter_type(job.precision);
  const auto push = [&ops](Op op) {
    op.phase = Phase::optimizer;
    ops.push_back(op);
  };
  if (job.precision == job::Precision::amp_fp16) {
    // ZeroRedundancyOptimizer's param_groups, which GradScaler goes over, name all parameters.
    Op unscale = timing::make_optimizer(type, job::OptimizerImpl::foreach, held.elements, held.tensors, {1, 1, 1});
    unscale.kind = OpKind::grad_unscale;
    push(unscale);
    // GradScaler.step reads whether an infinity was found.
    push(timing::make_op(OpKind::host_read, base::MathMode::fp32, base::DType::f32, base::Layout::nchw, {}));
  }
  push(timing::make_optimizer(type, job.optimizer_impl, updated.elements, updated.tensors,
                              rule_of(job.optimizer, job.optimizer_impl == job::OptimizerImpl::fused)));
}

}  // namespace vggplan::lowering
