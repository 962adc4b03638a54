// SPDX-License-Identifier: MIT
// DDP's buckets, ZeRO-1's partition and FSDP2's shards: docs/how-memory-is-counted.md.
#include <utility>
#include <variant>

#include "lowering/partition.hpp"
#include "lowering/step.hpp"

namespace vggplan::lowering {

namespace {

constexpr std::uint8_t kCollectiveStream = 1;

TensorId buffer(Step& step, std::int64_t bytes) {
  return step.tape.allocate(bytes, Category::communication, memory::kNoLayer);
}

/// ZeRO: the tape is that of rank 0.
void partition(Step& step) {
  std::vector<std::int64_t> elements;
  std::vector<Parameter*> trained;
  for (Parameter& parameter : step.parameters) {
    if (parameter.trained) {
      elements.push_back(parameter.elements);
      trained.push_back(&parameter);
    }
  }
  const std::vector<std::size_t> owners = owners_of(elements, step.job.parallel.gpus);
  for (std::size_t i = 0; i < owners.size(); ++i) {
    trained[i]->owned = owners[i] == 0;
  }
}

/// Parameters that FSDP2 gathers together: each Linear layer is a group, all else is the root's.
bool in_root(const Step& step, const Parameter& parameter) {
  return !std::holds_alternative<graph::Linear>(step.network.nodes[static_cast<std::size_t>(parameter.layer)].kind);
}

template <class Visit>
void for_group(Step& step, bool root, NodeId id, Visit visit) {
  for (std::size_t i = 0; i < step.parameters.size(); ++i) {
    const bool mine = root ? in_root(step, step.parameters[i]) : step.parameters[i].layer == layer_id(id);
    if (mine) {
      visit(step.parameters[i], step.gathered[i]);
    }
  }
}

std::int64_t padded_bytes(Step& step, bool root, NodeId id) {
  std::int64_t bytes = 0;
  for_group(step, root, id, [&](const Parameter& parameter, TensorId&) {
    bytes += parameter.shard_elements * step.job.parallel.gpus * step.parameter_bytes;
  });
  return bytes;
}

/// The gathered rows arrive in one flat buffer, from which the parameters are copied out. The root's
/// buffer stays through backward: measured on two H200s, torch 2.11.
void gather(Step& step, bool root, NodeId id) {
  step.tape.on_stream(kCollectiveStream);
  const TensorId flat = buffer(step, padded_bytes(step, root, id));
  step.tape.on_stream(0);
  for_group(step, root, id, [&](const Parameter& parameter, TensorId& copy) {
    copy = step.tape.allocate(step.whole_bytes(parameter), Category::parameters, parameter.layer);
  });
  if (root) {
    step.root_buffer = flat;
  } else {
    step.tape.drop(flat);
  }
}

/// Gradients go into one buffer and die; its reduced part becomes this rank's gradients.
void reduce(Step& step, bool root, NodeId id) {
  bool any = false;
  for_group(step, root, id, [&](const Parameter& parameter, TensorId&) { any = any || parameter.trained; });
  if (!any) {
    return;
  }
  step.tape.on_stream(kCollectiveStream);
  const std::int64_t bytes = padded_bytes(step, root, id);
  const TensorId flat = buffer(step, bytes);
  for_group(step, root, id, [&](Parameter& parameter, TensorId&) {
    if (std::exchange(parameter.gradient_live, false)) {
      step.tape.release(parameter.gradient);
    }
  });
  bool first = true;
  for_group(step, root, id, [&](Parameter& parameter, TensorId&) {
    if (parameter.trained && std::exchange(first, false)) {  // one storage holds the group's sharded gradients
      step.tape.allocate_as(parameter.gradient, bytes / step.job.parallel.gpus, Category::gradients, parameter.layer);
      parameter.gradient_live = true;
    }
  });
  step.tape.drop(flat);
  step.tape.on_stream(0);
}

bool is_linear(const Step& step, NodeId id) {
  return std::holds_alternative<graph::Linear>(step.network.nodes[id].kind);
}

}  // namespace

void replicate(Step& step) {
  std::vector<std::int64_t> sizes;
  for (const Parameter& parameter : step.parameters) {
    sizes.push_back(step.whole_bytes(parameter));
  }
  const std::int64_t chunk = step.framework.broadcast_chunk.count();
  std::vector<TensorId> chunks;
  for (const Group& group : groups_of(sizes, chunk, chunk)) {
    chunks.push_back(buffer(step, group.bytes));
  }
  for (const TensorId sent : chunks) {
    step.tape.drop(sent);
  }
  std::int64_t gradients = 0;
  for (const Parameter& parameter : step.parameters) {
    gradients += parameter.trained ? step.whole_bytes(parameter) : 0;
  }
  step.buckets = {buffer(step, gradients)};
  if (step.job.parallel.sharding == job::Sharding::zero1) {
    partition(step);
  }
}

void rebuild_buckets(Step& step) {
  std::vector<std::int64_t> sizes;  // in the order in which gradients become ready
  for (auto parameter = step.parameters.rbegin(); parameter != step.parameters.rend(); ++parameter) {
    if (parameter->trained) {
      sizes.push_back(step.whole_bytes(*parameter));
    }
  }
  step.first_bucket = step.buckets.front();
  if (!step.variation.both_bucket_sets) {
    release_first_bucket(step);
  }
  step.buckets.clear();
  for (const Group& group : groups_of(sizes, step.framework.first_bucket.count(), step.job.parallel.bucket.count())) {
    step.buckets.push_back(buffer(step, group.bytes));
  }
}

void release_first_bucket(Step& step) { step.tape.drop(std::exchange(step.first_bucket, kNothing)); }

void shard(Step& step) {
  step.gathered.assign(step.parameters.size(), kNothing);
  for (Parameter& parameter : step.parameters) {
    const TensorId whole = parameter.tensor;
    parameter.tensor =
        step.tape.allocate(parameter.shard_elements * step.parameter_bytes, Category::parameters, parameter.layer);
    step.tape.drop(whole);
  }
}

void gather_parameters(Step& step, NodeId id) {
  if (!step.fully_sharded()) {
    return;
  }
  const bool root_is_here = step.gathered.front() != kNothing;
  if (id == kFirstNode && !root_is_here) {
    gather(step, true, id);  // the root's stay until its gradients are reduced
  }
  if (is_linear(step, id)) {
    gather(step, false, id);
  }
}

void reshard_parameters(Step& step, NodeId id) {
  if (!step.fully_sharded() || !is_linear(step, id)) {
    return;
  }
  for_group(step, false, id, [&](const Parameter&, TensorId& copy) { step.tape.drop(std::exchange(copy, kNothing)); });
}

void reduce_gradients(Step& step, NodeId id) {
  if (!step.fully_sharded()) {
    return;
  }
  if (is_linear(step, id)) {
    reduce(step, false, id);
  }
  if (id == kFirstNode) {
    reduce(step, true, id);
    step.tape.drop(std::exchange(step.root_buffer, kNothing));
    for_group(step, true, id, [&](const Parameter&, TensorId& copy) { step.tape.drop(std::exchange(copy, kNothing)); });
  }
}

}  // namespace vggplan::lowering
