// SPDX-License-Identifier: MIT
// Given a job with open settings, a choice of GPUs and a goal: what to run, why, and what else was looked at.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/estimate/estimate.hpp"
#include "vggplan/estimate/run.hpp"
#include "vggplan/job/job.hpp"

namespace vggplan::planner {

/// Cheapest: the least money an image, or GPU-hours where no price is known.
enum class Objective { fastest, cheapest, fewest_gpus };

/// One GPU model the user may use, and how many of it.
struct Candidate {
  estimate::Target target{};
  std::int64_t gpus{1};      ///< as many as may be used; every smaller count is a candidate too
  bool exactly{false};       ///< only this many
  std::int64_t per_node{8};  ///< GPUs of one machine
};

/// Part of each GPU's usable memory that the plan leaves free.
struct Reserve {
  double percent{0};
  base::Bytes bytes{};
};

struct PlanRequest {
  job::Job job{};  ///< what is fixed; the fields below override it, and where they are empty the plan chooses
  std::optional<std::int64_t> batch{};
  std::optional<std::int64_t> accumulation{};
  std::optional<std::int64_t> global_batch{};
  std::optional<job::Precision> precision{};
  std::optional<base::Layout> layout{};
  std::optional<job::Checkpointing> checkpointing{};
  std::optional<job::Sharding> sharding{};
  std::optional<std::int64_t> nodes{};  ///< machines, equally full; open: as few as the GPUs fit in
  std::vector<Candidate> candidates{};
  std::vector<estimate::Target> others{};  ///< GPUs that a remedy may name, asked about or not
  Objective objective{Objective::fastest};
  std::optional<base::Seconds> deadline{};
  std::optional<base::Usd> max_cost{};
  std::optional<std::int64_t> max_gpus{};
  Reserve reserve{};
  std::size_t top{5};           ///< alternatives reported
  bool solve_resolution{true};  ///< also answer `max_resolution`
  unsigned threads{0};          ///< 0: as many as the machine has; the answer does not depend on it
};

/// A candidate that was simulated and timed.
struct Evaluated {
  job::Job job{};
  std::string gpu{};
  base::Bytes run_peak{};
  base::Bytes reserved_peak{};
  base::Seconds step{};
  double images_per_second{};
  double useful_images_per_second{};  ///< of the data set: a short last batch of an epoch counts whole
  std::optional<base::Usd> usd_per_hour{};
  std::optional<base::Usd> usd_per_million_images{};  ///< useful ones, as the hours below
  double gpu_hours_per_million_images{};
  std::optional<base::Seconds> total{};  ///< of the whole run, where the number of images is known
  std::optional<base::Usd> cost{};
};

struct Recommendation {
  estimate::Estimate estimate{};
  std::vector<std::string> why{};
  base::Bytes reserve{};  ///< of each GPU, what the plan leaves free because it was asked to
  Evaluated figures{};
};

struct MaxBatch {
  std::string gpu{};
  job::Precision precision{};
  base::Layout layout{};
  job::Checkpointing checkpointing{};
  job::Sharding sharding{};
  std::int64_t gpus{1};
  base::Bytes usable{};
  std::int64_t
      steady{};         ///< largest batch of those up to `hard` that flushes no cache; 0 where not even one image fits
  std::int64_t hard{};  ///< largest batch up to which all run and keep the reserve
  std::int64_t possible{};        ///< above `hard` where "fits" flickers near the limit: the largest that runs
  bool limited_by_search{false};  ///< larger ones may fit: the search ends here
};

struct MaxResolution {
  std::string gpu{};
  std::int64_t batch{1};
  std::int64_t height{};  ///< of the same aspect as the image asked about: it fits and keeps the reserve. A larger one
                          ///< is missed only where sizes fit in stretches shorter than a 32nd of what the floor allows
  std::int64_t width{};
  bool limited_by_search{false};  ///< larger ones may fit: the search ends at 65,536 pixels
  job::Job job{};                 ///< the settings that it holds for
};

/// Slower by so many percent than what it is held against.
struct PercentSlower {
  double percent{};
  auto operator<=>(const PercentSlower&) const = default;
};

/// By how much a candidate misses: memory, a deadline, a budget, another candidate. All candidates that are
/// rejected for one reason miss in the same unit; nothing where there is no more or less.
using Miss = std::variant<std::monostate, base::Bytes, base::Seconds, base::Usd, PercentSlower>;

struct Rejection {
  std::string reason{};  ///< code: memory, memory-floor, uncertain, precision, combination, global-batch, deadline ...
  std::string message{};
  std::int64_t count{};
  Miss nearest_miss{};
  std::string example{};
};

/// One change that makes the job fit; `job` is the changed job, simulated.
struct Remedy {
  std::string code{};
  std::string change{};  ///< what to do
  std::string saves{};
  std::string costs{};  ///< in time, and in what training does
  base::Bytes saved{};
  std::optional<double> slowdown{};  ///< seconds per image against the job as asked; above 1 is slower
  bool changes_training{false};
  bool more_hardware{false};
  job::Job job{};
  std::string gpu{};
  estimate::MemoryAnswer memory{};
};

/// Why nothing can be recommended.
struct Failure {
  std::string
      reason{};  ///< code: memory, cache-flushes, reserve, deadline, max-cost, limits, price, or of a `Rejection`
  std::string message{};  ///< what failed, in a few words
  std::string detail{};   ///< and by how much
};

struct Plan {
  std::optional<Recommendation> recommendation{};
  std::optional<Failure> failure{};       ///< where there is no recommendation
  std::vector<Evaluated> alternatives{};  ///< ranked; the recommendation is not among them
  std::vector<Evaluated> pareto{};        ///< no other is at least as good in time, cost and GPUs
  std::vector<MaxBatch> max_batch{};      ///< first: the settings recommended, or those fixed
  std::optional<MaxResolution> max_resolution{};
  std::vector<Rejection> rejected{};
  std::vector<Remedy> remedies{};  ///< when nothing fits
  std::int64_t enumerated{};       ///< = evaluated + rejected
  std::int64_t evaluated{};
  std::int64_t rejected_count{};
  job::Job job{};                  ///< as asked, defaults where nothing was chosen
  estimate::ModelSummary model{};  ///< counts of one image
  estimate::StorageNeed storage{};
  std::vector<estimate::Warning> warnings{};
  std::vector<estimate::Assumption> assumptions{};
};

base::Result<Plan> plan(const PlanRequest& request, const estimate::Engine& engine);

}  // namespace vggplan::planner
