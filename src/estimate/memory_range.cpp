// SPDX-License-Identifier: MIT
#include "estimate/memory_range.hpp"

#include <algorithm>
#include <cmath>
#include <variant>

#include "estimate/memory_part.hpp"

namespace vggplan::estimate {
namespace {

/// On several GPUs allocated peaks are at most 0.3 % off, with the race beside it.
constexpr Width kRacing{0.9975, 1.0025};

/// What lies between them are 95 of 100 errors, by kind and layout, of the random steps in random_steps.jsonl,
/// range_steps.jsonl and their like (tests/data/measurements). Scratch of NCHW is packed tighter or looser from case to
/// case; for few channels cuDNN takes Winograd and FFT kernels there, whose workspaces have no rule.
struct Errors {
  Width allocated{};
  Width reserved{};
};
enum class Kind { usual, other_sizes, other_networks, aligned_channels, other_channels };

Errors errors_of(Kind kind, base::Layout layout) {
  const bool nchw = layout == base::Layout::nchw;
  const Width exact{0.995, 1.005};
  switch (kind) {
    case Kind::usual: return {exact, nchw ? Width{0.965, 1.04} : Width{0.99, 1.032}};
    case Kind::other_sizes: return {{0.995, 1.02}, nchw ? Width{0.91, 1.14} : Width{0.995, 1.013}};
    case Kind::other_networks: return {{0.99, 1.01}, {0.92, 1.08}};
    case Kind::aligned_channels: return nchw ? Errors{{0.994, 1.58}, {0.88, 1.42}} : Errors{exact, {0.98, 1.02}};
    case Kind::other_channels: return nchw ? Errors{{0.995, 1.8}, {0.88, 1.51}} : Errors{exact, {0.87, 1.19}};
  }
  return {};
}

/// Where cuDNN is free, 95 of 100 measured peaks lie so near what is simulated with no workspace and with the largest.
/// In 32 bits trials of cudnn.benchmark take up to 17 % more than two sets of spectra, and without workspaces blocks
/// are packed up to 8 % looser than with those that were taken.
Errors free_choice(const job::Job& job) {
  const bool wide = base::size_of(job::activation_type(job.precision)) == base::size_of(base::DType::f32);
  return {{0.995, wide && job.cudnn_benchmark ? 1.2 : 1.05}, {wide ? 0.92 : 0.995, 1.05}};
}

Width around(const Width& a, const Width& b) { return {std::min(a.low, b.low), std::max(a.high, b.high)}; }

/// Whether every width of a convolution before the head is a multiple of `unit`.
bool aligned(const graph::Network& network, std::int64_t unit) {
  const auto head = network.nodes.begin() + static_cast<std::ptrdiff_t>(network.features);
  return std::all_of(network.nodes.begin(), head, [&](const graph::Node& node) {
    const auto* conv = std::get_if<graph::Convolution>(&node.kind);
    return conv == nullptr || conv->out_channels % unit == 0;
  });
}

/// Whether every convolution has the filter that most workspaces were measured with: 3x3, stride 1.
bool is_plain(const graph::Network& network) {
  return std::ranges::all_of(network.nodes, [](const graph::Node& node) {
    const auto* conv = std::get_if<graph::Convolution>(&node.kind);
    return conv == nullptr || (conv->kernel == graph::Pair{3, 3} && conv->stride == graph::Pair{1, 1} &&
                               conv->dilation == graph::Pair{1, 1} && conv->groups == 1);
  });
}

/// Workspace rules were made from images of 200 pixels and more in batches up to 256, smaller ones in batches up to 64,
/// and tensors up to 2^31 elements.
Kind kind_of(const job::Job& job, const graph::Network& network) {
  constexpr std::int64_t kMostElements = std::int64_t{1} << 31;
  if (!aligned(network, 64)) {
    return aligned(network, 8) ? Kind::aligned_channels : Kind::other_channels;
  }
  if (!is_plain(network)) {
    return Kind::other_networks;
  }
  const std::int64_t image = largest_output(network);
  const std::int64_t most_images = std::min(job.image.height, job.image.width) < 200 ? 64 : 256;
  const bool usual = job.batch <= most_images && image <= kMostElements / job.batch;
  return usual ? Kind::usual : Kind::other_sizes;
}

/// Compiled steps were measured of VGG, ResNet and a U-Net, on one GPU. What else inductor makes of a network is read
/// from its sources.
bool compiled_otherwise(const job::Job& job, const graph::Network& network) {
  const auto other = [](const graph::Node& node) {
    const auto* conv = std::get_if<graph::Convolution>(&node.kind);
    const auto* activation = std::get_if<graph::Activation>(&node.kind);
    const auto* resize = std::get_if<graph::Resize>(&node.kind);
    return (conv != nullptr && (conv->groups > 1 || conv->transposed || conv->dilation != graph::Pair{1, 1})) ||
           (activation != nullptr && activation->function != graph::Function::relu) ||
           (resize != nullptr && resize->bilinear) || std::holds_alternative<graph::AveragePool>(node.kind) ||
           std::holds_alternative<graph::Multiply>(node.kind) || std::holds_alternative<graph::LayerNorm>(node.kind) ||
           std::holds_alternative<graph::Softmax>(node.kind);
  };
  return job.compile != job::Compile::none &&
         (job.parallel.gpus > 1 || job.eval_batch > 0 || job.scope != graph::Scope{} ||
          std::ranges::any_of(network.nodes, other));
}
constexpr Width kCompiledOtherwise{0.85, 1.2};
/// Which free block a compiled step's maps land in hangs on what its compilation left behind: of 19 steps that nothing
/// was fitted to the reserved peaks were 6 % lower to 12 % higher than simulated.
constexpr Width kCompiledReserved{0.93, 1.13};

/// On an architecture, or of a version, that nobody measured cuDNN's kernels may need more scratch: an RTX 3090 ran out
/// of memory where the prediction left 2 % (timm's ladder of batches). Or none: the low end is simulated without any.
constexpr double kUnmeasuredHigh = 1.04;

/// Of rmsprop, L-BFGS, pure fp16 and several passes 20 steps were measured (ways.jsonl): allocated as of others,
/// reserved up to 6 % off.
constexpr Width kFewMeasured{0.935, 1.06};

/// Passes under one autocast context may share their casts of weights; these are counted for each pass.
constexpr Width kSharedCasts{0.85, 1.05};

bool one_of_few(const job::Job& job) {
  return job.mode == job::Mode::train &&
         (job.optimizer == job::Optimizer::rmsprop || job.optimizer == job::Optimizer::lbfgs ||
          job.precision == job::Precision::fp16 || job.forward_passes > 1);
}

}  // namespace

std::int64_t largest_output(const graph::Network& network) {
  std::int64_t most = 0;
  for (const graph::Node& node : network.nodes) {
    most = std::max(most, node.output.elements());
  }
  return most;
}

bool measured_way(const job::Job& job) { return job.forward_passes == 1 || !job::is_autocast(job.precision); }

bool has_measured_rules(const hardware::Gpu& gpu, const lowering::Framework& framework) {
  const bool hopper = hardware::capability_number(gpu.compute_capability) / 10 == 9;
  return hopper && framework.rules_of.empty();
}

namespace {

/// What NCCL holds on each GPU; ranks that only infer do not talk to each other. Two and four GPUs of one host were
/// measured and differ by 2 MiB (two_gpus.jsonl, four_gpus.jsonl): a ring has its buffers by channel, not by peer. Of
/// eight H100 1.06 GB were reported after start, of which NVLS is a part; several machines have buffers of their
/// network.
base::Estimated<Bytes> nccl_memory(const job::Job& job, const lowering::Framework& framework) {
  if (job.parallel.gpus == 1 || job.mode != job::Mode::train) {
    return base::exactly(Bytes(0), base::Basis::assumed);
  }
  const auto times = [&](double factor) { return Bytes(std::llround(framework.nccl.as_double() * factor)); };
  const bool measured = job.parallel.gpus <= 4 && job.parallel.nodes == 1;
  return {framework.nccl, times(measured ? 0.99 : 0.8), times(measured ? 1.01 : 1.5), base::Basis::assumed};
}

/// What handles of cuBLAS take that this job does not make: each thread's its addresses, the backward thread's some
/// more.
Bytes missing_handles(const job::Job& job, const graph::Network& network, const lowering::Framework& framework) {
  const bool multiplies = std::ranges::any_of(
      network.nodes, [](const graph::Node& node) { return std::holds_alternative<graph::Linear>(node.kind); });
  const Bytes backward = framework.cublas_handle_driver + framework.backward_thread_driver;
  return (multiplies ? Bytes(0) : framework.cublas_handle_driver) +
         (multiplies && job.mode == job::Mode::train ? Bytes(0) : backward);
}

}  // namespace

base::Estimated<Bytes> outside_allocator(const job::Job& job, const graph::Network& network, const hardware::Gpu& gpu,
                                         const lowering::Framework& framework) {
  const lowering::Outside& outside = framework.outside;
  const Bytes value = gpu.context_memory;
  base::Estimated<Bytes> context = base::exactly(value, base::Basis::assumed);
  if (std::ranges::find(gpu.unverified, "context_memory_bytes") == gpu.unverified.end()) {
    context.low = std::max(Bytes(0), value - missing_handles(job, network, framework));
    context.high = value + outside.measured_more;
  } else {
    context.low = std::min(value, outside.bare_low * gpu.sm_count + outside.loaded_low);
    context.high = std::max(value, outside.bare_high * gpu.sm_count + outside.loaded_high);
  }
  return context + nccl_memory(job, framework);
}

Bytes outside_allocator(const job::Job& job, const hardware::Gpu& gpu, const lowering::Framework& framework) {
  return gpu.context_memory + nccl_memory(job, framework).value;
}

bool cudnn_is_free(const job::Job& job, const hardware::Gpu& gpu) {
  return job.cudnn_benchmark || in_true_fp32(job, gpu);
}

Bytes stranded_workspace(const memory::Simulation& high, std::optional<Bytes> capacity) {
  const Bytes room = capacity ? std::max(Bytes(0), *capacity - high.reserved_peak) : high.largest_workspace;
  return std::min(high.largest_workspace, room);
}

bool races(const job::Job& job) { return job.parallel.gpus > 1 && job.parallel.sharding != job::Sharding::fsdp2; }

Widths widths_of(const job::Job& job, const graph::Network& network, const hardware::Gpu& gpu, bool measured_rules) {
  const Kind kind = kind_of(job, network);
  const Errors errors = errors_of(kind, job.layout);
  const bool racing = races(job) && kind == Kind::usual;
  const bool measured = kind == Kind::usual || kind == Kind::other_sizes || kind == Kind::other_networks;
  Widths widths{racing ? kRacing : errors.allocated,
                racing && job.layout == base::Layout::nhwc ? kRacing : errors.reserved,
                measured ? base::Basis::simulated : base::Basis::modelled};
  if (!measured_rules) {
    widths.allocated.high = std::max(widths.allocated.high, kUnmeasuredHigh);
    widths.reserved.high = std::max(widths.reserved.high, kUnmeasuredHigh);
    widths.basis = base::Basis::modelled;
  }
  if (one_of_few(job)) {
    widths.reserved = around(widths.reserved, kFewMeasured);
  }
  if (!measured_way(job)) {
    widths.allocated = around(widths.allocated, kSharedCasts);
    widths.reserved = around(widths.reserved, kSharedCasts);
    widths.basis = base::Basis::modelled;
  }
  if (job.compile != job::Compile::none) {
    widths.reserved = around(widths.reserved, kCompiledReserved);
  }
  if (compiled_otherwise(job, network)) {
    widths.allocated = around(widths.allocated, kCompiledOtherwise);
    widths.reserved = around(widths.reserved, kCompiledOtherwise);
    widths.basis = base::Basis::modelled;
  }
  if (cudnn_is_free(job, gpu)) {
    const Errors free = free_choice(job);
    widths.allocated = around(widths.allocated, free.allocated);
    widths.reserved = around(widths.reserved, free.reserved);
  }
  return widths;
}

}  // namespace vggplan::estimate
