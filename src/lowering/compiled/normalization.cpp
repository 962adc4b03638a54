// SPDX-License-Identifier: MIT
// Batch norm by the statistics of the batch: two or three reductions, then a kernel that joins what follows.
#include "lowering/compiled/capture_state.hpp"

namespace vggplan::lowering::compiled {
namespace {

using memory::Category;

struct Statistics {
  std::int64_t values{};    ///< that are reduced for each channel
  std::int64_t channels{};
  std::int64_t parts{};     ///< that the sum is split into
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
  // Welford's mean, squares and count of each part; parts of parts where they are many.
  for (std::int64_t parts = of.parts; parts > 1;
       parts = reduction_splits(capture.step.device, parts, of.channels, true)) {
    const std::vector<BufferId> made = sums(capture, id, of, parts, 3);
    capture.pointwise(id, {.reads = reads, .writes = made});
    reads = made;
  }
  const std::vector<BufferId> made = sums(capture, id, of, 1, 3);  // mean, variance, inverse deviation
  capture.pointwise(id, {.reads = reads, .writes = made});
  for (const BufferId statistic : made) {
    capture.result.forward.buffers[statistic].category = Category::activations;
  }
  capture.values[id] = {.sources = {operand, made[0], made[1]}};
  if (capture.step.needs_gradient(id)) {
    capture.keeps[id].input = capture.keep(operand);
    capture.keeps[id].statistics = {capture.keep(made[0]), capture.keep(made[2])};
  }
}

void normalise_backward(Capture& capture, NodeId id) {
  const Statistics of = statistics_of(capture, id, capture.last[capture.contiguous_reader(id)]);
  const Keeps& keeps = capture.keeps[id];
  Value& gradient = capture.gradients[id];
  const BufferId operand = capture.recall(keeps.input);
  const BufferId mean = capture.recall(keeps.statistics[0]);
  const BufferId deviation = capture.recall(keeps.statistics[1]);
  std::vector<BufferId> reads = gradient.sources;
  add_all(reads, {operand, mean});
  const bool trained = capture.node(id).trained;
  const BufferId outgoing = capture.map_buffer(id, capture.node(id).inputs.front(), Category::activation_gradients);
  const std::vector<BufferId> one = sums(capture, id, of, 1, 3);  // of the bias, beside it, of the weight
  if (of.parts > 1) {
    const std::vector<BufferId> parts = sums(capture, id, of, of.parts, 2);
    capture.pointwise(id, {.reads = reads, .writes = parts, .inner = gradient.inner});
    capture.pointwise(id, {.reads = {parts[0]}, .writes = {one[0]}});
    capture.pointwise(id, {.reads = {parts[1], deviation}, .writes = {one[1], one[2]}});
  } else {
    std::vector<BufferId> with = reads;
    with.push_back(deviation);
    capture.pointwise(id, {.reads = with, .writes = {one[0], one[1], one[2]}, .inner = gradient.inner});
  }
  Kernel last{.reads = reads, .writes = {outgoing}, .inner = gradient.inner, .trials = 2};
  add_all(last.reads, {deviation, one[0], one[1]});
  last.over = gradient.over;  // an activation's result before the convolution's
  last.over.push_back(operand);
  capture.pointwise(id, std::move(last));
  if (trained) {
    capture.hand_over(id, 0, one[2]);
    capture.hand_over(id, 1, one[0]);
  }
  capture.deliver(capture.node(id).inputs.front(), {.buffer = outgoing, .sources = {outgoing}, .over = {outgoing}});
}

}  // namespace vggplan::lowering::compiled
