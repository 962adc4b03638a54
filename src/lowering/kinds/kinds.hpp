// SPDX-License-Identifier: MIT
// What PyTorch does with each kind of node: its allocations in order, what autograd keeps, the work that it starts.
#pragma once

#include <cstdint>

#include "lowering/step.hpp"

namespace vggplan::lowering {

/// `forward` returns the output, with one holder. `backward` is given the gradient of the output, gives its holder away
/// and delivers the gradients of those inputs that need one. `saves`: tensors that autograd packs for it, parameters
/// and empty ones included (tools/autograd/derivatives.yaml): a hook is called for each in a checkpointed segment.
struct Lowering {
  TensorId (*forward)(Step& step, const Run& run){};
  void (*backward)(Step& step, const Run& run, Gradient incoming){};
  std::int64_t saves{};
};

const Lowering& lowering_of(const graph::Kind& kind);

/// Tensors that autograd packs for the backward of the node, where it has one.
std::int64_t packs(const graph::Node& node);
/// Whether all of them are packed before the node runs: operands. torch.utils.checkpoint's early stop runs the last
/// node of a segment that packs anything no further than that.
bool packs_operands(const graph::Node& node);
/// That node, stopped.
void pack_operands(Step& step, const Run& run);

extern const Lowering kConvolution;
extern const Lowering kBatchNorm;
extern const Lowering kLayerNorm;
extern const Lowering kActivation;
extern const Lowering kMaxPool;
extern const Lowering kAveragePool;
extern const Lowering kAdaptiveAveragePool;
extern const Lowering kLinear;
extern const Lowering kDropout;
extern const Lowering kAdd;
extern const Lowering kMultiply;
extern const Lowering kConcatenate;
extern const Lowering kResize;
extern const Lowering kFlatten;
extern const Lowering kSoftmax;

/// matrix.cpp: for convolutions and Linear layers.
/// Autocast casts arguments from right to left: bias, weight, input. Weights and biases that are trained are cast once
/// a context (their copies are cached); copies of frozen ones, which are returned, die with the call, unless autograd
/// keeps the weight.
std::vector<TensorId> cast_parameters(Step& step, const Run& run, bool keeps_weight);
/// The ops of the cast nodes, to `to`.
void list_casts(Step& step, NodeId id, base::DType to);
/// What autocast makes of an operand: the fp32 image is cast in every call, all else is in 16 bits already.
TensorId cast_operand(Step& step, const Run& run, TensorId input);
/// What a convolution or a Linear layer packs before it runs.
void pack_factors(Step& step, const Run& run);

/// activation.cpp
/// Whether its result is what autograd saves, and not its input.
bool saves_result(const graph::Activation& activation);
/// pooling.cpp: a 1x1 pool is a mean, which keeps only sizes.
bool is_mean(const graph::Node& node);

/// loss.cpp
void lose(Step& step);
/// From the loss to the gradients of the network's outputs. `scaled`: the gradient of the scaled loss.
void lose_backward(Step& step, TensorId scaled);

}  // namespace vggplan::lowering
