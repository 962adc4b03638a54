// SPDX-License-Identifier: MIT
#include "estimate/storage_part.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <variant>

#include "vggplan/estimate/data.hpp"

namespace vggplan::estimate {

namespace {

/// Bytes per pixel of a three-channel photograph by size, measured: JPEG quality 90, PNG compression 6 and TIFF
/// without compression, at 224x224, 1024x1024 and 4024x3036. Between sizes, straight lines over the logarithm.
struct Density {
  double pixels{};
  double bytes{};
};
constexpr std::array<Density, 3> kJpeg{{{50176, 0.3942}, {1048576, 0.2095}, {12216864, 0.1556}}};
constexpr std::int64_t kTiffHeader = 140;  // in each of the measured files
constexpr std::array<Density, 3> kPng{{{50176, 2.1002}, {1048576, 1.7853}, {12216864, 1.6746}}};

double bytes_per_pixel(const std::array<Density, 3>& curve, double pixels) {
  if (pixels <= curve.front().pixels) {
    return curve.front().bytes;
  }
  for (std::size_t i = 1; i < curve.size(); ++i) {
    if (pixels <= curve[i].pixels) {
      const double share = std::log(pixels / curve[i - 1].pixels) / std::log(curve[i].pixels / curve[i - 1].pixels);
      return curve[i - 1].bytes + share * (curve[i].bytes - curve[i - 1].bytes);
    }
  }
  return curve.back().bytes;
}

struct Tensors {
  std::int64_t trained{};  ///< weights and biases
  std::int64_t buffers{};  ///< running mean and variance, and how many batches they have seen
  std::int64_t buffer_bytes{};
};

Tensors tensors_of(const graph::Network& network) {
  Tensors tensors;
  tensors.trained = static_cast<std::int64_t>(graph::trained_tensors(network).size());
  for (const graph::Node& node : network.nodes) {
    if (const auto* norm = std::get_if<graph::BatchNorm>(&node.kind)) {
      tensors.buffers += 3;
      tensors.buffer_bytes += 2 * norm->channels * 4 + 8;
    }
  }
  return tensors;
}

/// Loss, accuracy, learning rate and speed in a TensorBoard event file: 16 bytes of framing and 34 of event a scalar.
constexpr std::int64_t kScalarBytes = 16 + 34;
constexpr Bytes kLogBytesPerStep{4 * kScalarBytes};

}  // namespace

Bytes bytes_per_image(const job::Job& job) {
  if (job.data.bytes_per_image) {
    return *job.data.bytes_per_image;
  }
  const double pixels = static_cast<double>(job.image.height * job.image.width);
  const double samples = static_cast<double>(job.image.elements());
  const auto of = [&](double per_pixel) { return Bytes(static_cast<std::int64_t>(per_pixel * samples / 3.0)); };
  switch (job.data.format) {
    case job::ImageFormat::jpeg: return of(bytes_per_pixel(kJpeg, pixels));
    case job::ImageFormat::png: return of(bytes_per_pixel(kPng, pixels));
    case job::ImageFormat::tiff: return Bytes(job.image.elements() + kTiffHeader);
    case job::ImageFormat::raw: return Bytes(job.image.elements());
  }
  return Bytes(job.image.elements());
}

/// torch.save: a zip with one stored entry per tensor, a pickle of names and settings, and a directory. The
/// headers are fitted to three measured files of VGG16 (32 tensors): weights 553,441,155 bytes, with momentum
/// 1,106,880,739, with AdamW 1,660,327,871. Other networks' files differ from this by a few hundred bytes.
Bytes checkpoint_bytes(const graph::Network& network, const job::Job& job, bool with_optimizer) {
  constexpr std::int64_t kFile = 1507;
  constexpr std::int64_t kPerWeight = 296;
  constexpr std::int64_t kSgdGroup = 64;
  constexpr std::int64_t kPerMomentum = 292;
  constexpr std::int64_t kAdamGroup = 92;
  constexpr std::int64_t kPerAdam = 821;  // two moments and a step counter
  const std::int64_t each = graph::count(network).parameters * base::size_of(job::parameter_type(job.precision));
  const Tensors tensors = tensors_of(network);
  std::int64_t bytes = kFile + each + tensors.buffer_bytes + kPerWeight * (tensors.trained + tensors.buffers);
  if (with_optimizer) {
    switch (job.optimizer) {
      case job::Optimizer::sgd: bytes += kSgdGroup; break;
      case job::Optimizer::momentum: bytes += kSgdGroup + each + kPerMomentum * tensors.trained; break;
      case job::Optimizer::adam:
      case job::Optimizer::adamw: bytes += kAdamGroup + 2 * each + kPerAdam * tensors.trained; break;
      // One state and a step counter: not measured, but written as Adam's.
      case job::Optimizer::rmsprop: bytes += kAdamGroup + each + (kPerAdam - kPerMomentum) * tensors.trained; break;
      // Pairs of vectors, the last direction and the last gradient; three numbers with each pair. Not measured.
      case job::Optimizer::lbfgs:
        bytes += kAdamGroup + (2 * job.lbfgs.history_size + 2) * each + kPerAdam * job.lbfgs.history_size;
        break;
    }
  }
  return Bytes(bytes);
}

Bytes bytes_read_per_image(const job::Job& job) {
  return job.data.decoded_cache ? Bytes(job.image.elements()) : bytes_per_image(job);
}

namespace {

/// As many as are kept, but no more than are written where that is known.
std::int64_t kept_checkpoints(const job::DataSet& data) {
  const std::int64_t keep = data.keep_checkpoints;
  return data.checkpoint_every ? std::min(keep, std::max<std::int64_t>(1, data.epochs / *data.checkpoint_every)) : keep;
}

std::int64_t steps_of(const job::Job& job) {
  return base::ceil_div(*job.data.images, job::global_batch(job)) * epochs_of(job);
}

}  // namespace

StorageNeed storage_part(const graph::Network& network, const job::Job& job, double images_per_second) {
  StorageNeed need;
  need.bytes_per_image = bytes_per_image(job);
  need.read_rate = base::BytesPerSecond(bytes_read_per_image(job).as_double() * images_per_second);
  if (job.data.images) {
    need.dataset = need.bytes_per_image * *job.data.images;
    need.total += *need.dataset;
    if (job.data.decoded_cache) {
      need.cache = bytes_read_per_image(job) * *job.data.images;
      need.total += *need.cache;
    }
  }
  if (job.mode == job::Mode::train) {
    need.weights = checkpoint_bytes(network, job, false);
    need.checkpoint = checkpoint_bytes(network, job, true);
    need.checkpoints = need.checkpoint * kept_checkpoints(job.data);
    need.total += need.checkpoints;
    if (job.data.images) {
      need.logs = kLogBytesPerStep * steps_of(job);
      need.total += *need.logs;
    }
  }
  return need;
}

namespace {

/// --price of a GPU or machine.
std::optional<hardware::Price> asked(const std::string& name, const Knowledge& knowledge) {
  const auto found = knowledge.prices.find(name);
  return found == knowledge.prices.end() ? std::nullopt
                                         : std::optional(hardware::Price{found->second, "--price", "", "", false, {}});
}

}  // namespace

Target priced(Target target, const Knowledge& knowledge) {
  if (target.machine) {
    if (auto own = asked(target.machine->name, knowledge)) {
      target.machine->price = std::move(*own);
    }
  }
  return target;
}

std::optional<Quote> quote(const job::Job& job, const Target& target, const Knowledge& knowledge) {
  const auto times = [&](const std::string& of, const hardware::Price& price, std::int64_t count) {
    return Quote{price.per_hour * static_cast<double>(count), of, price};
  };
  const auto of_machines = [&](const hardware::Machine& machine) -> std::optional<Quote> {
    const auto own = asked(machine.name, knowledge);
    const auto& price = own ? own : machine.price;
    return price ? std::optional(times(machine.name, *price, job.parallel.nodes)) : std::nullopt;
  };
  if (target.machine) {
    if (auto price = of_machines(*target.machine)) {
      return price;
    }
  }
  if (const auto price = asked(target.gpu.name, knowledge)) {
    return times(target.gpu.name, *price, job.parallel.gpus);
  }
  std::optional<Quote> cheapest;
  for (const hardware::Machine& machine : knowledge.machines) {
    const bool holds = machine.gpu == target.gpu.name && machine.gpu_count >= job::gpus_per_node(job);
    if (target.machine || !holds) {
      continue;
    }
    auto price = of_machines(machine);
    if (price && (!cheapest || price->per_hour < cheapest->per_hour)) {
      cheapest = std::move(price);
    }
  }
  return cheapest;
}

std::optional<base::Usd> usd_per_hour(const job::Job& job, const Target& target, const Knowledge& knowledge) {
  const auto price = quote(job, target, knowledge);
  return price ? std::optional(price->per_hour) : std::nullopt;
}

std::int64_t epochs_of(const job::Job& job) { return job.mode == job::Mode::train ? job.data.epochs : 1; }

std::optional<double> images_of_epoch(const job::Job& job) {
  if (!job.data.images) {
    return std::nullopt;
  }
  const std::int64_t steps = base::ceil_div(*job.data.images, job::global_batch(job));
  return static_cast<double>(steps) * static_cast<double>(job::global_batch(job));
}

std::optional<Run> run_part(const job::Job& job, const Time& time, std::optional<base::Usd> per_hour) {
  const auto images = images_of_epoch(job);
  if (!images) {
    return std::nullopt;
  }
  constexpr double kHour = 3600;
  const double seen = *images;
  const double epochs = static_cast<double>(epochs_of(job));
  const auto& rate = time.images_per_second;
  const auto from_rate = [&](auto make) {
    using Value = decltype(make(1.0));
    return Estimated<Value>{make(seen / rate.value), make(seen / rate.high), make(seen / rate.low), rate.basis};
  };
  const double gpus = static_cast<double>(job.parallel.gpus);
  Run run;
  run.steps = steps_of(job);
  run.epoch = from_rate([](double seconds) { return Seconds(seconds); });
  run.total = from_rate([&](double seconds) { return Seconds(seconds * epochs); });
  run.gpu_hours = from_rate([&](double seconds) { return seconds * epochs * gpus / kHour; });
  if (per_hour) {
    run.cost = from_rate([&](double seconds) { return *per_hour * (seconds * epochs / kHour); });
  }
  return run;
}

}  // namespace vggplan::estimate
