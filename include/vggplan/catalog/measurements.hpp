// SPDX-License-Identifier: MIT
// Rows that scripts/measure.py writes: single operations and whole training steps.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/base/units.hpp"
#include "vggplan/timing/calibrate.hpp"

namespace vggplan::catalog {

/// A step in the words of the file, which are those of the command line.
struct MeasuredStep {
  std::string place{};  ///< file:line
  std::string model{};
  std::vector<std::int64_t> features{};  ///< widths and graph::kPool, where the model is none of the catalogue
  bool batch_norm{false};                ///< of such a model
  std::int64_t height{};
  std::int64_t width{};
  std::int64_t channels{3};
  std::int64_t classes{1000};
  std::string frozen{"none"};
  std::string frozen_norm{"none"};
  std::string until{};
  std::string trained{"parameters"};
  std::string compile{"none"};
  std::int64_t batch{};
  std::string precision{};
  std::string layout{};
  std::string optimizer{};
  std::string optimizer_impl{};
  std::string checkpointing{};
  std::string head{};
  std::string mode{};
  bool benchmark{false};
  bool for_ranges{false};  ///< as in timing::StepSample
  bool on_host{false};     ///< as in timing::StepSample
  base::Seconds host_operation{};
  std::int64_t gpus{1};
  std::string sharding{"ddp"};
  std::int64_t accumulation{1};
  std::int64_t bucket_mb{25};
  bool bucket_view{false};
  base::Seconds step{};
  base::Seconds forward{};
  base::Seconds backward{};
  base::Seconds optimizer_step{};
};

struct MeasuredCollective {
  std::string place{};
  timing::Collective collective{};
  std::int64_t gpus{};
  base::Bytes bytes{};
  base::Seconds seconds{};
};

struct Measurements {
  std::vector<timing::OpSample> ops{};
  std::vector<MeasuredStep> steps{};
  std::vector<MeasuredCollective> collectives{};
  std::vector<timing::StageSample> stages{};
  std::vector<timing::CopySample> copies{};
  std::vector<timing::LoaderSample> loaders{};
};

/// Behind what was read before. Lines without a time (out of memory, an error) are passed over; other keys of a line
/// are as well.
base::Result<Measurements> read_measurements(std::string_view text, const std::string& shown, Measurements before = {});

}  // namespace vggplan::catalog
