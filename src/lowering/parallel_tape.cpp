// SPDX-License-Identifier: MIT
// DDP's buckets and ZeRO-1's partition: docs/how-memory-is-counted.md.
#include <utility>

#include "lowering/partition.hpp"
#include "lowering/step.hpp"

namespace vggplan::lowering {

namespace {

TensorId buffer(Step& step, std::int64_t bytes) {
  return step.tape.allocate(bytes, Category::communication, memory::kNoLayer);
}

/// ZeRO: the tape is that of rank 0, which owns the largest tensor, unless the emptiest is asked for.
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
  const std::size_t rank =
      step.variation.emptiest_rank ? emptiest_rank(elements, owners, step.job.parallel.gpus) : std::size_t{0};
  for (std::size_t i = 0; i < owners.size(); ++i) {
    trained[i]->owned = owners[i] == rank;
  }
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
  step.first_bucket = buffer(step, gradients);
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
  if (!step.variation.both_bucket_sets) {
    release_first_bucket(step);
  }
  for (const Group& group : groups_of(sizes, step.framework.first_bucket.count(), step.job.parallel.bucket.count())) {
    buffer(step, group.bytes);
  }
}

void release_first_bucket(Step& step) { step.tape.drop(std::exchange(step.first_bucket, kNothing)); }

}  // namespace vggplan::lowering
