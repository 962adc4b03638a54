// SPDX-License-Identifier: MIT
// Networks under torch.compile, for tests that look at their kernels.
#pragma once

#include <array>
#include <random>
#include <vector>

#include "lowering/compiled/capture.hpp"
#include "support/random_network.hpp"

namespace vggplan::support {

inline constexpr std::array<job::Precision, 4> kCompiledPrecisions{job::Precision::tf32, job::Precision::amp_bf16,
                                                                   job::Precision::amp_fp16, job::Precision::bf16};

inline bool is_product(const graph::Node& node) {
  return std::holds_alternative<graph::Convolution>(node.kind) || std::holds_alternative<graph::Linear>(node.kind);
}

/// A network, of which some layers are frozen, and a job.
struct CompiledCase {
  CompiledCase() { job.compile = job::Compile::usual; }
  explicit CompiledCase(std::mt19937& random)
      : network(random() % 2 == 0 ? RandomNetwork(random).build()
                                  : RandomNetwork(random, 60, 70).build()) {  // which is turned
    job.image = network.input;
    job.classes = network.classes;
    job.batch = pick(random, 1, 4);
    job.precision = kCompiledPrecisions.at(random() % kCompiledPrecisions.size());
    job.layout = static_cast<base::Layout>(random() % 2);
    job.compile = random() % 3 == 0 ? job::Compile::reduce_overhead : job::Compile::usual;
    const bool evaluates = random() % 4 == 0;
    for (graph::NodeId id = 0; id < network.nodes.size(); ++id) {
      graph::Node& node = network.nodes[id];
      node.trained = is_product(node) ? random() % 5 != 0 : node.trained;
      if (auto* norm = std::get_if<graph::BatchNorm>(&node.kind)) {
        norm->frozen = evaluates;
        node.trained = !evaluates;
      }
    }
  }

  [[nodiscard]] lowering::Step step() const {
    static const lowering::Framework kFramework{};
    static const lowering::Device kDevice{};
    static const std::vector<lowering::Segment> kNone{};
    return {network, job, kNone, kFramework, kDevice, {}};
  }
  [[nodiscard]] lowering::compiled::Captured captured() const { return lowering::compiled::capture(step()); }
  [[nodiscard]] bool turns() const {
    return job.layout == base::Layout::nchw && lowering::compiled::turns_convolutions(step());
  }

  graph::Network network{};
  job::Job job{};
};

}  // namespace vggplan::support
