// SPDX-License-Identifier: MIT
#include "vggplan/lowering/saved.hpp"

#include <algorithm>
#include <numeric>

#include "lowering/step.hpp"

namespace vggplan::lowering {

using base::Bytes;

Bytes SavedBytes::activations() const { return std::accumulate(layers.begin(), layers.end(), loss); }

SavedBytes saved_bytes(const graph::Network& network, const std::vector<Segment>& segments, const job::Job& job) {
  SavedBytes saved{std::vector<Bytes>(network.nodes.size()), {}, {}};
  if (job.mode == job::Mode::infer) {
    return saved;
  }
  static const Framework kFramework{};
  static const Device kDevice{};
  job::Job alone = job;
  alone.parallel = {};
  Step step(network, alone, segments, kFramework, kDevice, {.workspaces = Workspaces::none});
  step.image = step.tape.allocate(job.batch * network.input.elements() * step.parameter_bytes, Category::input,
                                  memory::kNoLayer);
  forward(step);
  std::transform(step.kept.nodes.begin(), step.kept.nodes.end(), saved.layers.begin(),
                 [](std::int64_t bytes) { return Bytes(bytes); });
  saved.loss = Bytes(step.kept.loss);
  saved.weight_copies = Bytes(step.kept.weight_copies);
  return saved;
}

}  // namespace vggplan::lowering
