// SPDX-License-Identifier: MIT
// What inductor makes of the network: the joint graph of forward and backward, its pointwise nodes fused into kernels.
// Read from generated code and recorded allocations of PyTorch 2.11 (docs/how-memory-is-counted.md says which rules).
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "lowering/compiled/program.hpp"
#include "lowering/step.hpp"

namespace vggplan::lowering::compiled {

/// What a kernel is beside its buffers: a call of a library or of Triton's code, and the work that this is.
struct Call {
  NodeId node{};
  std::vector<ConvPass> passes{};  ///< of a convolution: one for each of its writes
  std::int64_t copied{0};          ///< an operand that the library turns for itself
  bool product{false};             ///< calls cuBLAS
  bool cast{false};                ///< moves a layout or casts: needs local memory
  std::vector<timing::Op> ops{};
};

struct Captured {
  Program forward{};
  Program backward{};
  std::vector<Call> forward_calls{};
  std::vector<Call> backward_calls{};
  std::vector<BufferId> outputs{};                    ///< of forward, by output of the network
  std::vector<std::pair<BufferId, BufferId>> kept{};  ///< what forward saved, and its name in backward
  bool keeps_image{false};                            ///< for backward, as it was given
  std::vector<BufferId> gradients{};                  ///< of backward, by parameter; kNoBuffer where there is none
  std::vector<bool> relaid{};                         ///< by parameter: autograd copies the gradient to its layout
};

/// Whether inductor runs the convolutions of a contiguous network in channels_last (torch/_inductor/graph.py,
/// decide_layout_opt): not where groups are many, where some k x k filter halves the channels or more, or where all
/// filters are small.
bool turns_convolutions(const Step& step);

Captured capture(const Step& step);

/// torch/_inductor/choices.py, reduction_split_factor: into how many parts a sum over `length` values for each of
/// `outputs` is split, rows of outputs lying together (`outer`) or values.
std::int64_t reduction_splits(const Device& device, std::int64_t length, std::int64_t outputs, bool outer);

}  // namespace vggplan::lowering::compiled
