// SPDX-License-Identifier: MIT
// One process that trains (or infers) step by step: shared state of the parts that write its tape.
#pragma once

#include <cstdint>
#include <vector>

#include "lowering/tape_builder.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/job/job.hpp"
#include "vggplan/lowering/framework.hpp"
#include "vggplan/lowering/schedule.hpp"
#include "vggplan/lowering/tape.hpp"
#include "vggplan/lowering/workspace.hpp"

namespace vggplan::lowering {

using memory::Category;
using memory::LayerId;
using memory::TensorId;

/// Batch norm goes to cuDNN, and to PyTorch's one kernel for NCHW, below this many elements
/// (aten/src/ATen/native/Normalization.cpp, _select_batch_norm_backend: numel < INT32_MAX).
inline constexpr std::int64_t kIndexLimit = base::kLargestInt32;

inline constexpr std::int64_t kFp32 = base::size_of(base::DType::f32);

/// A trained tensor, in the order of model.parameters().
struct Parameter {
  LayerId layer{};
  std::int64_t elements{};
  std::int64_t shard_elements{};  ///< FSDP2: rows of this rank, padded to equal parts
  bool convolution_weight{};      ///< four-dimensional: channels_last re-lays it out
  TensorId tensor{kNothing};
  TensorId gradient{kNothing};
  TensorId state1{kNothing};  ///< momentum, or Adam's first moment
  TensorId state2{kNothing};  ///< Adam's second moment
  bool gradient_live{false};
  bool owned{true};  ///< this rank keeps its optimizer state (ZeRO)
};

/// What autograd keeps of one layer between forward and backward.
struct Saved {
  TensorId input{kNothing};
  TensorId result{kNothing};
  TensorId weight_copy{kNothing};
  TensorId mask{kNothing};  ///< dropout mask or pool indices
  TensorId statistics[2]{kNothing, kNothing};
  bool recomputed{false};  ///< by a checkpoint: its unpacked tensors die before the incoming gradient
};

struct LossTensors {
  TensorId log_softmax{kNothing};
  TensorId log_softmax_fp32{kNothing};  ///< autocast: nll_loss runs in fp32
  TensorId total_weight{kNothing};
};

struct StepTape {
  StepTape(const graph::Network& network_, const job::Job& job_, const std::vector<Segment>& segments_,
           const Framework& framework_, const Device& device_, const Variation& variation_);

  const graph::Network& network;
  const job::Job& job;
  const std::vector<Segment>& segments;
  const Framework& framework;
  const Device& device;
  Variation variation;
  TapeBuilder tape{};
  std::vector<Parameter> parameters{};
  std::vector<Saved> saved{};              ///< by layer
  std::vector<TensorId> segment_inputs{};  ///< by segment
  std::vector<TensorId> bias_copies{};     ///< autocast: live until its context ends
  std::vector<TensorId> weight_copies{};   ///< autocast, where autograd does not keep them
  LossTensors loss{};
  std::vector<TensorId> gathered{};  ///< FSDP2, by parameter: unsharded copy
  TensorId root_buffer{kNothing};    ///< FSDP2: what the root's parameters were gathered in
  TensorId first_bucket{kNothing};
  TensorId image{kNothing};
  TensorId target{kNothing};
  TensorId logits{kNothing};  ///< Python holds logits and loss from one step into the next
  TensorId loss_value{kNothing};
  bool scaler_ready{false};  ///< GradScaler's own tensors are there
  bool outputs_live{false};
  std::vector<TensorId> buckets{};  ///< DDP
  bool autocast{};
  std::int64_t activation_bytes{4};  ///< per element
  std::int64_t parameter_bytes{4};

  [[nodiscard]] bool training() const { return job.mode == job::Mode::train; }
  [[nodiscard]] bool replicated() const {
    return job.parallel.gpus > 1 && job.parallel.sharding != job::Sharding::fsdp2 && training();
  }
  [[nodiscard]] bool fully_sharded() const {
    return job.parallel.gpus > 1 && job.parallel.sharding == job::Sharding::fsdp2 && training();
  }
  /// GradScaler: amp-fp16.
  [[nodiscard]] bool scales_loss() const { return job.precision == job::Precision::amp_fp16 && training(); }
  [[nodiscard]] bool nhwc() const { return job.layout == base::Layout::nhwc; }
  [[nodiscard]] std::int64_t activation_size(const graph::Shape& shape) const {
    return job.batch * shape.elements() * activation_bytes;
  }
  [[nodiscard]] std::int64_t whole_bytes(const Parameter& parameter) const {
    return parameter.elements * parameter_bytes;
  }
  /// FSDP2 keeps each rank's rows of a parameter, its gradient and its state.
  [[nodiscard]] std::int64_t own_bytes(const Parameter& parameter) const {
    return (fully_sharded() ? parameter.shard_elements : parameter.elements) * parameter_bytes;
  }
  [[nodiscard]] Convolution convolution(std::size_t layer) const;
  /// Maps of one channel have no layout of their own: PyTorch takes them as contiguous, and turns the gradient.
  [[nodiscard]] bool contiguous_weight_gradient(std::size_t layer) const {
    return nhwc() && network.layers[layer].input.channels == 1;
  }
  void convolution_scratch(std::size_t layer, ConvPass pass, bool recompute);
  /// Parameters of a layer: weight first, then bias.
  [[nodiscard]] std::vector<Parameter*> parameters_of(std::size_t layer);
  /// Batch norm runs in PyTorch's own kernels where cuDNN does not take the type or the size.
  [[nodiscard]] bool native_batch_norm(std::size_t layer) const;
  /// cuBLAS takes a workspace per thread at its first call; forward and backward are two threads.
  void cublas_workspaces(bool backward_thread);

 private:
  bool cublas_ready_[2]{false, false};
  void collect_parameters();
};

constexpr LayerId layer_id(std::size_t layer) { return static_cast<LayerId>(layer); }

/// step_forward.cpp
/// Runs layer `layer` on `input` (one holder, which is passed on to the result). `keep`: autograd saves.
TensorId forward_layer(StepTape& step, std::size_t layer, TensorId input, bool keep, bool recompute);
/// torch.utils.checkpoint's early stop: the last convolution of a segment saves its operands, which are
/// the last tensors that backward needs, and does not run.
void stop_before_convolution(StepTape& step, std::size_t layer, TensorId input);
/// Memory of a kernel, taken and freed at once: partial sums and, inside their life, counters.
void kernel_buffers(StepTape& step, std::size_t layer, std::int64_t sums, std::int64_t counters);
void forward(StepTape& step);
void end_autocast(StepTape& step);

/// step_backward.cpp
/// Gradients of an earlier micro-batch are added to. `synchronize`: the last one, whose gradients are averaged.
void backward(StepTape& step, bool synchronize);

/// parallel_tape.cpp
void replicate(StepTape& step);             ///< DDP's constructor
void rebuild_buckets(StepTape& step);       ///< before the second forward
void release_first_bucket(StepTape& step);  ///< before the third, where the race kept it
void shard(StepTape& step);                 ///< fully_shard
/// FSDP2 gathers a group's parameters before its layer runs, and lets go of them after.
void gather_parameters(StepTape& step, std::size_t layer);
void reshard_parameters(StepTape& step, std::size_t layer);
/// A group's gradients are averaged and sharded once its backward is over.
void reduce_gradients(StepTape& step, std::size_t layer);

/// optimizer_tape.cpp
/// `updates`: GradScaler found no infinities. `first`: the first step that updates makes the state.
void optimizer_step(StepTape& step, bool updates, bool first);

}  // namespace vggplan::lowering
