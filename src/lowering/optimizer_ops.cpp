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
    case job::Optimizer::lbfgs: return {};  // below
  }
  return {};
}

/// One iteration of L-BFGS (torch/optim/lbfgs.py) with a full history. Each of its vectors is one tensor. What Python
/// asks of a number on the GPU, the host waits for: also the factor of each addition of the two-loop recursion.
class LbfgsOps {
 public:
  LbfgsOps(base::DType type, const Share& all, std::vector<Op>& ops) : type_(type), all_(all), ops_(ops) {}

  void iteration(std::int64_t pairs) {
    add(timing::make_optimizer(type_, job::OptimizerImpl::loop, all_.elements, all_.tensors, kGather));
    vectors({2, 2, 1});  // |g|, its largest
    read();
    vectors({4, 2 + 1 + 2 + 1, 2});  // y = g - g'; s = t * d; y . s; y . y
    read();
    vectors({1, 1, 1});  // q = -g
    loop(pairs);
    vectors({1, 1, 1});  // r = H * q
    loop(pairs);
    vectors({2, 1 + 2, 1});  // g' = g; g . d
    read();
    add(timing::make_optimizer(type_, job::OptimizerImpl::loop, all_.elements, all_.tensors, {1, 2, 1}));  // p += t * d
    read();                                                                                                // the loss
    vectors({3, 3, 2});  // t * d, without signs, its largest
    read();
  }

 private:
  static constexpr UpdateRule kGather{1, 1, 1};  // gradients into one vector

  void add(Op op) {
    op.phase = Phase::optimizer;
    ops_.push_back(op);
  }
  void vectors(const UpdateRule& rule) {
    add(timing::make_optimizer(type_, job::OptimizerImpl::loop, all_.elements, 1, rule));
  }
  void read() {
    add(timing::make_op(OpKind::host_read, base::MathMode::fp32, base::DType::f32, base::Layout::nchw, {}));
  }
  void loop(std::int64_t pairs) {
    for (std::int64_t i = 0; i < pairs; ++i) {
      vectors({1, 2, 0});                                                             // s . q
      add(timing::make_optimizer(type_, job::OptimizerImpl::loop, 1, 1, {2, 3, 2}));  // of two numbers
      read();
      vectors({1, 2, 1});  // q -= a * y
    }
  }

  base::DType type_;
  const Share& all_;
  std::vector<Op>& ops_;
};

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
  if (job.optimizer == job::Optimizer::lbfgs) {
    LbfgsOps(type, updated, ops).iteration(job.lbfgs.history_size);
    return;
  }
  push(timing::make_optimizer(type, job.optimizer_impl, updated.elements, updated.tensors,
                              rule_of(job.optimizer, job.optimizer_impl == job::OptimizerImpl::fused)));
}

}  // namespace vggplan::lowering
