// SPDX-License-Identifier: MIT
#include "vggplan/timing/input.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace vggplan::timing {

using base::ImageFormat;
using base::Pipeline;

namespace {

double along(const StageCurve& curve, double pixels) {
  const auto& nodes = curve.nodes;
  const auto above = std::find_if(nodes.begin(), nodes.end(), [&](const auto& node) { return pixels < node.pixels; });
  if (above == nodes.begin() || above == nodes.end()) {
    const StageCurve::Node& end = above == nodes.end() ? nodes.back() : nodes.front();
    return end.seconds * pixels / end.pixels;
  }
  const auto below = std::prev(above);
  const double f = std::log(pixels / below->pixels) / std::log(above->pixels / below->pixels);
  return below->seconds * std::pow(above->seconds / below->seconds, f);
}

/// 0 for a stage that was not measured.
double stage_seconds(std::string_view stage, std::int64_t pixels, const InputRates& rates) {
  const auto at = std::find_if(rates.stages.begin(), rates.stages.end(),
                               [stage](const StageCurve& curve) { return curve.stage == stage; });
  return at == rates.stages.end() || at->nodes.empty() ? 0.0 : along(*at, static_cast<double>(pixels));
}

double decode_seconds(const ImagePath& path, const InputRates& rates) {
  if (path.file == ImageFormat::raw) {
    return 0.0;
  }
  const double own = stage_seconds(stage_name(path.pipeline, path.file), path.pixels, rates);
  // torchvision decodes JPEG and PNG; what it lacks goes through PIL.
  return own > 0.0 ? own : stage_seconds(stage_name(Pipeline::pil_float, path.file), path.pixels, rates);
}

double rate_of(double seconds) { return seconds > 0.0 ? 1.0 / seconds : HUGE_VAL; }

}  // namespace

std::string stage_name(Pipeline pipeline, ImageFormat file) {
  const char* decoder = pipeline == Pipeline::pil_float ? "pil"
                        : pipeline == Pipeline::nvjpeg  ? "nvjpeg"
                                                        : "torchvision";
  return std::string("decode-") + decoder + "-" + std::string(base::name_of_enum(file));
}

std::string_view name_of(Bound bound) {
  switch (bound) {
    case Bound::gpu: return "gpu";
    case Bound::workers: return "workers";
    case Bound::copy: return "copy";
    case Bound::storage: return "storage";
  }
  return "";
}

base::Bytes handed_bytes(const ImagePath& path) {
  if (path.pipeline == Pipeline::nvjpeg) {
    return path.file_bytes;
  }
  return base::Bytes(path.pixels * path.channels * (path.pipeline == Pipeline::pil_float ? 4 : 1));
}

base::Seconds worker_seconds(const ImagePath& path, const InputRates& rates) {
  double seconds = handed_bytes(path).as_double() * rates.handover_seconds_per_byte;
  if (path.pipeline != Pipeline::nvjpeg) {
    seconds += decode_seconds(path, rates);
    seconds += path.pipeline == Pipeline::pil_float ? stage_seconds("pil-totensor-normalize", path.pixels, rates) : 0.0;
  }
  return base::Seconds(seconds);
}

base::Seconds gpu_seconds(const ImagePath& path, const InputRates& rates) {
  const double decode = path.pipeline == Pipeline::nvjpeg ? path.decode_factor * decode_seconds(path, rates) : 0.0;
  return base::Seconds(handed_bytes(path).as_double() / rates.pinned_copy.count() + decode);
}

double InputThroughput::input_images_per_second() const {
  const double host = std::min(worker_images_per_second, copy_images_per_second);
  return storage_images_per_second ? std::min(host, *storage_images_per_second) : host;
}

Demand demand_of(const ImagePath& path, std::int64_t gpus, base::Seconds step_seconds_per_image,
                 const InputRates& rates) {
  const double each = rate_of((step_seconds_per_image + gpu_seconds(path, rates)).count());
  // A calibration of the user's may hold rates without bound; std::min drops what is no number.
  constexpr double kMost = 1e12;
  const double workers = std::ceil(std::min(kMost, each * worker_seconds(path, rates).count()));
  return {static_cast<double>(gpus) * each, gpus * static_cast<std::int64_t>(workers)};
}

InputThroughput input_throughput(const ImagePath& path, const InputSide& side, base::Seconds step_seconds_per_image,
                                 const InputRates& rates) {
  InputThroughput out;
  const auto gpus = static_cast<double>(side.gpus);
  const double gpu = (step_seconds_per_image + gpu_seconds(path, rates)).count();
  const double handed = handed_bytes(path).as_double();
  const double copy = handed / rates.pinned_copy.count();
  const double worker = worker_seconds(path, rates).count();
  const double in_turn = worker - handed * (rates.handover_seconds_per_byte - rates.inline_seconds_per_byte);
  out.gpu_images_per_second = gpus * rate_of(gpu);
  out.copy_images_per_second = gpus * rate_of(copy);
  out.images_per_second = out.gpu_images_per_second;
  // Copy and kernels share the GPU's stream: the longer bounds their sum.
  out.bound = copy > step_seconds_per_image.count() ? Bound::copy : Bound::gpu;
  const auto limit = [&out](double rate, Bound bound) {
    if (rate < out.images_per_second) {
      out.images_per_second = rate;
      out.bound = bound;
    }
  };
  if (side.workers == 0) {
    // One process does everything in turn: pinning a batch waits for the GPU.
    constexpr double kNoticed = 0.05;  // of the step; less is the GPU's bound still
    out.worker_images_per_second = gpus * rate_of(in_turn);
    out.images_per_second = gpus * rate_of(gpu + in_turn);
    out.bound = in_turn > kNoticed * gpu ? Bound::workers : out.bound;
  } else {
    out.worker_images_per_second = static_cast<double>(std::min(side.workers, side.cpus)) * rate_of(worker);
    limit(out.worker_images_per_second, Bound::workers);
  }
  if (side.storage_read) {
    const double seconds = path.file_bytes.as_double() / side.storage_read->count() +
                           side.storage_latency.count() / static_cast<double>(side.readers);
    out.storage_images_per_second = rate_of(seconds);
    limit(*out.storage_images_per_second, Bound::storage);
  }
  return out;
}

}  // namespace vggplan::timing
