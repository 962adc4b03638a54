// SPDX-License-Identifier: MIT
#include <utility>
#include <vector>

#include "lowering/kinds/kinds.hpp"

namespace vggplan::lowering {
namespace {

using timing::OpKind;

bool by_batch(const Step& step, const Run& run) {
  return step.training() && !std::get<graph::BatchNorm>(run.node.kind).frozen;
}

bool is_bf16(const Step& step) { return job::activation_type(step.job.precision) == base::DType::bf16; }

/// Beyond 32-bit indices PyTorch takes the statistics by var_mean (Impl::General of
/// aten/src/ATen/native/cuda/Normalization.cu).
bool is_beyond_kernels(const Step& step, const Run& run) {
  return step.batch * run.node.input.elements() >= kIndexLimit;
}

/// Batch norm runs in PyTorch's own kernels where cuDNN does not take the type or the size. cuDNN has no backward for
/// running statistics: that is PyTorch's own as well.
bool is_native(const Step& step, const Run& run) { return is_bf16(step) || is_beyond_kernels(step, run); }

NormBuffers staging(const Step& step, const graph::Shape& shape) {
  return batch_norm_staging(shape.channels, step.batch * shape.height * shape.width);
}

/// Mean and inverse deviation, `count` of each, in fp32 whatever the input.
void allocate_statistics(Step& step, const Run& run, std::int64_t count) {
  for (TensorId& statistic : step.saved[run.id].statistics) {
    statistic = step.tape.allocate(count * kFp32, Category::activations, layer_id(run.id));
  }
}

void keep_or_drop(Step& step, const Run& run, TensorId input) {
  Saved& saved = step.saved[run.id];
  if (run.keep) {
    step.keep(run.id, saved.input, input);
    for (TensorId& statistic : saved.statistics) {
      step.keep(run.id, statistic, statistic);
    }
    return;
  }
  for (TensorId& statistic : saved.statistics) {
    step.tape.drop(std::exchange(statistic, kNothing));
  }
  step.tape.drop(input);
}

/// PyTorch's own kernels for channels_last tensors sum up in parts. var_mean works on a copy of bf16 in fp32, which it
/// need not make of fp16: recorded on an H200, both layouts.
void take_scratch(Step& step, const Run& run) {
  const NormBuffers buffers = staging(step, run.node.input);
  if (is_beyond_kernels(step, run)) {
    const std::int64_t copy = is_bf16(step) ? step.batch * run.node.input.elements() * kFp32 : 0;
    step.kernel_buffers(run.id, copy, buffers.counters);
  } else if (is_native(step, run) && step.nhwc()) {
    step.kernel_buffers(run.id, buffers.forward, buffers.counters);
  }
}

TensorId normalize(Step& step, const Run& run) {
  const TensorId input = step.take(run.node.inputs.front(), run.id);
  const graph::Shape& shape = run.node.output;
  const TensorId output = step.allocate_output(run.id);
  const bool native = is_native(step, run);
  if (by_batch(step, run) || native) {  // PyTorch's own hand out the running ones as well
    allocate_statistics(step, run, shape.channels);
  }
  if (by_batch(step, run)) {
    take_scratch(step, run);
    step.op(OpKind::batch_norm_forward, step.map(shape));
    step.op(OpKind::fill, base::DType::i64, {});  // num_batches_tracked += 1
  } else {
    step.op(OpKind::batch_norm_inference, step.map(shape));
  }
  keep_or_drop(step, run, input);
  return output;
}

std::vector<TensorId> parameter_gradients(Step& step, const Run& run) {
  std::vector<TensorId> fresh;
  for (Parameter& parameter : run.node.trained ? step.parameters_of(run.id) : std::span<Parameter>{}) {
    fresh.push_back(fresh_gradient(step, parameter, step.parameter_bytes));
  }
  return fresh;
}

void settle_all(Step& step, const Run& run, const std::vector<TensorId>& fresh) {
  for (std::size_t i = 0; i < fresh.size(); ++i) {
    settle(step, step.parameters_of(run.id)[i], fresh[i]);
  }
}

/// What a backward of several kernels holds until it returns, fp32 values of each channel (batch_norm_backward_cuda in
/// aten/src/ATen/native/cuda/Normalization.cu): the inverse deviation where forward has handed out none, and two
/// `sums`.
std::vector<TensorId> allocate_temporaries(Step& step, const Run& run, bool sums) {
  const int count = (step.saved[run.id].statistics[1] == kNothing ? 1 : 0) + (sums ? 2 : 0);
  std::vector<TensorId> held;
  for (int i = 0; i < count; ++i) {
    held.push_back(step.tape.allocate(run.node.input.channels * kFp32, Category::other, layer_id(run.id)));
  }
  return held;
}

/// Under running statistics the last kernel multiplies each channel by a number, and writes it contiguous. Its time,
/// and that of the sums before it, was measured of kernels alike.
void list_backward(Step& step, const Run& run, bool sums, bool fused) {
  const bool running = !by_batch(step, run);
  const auto list = [&](OpKind kind) {
    timing::Op op = step.op_of(kind, step.map(run.node.output), {});
    op.stands_in = running;
    step.op(op);
  };
  if (sums) {
    list(OpKind::batch_norm_backward);
  }
  if (running && !fused) {
    list(step.nhwc() ? OpKind::copy : OpKind::multiply);
  }
}

/// One kernel (cuDNN, or PyTorch's for NCHW); else sums first, then the gradient of the input. Where neither the
/// statistics nor the parameters depend on the batch, nothing is summed.
void normalize_backward(Step& step, const Run& run, Gradient incoming) {
  const graph::Shape& shape = run.node.input;
  const bool sums = by_batch(step, run) || run.node.trained;
  const bool cudnn = by_batch(step, run) && !is_native(step, run);
  const bool fused = cudnn || (sums && !step.nhwc() && !is_beyond_kernels(step, run));
  list_backward(step, run, sums, fused);
  TensorId outgoing = fused ? step.gradient_of(run.id, run.node.inputs.front()) : kNothing;
  const std::vector<TensorId> held = fused ? std::vector<TensorId>{} : allocate_temporaries(step, run, sums);
  const std::vector<TensorId> fresh = parameter_gradients(step, run);
  if (!fused) {
    const NormBuffers buffers = staging(step, shape);
    step.kernel_buffers(run.id, sums && step.nhwc() ? buffers.backward : 0, buffers.counters);
    outgoing = step.gradient_of(run.id, run.node.inputs.front());
  }
  for (const TensorId tensor : held) {
    step.tape.drop(tensor);
  }
  spend(step, run.id, incoming.tensor);
  // batch_norm_elementwise_backward_eval makes a contiguous gradient, whatever it reads.
  step.deliver(run.node.inputs.front(), {.tensor = outgoing, .turned = !by_batch(step, run)});
  settle_all(step, run, fresh);
}

/// Of each position.
TensorId normalize_layer(Step& step, const Run& run) {
  const TensorId input = step.take(run.node.inputs.front(), run.id);
  const std::int64_t positions = step.batch * run.node.input.height * run.node.input.width;
  const TensorId output = step.allocate_output(run.id);
  allocate_statistics(step, run, positions);
  step.op(OpKind::layer_norm_forward, step.map(run.node.output));
  keep_or_drop(step, run, input);
  return output;
}

void normalize_layer_backward(Step& step, const Run& run, Gradient incoming) {
  step.op(OpKind::layer_norm_backward, step.map(run.node.output));
  const TensorId outgoing = step.gradient_of(run.id, run.node.inputs.front());
  const std::vector<TensorId> fresh = parameter_gradients(step, run);
  spend(step, run.id, incoming.tensor);
  step.deliver(run.node.inputs.front(), {outgoing});
  settle_all(step, run, fresh);
}

}  // namespace

// Input, weight, both running and both batch statistics, cuDNN's reserve.
const Lowering kBatchNorm{normalize, normalize_backward, 7};
const Lowering kLayerNorm{normalize_layer, normalize_layer_backward, 4};

}  // namespace vggplan::lowering
