// SPDX-License-Identifier: MIT
// torch.nn.functional: cross_entropy, mse_loss, smooth_l1_loss. In the order of their inputs, which are the outputs of
// the network; what each keeps for its backward lies in Step::loss_tensors, in its order.
#include <utility>

#include "lowering/kinds/kinds.hpp"

namespace vggplan::lowering {
namespace {

using graph::Objective;
using timing::OpKind;

constexpr std::int64_t kTargetBytes = 8;  // int64 class index

Objective objective(const Step& step) { return std::get<graph::Loss>(step.network.nodes.back().kind).objective; }

std::int64_t loss_bytes(const Step& step) { return step.autocast ? kFp32 : step.activation_bytes; }

TensorId allocate(Step& step, std::int64_t bytes, Category category = Category::other) {
  return step.tape.allocate(bytes, category, memory::kNoLayer);
}

void list(Step& step, base::Phase phase, const graph::Shape& scores) {
  step.begin_ops(timing::kNoLayer, phase, false);
  step.op(phase == base::Phase::forward ? OpKind::loss_forward : OpKind::loss_backward,
          {step.batch * scores.height * scores.width, scores.channels});
}

/// The same of losses over maps, which have kernels of their own: `kinds` forward and backward.
void list_map(Step& step, base::Phase phase, const graph::Shape& shape, OpKind forward, OpKind backward) {
  const base::DType type = step.autocast ? base::DType::f32 : job::activation_type(step.job.precision);
  step.begin_ops(timing::kNoLayer, phase, false);
  step.op(timing::make_op(phase == base::Phase::forward ? forward : backward, base::MathMode::fp32, type,
                          step.job.layout, step.map(shape)));
}

void list_scores(Step& step, base::Phase phase, const graph::Shape& scores) {
  if (objective(step) == Objective::pixel_cross_entropy) {
    list_map(step, phase, scores, OpKind::pixel_loss_forward, OpKind::pixel_loss_backward);
  } else {
    list(step, phase, scores);
  }
}

void list_difference(Step& step, base::Phase phase, const graph::Shape& shape) {
  if (objective(step) == Objective::mse) {
    list_map(step, phase, shape, OpKind::mse_forward, OpKind::mse_backward);
  } else {
    list_map(step, phase, shape, OpKind::smooth_l1_forward, OpKind::smooth_l1_backward);
  }
}

/// Of the network: scores of each position. Rows of positions x values (Flatten) are turned: one score a channel.
graph::Shape scores_of(const Step& step, NodeId output) {
  const graph::Shape& shape = step.node(output).output;
  return objective(step) == Objective::ssd ? graph::Shape{shape.height, shape.channels, 1} : shape;
}

/// log_softmax over the channels of maps takes and yields contiguous ones alone (aten/src/ATen/native/cuda/SoftMax.cu).
bool contiguous_loss(const Step& step) { return step.nhwc() && objective(step) == Objective::pixel_cross_entropy; }

/// log_softmax in the type of the scores, nll_loss in fp32 under autocast, which keeps an fp32 copy.
void cross_entropy(Step& step, const graph::Shape& scores) {
  const std::int64_t elements = step.batch * scores.elements();
  list_scores(step, base::Phase::forward, scores);
  step.loss_tensors.push_back(allocate(step, elements * step.activation_bytes));
  if (contiguous_loss(step)) {  // a copy of the scores
    step.tape.drop(allocate(step, elements * step.activation_bytes));
  }
  step.loss_tensors.push_back(step.autocast ? allocate(step, elements * kFp32) : kNothing);
  step.kept.loss += elements * (step.activation_bytes + (step.autocast ? kFp32 : 0));
  step.kept.loss += step.batch * scores.height * scores.width * kTargetBytes + loss_bytes(step);
}

TensorId cross_entropy_backward(Step& step, const graph::Shape& scores, TensorId scaled, const TensorId* kept) {
  TapeBuilder& tape = step.tape;
  const std::int64_t elements = step.batch * scores.elements();
  const auto grad = [&](std::int64_t element_bytes) {
    return allocate(step, elements * element_bytes, Category::activation_gradients);
  };
  list_scores(step, base::Phase::backward, scores);
  TensorId incoming = grad(loss_bytes(step));
  tape.drop(scaled);
  tape.drop(kept[1]);
  tape.drop(kept[2]);
  if (step.autocast) {
    const TensorId cast = grad(step.activation_bytes);
    tape.drop(incoming);
    incoming = cast;
  }
  const TensorId outgoing = grad(step.activation_bytes);
  tape.drop(incoming);
  tape.drop(kept[0]);
  return outgoing;
}

/// Elementwise differences, then their mean; under autocast in fp32, of a copy. Keeps its operands.
void difference(Step& step, NodeId output) {
  const graph::Shape& shape = step.node(output).output;
  const std::int64_t elements = step.batch * shape.elements();
  list_difference(step, base::Phase::forward, shape);
  TensorId operand = step.values[output];
  if (step.autocast) {
    operand = allocate(step, elements * kFp32);
    step.kept.loss += elements * kFp32;
  } else {
    step.tape.retain(operand);
    step.kept.loss += step.uncounted_bytes(operand);
  }
  step.kept.loss += elements * loss_bytes(step);  // the target
  step.loss_tensors.push_back(operand);
}

/// Bytes of the storage of mse_loss and smooth_l1_loss: the sum or mean lies in one that was made for all differences
/// (aten/src/ATen/native/BinaryOps.cpp, TORCH_META_FUNC(mse_loss)).
std::int64_t difference_bytes(const Step& step, NodeId output) {
  return step.batch * step.node(output).output.elements() * loss_bytes(step);
}

/// The differences, until they are summed.
void sum_differences(Step& step, NodeId output) {
  const TensorId differences = allocate(step, difference_bytes(step, output));
  const ReductionBuffers buffers =
      mean_reduction(1, step.batch * step.node(output).output.elements(), base::Layout::nchw, step.device);
  step.kernel_buffers(timing::kNoLayer, buffers.partial_sums, buffers.counters);
  step.tape.drop(differences);
}

TensorId difference_backward(Step& step, NodeId output, TensorId scaled, TensorId operand) {
  const graph::Shape& shape = step.node(output).output;
  const std::int64_t elements = step.batch * shape.elements();
  list_difference(step, base::Phase::backward, shape);
  TensorId outgoing = allocate(step, elements * loss_bytes(step), Category::activation_gradients);
  step.tape.drop(scaled);
  step.tape.drop(operand);
  if (step.autocast) {
    const TensorId cast = allocate(step, elements * step.activation_bytes, Category::activation_gradients);
    step.tape.drop(outgoing);
    outgoing = cast;
  }
  return outgoing;
}

}  // namespace

void lose(Step& step) {
  const std::vector<NodeId>& outputs = step.network.nodes.back().inputs;
  const auto value = [&](std::int64_t bytes) {
    step.tape.allocate_as(step.loss_value, bytes, Category::other, memory::kNoLayer);
  };
  const auto weights = [&] { step.loss_tensors.push_back(allocate(step, loss_bytes(step))); };  // their total
  switch (objective(step)) {
    case Objective::cross_entropy:
    case Objective::pixel_cross_entropy:
      cross_entropy(step, scores_of(step, outputs.front()));
      value(loss_bytes(step));
      weights();
      break;
    case Objective::mse:
      difference(step, outputs.front());
      value(difference_bytes(step, outputs.front()));
      sum_differences(step, outputs.front());
      break;
    case Objective::ssd: {
      difference(step, outputs.front());
      const TensorId boxes = allocate(step, difference_bytes(step, outputs.front()));
      sum_differences(step, outputs.front());
      cross_entropy(step, scores_of(step, outputs.back()));
      const TensorId classes = allocate(step, loss_bytes(step));
      weights();
      value(loss_bytes(step));  // their sum
      step.tape.drop(boxes);
      step.tape.drop(classes);
      break;
    }
  }
}

void lose_backward(Step& step, TensorId scaled) {
  const std::vector<NodeId>& outputs = step.network.nodes.back().inputs;
  const std::vector<TensorId> kept = std::exchange(step.loss_tensors, {});
  switch (objective(step)) {
    case Objective::cross_entropy:
    case Objective::pixel_cross_entropy:
      step.deliver(
          outputs.front(),
          {cross_entropy_backward(step, scores_of(step, outputs.front()), scaled, kept.data()), contiguous_loss(step)});
      break;
    case Objective::mse:  // maps of one channel have no layout of their own
      step.deliver(outputs.front(), {difference_backward(step, outputs.front(), scaled, kept[0]),
                                     step.node(outputs.front()).output.channels == 1});
      break;
    case Objective::ssd:
      step.deliver(outputs.back(),
                   {cross_entropy_backward(step, scores_of(step, outputs.back()), scaled, kept.data() + 1)});
      step.deliver(outputs.front(), {difference_backward(step, outputs.front(), kNothing, kept[0])});
      break;
  }
}

}  // namespace vggplan::lowering
