// SPDX-License-Identifier: MIT
// What the sentences of a recommendation are made from: the chosen job, and the same job with something changed.
#pragma once

#include <fmt/format.h>

#include <functional>
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
        std::optional<std::int64_t> largest_batch, const estimate::Engine& engine);

  std::vector<std::string> tell();

 private:
  struct Variant {
    estimate::MemoryAnswer memory{};
    Evaluated figures{};
  };

  [[nodiscard]] bool trains() const { return job_.mode == job::Mode::train; }
  template <class... Values>
  void say(fmt::format_string<Values...> sentence, Values&&... values) {
    sentences_.push_back(fmt::format(sentence, std::forward<Values>(values)...));
  }

  /// The job with a change; its time is modelled even where its memory does not fit. Nothing where it has none.
  [[nodiscard]] std::optional<Variant> with(const std::function<void(job::Job&)>& change) const;
  /// A peak is cut short where memory ends: what the job would take, were there no limit.
  [[nodiscard]] estimate::MemoryAnswer without_limit(const Variant& variant) const;
  /// The chosen settings on another number of GPUs, the global batch kept where it is fixed.
  [[nodiscard]] std::optional<Variant> on_gpus(std::int64_t gpus, std::int64_t batch) const;
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
  const Evaluated& best_;
  const job::Job& job_;
  const estimate::Estimate& estimate_;
  std::optional<std::int64_t> largest_batch_;  ///< without cache flushes, where the batch is open
  const estimate::Engine& engine_;
  const Candidate& candidate_;
  const estimate::Target& target_;
  Fit fit_;
  std::vector<std::string> sentences_{};
};

}  // namespace vggplan::planner
