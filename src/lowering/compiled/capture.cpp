// SPDX-License-Identifier: MIT
#include "lowering/compiled/capture.hpp"

#include <algorithm>

#include "lowering/compiled/capture_state.hpp"

namespace vggplan::lowering::compiled {
namespace {

const graph::Convolution* convolution_of(const graph::Node& node) {
  return std::get_if<graph::Convolution>(&node.kind);
}

/// Of the layouts inductor asks for: convolutions have channels_last in and out, and so has what leads to one.
std::vector<bool> channels_last(const Step& step, bool turned) {
  std::vector<bool> last(step.network.nodes.size(), step.nhwc());
  for (NodeId id = last.size(); turned && id-- > 0;) {
    last[id] = last[id] || convolution_of(step.node(id)) != nullptr;
    for (const NodeId input : step.node(id).inputs) {
      last[input] = last[input] || last[id];
    }
  }
  return last;
}

}  // namespace

bool turns_convolutions(const Step& step) {
  bool all_small = true;
  std::int64_t count = 0;
  for (const graph::Node& node : step.network.nodes) {
    const graph::Convolution* conv = convolution_of(node);
    if (conv == nullptr) {
      continue;
    }
    ++count;
    const bool narrows = conv->out_channels * 2 <= conv->in_channels / conv->groups && conv->taps() > 1;
    const bool grouped = conv->groups > 1 && conv->in_channels / conv->groups > 1;
    if (step.training() && (narrows || grouped)) {
      return false;
    }
    all_small = all_small && conv->out_channels <= 64 && conv->in_channels <= 64;
  }
  return count > 0 && (!step.training() || !all_small);
}

namespace {

constexpr std::int64_t kLeast = 32;  // elements of a thread

/// The divisor of `length` next to `wanted`, the smaller of two, where one is nearer than `near`; else `wanted`.
std::int64_t even_split(std::int64_t length, std::int64_t wanted, std::int64_t near) {
  for (std::int64_t away = 0; away < near; ++away) {
    for (const std::int64_t divisor : {wanted - away, wanted + away}) {
      if (length % divisor == 0) {  // 1 at last, before 0
        return std::max(divisor, kLeast);
      }
    }
  }
  return wanted;
}

}  // namespace

std::int64_t reduction_splits(const Device& device, std::int64_t length, std::int64_t outputs, bool outer) {
  constexpr std::int64_t kMost = 512;
  constexpr std::int64_t kThreads = 256;  // of a block: 8 warps
  constexpr std::int64_t kValues = 4;     // that a thread reads at once
  constexpr std::int64_t kColumns = 128;  // outputs of a block
  const std::int64_t threads = device.sm_count * device.threads_per_sm;
  const std::int64_t all = length * outputs;
  if (length <= kLeast || outputs >= device.sm_count * 2 * 32) {
    return 1;
  }
  if (!outer && outputs >= 2 * device.sm_count) {
    return 1;
  }
  const std::int64_t each = outer ? kValues : kThreads;  // elements that a step of the loop takes
  std::int64_t steps = kLeast;
  if (all >= kMost * threads) {
    steps = even_split(length, kMost, 50);
  } else if (outer ? all >= kLeast * threads : all > kLeast * threads) {
    const std::int64_t blocks = threads / (outer ? kThreads : 2 * kThreads);
    const std::int64_t share = base::ceil_div(blocks, outer ? base::ceil_div(outputs, kColumns) : outputs);
    steps = even_split(length, base::ceil_div(length, each * share), outer ? 20 : 30);
  }
  return base::ceil_div(length, each * steps);
}

Capture::Capture(const Step& step_)
    : step(step_),
      training(step_.training()),
      turned(step_.nhwc() || turns_convolutions(step_)),
      last(channels_last(step_, turned)),
      readers(step_.network.nodes.size()),
      first_reader(step_.network.nodes.size()),
      values(step_.network.nodes.size()),
      gradients(step_.network.nodes.size()),
      keeps(step_.network.nodes.size()),
      weights(step_.network.nodes.size(), kNoBuffer) {
  for (NodeId id = readers.size(); id-- > 0;) {
    first_reader[id] = readers[id] == 0 ? id : first_reader[id];
    for (const NodeId input : node(id).inputs) {
      ++readers[input];
      first_reader[input] = id;
    }
  }
}

BufferId Capture::buffer(NodeId id, std::int64_t bytes, base::DType type, memory::Category category) {
  return program().add({.bytes = bytes, .type = type, .category = category, .layer = layer_id(id)});
}

BufferId Capture::map_buffer(NodeId id, NodeId value, memory::Category category) {
  return buffer(id, step.value_size(value), value_type(value), category);
}

namespace {

/// In the order of their names.
void name_once(std::vector<BufferId>& buffers) {
  std::ranges::sort(buffers);
  buffers.erase(std::unique(buffers.begin(), buffers.end()), buffers.end());
}

}  // namespace

void Capture::launch(Kernel kernel, Call call) {
  std::vector<Call>& all = in_backward ? result.backward_calls : result.forward_calls;
  kernel.call = all.size();
  all.push_back(std::move(call));
  name_once(kernel.reads);
  program().kernels.push_back(std::move(kernel));
}

timing::Op Capture::stream(base::DType type, std::int64_t read, std::int64_t written) const {
  timing::Op op = timing::make_op(timing::OpKind::fused, base::MathMode::fp32, type, base::Layout::nchw,
                                  {std::max<std::int64_t>(1, written / base::size_of(type))});
  op.read = base::Bytes(read);
  op.written = base::Bytes(written);
  return op;
}

timing::Op Capture::convolution_op(NodeId id, timing::OpKind kind) const {
  const auto& conv = std::get<graph::Convolution>(node(id).kind);
  return timing::make_op(kind, job::convolution_math(step.job.precision), type(), step.convolution_layout,
                         {step.batch, conv.in_channels, conv.out_channels, node(id).input.height, node(id).input.width},
                         filter_of(conv, node(id).output));
}

timing::Op Capture::average_op(NodeId id, timing::OpKind kind) const {
  timing::Extent extent = step.map(node(id).input);
  extent.k = node(id).output.height;
  const base::Layout layout = last[id] ? base::Layout::nhwc : base::Layout::nchw;
  return timing::make_op(kind, base::MathMode::fp32, type(), layout, extent);
}

timing::Op Capture::product_op(NodeId id, timing::OpKind kind) const {
  const auto& linear = std::get<graph::Linear>(node(id).kind);
  const std::int64_t rows = step.batch * node(id).output.height * node(id).output.width;
  return timing::make_op(kind, job::linear_math(step.job.precision), type(), base::Layout::nchw,
                         {rows, linear.in_features, linear.out_features, 1, 1});
}

void Capture::pointwise(NodeId id, Kernel kernel, std::int64_t least) {
  std::int64_t read = 0;
  std::int64_t written = 0;
  name_once(kernel.reads);
  for (const BufferId b : kernel.reads) {
    read += program().buffers[b].bytes;
  }
  for (const BufferId b : kernel.writes) {
    written += program().buffers[b].bytes;
  }
  read = std::max(read, least - written);
  const base::DType first = program().buffers[kernel.writes.front()].type;
  const bool wide = first == base::DType::f32;
  launch(std::move(kernel), {.node = id, .ops = {stream(wide ? first : type(), read, written)}});
}

void Capture::call_library(NodeId id, std::vector<BufferId> reads, const std::vector<BufferId>& returns, Call call) {
  const BufferId tuple = buffer(id, 0, base::DType::u8, memory::Category::other);
  launch({.reads = std::move(reads), .writes = {tuple}, .returns = returns}, std::move(call));
  for (const BufferId b : returns) {
    program().buffers[b].returned = true;
    launch({.reads = {tuple}, .writes = {b}, .unpacks = true}, {.node = id});
  }
}

BufferId Capture::realise(NodeId id, Value& value, NodeId shape, memory::Category category) {
  if (value.buffer == kNoBuffer) {
    value.buffer = map_buffer(id, shape, category);
    pointwise(id,
              {.reads = value.sources, .writes = {value.buffer}, .over = value.over, .inner = value.inner, .trials = 2},
              value.least);
  }
  value.inner = 0;
  value.least = 0;
  value.sources = {value.buffer};
  value.over = {value.buffer};
  return value.buffer;
}

BufferId Capture::operand(NodeId reader, NodeId input) {
  return realise(reader, values[input], input, memory::Category::activations);
}

BufferId Capture::keep(BufferId buffer) {
  if (!training) {
    return kNoBuffer;
  }
  result.forward.buffers[buffer].output = true;
  return buffer;
}

BufferId Capture::recall(BufferId buffer) {
  const auto [place, fresh] = saved.try_emplace(buffer, kNoBuffer);
  if (fresh) {
    Buffer given = result.forward.buffers[buffer];
    given.output = false;
    given.spent = !given.given;
    given.given = true;
    place->second = result.backward.add(given);
    result.keeps_image = result.keeps_image || !given.spent;
    if (given.spent) {
      result.kept.emplace_back(buffer, place->second);
    }
  }
  return place->second;
}

Captured capture(const Step& step) {
  Capture capture(step);
  capture_forward(capture);
  if (capture.training) {
    capture_backward(capture);
  }
  if (step.ops == nullptr) {  // the work is the same in any order
    reorder_for_peak(capture.result.forward);
    reorder_for_peak(capture.result.backward);
  }
  return std::move(capture.result);
}

}  // namespace vggplan::lowering::compiled
