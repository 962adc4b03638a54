// SPDX-License-Identifier: MIT
// FSDP2's shards and the buffers of its collectives: docs/how-memory-is-counted.md. The order of events is that of
// torch/distributed/fsdp/_fully_shard (_fsdp_param_group.py, _fsdp_collectives.py) and of traces on two H200s, torch
// 2.11 (tests/data/traces/sharded).
#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>
#include <vector>

#include "lowering/step.hpp"

namespace vggplan::lowering {

namespace {

constexpr std::uint8_t kGatherStream = 1;
constexpr std::uint8_t kReduceStream = 2;

/// Parameters that are gathered together: each Linear layer is a group, all else is the root's.
constexpr NodeId kRoot = 0;
using Members = std::vector<std::size_t>;

bool is_linear(const Step& step, NodeId id) {
  return std::holds_alternative<graph::Linear>(step.network.nodes[id].kind);
}

Members members_of(const Step& step, NodeId group) {
  Members members;
  for (std::size_t i = 0; i < step.parameters.size(); ++i) {
    const auto layer = static_cast<NodeId>(step.parameters[i].layer);
    if (group == kRoot ? !is_linear(step, layer) : layer == group) {
      members.push_back(i);
    }
  }
  return members;
}

std::int64_t shard_bytes(const Step& step, std::size_t member) {
  return step.parameters[member].shard_elements * step.parameter_bytes;
}

/// Of the rows of all ranks, padded to equal parts.
std::int64_t padded_bytes(const Step& step, const Members& members) {
  std::int64_t bytes = 0;
  for (const std::size_t member : members) {
    bytes += shard_bytes(step, member) * step.job.parallel.gpus;
  }
  return bytes;
}

TensorId flat_buffer(Step& step, std::int64_t bytes, std::uint8_t stream = 0) {
  step.tape.on_stream(stream);
  const TensorId taken = step.tape.allocate(bytes, Category::communication, memory::kNoLayer);
  step.tape.on_stream(0);
  return taken;
}

/// Lists that a kernel reads of how its blocks are dealt out to tensors (aten/src/ATen/native/cuda/TensorShape.cu).
constexpr std::int64_t kListEntry = 8;
constexpr std::int64_t kBlockThreads = 128;
constexpr std::int64_t kBlockBytes = kBlockThreads * 16;

std::int64_t blocks_of(const Step& step, const Members& members, std::int64_t block_bytes) {
  std::int64_t blocks = 0;
  for (const std::size_t member : members) {
    blocks += base::ceil_div(shard_bytes(step, member), block_bytes);
  }
  return blocks;
}

/// split_with_sizes_copy: four entries a tensor, and one more; one a block, of which not too many are launched.
std::int64_t copy_out_lists(const Step& step, const Members& members) {
  const std::int64_t ranks = step.job.parallel.gpus;
  const std::int64_t most = 2 * step.device.sm_count * step.device.threads_per_sm / kBlockThreads;
  const std::int64_t factor = base::ceil_div(blocks_of(step, members, kBlockBytes) * ranks, most);
  const auto root = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(factor))));
  const std::int64_t rounds = base::ceil_div(factor, std::min(root, ranks));
  const std::int64_t blocks = blocks_of(step, members, kBlockBytes * rounds);
  return kListEntry * (4 * static_cast<std::int64_t>(members.size()) + 1 + blocks);
}

/// _chunk_cat: six entries a tensor, and two more; one a block.
std::int64_t copy_in_lists(const Step& step, const Members& members) {
  const std::int64_t blocks = blocks_of(step, members, kBlockBytes);
  return kListEntry * (6 * static_cast<std::int64_t>(members.size()) + 2 + blocks);
}

void lists(Step& step, std::int64_t bytes) {
  if (step.variation.buffers) {
    step.tape.drop(flat_buffer(step, bytes));
  }
}

TensorId gather(Step& step, NodeId group) {
  return flat_buffer(step, padded_bytes(step, members_of(step, group)), kGatherStream);
}

/// Each parameter has a tensor of its own, with the rows that fill up its last part.
void copy_out(Step& step, NodeId group) {
  const Members members = members_of(step, group);
  for (const std::size_t member : members) {
    const Parameter& parameter = step.parameters[member];
    step.gathered[member] =
        step.tape.allocate(shard_bytes(step, member) * step.job.parallel.gpus, Category::parameters, parameter.layer);
  }
  lists(step, copy_out_lists(step, members));
}

void reshard(Step& step, NodeId group) {
  for (const std::size_t member : members_of(step, group)) {
    step.tape.drop(std::exchange(step.gathered[member], kNothing));
  }
}

/// The next group's rows are copied out before the buffer of the one before may be written to again.
void gather_group(Step& step, NodeId group) {
  if (!members_of(step, group).empty()) {
    const bool is_there = step.shard_buffers.ahead != kNothing && step.shard_buffers.group_ahead == group;
    const TensorId flat = is_there ? std::exchange(step.shard_buffers.ahead, kNothing) : gather(step, group);
    copy_out(step, group);
    step.tape.drop(std::exchange(step.shard_buffers.copied, flat));
  }
}

