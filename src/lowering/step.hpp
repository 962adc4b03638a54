// SPDX-License-Identifier: MIT
// One process that trains (or infers) step by step: shared state of the parts that write its tape and list its ops.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "lowering/tape_builder.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/graph/flow.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/job/job.hpp"
#include "vggplan/lowering/framework.hpp"
#include "vggplan/lowering/schedule.hpp"
#include "vggplan/lowering/tape.hpp"
#include "vggplan/lowering/workspace.hpp"
#include "vggplan/timing/op.hpp"

namespace vggplan::lowering {

using graph::NodeId;
using memory::Category;
using memory::LayerId;
using memory::TensorId;

/// Batch norm goes to cuDNN, and to PyTorch's one kernel for NCHW, below this many elements
/// (aten/src/ATen/native/Normalization.cpp, _select_batch_norm_backend: numel < INT32_MAX).
inline constexpr std::int64_t kIndexLimit = base::kLargestInt32;

inline constexpr std::int64_t kFp32 = base::size_of(base::DType::f32);

/// A parameter, in the order of model.parameters(); before them the batch of images, where that is trained.
struct Parameter {
  LayerId layer{};
  std::int64_t elements{};
  std::int64_t shard_elements{};  ///< FSDP2: rows of this rank, padded to equal parts
  bool convolution_weight{};      ///< four-dimensional: channels_last re-lays it out
  TensorId tensor{kNothing};
  TensorId gradient{kNothing};
  TensorId buffered{kNothing};         ///< of several passes: their sum, beside the gradient of earlier micro-batches
  TensorId group_gradients{kNothing};  ///< FSDP2, of the last parameter that a group trains: its sharded gradients
  TensorId state1{kNothing};           ///< momentum, or Adam's first moment
  TensorId state2{kNothing};           ///< Adam's second moment
  bool gradient_live{false};
  bool group_gradients_live{false};
  bool trained{true};  ///< has a gradient
  bool owned{true};    ///< this rank keeps its optimizer state: trained, and dealt to it (ZeRO)
};

/// What autograd keeps of one node between forward and backward.
struct Saved {
  TensorId input{kNothing};
  TensorId result{kNothing};
  TensorId weight_copy{kNothing};
  TensorId mask{kNothing};  ///< dropout mask or pool indices
  TensorId statistics[2]{kNothing, kNothing};
  TensorId segment_input{kNothing};  ///< what a checkpoint keeps to run again, until the last that it packed is gone
  bool recomputed{false};            ///< by a checkpoint: its unpacked tensors die before the incoming gradient
};

/// Of the output of a node, on its way back. `turned`: comes out contiguous whatever the layout, as that of a mean over
/// pixels does; who takes it in channels_last copies it. `part`: a view of some channels of each image or pixel, with
/// gaps between; kernels of libraries get a copy without, and nothing is added to it in place.
struct Gradient {
  TensorId tensor{kNothing};
  bool turned{false};
  bool part{false};
};

/// One pass over a node. `keep`: autograd saves what its backward needs.
struct Run {
  NodeId id{};
  const graph::Node& node;
  bool keep{};
  bool recompute{};
};

/// What a forward pass reads, and what Python holds of it from one step into the next.
struct View {
  TensorId image{kNothing};
  std::map<NodeId, TensorId> outputs{};
  TensorId loss_value{kNothing};
};

/// torch.optim.LBFGS: vectors over all parameters.
struct LbfgsVectors {
  std::int64_t iterations{};     ///< of the process
  TensorId direction{kNothing};  ///< state, which holds that of the step before until a step is over
  TensorId earlier{kNothing};    ///< state: the flat gradient of the iteration before
  TensorId gradient{kNothing};   ///< local to the step, with what follows
  TensorId moved{kNothing};      ///< the direction of the step itself
  TensorId two_loop{kNothing};   ///< q of the two-loop recursion
};

/// FSDP2: the buffers of collectives that outlive the call which took them.
struct ShardBuffers {
  bool root_gathered{false};
  TensorId copied{kNothing};  ///< forward: what the last group was gathered in, until the next has copied out its own
  TensorId ahead{kNothing};   ///< backward: of the group before, gathered ahead of its turn
  NodeId group_ahead{};
  TensorId reduced{kNothing};  ///< gradients of the last group that was reduced, until the next is
};

/// What autograd holds of the forward passes so far, each storage once, for the first node whose backward keeps it.
struct Kept {
  std::vector<std::int64_t> nodes{};
  std::int64_t weight_copies{};
  std::int64_t loss{};
};

struct CompiledStep;  ///< compiled/emission.hpp

struct Step {
  Step(const graph::Network& network_, const job::Job& job_, const std::vector<Segment>& segments_,
       const Framework& framework_, const Device& device_, const Variation& variation_);

