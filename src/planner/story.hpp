// SPDX-License-Identifier: MIT
// What the sentences of a recommendation are made from: the chosen job, and the same job with something changed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fit.hpp"
#include "search.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

std::string signed_percent(double ratio);  ///< "+28 %", "-3.1 %"

class Story {
 public:
  Story(const PlanRequest& request, const Contender& chosen, const estimate::Estimate& estimate,
        const std::optional<Limits>& limits, const estimate::Engine& engine);

  std::vector<std::string> tell();

 private:
  struct Variant {
    std::optional<estimate::MemoryAnswer> memory{};
    std::optional<Evaluated> figures{};
  };

  [[nodiscard]] const Evaluated& best() const { return chosen_.figures; }
  [[nodiscard]] bool trains() const { return best().job.mode == job::Mode::train; }
  void say(std::string sentence) { sentences_.push_back(std::move(sentence)); }

  /// The job with a change; its time is modelled even where its memory does not fit.
  template <class Change>
  Variant with(Change change) const {
    job::Job job = best().job;
    change(job);
    return variant(job, target_);
  }
  [[nodiscard]] Variant variant(const job::Job& job, const estimate::Target& target) const;
  /// A peak is cut short where memory ends: what the job would take, were there no limit.
  [[nodiscard]] estimate::MemoryAnswer without_limit(const job::Job& job) const;
  /// The chosen settings on another number of GPUs, the global batch kept where it is fixed.
  [[nodiscard]] Variant on_gpus(std::int64_t gpus, std::int64_t batch) const;
  [[nodiscard]] std::optional<std::int64_t> next_larger_batch() const;
  [[nodiscard]] std::optional<double> scaling(std::int64_t batch) const;

  void objective();
  void limits();
  void bound();
  void larger_batches();
  void next_batch();
  void gpus();
  void batch_and_scaling();
  void one_more_gpu();
  void checkpointing();
  void sharding();
  void precision();
  void layout();
  void batch_norm();
  void global_batch();

  const PlanRequest& request_;
  const Contender& chosen_;
  const estimate::Estimate& estimate_;
  std::optional<Limits> batch_limits_;
  const estimate::Engine& engine_;
  const Candidate& candidate_;
  const estimate::Target& target_;
  Fit fit_;
  std::vector<std::string> sentences_{};
};

}  // namespace vggplan::planner
