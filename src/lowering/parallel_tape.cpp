// SPDX-License-Identifier: MIT
// DDP's buckets, ZeRO-1's partition and FSDP2's shards: docs/how-memory-is-counted.md.
#include <numeric>
#include <utility>
#include <variant>

#include "lowering/partition.hpp"
#include "lowering/step_tape.hpp"

namespace vggplan::lowering {

namespace {

constexpr std::uint8_t kCollectiveStream = 1;

TensorId buffer(StepTape& step, std::int64_t bytes) {
  return step.tape.allocate(bytes, Category::communication, memory::kNoLayer);
}

/// ZeRO: the tape is that of rank 0.
void partition(StepTape& step) {
  std::vector<std::int64_t> elements;
  for (const Parameter& parameter : step.parameters) {
    elements.push_back(parameter.elements);
  }
  const std::vector<std::size_t> owners = owners_of(elements, step.job.parallel.gpus);
  for (std::size_t i = 0; i < owners.size(); ++i) {
    step.parameters[i].owned = owners[i] == 0;
  }
}

/// Parameters that FSDP2 gathers together: each Linear layer is a group, all else is the root's.
bool in_root(const StepTape& step, const Parameter& parameter) {
  return !std::holds_alternative<graph::Linear>(step.network.layers[static_cast<std::size_t>(parameter.layer)].kind);
}

template <class Visit>
void for_group(StepTape& step, bool root, std::size_t layer, Visit visit) {
  for (std::size_t i = 0; i < step.parameters.size(); ++i) {
    const bool mine = root ? in_root(step, step.parameters[i]) : step.parameters[i].layer == layer_id(layer);
    if (mine) {
      visit(step.parameters[i], step.gathered[i]);
    }
  }
}

std::int64_t padded_bytes(StepTape& step, bool root, std::size_t layer) {
  std::int64_t bytes = 0;
  for_group(step, root, layer, [&](const Parameter& parameter, TensorId&) {
    bytes += parameter.shard_elements * step.job.parallel.gpus * step.parameter_bytes;
  });
  return bytes;
}

/// The gathered rows arrive in one flat buffer, from which the parameters are copied out. The root's
/// buffer stays through backward: measured on two H200s, torch 2.11.
void gather(StepTape& step, bool root, std::size_t layer) {
  step.tape.on_stream(kCollectiveStream);
  const TensorId flat = buffer(step, padded_bytes(step, root, layer));
  step.tape.on_stream(0);
  for_group(step, root, layer, [&](const Parameter& parameter, TensorId& copy) {
    copy = step.tape.allocate(step.whole_bytes(parameter), Category::parameters, parameter.layer);
  });
  if (root) {
    step.root_buffer = flat;
  } else {
    step.tape.drop(flat);
  }
}

/// Gradients go into one buffer and die; its reduced part becomes this rank's gradients.
void reduce(StepTape& step, bool root, std::size_t layer) {
  step.tape.on_stream(kCollectiveStream);
  const std::int64_t bytes = padded_bytes(step, root, layer);
  const TensorId flat = buffer(step, bytes);
  for_group(step, root, layer, [&](Parameter& parameter, TensorId&) {
    step.tape.release(parameter.gradient);
    parameter.gradient_live = false;
  });
  bool first = true;
  for_group(step, root, layer, [&](Parameter& parameter, TensorId&) {
    if (std::exchange(first, false)) {  // one storage holds the group's sharded gradients
      step.tape.allocate_as(parameter.gradient, bytes / step.job.parallel.gpus, Category::gradients, parameter.layer);
      parameter.gradient_live = true;
    }
  });
  step.tape.drop(flat);
  step.tape.on_stream(0);
}

bool is_linear(const StepTape& step, std::size_t layer) {
  return std::holds_alternative<graph::Linear>(step.network.layers[layer].kind);
}

}  // namespace

void replicate(StepTape& step) {
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
  step.buckets = {buffer(step, std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}))};
  if (step.job.parallel.sharding == job::Sharding::zero1) {
    partition(step);
  }
}

void rebuild_buckets(StepTape& step) {
  std::vector<std::int64_t> sizes;  // in the order in which gradients become ready
  for (auto parameter = step.parameters.rbegin(); parameter != step.parameters.rend(); ++parameter) {
    sizes.push_back(step.whole_bytes(*parameter));
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

void release_first_bucket(StepTape& step) { step.tape.drop(std::exchange(step.first_bucket, kNothing)); }

void shard(StepTape& step) {
  step.gathered.assign(step.parameters.size(), kNothing);
  for (Parameter& parameter : step.parameters) {
    const TensorId whole = parameter.tensor;
    parameter.tensor =
        step.tape.allocate(parameter.shard_elements * step.parameter_bytes, Category::parameters, parameter.layer);
    step.tape.drop(whole);
  }
}

void gather_parameters(StepTape& step, std::size_t layer) {
  if (!step.fully_sharded()) {
    return;
  }
  const bool root_is_here = step.gathered.front() != kNothing;
  if (layer == 0 && !root_is_here) {
    gather(step, true, layer);  // the root's stay until its gradients are reduced
  }
  if (is_linear(step, layer)) {
    gather(step, false, layer);
  }
}

void reshard_parameters(StepTape& step, std::size_t layer) {
  if (!step.fully_sharded() || !is_linear(step, layer)) {
    return;
  }
  for_group(step, false, layer,
            [&](const Parameter&, TensorId& copy) { step.tape.drop(std::exchange(copy, kNothing)); });
}

void reduce_gradients(StepTape& step, std::size_t layer) {
  if (!step.fully_sharded()) {
    return;
  }
  if (is_linear(step, layer)) {
    reduce(step, false, layer);
  }
  if (layer == 0) {
    reduce(step, true, layer);
    step.tape.drop(std::exchange(step.root_buffer, kNothing));
    for_group(step, true, layer,
              [&](const Parameter&, TensorId& copy) { step.tape.drop(std::exchange(copy, kNothing)); });
  }
}

}  // namespace vggplan::lowering
