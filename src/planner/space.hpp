// SPDX-License-Identifier: MIT
// The candidates: which there are, and which make no sense for reasons that need no model.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

struct Settings {
  job::Precision precision{};
  base::Layout layout{};
  job::Checkpointing checkpointing{};
  job::Sharding sharding{};
  bool operator==(const Settings&) const = default;
  /// Sharding apart.
  [[nodiscard]] bool same_arithmetic(const Settings& other) const {
    return precision == other.precision && layout == other.layout && checkpointing == other.checkpointing;
  }
};

/// All candidates that differ in nothing but batch and accumulation.
struct Group {
  std::size_t candidate{};  ///< index into PlanRequest::candidates
  std::int64_t gpus{1};
  std::int64_t nodes{1};
  Settings settings{};
};

/// Micro-batch and the number of them in one optimizer step.
struct BatchChoice {
  std::int64_t batch{1};
  std::int64_t accumulation{1};
};

struct Refusal {
  std::string reason{};
  std::string message{};
};

/// Why candidates were put aside, with how many and the nearest miss. Ordered by reason, and by message where one
/// reason has several.
class Tally {
 public:
  /// One more. `example` describes it, and is asked only where it misses by less than those before.
  void add(const Refusal& refusal, Miss miss, const std::function<std::string()>& example);
  void merge(const Tally& other);
  [[nodiscard]] std::int64_t total() const;
  [[nodiscard]] std::vector<Rejection> list() const;  ///< most frequent first

 private:
  std::map<std::pair<std::string, std::string>, Rejection> rows_{};
};

std::vector<Group> enumerate_groups(const PlanRequest& request);

job::Job job_of(const PlanRequest& request, const Group& group, BatchChoice choice);

/// Why no batch of the group is worth a simulation, if so.
std::optional<Refusal> refuse(const PlanRequest& request, const Group& group);

/// Micro-batches worth looking at: every one up to 8, then four to the octave, and `limit` itself.
std::vector<std::int64_t> batch_ladder(std::int64_t limit);

/// Whole machines that hold so many of the candidate's GPUs, or the number that the request fixes.
std::int64_t nodes_of(const PlanRequest& request, const Candidate& candidate, std::int64_t gpus);

/// The largest batch that leaves at least one whole step in an epoch; none where the data set's size is open.
std::optional<std::int64_t> batch_of_data(const PlanRequest& request, std::int64_t gpus, std::int64_t accumulation);

/// The batches that the request leaves for a group where it fixes the batch or the global batch: one, or the
/// divisors of a GPU's share. Empty where the share is not whole. Nothing where the batch is open.
std::optional<std::vector<BatchChoice>> fixed_batches(const PlanRequest& request, std::int64_t gpus);

/// Of n > 0, from 1 to n.
std::vector<std::int64_t> divisors(std::int64_t n);

/// No batch beyond this is looked at: as many images as a large data set has.
inline constexpr std::int64_t kLargestBatch = 1 << 20;

/// No GPU has as much: stands for no limit.
inline constexpr base::Bytes kMostMemory = base::kGiB * 1'048'576;

/// "4 x a100-sxm4-80gb, amp-bf16, nhwc, checkpointing block, batch 3".
std::string describe(const PlanRequest& request, const Group& group);
std::string describe(const job::Job& job, const std::string& gpu);

}  // namespace vggplan::planner
