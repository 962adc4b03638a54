// SPDX-License-Identifier: MIT
// Batch norm by the statistics of the batch: two or three reductions, then a kernel that joins what follows.
#include <utility>

#include "lowering/compiled/capture_state.hpp"

namespace vggplan::lowering::compiled {
namespace {

using memory::Category;

struct Statistics {
  std::int64_t values{};  ///< that are reduced for each channel
  std::int64_t channels{};
  std::int64_t parts{};  ///< that the sum is split into
};

/// `rows`: the channels of a pixel lie together.
Statistics statistics_of(const Capture& capture, NodeId id, bool rows) {
  const graph::Shape& shape = capture.node(id).input;
  const std::int64_t values = capture.step.batch * shape.height * shape.width;
  return {values, shape.channels, reduction_splits(capture.step.device, values, shape.channels, rows)};
}

/// `count` buffers of so many fp32 values for each channel.
std::vector<BufferId> sums(Capture& capture, NodeId id, const Statistics& of, std::int64_t parts, int count) {
  std::vector<BufferId> made;
  for (int i = 0; i < count; ++i) {
    made.push_back(capture.buffer(id, parts * of.channels * kFp32, base::DType::f32, Category::other));
  }
  return made;
}

void add_all(std::vector<BufferId>& to, const std::vector<BufferId>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

}  // namespace

void normalise(Capture& capture, NodeId id) {
  const NodeId input = capture.node(id).inputs.front();
  const BufferId operand = capture.operand(input, input);
  const Statistics of = statistics_of(capture, id, capture.last[input]);
  std::vector<BufferId> reads{operand};
  // Welford's mean, squares and count of each part; parts of parts where they are many. A value takes as long as 4.5
  // bytes (profiles of compiled steps on an H200, 2026-11-29).
  std::int64_t least = capture.step.batch * capture.node(id).input.elements() * 9 / 2;
  for (std::int64_t parts = of.parts; parts > 1;
       parts = reduction_splits(capture.step.device, parts, of.channels, true)) {
    const std::vector<BufferId> made = sums(capture, id, of, parts, 3);
    capture.pointwise(id, {.reads = reads, .writes = made}, std::exchange(least, 0));
    reads = made;
  }
  const std::vector<BufferId> made = sums(capture, id, of, 1, 3);  // mean, variance, inverse deviation
  capture.pointwise(id, {.reads = reads, .writes = made}, least);
  for (const BufferId statistic : made) {
    capture.result.forward.buffers[statistic].category = Category::activations;
  }
  capture.values[id] = {.sources = {operand, made[0], made[1]}};
  if (capture.step.needs_gradient(id)) {
    capture.keeps[id].input = capture.keep(operand);
    capture.keeps[id].statistics = {capture.keep(made[0]), capture.keep(made[2])};
  }
}

namespace {

/// What backward reads and makes of one batch norm.
struct Gradients {
  std::vector<BufferId> reads{};  ///< the gradient of its output, its input and mean
  BufferId deviation{};
  BufferId outgoing{};
  std::vector<BufferId> sums{};  ///< gradient of the bias, a factor of the input's, gradient of the weight
  std::int64_t inner{};
  std::int64_t least{};
};

/// Two sums in parts, each made one, then the gradient of the input.
void sum_in_parts(Capture& capture, NodeId id, const Statistics& of, const Gradients& made, Kernel last) {
  const std::vector<BufferId> parts = sums(capture, id, of, of.parts, 2);
  capture.pointwise(id, {.reads = made.reads, .writes = parts, .inner = made.inner}, made.least);
  capture.pointwise(id, {.reads = {parts[0]}, .writes = {made.sums[0]}});
  capture.pointwise(id, {.reads = {parts[1], made.deviation}, .writes = {made.sums[1], made.sums[2]}});
  last.reads = made.reads;
  add_all(last.reads, {made.deviation, made.sums[0], made.sums[1]});
  capture.pointwise(id, std::move(last));
}

/// Sums that are not split and the gradient of the input in one kernel, and with them the gradient of the bias of the
/// convolution before. It writes the gradient in fp32 first.
void sum_at_once(Capture& capture, NodeId id, const Gradients& made) {
  const NodeId input = capture.node(id).inputs.front();
  const std::int64_t whole = capture.step.batch * capture.node(id).input.elements() * kFp32;
  Kernel kernel{.reads = made.reads, .writes = made.sums, .inner = made.inner};
  kernel.reads.push_back(made.deviation);
  if (capture.value_type(input) == base::DType::f32) {
    kernel.inner += whole;
  } else {
    kernel.writes.push_back(capture.buffer(id, whole, base::DType::f32, Category::activation_gradients));
  }
  kernel.writes.push_back(made.outgoing);
  if (capture.node(input).trained && graph::parameter_tensors(capture.node(input)).size() > 1) {
    const BufferId bias =
        capture.buffer(input, capture.node(input).output.channels * base::size_of(capture.parameter_type()),
                       capture.parameter_type(), Category::gradients);
    kernel.writes.push_back(bias);
    capture.hand_over(input, 1, bias);
  }
  capture.pointwise(id, std::move(kernel), made.least);
}

}  // namespace

void normalise_backward(Capture& capture, NodeId id) {
  const NodeId input = capture.node(id).inputs.front();
  const Statistics of = statistics_of(capture, id, capture.last[capture.contiguous_reader(id)]);
  const Keeps& keeps = capture.keeps[id];
  const Value& gradient = capture.gradients[id];
  const BufferId operand = capture.recall(keeps.input);
  Gradients made{gradient.sources, capture.recall(keeps.statistics[1]), {}, sums(capture, id, of, 1, 3), gradient.inner,
                 gradient.least};
  add_all(made.reads, {operand, capture.recall(keeps.statistics[0])});
  made.outgoing = capture.map_buffer(id, input, Category::activation_gradients);
  if (of.parts > 1) {
    Kernel last{.writes = {made.outgoing}, .over = gradient.over, .inner = gradient.inner, .trials = 2};
    last.over.push_back(operand);  // behind an activation's result
    sum_in_parts(capture, id, of, made, std::move(last));
  } else {
    sum_at_once(capture, id, made);
  }
  if (capture.node(id).trained) {
    capture.hand_over(id, 0, made.sums[2]);
    capture.hand_over(id, 1, made.sums[0]);
  }
  capture.deliver(input, {.buffer = made.outgoing, .sources = {made.outgoing}, .over = {made.outgoing}});
}

}  // namespace vggplan::lowering::compiled
