// SPDX-License-Identifier: MIT
// What is asked: one fully resolved training (or inference) job.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "vggplan/base/dtype.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/base/result.hpp"
#include "vggplan/base/settings.hpp"
#include "vggplan/base/units.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/graph/scope.hpp"
#include "vggplan/hardware/hardware.hpp"

namespace vggplan::job {

using base::ImageFormat;
using base::OptimizerImpl;
using base::Pipeline;
using base::Sharding;
enum class Mode { train, infer };
enum class Precision {
  fp32,      ///< true fp32 everywhere (TF32 off)
  tf32,      ///< PyTorch's default: convolutions in TF32, Linear in fp32
  amp_bf16,  ///< autocast over fp32 weights
  amp_fp16,  ///< the same with GradScaler
  bf16,      ///< model and input; changes training
  fp16,      ///< model and input, without GradScaler; seldom trains
};
/// Momentum is SGD with 0.9 and weight decay 5e-4; RMSprop is neither centered nor with momentum; L-BFGS has no line
/// search.
enum class Optimizer { momentum, sgd, adam, adamw, rmsprop, lbfgs };
/// Usual: what torch.compile does by default; with reduce_overhead its kernels are replayed as CUDA graphs.
enum class Compile { none, usual, reduce_overhead };  ///< mode of torch.compile

/// torch.utils.checkpoint: nothing, each block of convolutions, or checkpoint_sequential with N segments.
struct Checkpointing {
  enum class Kind { none, block, sequential };
  Kind kind{Kind::none};
  std::int64_t segments{0};  ///< for `sequential`
  bool operator==(const Checkpointing&) const = default;
};
std::string to_string(const Checkpointing& checkpointing);  ///< "none", "block", "seq:4"
base::Result<Checkpointing> parse_checkpointing(std::string_view text, std::string_view place);

inline constexpr std::int64_t kMostBatch = 1 << 30;
inline constexpr std::int64_t kMostAccumulation = 1 << 16;
inline constexpr std::int64_t kMostForwardPasses = 16;
inline constexpr std::size_t kMostSizes = 64;
inline constexpr std::int64_t kMostHistory = 1000;
inline constexpr std::int64_t kMostIterations = 1000;

/// Of torch.optim.LBFGS, with its defaults. Each iteration of a step calls the closure once: forward and backward.
struct Lbfgs {
  std::int64_t history_size{100};  ///< pairs of vectors that are kept
  std::int64_t max_iter{20};       ///< a step
  bool operator==(const Lbfgs&) const = default;
};

struct Parallel {
  std::int64_t gpus{1};  ///< in all, over every node
  std::int64_t nodes{1};
  Sharding sharding{Sharding::ddp};
  base::Bytes bucket{25 * base::kMiB};
  bool bucket_view{false};
  bool data_parallel{false};  ///< torch.nn.DataParallel was asked about: what it would take is told beside ddp
  bool operator==(const Parallel&) const = default;
};

struct DataSet {
  std::optional<std::int64_t> images{};
  std::int64_t epochs{1};
  ImageFormat format{ImageFormat::jpeg};
  std::optional<base::Bytes> bytes_per_image{};
  Pipeline pipeline{Pipeline::tv_uint8};
  std::optional<std::int64_t> workers{};  ///< in all processes of one machine
  std::optional<std::int64_t> cpus{};
  std::optional<base::Bytes> ram{};
  std::optional<std::string> storage{};
  bool decoded_cache{false};  ///< decoded images are kept on the storage and read from the second epoch on
  std::optional<std::int64_t> checkpoint_every{};  ///< epochs
  std::int64_t keep_checkpoints{1};
  bool operator==(const DataSet&) const = default;
};

struct Job {
  graph::ModelSpec model{};
  graph::Shape image{};               ///< channels, height, width
  std::vector<graph::Shape> sizes{};  ///< that steps draw at random, `image` the last of them; empty: all are alike
  std::int64_t classes{1000};
  graph::Head head{graph::Head::adaptive};
  graph::Scope scope{};
  Mode mode{Mode::train};
  std::int64_t batch{1};       ///< images per GPU and micro-batch
  std::int64_t eval_batch{0};  ///< images of an evaluation beside training; 0: none
  std::int64_t accumulation{1};
  std::int64_t forward_passes{1};  ///< of views of the images, whose losses go back together: siamese, consistency
  Precision precision{Precision::tf32};
  base::Layout layout{base::Layout::nchw};
  Optimizer optimizer{Optimizer::momentum};
  OptimizerImpl optimizer_impl{OptimizerImpl::foreach};
  Lbfgs lbfgs{};
  Checkpointing checkpointing{};
  Compile compile{Compile::none};
  Parallel parallel{};
  bool cudnn_benchmark{false};
  bool expandable_segments{false};
  std::string framework{"pytorch-2.11"};
  DataSet data{};
  bool operator==(const Job&) const = default;
};

/// Images that one optimizer step sees, over all GPUs.
constexpr std::int64_t global_batch(const Job& job) { return job.batch * job.accumulation * job.parallel.gpus; }

/// The same with images of one size.
Job of_size(Job job, const graph::Shape& image);

constexpr bool uses_lbfgs(const Job& job) { return job.mode == Mode::train && job.optimizer == Optimizer::lbfgs; }

/// Times that a step goes forward and back over its batch.
constexpr std::int64_t closures(const Job& job) { return uses_lbfgs(job) ? job.lbfgs.max_iter : 1; }

constexpr std::int64_t gpus_per_node(const Job& job) {
  return job.parallel.gpus < job.parallel.nodes ? 1 : job.parallel.gpus / job.parallel.nodes;
}

/// Whether batch norm takes its statistics from the batch: what it sees of it then matters to the result.
constexpr bool normalizes_by_batch(const Job& job) {
  return job.model.batch_norm && job.mode == Mode::train && job.scope.norm == graph::FrozenNorm::none;
}

/// Ranges, rules between fields (FSDP2 refuses channels_last ...), and the rule that every count of
/// bytes stays below 2^53 and the work of a step within 64 bits.
/// Whether seq:N cuts the network well is for lowering::segments to say. Nothing when the job makes sense.
base::Status validate(const Job& job);
/// The same where the job's network is at hand: searches ask of many batches.
base::Status validate(const Job& job, const graph::Network& network);

/// The network that the job runs: what it asks of its model, for its images.
base::Result<graph::Network> network_of(const Job& job);

/// Of what the sides of the images must be multiples, where the model joins maps of several scales.
std::int64_t side_multiple(const Job& job);

/// Type of activations and of stored parameters under a precision.
base::DType activation_type(Precision precision);
base::DType parameter_type(Precision precision);
/// Units that convolutions and Linear layers run on. Under `tf32` Linear stays in true fp32
/// (torch.backends.cuda.matmul.allow_tf32 is off by default).
base::MathMode convolution_math(Precision precision);
base::MathMode linear_math(Precision precision);
/// As which a GPU runs a precision: without TF32 units tf32 is true fp32.
Precision runs_as(Precision precision, const hardware::Gpu& gpu);
constexpr bool is_autocast(Precision precision) {
  return precision == Precision::amp_bf16 || precision == Precision::amp_fp16;
}

}  // namespace vggplan::job

namespace vggplan::base {

template <>
struct NameTable<job::Compile> {
  static constexpr std::array<Named<job::Compile>, 3> table{{
      {job::Compile::none, "none"},
      {job::Compile::usual, "default"},
      {job::Compile::reduce_overhead, "reduce-overhead"},
  }};
};
}  // namespace vggplan::base
