// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "vggplan/base/checked.hpp"
#include "vggplan/base/range.hpp"
#include "vggplan/graph/architectures.hpp"
#include "vggplan/hardware/hardware.hpp"
#include "vggplan/job/job.hpp"

namespace vggplan::job {

namespace {

using base::checked_product;
using base::kLargestExact;
using base::Range;
using base::Status;

/// PyTorch takes fractions of a MiB, which count as one.
std::int64_t whole_mebibytes(base::Bytes size) { return base::ceil_div(size.count(), base::kMiB.count()); }

/// Limits of single numbers. The upper ones lie far beyond use; they keep every product that later
/// parts form within 64 bits, and loops over GPUs or micro-batches short.
Status check_ranges(const Job& job) {
  constexpr std::int64_t kMillion = 1'000'000;
  const auto count = [](const std::optional<base::Bytes>& size) {
    return size ? std::optional(size->count()) : std::nullopt;
  };
  const DataSet& data = job.data;
  const std::array ranges{
      Range{"--batch", job.batch, 1, kMostBatch},
      Range{"--accumulation", job.accumulation, 1, kMostAccumulation},
      Range{"--forward-passes", job.forward_passes, 1, kMostForwardPasses},
      Range{"--history-size", job.lbfgs.history_size, 1, kMostHistory},
      Range{"--max-iter", job.lbfgs.max_iter, 1, kMostIterations},
      Range{"--gpus", job.parallel.gpus, 1, hardware::kMostGpus},
      Range{"--nodes", job.parallel.nodes, 1, hardware::kMostGpus},
      Range{"--bucket-mb", whole_mebibytes(job.parallel.bucket), 1, 1 << 20},
      Range{"--images", data.images, 1, kMillion * kMillion},
      Range{"--epochs", data.epochs, 1, kMillion},
      Range{"--bytes-per-image", count(data.bytes_per_image), 1, kLargestExact},
      Range{"--workers", data.workers, 0, 1 << 16},
      Range{"--cpus", data.cpus, 1, 1 << 16},
      Range{"--ram", count(data.ram), 1, kLargestExact},
      Range{"--checkpoint-every", data.checkpoint_every, 1, kMillion},
      Range{"--keep-checkpoints", data.keep_checkpoints, 1, kMillion},
  };
  for (const Range& range : ranges) {
    TRY(base::check_range(range));
  }
  return std::nullopt;
}

bool exact(std::optional<std::int64_t> product) { return product && *product <= kLargestExact; }

Status check_products(const Job& job, const graph::Network& network, const graph::LayerCounts& counts) {
  if (!exact(checked_product(job.batch, graph::kBytesPerElement, graph::activation_elements(network)))) {
    return base::wrong(
        "--batch",
        fmt::format("{} images of {}x{} need more than {} bytes, the largest number that is counted exactly", job.batch,
                    job.image.height, job.image.width, kLargestExact),
        "give a smaller batch");
  }
  const auto images = checked_product(job.batch, job.accumulation, job.parallel.gpus);
  const std::int64_t flops = counts.flops_forward.count() + counts.flops_backward.count();
  // Twice, since checkpointing runs the forward pass again.
  if (!images || !checked_product(*images, flops, job.forward_passes, closures(job), std::int64_t{2})) {
    return base::wrong(
        "--batch, --accumulation",
        fmt::format("{} images by {} micro-batches by {} GPUs is more work in one step than 64 bits count", job.batch,
                    job.accumulation, job.parallel.gpus),
        "give a smaller batch or fewer micro-batches");
  }
  return std::nullopt;
}

/// A checkpoint has the parameters and up to two states of each, and for each tensor less than this of headers.
std::optional<std::int64_t> checkpoints_bound(const Job& job, const graph::Network& network, std::int64_t parameters) {
  if (job.mode == Mode::infer) {
    return 0;
  }
  // Bytes: three of fp32, or the pairs of L-BFGS and some more.
  const std::int64_t values_each = job.optimizer == Optimizer::lbfgs ? 8 * (job.lbfgs.history_size + 2) : 12;
  constexpr std::int64_t kHeaders = 2048;
  const std::int64_t tensors = 5 * static_cast<std::int64_t>(network.nodes.size() - 2);
  const auto values = checked_product(parameters, values_each);
  return values ? checked_product(job.data.keep_checkpoints, *values + tensors * kHeaders) : std::nullopt;
}

Status check_data(const Job& job, const graph::Network& network, std::int64_t parameters) {
  const std::int64_t images = job.data.images.value_or(0);
  if (!exact(checked_product(images, job.data.epochs))) {
    return base::wrong("--images, --epochs",
                       fmt::format("{} images by {} epochs is beyond what is counted exactly", images, job.data.epochs),
                       "give fewer epochs");
  }
  const std::int64_t decoded = job.image.elements();
  const std::int64_t each = job.data.bytes_per_image ? job.data.bytes_per_image->count() : decoded;
  const auto files = checked_product(images, each);
  if (!exact(files)) {
    return base::wrong(
        "--images",
        fmt::format("{} images of {} bytes are more than {} bytes, the largest data set that is counted exactly",
                    images, each, kLargestExact),
        "give fewer images or --bytes-per-image");
  }
  const auto cache = job.data.decoded_cache ? checked_product(images, decoded) : std::optional<std::int64_t>(0);
  const auto kept = checkpoints_bound(job, network, parameters);
  constexpr std::int64_t kLogBytes = 200;  // of a step
  const std::int64_t steps = job.mode == Mode::infer ? 0 : (images / global_batch(job) + 1) * job.data.epochs;
  // Each of the first three is at most 2^53, and the logs 200 times that: the sum stays within 64 bits.
  if (!exact(cache) || !exact(kept) || !exact(*files + *cache + *kept + steps * kLogBytes)) {
    return base::wrong(
        !exact(cache)  ? "--decoded-cache"
        : !exact(kept) ? "--keep-checkpoints"
                       : "--images, --epochs, --keep-checkpoints",
        fmt::format("images, cache, checkpoints and logs are more than {} bytes, the largest number that "
                    "is counted exactly",
                    kLargestExact),
        "give fewer of them");
  }
  return std::nullopt;
}

/// Settings that do not go together.
struct Clash {
  bool there{};
  std::string_view flag{};
  std::string_view rule{};
  std::string_view remedy{};
};
Status first_of(std::initializer_list<Clash> clashes) {
  const auto* found = std::ranges::find(clashes, true, &Clash::there);
  return found == clashes.end() ? Status{}
                                : base::wrong(found->flag, std::string(found->rule), std::string(found->remedy));
}

bool trains_image(const Job& job) { return job.scope.trained == graph::Trained::image && job.mode == Mode::train; }
bool shards_parameters(const Job& job) { return job.parallel.gpus > 1 && job.parallel.sharding == Sharding::fsdp2; }

/// Several passes go back together: what keeps, shards or trains nothing of its own between them is known.
Status check_passes(const Job& job) {
  if (job.forward_passes == 1) {
    return std::nullopt;
  }
  return first_of(
      {{job.mode == Mode::infer, "--forward-passes", "inference keeps nothing of a pass for a later one",
        "leave --forward-passes out"},
       {job.scope.trained == graph::Trained::image, "--forward-passes", "--train image has one image to pass",
        "leave one of the two out"},
       {shards_parameters(job), "--forward-passes", "when fsdp2 gathers and reduces for several passes is not modelled",
        "use --sharding ddp or zero1"}});
}

/// One process has one model for images of all sizes.
Status check_sizes_drawn(const Job& job) {
  if (job.sizes.size() > kMostSizes) {
    return base::wrong("--size", fmt::format("gives {} sizes, more than {}", job.sizes.size(), kMostSizes),
                       "take a larger step, such as 224:512:32");
  }
  if (job.sizes.empty()) {
    return std::nullopt;
  }
  return first_of({{job.head == graph::Head::flatten, "--size",
                    "gives several sizes, and the first Linear of --head flatten is as large as one map",
                    "use --head adaptive, gap or linear"},
                   {job.compile != Compile::none, "--compile",
                    "compiled steps are modelled with images of one size alone", "give one --size, or --compile none"},
                   {trains_image(job), "--train", "image is trained, and --size gives several", "give one size"}});
}

/// Settings that other settings rule out.
Status check_settings(const Job& job) {
  TRY(first_of(
      {{job.mode == Mode::infer && job.accumulation > 1, "--accumulation",
        "inference has no optimizer step to accumulate gradients for",
        "leave --accumulation out, or give a larger --batch"},
       {job.mode == Mode::train && job.optimizer == Optimizer::rmsprop && job.optimizer_impl == OptimizerImpl::fused,
        "--optimizer-impl", "PyTorch has no fused rmsprop", "use foreach or loop"}}));
  if (job.data.pipeline == Pipeline::nvjpeg && job.data.format != ImageFormat::jpeg) {
    return base::wrong(
        "--pipeline",
        fmt::format("nvjpeg decodes JPEG alone, but --image-format is {}", base::name_of_enum(job.data.format)),
        "use --pipeline tv-uint8, or --image-format jpeg");
  }
  return std::nullopt;
}

/// What L-BFGS refuses, and what was not modelled with its closures.
Status check_lbfgs(const Job& job) {
  if (!uses_lbfgs(job)) {
    return std::nullopt;
  }
  return first_of(
      {{job.optimizer_impl == OptimizerImpl::fused, "--optimizer-impl", "PyTorch has no fused lbfgs", "leave it out"},
       // It flattens every gradient by view(-1), which strides of channels_last do not allow
       // (torch/optim/lbfgs.py).
       {job.layout == base::Layout::nhwc, "--layout", "lbfgs refuses gradients in channels_last (nhwc)",
        "use --layout nchw"},
       {job.precision == Precision::amp_fp16, "--precision",
        "GradScaler takes no optimizer with a closure, as lbfgs is", "use amp-bf16 or tf32"},
       {job.parallel.gpus > 1, "--optimizer", "lbfgs is modelled on one GPU alone, where PyTorch wants all parameters",
        "ask for one GPU"},
       {job.compile != Compile::none, "--compile", "compiled steps are not modelled with the closures of lbfgs",
        "use --compile none"}});
}

/// What torch.compile was not modelled with: a graph broken at checkpoints, or at each gathered group of FSDP2.
Status check_compile(const Job& job) {
  if (job.compile == Compile::none) {
    return std::nullopt;
  }
  return first_of(
      {{job.checkpointing.kind != Checkpointing::Kind::none && job.mode == Mode::train, "--compile",
        "compiled steps are modelled without checkpointing alone", "use --checkpointing none, or --compile none"},
       {job.forward_passes > 1, "--compile", "compiled steps are modelled with one forward pass alone",
        "use --forward-passes 1, or --compile none"},
       {trains_image(job), "--compile",
        "compiled steps are modelled with trained parameters alone, and --train asks for the image",
        "use --compile none"},
       {shards_parameters(job), "--compile", "compiled steps are not modelled under fsdp2",
        "use --sharding ddp or zero1, or --compile none"}});
}

Status check_parallel(const Job& job) {
  const Parallel& parallel = job.parallel;
  if (parallel.gpus % parallel.nodes != 0) {
    return base::wrong(
        "--nodes",
        fmt::format("every node must hold the same number of GPUs, but {} on {} nodes",
                    parallel.gpus == 1 ? "1 GPU is" : fmt::format("{} GPUs are", parallel.gpus), parallel.nodes),
        "give a number of nodes that divides the number of GPUs");
  }
  TRY(first_of(
      {{trains_image(job) && parallel.gpus > 1, "--train",
        "image leaves no parameters to train, and DistributedDataParallel takes no network without", "ask for one GPU"},
       {parallel.data_parallel && parallel.nodes > 1, "--sharding",
        "dp, torch.nn.DataParallel, is one process on one machine", "use ddp"}}));
  if ((parallel.sharding != Sharding::ddp || parallel.data_parallel) && parallel.gpus == 1) {
    return base::wrong("--sharding",
                       fmt::format("{} spreads a job over several GPUs, but there is one",
                                   parallel.data_parallel ? "dp" : base::name_of_enum(parallel.sharding)),
                       "leave --sharding out, or give more GPUs");
  }
  // fully_shard takes contiguous parameters alone (torch/distributed/fsdp/_fully_shard/_fsdp_param.py).
  return first_of(
      {{parallel.sharding == Sharding::fsdp2 && job.layout == base::Layout::nhwc, "--sharding",
        "fsdp2 refuses parameters in channels_last (nhwc)", "use --layout nchw, or --sharding ddp or zero1"}});
}

/// What can be told without the network.
Status check_fields(const Job& job) {
  TRY(check_ranges(job));
  TRY(check_parallel(job));
  TRY(check_settings(job));
  TRY(check_passes(job));
  TRY(check_lbfgs(job));
  TRY(check_sizes_drawn(job));
  TRY(check_compile(job));
  if (job.checkpointing.kind == Checkpointing::Kind::sequential && job.checkpointing.segments < 1) {
    return parse_checkpointing(to_string(job.checkpointing), "--checkpointing").error();
  }
  return std::nullopt;
}

Status check_sizes(const Job& job, const graph::Network& network) {
  const graph::LayerCounts counts = graph::count(network);
  TRY(check_products(job, network, counts));
  return check_data(job, network, counts.parameters);
}

}  // namespace

base::Result<graph::Network> network_of(const Job& job) {
  auto network = graph::build_network(job.model, job.image, job.classes, job.head);
  return network ? graph::scoped(*std::move(network), job.scope, job.mode == Mode::train) : std::move(network);
}

Job of_size(Job job, const graph::Shape& image) {
  job.image = image;
  job.sizes.clear();
  return job;
}

std::int64_t side_multiple(const Job& job) { return graph::architecture_of(job.model.architecture).multiple; }

Status validate(const Job& job, const graph::Network& network) {
  TRY(check_fields(job));
  return check_sizes(job, network);
}

Status validate(const Job& job) {
  TRY(check_fields(job));
  return check_sizes(job, TRY(network_of(job)));
}

}  // namespace vggplan::job
