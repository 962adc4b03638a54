// SPDX-License-Identifier: MIT
// Whether a job fits and leaves the reserve free: one answer for the search, limits, images and remedies.
#pragma once

#include <algorithm>
#include <optional>

#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

/// What of the allocator's limit is kept free.
inline base::Bytes reserve_of(const PlanRequest& request, base::Bytes usable) {
  return request.reserve.bytes +
         base::Bytes(static_cast<std::int64_t>(usable.as_double() * request.reserve.percent / 100));
}

class Fit {
 public:
  Fit(const PlanRequest& request, const estimate::Engine& engine) : request_(request), engine_(engine) {}

  /// What the job may reserve; below 0 where the reserve is more than there is.
  [[nodiscard]] base::Bytes limit(const job::Job& job, const estimate::Target& target) const {
    const base::Bytes usable = engine_.usable(job, target);
    return usable - reserve_of(request_, usable);
  }
  /// By how much the floor of the job's memory is above the limit; 0 or less: a simulation may say that it fits.
  [[nodiscard]] base::Bytes floor_excess(const job::Job& job, const estimate::Target& target) const {
    return engine_.memory_floor(job, target) - limit(job, target);
  }
  /// Does not flush the allocator's cache in its steps, and keeps the reserve: what `estimate` says of the same job.
  [[nodiscard]] bool fits(const job::Job& job, const estimate::Target& target) const {
    const auto answer = memory(job, target);
    return answer && answer->verdict == estimate::Verdict::fits && keeps_reserve(*answer);
  }
  /// May flush the cache, but keeps the reserve.
  [[nodiscard]] bool runs(const job::Job& job, const estimate::Target& target) const {
    const auto answer = memory(job, target);
    return answer && answer->verdict != estimate::Verdict::does_not_fit && keeps_reserve(*answer);
  }
  /// Of a job that fits: so does the upper end of the range of what it reserves, if this is 0 or less.
  [[nodiscard]] base::Bytes high_excess(const job::Job& job, const estimate::Target& target) const {
    const auto high = engine_.reserved_high(job, target);
    return (high ? *high : base::Bytes(0)) - limit(job, target);
  }
  [[nodiscard]] bool keeps_reserve(const estimate::MemoryAnswer& answer) const {
    return answer.reserved_peak <= answer.usable - reserve_of(request_, answer.usable);
  }
  /// Nothing where the floor or the job's own rules say that it is not worth a simulation.
  [[nodiscard]] std::optional<estimate::MemoryAnswer> memory(const job::Job& job,
                                                             const estimate::Target& target) const {
    if (floor_excess(job, target) > base::Bytes(0)) {
      return std::nullopt;
    }
    const auto answer = engine_.memory(job, target);
    return answer ? std::optional(*answer) : std::nullopt;
  }

 private:
  const PlanRequest& request_;
  const estimate::Engine& engine_;
};

}  // namespace vggplan::planner
