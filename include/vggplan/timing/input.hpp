// SPDX-License-Identifier: MIT
// The input side of training: what worker processes, copies and storage can deliver, held against
// what the GPUs take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/settings.hpp"
#include "vggplan/base/units.hpp"

namespace vggplan::timing {

/// Seconds of one stage for one image on one core, by its pixels: straight lines over the logarithms
/// of both; beyond the ends in proportion.
struct StageCurve {
  std::string stage{};  ///< stage_name(): "decode-pil-jpeg", "pil-totensor-normalize" ...
  struct Node {
    double pixels{};
    double seconds{};
    bool operator==(const Node&) const = default;
  };
  std::vector<Node> nodes{};
  bool operator==(const StageCurve&) const = default;
};

/// Measured on one core of the machine with the GPU; configs/calibration holds them.
struct InputRates {
  std::vector<StageCurve> stages{};
  double handover_seconds_per_byte{1.1e-9};  ///< of the tensor: batching, and shared memory to the main process
  double inline_seconds_per_byte{0.5e-9};    ///< the same without workers
  base::BytesPerSecond pinned_copy{50e9};    ///< to the GPU
  bool operator==(const InputRates&) const = default;
};

/// One image on its way to the GPU.
struct ImagePath {
  base::ImageFormat file{base::ImageFormat::jpeg};
  base::Pipeline pipeline{base::Pipeline::tv_uint8};  ///< of pil_float the copy carries 4 bytes a sample
  std::int64_t pixels{};
  std::int64_t channels{3};
  base::Bytes file_bytes{};
  double decode_factor{1.0};  ///< decoding on the GPU takes so many times what was measured
};

/// Of the decoder of a pipeline.
std::string stage_name(base::Pipeline pipeline, base::ImageFormat file);

/// Bytes that the worker hands over and the copy carries.
base::Bytes handed_bytes(const ImagePath& path);
/// One core's time for one image, the hand-over included; nothing for a decoder that runs on the GPU but
/// reading the file.
base::Seconds worker_seconds(const ImagePath& path, const InputRates& rates);
/// What the input costs the GPU for one image: the copy on its stream, and decoding where it does that.
base::Seconds gpu_seconds(const ImagePath& path, const InputRates& rates);

/// What a machine offers its GPUs.
struct InputSide {
  std::int64_t gpus{1};     ///< of this machine
  std::int64_t workers{0};  ///< in all processes; 0: the training processes decode themselves
  std::int64_t cpus{1};
  std::optional<base::BytesPerSecond> storage_read{};
  base::Seconds storage_latency{};  ///< per file and reader
  std::int64_t readers{1};          ///< that the storage serves at once
};

enum class Bound { gpu, workers, copy, storage };
std::string_view name_of(Bound bound);

struct InputThroughput {
  double images_per_second{};  ///< of the machine: what all sides can do together
  Bound bound{Bound::gpu};
  double gpu_images_per_second{};     ///< with the input's share of the GPU's time
  double worker_images_per_second{};  ///< of all workers, or of the training processes where there are none
  double copy_images_per_second{};
  std::optional<double> storage_images_per_second{};
  [[nodiscard]] double input_images_per_second() const;  ///< the slowest of workers, copy and storage
};

/// What GPUs that never wait for an image take.
struct Demand {
  double images_per_second{};
  std::int64_t workers{};  ///< whole ones in the process of each GPU
};
Demand demand_of(const ImagePath& path, std::int64_t gpus, base::Seconds step_seconds_per_image,
                 const InputRates& rates);

/// `step_seconds_per_image` is one GPU's, without any input.
InputThroughput input_throughput(const ImagePath& path, const InputSide& side, base::Seconds step_seconds_per_image,
                                 const InputRates& rates);

}  // namespace vggplan::timing

namespace vggplan::base {

/// As the stages of the input side are called after them.

}  // namespace vggplan::base
