// SPDX-License-Identifier: MIT
// The figures by which candidates are compared.
#pragma once

#include <optional>

#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

/// Images of the data set per image computed: the last batch of an epoch may be short and counts whole.
double useful_share(const job::Job& job);

/// What follows from the rate alone: what it costs, and how long the run takes. `usd_per_hour`: of all GPUs.
Evaluated at_rate(const job::Job& job, const std::string& gpu, double images_per_second,
                  std::optional<base::Usd> usd_per_hour);

/// The figures of a job that fits; nothing where it has no time.
Evaluated evaluate(const job::Job& job, const estimate::Target& target, const estimate::MemoryAnswer& memory,
                   const estimate::TimeAnswer& time);
std::optional<Evaluated> evaluate(const job::Job& job, const estimate::Target& target,
                                  const estimate::MemoryAnswer& memory, const estimate::Engine& engine);

}  // namespace vggplan::planner
