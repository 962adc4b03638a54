// SPDX-License-Identifier: MIT
// Fits a Calibration to measured ops and steps. Deterministic: the same rows give the same bits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vggplan/hardware/hardware.hpp"
#include "vggplan/timing/calibration.hpp"
#include "vggplan/timing/op.hpp"
#include "vggplan/timing/parallel.hpp"

namespace vggplan::timing {

struct OpSample {
  Op op{};
  base::Seconds seconds{};  ///< of its kernels
  bool half_zero{false};    ///< a convolution of numbers of which half are zeros, as they are in a step
};

/// A measured step on one GPU.
struct StepSample {
  std::string label{};
  std::vector<Op> ops{};
  base::Seconds step{};  ///< back to back
  base::Seconds forward{};
  base::Seconds backward{};
  base::Seconds optimizer{};
  bool chosen_by_trial{false};     ///< cudnn.benchmark: other kernels than the samples show
  bool for_ranges{false};          ///< kept from all fits but those of the ranges, which show how far others are off
  bool on_host{false};             ///< phases are those of the host, which starts work for a GPU that is idle
  base::Seconds host_operation{};  ///< as in HostSpeed, of the host at that time; 0 where nobody measured it
};

struct CollectiveSample {
  Collective collective{};
  base::Bytes bytes{};
  Fabric fabric{};
  base::Seconds seconds{};
};

/// A measured step on several GPUs.
struct ParallelSample {
  std::string label{};
  std::vector<Op> ops{};
  StepOptions options{};
  Exchange exchange{};
  Fabric fabric{};
  base::Seconds step{};
};

/// One stage of the input side on one core.
struct StageSample {
  std::string stage{};
  double pixels{};
  base::Seconds seconds{};
};

struct CopySample {
  base::Bytes bytes{};
  base::Seconds seconds{};
};

/// Images per second of a training loop with a DataLoader.
struct LoaderSample {
  ImagePath path{};
  std::int64_t workers{};
  double images_per_second{};
};

struct Samples {
  std::vector<OpSample> ops{};
  std::vector<StepSample> steps{};
  std::vector<CollectiveSample> collectives{};
  std::vector<ParallelSample> parallel{};
  std::vector<StageSample> stages{};
  std::vector<CopySample> copies{};  ///< of pinned memory to the GPU
  std::vector<LoaderSample> loaders{};
};

/// How well one part was fitted.
struct FitLine {
  std::string what{};
  std::size_t rows{};
  double median_error{};  ///< of |modelled / measured - 1|
  double worst_error{};
};

struct Fit {
  Calibration calibration{};
  std::vector<FitLine> lines{};
};

/// Parts without samples keep what `LinkRates` and `HostCosts` start with.
Fit calibrate(const hardware::Gpu& gpu, const Samples& samples);

}  // namespace vggplan::timing
