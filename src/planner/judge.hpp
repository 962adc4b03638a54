// SPDX-License-Identifier: MIT
// The judge: the figures of candidates and a total order over them, so that the same question has the same answer.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "space.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::planner {

/// Within this factor of the best, candidates count as equally good, and what is simpler wins.
inline constexpr double kBand = 1.01;

/// Images of the data set per image computed: the last batch of an epoch may be short and counts whole.
double useful_share(const job::Job& job);

/// What follows from the rate alone: what it costs, and how long the run takes. `usd_per_hour`: of all GPUs.
Evaluated at_rate(const job::Job& job, const std::string& gpu, double images_per_second,
                  std::optional<base::Usd> usd_per_hour);

/// The time of the job; none where the models have no rate for it.
std::optional<estimate::TimeAnswer> timed(const job::Job& job, const estimate::Target& target,
                                          const estimate::Engine& engine);

/// The figures of a job that fits; nothing where it has no time.
Evaluated evaluate(const job::Job& job, const estimate::Target& target, const estimate::MemoryAnswer& memory,
                   const estimate::TimeAnswer& time);
std::optional<Evaluated> evaluate(const job::Job& job, const estimate::Target& target,
                                  const estimate::MemoryAnswer& memory, const estimate::Engine& engine);

/// An evaluated candidate and the group it belongs to.
struct Contender {
  Evaluated figures{};
  std::size_t group{};      ///< index into the enumerated groups
  std::size_t candidate{};  ///< index into PlanRequest::candidates
};

/// Per million images: dollars, or GPU-hours where no price is known.
double money(const Evaluated& figures);

/// What the objective minimises, coarse to fine. Candidates of a lower `rank` are always preferred.
struct Score {
  int rank{};       ///< cheapest: no known price; fewest-gpus: the number of GPUs
  double figure{};  ///< seconds, dollars or GPU-hours per useful image
  auto operator<=>(const Score&) const = default;
};
Score score(const PlanRequest& request, const Evaluated& figures);

/// A constraint of the request that a candidate misses, and by how much.
struct Missed {
  enum class What { deadline, max_cost, price };
  What what{};
  Refusal refusal{};
  Miss by{};
};
/// All that the candidate misses: the deadline first, then the budget or that no price is known.
std::vector<Missed> constraints_missed(const PlanRequest& request, const Evaluated& figures);

/// Index of the winner at the lowest rank. Among those within `kBand` of the best figure (`cheapest`: and of these, of
/// the least time), the one that needs the fewest GPUs; of these, among those within `kBand` of the least money, the
/// one that shards and recomputes least, changes the arithmetic least, and has the smallest batch (the largest, for
/// networks with batch norm). Nothing for an empty span.
std::optional<std::size_t> winner(const PlanRequest& request, std::span<const Contender> contenders);

/// The best of each group but the winner's, best first.
std::vector<std::size_t> runners_up(const PlanRequest& request, std::span<const Contender> contenders,
                                    std::size_t winner);

/// Contenders that no other beats: none is at least as good in time per image, money per image and GPUs. Prices are
/// compared with prices, and where both are unknown GPU-hours; one with a price and one without beat each other
/// never. What beats the chosen one does so within `kBand`, and counts as the same. Fastest first, one for each point.
std::vector<std::size_t> pareto_front(std::span<const Contender> contenders, std::optional<std::size_t> chosen);

}  // namespace vggplan::planner
