// SPDX-License-Identifier: MIT
// Passes over memory of torch.optim's update rules, as torch 2.11 writes them down (sgd.py, adam.py).
#include "lowering/optimizer_ops.hpp"

#include <variant>

namespace vggplan::lowering {
namespace {

using base::Bytes;
using base::Phase;
using timing::Op;
using timing::OpKind;
using timing::OptimizerLoop;

/// One pass: how many tensors of the size of the parameters it reads and writes.
struct Pass {
  std::int64_t reads{};
  std::int64_t writes{};
};

OptimizerLoop loop_of(job::OptimizerImpl impl) {
  switch (impl) {
    case job::OptimizerImpl::foreach: return OptimizerLoop::foreach;
    case job::OptimizerImpl::fused: return OptimizerLoop::fused;
    case job::OptimizerImpl::loop: return OptimizerLoop::single;
  }
  return OptimizerLoop::foreach;
}

std::vector<Pass> passes(job::Optimizer optimizer, bool fused) {
  switch (optimizer) {
    case job::Optimizer::sgd: return {{2, 1}};  // p += -lr * g
    case job::Optimizer::momentum:
      // g' = g + wd * p; buf *= momentum; buf += g'; p += -lr * buf
      return fused ? std::vector<Pass>{{3, 2}} : std::vector<Pass>{{2, 1}, {1, 1}, {2, 1}, {2, 1}};
    case job::Optimizer::adam:
      // m.lerp(g); v *= b2; v += g * g; d = sqrt(v); d /= c; d += eps; p += m / d
      return fused ? std::vector<Pass>{{4, 3}}
                   : std::vector<Pass>{{2, 1}, {1, 1}, {2, 1}, {1, 1}, {1, 1}, {1, 1}, {3, 1}};
    case job::Optimizer::adamw:
      return fused ? std::vector<Pass>{{4, 3}}
                   : std::vector<Pass>{{1, 1}, {2, 1}, {1, 1}, {2, 1}, {1, 1}, {1, 1}, {1, 1}, {3, 1}};
  }
  return {};
}

}  // namespace

std::int64_t parameter_tensors(const graph::Network& network) {
  std::int64_t tensors = 0;
  for (const graph::Layer& layer : network.layers) {
    const bool has = std::holds_alternative<graph::Conv2d>(layer.kind) ||
                     std::holds_alternative<graph::Linear>(layer.kind) ||
                     std::holds_alternative<graph::BatchNorm2d>(layer.kind);
    tensors += has ? 2 : 0;
  }
  return tensors;
}

void append_optimizer_ops(const job::Job& job, std::int64_t parameters, std::int64_t tensors,
                          std::vector<timing::Op>& ops) {
  Op op;
  op.phase = Phase::optimizer;
  op.type = job::parameter_type(job.precision);
  op.loop = loop_of(job.optimizer_impl);
  op.extent = {parameters, 1, 1, 1, 1};
  const std::int64_t bytes = parameters * base::size_of(op.type);
  if (job.precision == job::Precision::amp_fp16) {
    op.kind = OpKind::grad_unscale;
    op.read = op.written = Bytes(bytes);
    op.launches = tensors;
    ops.push_back(op);
    op.kind = OpKind::host_read;  // GradScaler.step reads found_inf
    op.read = op.written = Bytes(4);
    op.launches = 1;
    ops.push_back(op);
  }
  op.kind = OpKind::optimizer;
  op.launches = tensors;
  for (const Pass& pass : passes(job.optimizer, op.loop == OptimizerLoop::fused)) {
    op.read = Bytes(pass.reads * bytes);
    op.written = Bytes(pass.writes * bytes);
    ops.push_back(op);
  }
}

}  // namespace vggplan::lowering