/// While a group's backward runs, the one before it in the model is gathered.
void gather_ahead(Step& step, NodeId of) {
  for (NodeId id = of; id-- > kFirstNode;) {
    if (is_linear(step, id)) {
      step.tape.drop(std::exchange(step.shard_buffers.ahead, gather(step, id)));
      step.shard_buffers.group_ahead = id;
      return;
    }
  }
}

/// Its part of the group's averaged gradients becomes this rank's, or is added to that of an earlier micro-batch.
TensorId take_reduced(Step& step, const Members& trained) {
  Parameter& last = step.parameters[trained.back()];
  const std::int64_t bytes = padded_bytes(step, trained) / step.job.parallel.gpus;
  step.tape.on_stream(kReduceStream);
  TensorId added = kNothing;
  if (std::exchange(last.group_gradients_live, true)) {
    added = step.tape.allocate(bytes, Category::gradients, last.layer);
  } else {
    last.group_gradients = last.group_gradients == kNothing ? step.tape.reserve() : last.group_gradients;
    step.tape.allocate_as(last.group_gradients, bytes, Category::gradients, last.layer);
  }
  step.tape.on_stream(0);
  return added;
}

void release_gradient(Step& step, std::size_t member) {
  if (std::exchange(step.parameters[member].gradient_live, false)) {
    step.tape.release(step.parameters[member].gradient);
  }
}

/// Gradients are copied into one buffer and die, backwards; a loop's variable holds the last of them for longer.
void reduce(Step& step, NodeId group) {
  Members trained = members_of(step, group);
  std::erase_if(trained, [&](std::size_t member) { return !step.parameters[member].trained; });
  if (trained.empty()) {
    return;
  }
  step.tape.drop(std::exchange(step.shard_buffers.reduced, kNothing));
  step.shard_buffers.reduced = flat_buffer(step, padded_bytes(step, trained));
  lists(step, copy_in_lists(step, trained));
  for (auto member = trained.rbegin() + 1; member != trained.rend(); ++member) {
    release_gradient(step, *member);
  }
  const TensorId added = take_reduced(step, trained);
  release_gradient(step, trained.back());
  step.tape.drop(added);
}

void shard_group(Step& step, NodeId group) {
  const Members members = members_of(step, group);
  std::vector<TensorId> whole;
  for (const std::size_t member : members) {
    Parameter& parameter = step.parameters[member];
    whole.push_back(std::exchange(
        parameter.tensor, step.tape.allocate(shard_bytes(step, member), Category::parameters, parameter.layer)));
  }
  for (const TensorId tensor : whole) {
    step.tape.drop(tensor);
  }
}

}  // namespace

void shard(Step& step) {
  step.gathered.assign(step.parameters.size(), kNothing);
  for (NodeId id = kFirstNode; id < step.network.nodes.size(); ++id) {
    if (is_linear(step, id)) {
      shard_group(step, id);
    }
  }
  shard_group(step, kRoot);
}

void gather_forward(Step& step, NodeId id) {
  if (!step.fully_sharded()) {
    return;
  }
  if (!std::exchange(step.shard_buffers.root_gathered, true)) {
    gather_group(step, kRoot);
  }
  if (is_linear(step, id)) {
    gather_group(step, id);
  }
}

void gather_backward(Step& step, NodeId id) {
  if (!step.fully_sharded() || !is_linear(step, id) || !step.needs_gradient(id)) {
    return;
  }
  gather_group(step, id);
  step.tape.drop(std::exchange(step.shard_buffers.copied, kNothing));
  gather_ahead(step, id);
}

void reshard_parameters(Step& step, NodeId id) {
  if (step.fully_sharded() && is_linear(step, id)) {
    reshard(step, id);
  }
}

void end_forward(Step& step) {
  if (step.fully_sharded()) {
    step.tape.drop(std::exchange(step.shard_buffers.copied, kNothing));
  }
}

void begin_backward(Step& step) {
  if (step.fully_sharded()) {
    gather_ahead(step, step.network.nodes.size());
  }
}

void reduce_gradients(Step& step, NodeId id) {
  if (step.fully_sharded() && is_linear(step, id)) {
    reduce(step, id);
  }
}

void end_backward(Step& step) {
  if (!step.fully_sharded()) {
    return;
  }
  reshard(step, kRoot);
  reduce(step, kRoot);
  ShardBuffers& buffers = step.shard_buffers;
  for (TensorId* held : {&buffers.reduced, &buffers.ahead, &buffers.copied}) {
    step.tape.drop(std::exchange(*held, kNothing));
  }
  buffers.root_gathered = false;
}

}  // namespace vggplan::lowering