  graph::Network network;  ///< for images of the size that the step has drawn
  const job::Job& job;
  const std::vector<Segment>& segments;
  const Framework& framework;
  const Device& device;
  Variation variation;
  graph::Flow flow;
  TapeBuilder tape{};
  std::vector<Parameter> parameters{};
  std::vector<TensorId> values{};         ///< outputs, by node
  std::vector<Gradient> gradients{};      ///< of outputs, by node
  std::vector<Saved> saved{};             ///< by node
  std::vector<Packed> packed{};           ///< by segment
  std::vector<TensorId> bias_copies{};    ///< autocast: live until its context ends
  std::vector<TensorId> weight_copies{};  ///< autocast, where autograd does not keep them
  std::vector<TensorId> loss_tensors{};   ///< what the loss keeps for its backward
  std::vector<TensorId> gathered{};       ///< FSDP2, by parameter: unsharded copy
  ShardBuffers shard_buffers{};
  LbfgsVectors lbfgs{};
  TensorId first_bucket{kNothing};  ///< DDP: of all gradients, until its buckets are laid out
  TensorId image{kNothing};
  std::int64_t size_drawn{0};     ///< tells sizes apart: cuDNN has plans for each
  std::vector<View> views{};      ///< one for each forward pass
  std::int64_t passes_to_come{};  ///< of these, whose backward is still to come
  TensorId target{kNothing};
  std::map<NodeId, TensorId> outputs{};  ///< Python holds the storages of outputs from one step into the next
  TensorId loss_value{kNothing};         ///< and the loss
  bool synchronizes{true};               ///< the micro-batch whose gradients are averaged
  bool scaler_ready{false};              ///< GradScaler's own tensors are there
  bool outputs_live{false};
  std::int64_t batch{};    ///< images of the pass
  bool evaluating{false};  ///< a pass of a model in eval(), without gradients
  bool autocast{};
  std::vector<bool> wide{};         ///< by node: under autocast its output is fp32 nevertheless
  std::int64_t activation_bytes{};  ///< per element
  std::int64_t parameter_bytes{};
  std::vector<timing::Op>* ops{nullptr};  ///< where the work is listed, if it is asked for
  Kept kept{};
  base::Layout convolution_layout{};  ///< compiled convolutions may have one of their own
  std::shared_ptr<CompiledStep> compiled{};
  std::shared_ptr<CompiledStep> compiled_evaluation{};

  [[nodiscard]] bool training() const { return job.mode == job::Mode::train && !evaluating; }
  [[nodiscard]] bool replicated() const {
    return job.parallel.gpus > 1 && job.parallel.sharding != job::Sharding::fsdp2 && training();
  }
  [[nodiscard]] bool fully_sharded() const {
    return job.parallel.gpus > 1 && job.parallel.sharding == job::Sharding::fsdp2 && training();
  }
  /// GradScaler: amp-fp16.
  [[nodiscard]] bool scales_loss() const { return job.precision == job::Precision::amp_fp16 && training(); }
  [[nodiscard]] std::int64_t passes() const { return static_cast<std::int64_t>(views.size()); }
  [[nodiscard]] bool nhwc() const { return job.layout == base::Layout::nhwc; }
  [[nodiscard]] std::int64_t activation_size(const graph::Shape& shape) const {
    return batch * shape.elements() * activation_bytes;
  }
  [[nodiscard]] std::int64_t whole_bytes(const Parameter& parameter) const {
    return parameter.elements * parameter_bytes;
  }
  /// FSDP2 keeps each rank's rows of a parameter, its gradient and its state.
  [[nodiscard]] std::int64_t own_bytes(const Parameter& parameter) const {
    return (fully_sharded() ? parameter.shard_elements : parameter.elements) * parameter_bytes;
  }
  [[nodiscard]] const graph::Node& node(NodeId id) const { return network.nodes[id]; }
  [[nodiscard]] std::int64_t value_size(NodeId id) const {
    return batch * node(id).output.elements() * (wide[id] ? kFp32 : activation_bytes);
  }
  [[nodiscard]] bool needs_gradient(NodeId id) const { return flow.needs_gradient[id]; }

  /// One holder of the input: that of the frame where this node is the last to read it.
  TensorId take(NodeId input, NodeId reader);
  /// The output of a node; where Python holds its storage beyond the step, under that name.
  TensorId allocate_output(NodeId id, Category category = Category::activations);
  /// Made by the backward of `id`, of the output of `value`.
  TensorId gradient_of(NodeId id, NodeId value);
  /// Autograd takes over one holder of `tensor` for the backward of `id`.
  void keep(NodeId id, TensorId& place, TensorId tensor);
  /// Of a tensor that autograd holds: nothing where something held it before.
  std::int64_t uncounted_bytes(TensorId tensor);
  /// A gradient of the output of `input` arrives, and is added to what came before.
  void deliver(NodeId input, Gradient gradient);
  /// Memory of a kernel, taken and freed at once: partial sums and, inside their life, counters.
  void kernel_buffers(NodeId id, std::int64_t sums, std::int64_t counters);

