// SPDX-License-Identifier: MIT
// What must live at once whatever the allocator does: a bound for searches, without a simulation.
#include <algorithm>
#include <variant>

#include "estimate/memory_part.hpp"
#include "vggplan/lowering/saved.hpp"

namespace vggplan::estimate {
namespace {

/// What a node of backward adds at its end: the gradient that came in, the one that it makes, and those of the
/// parameters of all layers behind it.
class Gradients {
 public:
  Gradients(const graph::Network& network, const job::Job& job)
      : network_(network),
        element_bytes_(job.batch * base::size_of(job::activation_type(job.precision))),
        parameter_bytes_(base::size_of(job::parameter_type(job.precision))),
        shards_(job.parallel.sharding == job::Sharding::fsdp2 ? job.parallel.gpus : 1) {}

  /// Layers in falling order, each once.
  Bytes at(std::size_t layer) {
    const graph::Layer& here = network_.layers[layer];
    const Bytes behind(parameters_ * parameter_bytes_ / shards_);
    parameters_ += graph::count(network_, layer).parameters;
    if (std::holds_alternative<graph::Flatten>(here.kind)) {
      return behind;  // a view of the gradient that came in
    }
    const std::int64_t made = layer == 0 ? 0 : here.input.elements();  // the image has no gradient
    return behind + Bytes((here.output.elements() + made) * element_bytes_);
  }

 private:
  const graph::Network& network_;
  std::int64_t element_bytes_;
  std::int64_t parameter_bytes_;
  std::int64_t shards_;
  std::int64_t parameters_{0};
};

/// What is saved while the backward of each layer runs: by the layers up to it. Of a checkpointed segment that
/// runs again all that it saves, of those before it their inputs.
std::vector<Bytes> saved_at(const Lowered& lowered, const job::Job& job) {
  const std::vector<Bytes> inside = lowering::saved_bytes(lowered.network, {}, job).layers;
  const std::vector<Bytes> outside = lowering::saved_bytes(lowered.network, lowered.segments, job).layers;
  std::vector<Bytes> held(lowered.network.layers.size());
  Bytes before{};
  Bytes again{};
  auto segment = lowered.segments.begin();
  for (std::size_t layer = 0; layer < held.size(); ++layer) {
    if (segment != lowered.segments.end() && layer == segment->last) {
      ++segment;
    }
    const bool checkpointed = segment != lowered.segments.end() && layer >= segment->first;
    again = checkpointed && layer != segment->first ? again : before;
    again += inside[layer];
    before += outside[layer];
    held[layer] = checkpointed ? again : before;
  }
  return held;
}

/// Activations and gradients that live at once, at least: at the end of the forward pass, or at the end of some
/// layer's backward.
Bytes activations_floor(const Lowered& lowered, const job::Job& job) {
  Bytes most = lowering::saved_bytes(lowered.network, lowered.segments, job).total();
  if (job.mode == job::Mode::infer) {
    return most;
  }
  const std::vector<Bytes> held = saved_at(lowered, job);
  Gradients gradients(lowered.network, job);
  for (std::size_t layer = held.size(); layer-- > 0;) {
    most = std::max(most, held[layer] + gradients.at(layer));
  }
  return most;
}

}  // namespace

Bytes memory_floor(const Lowered& lowered, const job::Job& job) {
  const std::int64_t parameters =
      graph::count(lowered.network).parameters * base::size_of(job::parameter_type(job.precision));
  const bool train = job.mode == job::Mode::train;
  const std::int64_t states = !train || job.optimizer == job::Optimizer::sgd ? 0
                              : job.optimizer == job::Optimizer::momentum    ? 1
                                                                             : 2;
  const std::int64_t gpus = job.parallel.gpus;
  std::int64_t held = parameters * (1 + states);
  switch (job.parallel.sharding) {
    case job::Sharding::ddp: break;
    // Whole tensors go to each GPU; the fullest holds at least the mean.
    case job::Sharding::zero1: held = parameters + parameters * states / gpus; break;
    case job::Sharding::fsdp2: held /= gpus; break;
  }
  return Bytes(held) + activations_floor(lowered, job);
}

}  // namespace vggplan::estimate
