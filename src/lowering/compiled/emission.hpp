// SPDX-License-Identifier: MIT
// A compiled program on its way to the tape, kernel by kernel as inductor's wrapper calls them.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "lowering/compiled/capture.hpp"

namespace vggplan::lowering {

/// One compiled network, and what its runs leave for each other.
struct CompiledStep {
  explicit CompiledStep(const Step& step)
      : captured(compiled::capture(step)),
        forward(compiled::place(captured.forward)),
        backward(compiled::place(captured.backward)) {}

  compiled::Captured captured;
  compiled::Placement forward;
  compiled::Placement backward;
  std::vector<TensorId> saved{};                ///< by buffer of backward, from forward
  std::set<std::vector<std::int64_t>> tuned{};  ///< kernels that have run, by the sizes of their buffers
  int forwards{0};                              ///< that ran
  bool replays{false};                          ///< the last of them was a graph's
  TensorId image{kNothing};                     ///< a copy of the images that backward reads
};

namespace compiled {

constexpr BufferId kImage = 0;  ///< of forward

/// A program on its way to the tape. `tensors`: by storage; those that are given are there.
struct Emission {
  Step& step;
  CompiledStep& compiled;
  const Program& program;
  const std::vector<Call>& calls;
  const Placement& placement;
  bool backward{};
  std::vector<TensorId> tensors{};
  std::vector<TensorId> names{};  ///< by storage: where it outlives the step
  bool image_kept{};              ///< by backward
  std::size_t image_last{};       ///< the kernel that is the last to read the images
  bool graph{};                   ///< in the pool of CUDA graphs
  std::vector<TensorId> workspaces{};

  void run(bool records);
  void run_kernels();
  [[nodiscard]] timing::Launch launch() const;
  void product_workspaces();
  void allocate(const Kernel& kernel, const Call& call);
  void tune(const Kernel& kernel);
  void release(std::size_t k, const Kernel& kernel);
};

Emission emission_of(Step& step, CompiledStep& compiled, bool backward);

}  // namespace compiled
}  // namespace vggplan::lowering