  void begin_ops(NodeId id, base::Phase phase, bool recompute);
  [[nodiscard]] timing::Op op_of(timing::OpKind kind, const timing::Extent& extent, const timing::Filter& filter) const;
  void op(timing::Op op);
  void op(timing::OpKind kind, const timing::Extent& extent, const timing::Filter& filter = {});
  void op(timing::OpKind kind, base::DType type, const timing::Extent& extent);  ///< of plain vectors, in any layout
  [[nodiscard]] timing::Extent map(const graph::Shape& shape) const;

  [[nodiscard]] Convolution convolution(NodeId id) const;
  /// Maps of one channel have no layout of their own: PyTorch takes them as contiguous, and turns the gradient.
  [[nodiscard]] bool contiguous_weight_gradient(NodeId id) const { return nhwc() && node(id).input.channels == 1; }
  void convolution_scratch(NodeId id, ConvPass pass, bool recompute);
  /// Parameters of a node: weight first, then bias.
  [[nodiscard]] std::span<Parameter> parameters_of(NodeId id);
  /// Of a product: a workspace for each thread at its first, or one for each. Forward and backward are two threads.
  void cublas_workspaces(bool backward_thread);
  /// Of cuBLAS alone, in the thread of Python: a dot product's.
  void dot_workspace();

 private:
  void library_workspace(std::int64_t bytes, Lifetime lifetime, bool first);

  bool cublas_ready_[2]{false, false};
  std::vector<std::size_t> first_parameter_{};  ///< by node
  std::vector<bool> counted_{};                 ///< by tensor: among what is kept
  NodeId op_node_{timing::kNoLayer};
  base::Phase op_phase_{};
  bool op_recompute_{false};
  void collect_parameters();
  void find_wide();
  void name_outputs();
};

/// libraries.cpp: as a 3x3 of stride 1 and padding 1 where it is one.
timing::Filter filter_of(const graph::Convolution& convolution, const graph::Shape& output);

constexpr LayerId layer_id(NodeId id) { return static_cast<LayerId>(id); }

/// setup.cpp
void place_model(Step& step);  ///< model.cuda()
void place_input(Step& step);  ///< the image batch, for each forward pass one, and its targets
void draw(Step& step, std::span<const graph::Network> sizes, std::size_t size);
std::vector<TensorId> evaluate(Step& step, std::int64_t images);

/// step.cpp
void forward(Step& step);
void run_forward(Step& step, const Run& run);
void end_autocast(Step& step);
/// Gradients of an earlier micro-batch are added to. `synchronize`: the last one, whose gradients are averaged.
void backward(Step& step, bool synchronize);

/// checkpoint.cpp
/// A segment's hooks, in forward and where it runs again.
void list_checkpoint(Step& step, const Segment& segment, bool recompute);
/// The second forward of a checkpointed segment, in its own autocast context. `again`: what of it runs again.
void recompute(Step& step, std::size_t index, std::span<const Visit> again);

/// gradients.cpp
/// A node is done: its incoming gradient and what it saved go, in the node's order.
void spend(Step& step, NodeId id, TensorId incoming);
TensorId fresh_gradient(Step& step, Parameter& parameter, std::int64_t element_bytes);
/// A fresh gradient is added to the one that is there, or has become it.
void settle(Step& step, Parameter& parameter, TensorId fresh);
/// Autocast: weight and bias gradients come out in 16 bit; the cast nodes make fp32 ones.
void finish_parameters(Step& step, NodeId id, const std::vector<TensorId>& fresh);

/// zero_grad(set_to_none=True).
void release_gradients(Step& step);

/// parallel_tape.cpp
void replicate(Step& step);             ///< DDP's constructor
void rebuild_buckets(Step& step);       ///< before the second forward
void release_first_bucket(Step& step);  ///< before the third, where the race kept it
/// shard_tape.cpp: FSDP2, and nothing where it is not used.
void shard(Step& step);  ///< fully_shard
/// Before a node runs its group is gathered, and after that its parameters die.
void gather_forward(Step& step, NodeId id);
void gather_backward(Step& step, NodeId id);
void reshard_parameters(Step& step, NodeId id);
void end_forward(Step& step);     ///< of the whole model
void begin_backward(Step& step);  ///< the gradient of its output is there
/// A group's gradients are averaged and sharded once its backward is over; last the root's.
void reduce_gradients(Step& step, NodeId id);
void end_backward(Step& step);

/// optimizer_tape.cpp
/// `updates`: GradScaler found no infinities. `first`: the first step that updates makes the state.
void optimizer_step(Step& step, bool updates, bool first);
/// lbfgs_tape.cpp: what LBFGS.step does between one closure and the next, and as it returns.
void lbfgs_iteration(Step& step);
void end_lbfgs(Step& step);

}  // namespace vggplan::lowering
