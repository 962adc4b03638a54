// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "explain.hpp"
#include "fit.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using What = Missed::What;

/// A duration that is shown as it is meant, no shorter than `time`: what is read off a remedy must hold.
std::string at_least(base::Seconds time) {
  const double unit = time.count() < 3600 ? 1 : time.count() < 47 * 3600 ? 60 : 3600;
  return base::format_seconds(base::Seconds(std::ceil(time.count() / unit) * unit));
}

std::string at_least(base::Usd amount) { return base::format_usd(base::Usd(std::ceil(amount.count() * 100) / 100)); }

/// To the cent, or to two digits where that is more.
std::string at_most(base::Usd amount) {
  int digits = 2;
  double scale = 100;
  while (amount.count() * scale < 10) {
    scale *= 10;
    ++digits;
  }
  return fmt::format("${:.{}f}", std::floor(amount.count() * scale) / scale, digits);
}

/// Fewest GPUs, in whole machines beyond the count asked about, that meet the deadline; at most 512, or as
/// many as the request allows.
std::optional<job::Job> enough_gpus(const PlanRequest& request, const Contender& contender,
                                    const estimate::Engine& engine) {
  const Candidate& candidate = request.candidates[contender.candidate];
  const std::int64_t per_node = std::max<std::int64_t>(1, candidate.per_node);
  const Fit fit(request, engine);
  job::Job job = contender.figures.job;
  const std::int64_t share = job::global_batch(job);
  const std::int64_t most = request.max_gpus.value_or(512);
  while (true) {
    job.parallel.gpus += request.nodes                  ? *request.nodes
                         : job.parallel.gpus < per_node ? 1
                                                        : per_node - job.parallel.gpus % per_node;
    job.parallel.nodes = nodes_of(request, candidate, job.parallel.gpus);
    if (job.parallel.gpus > most || job.parallel.gpus > job.parallel.nodes * per_node) {
      return std::nullopt;
    }
    if (request.global_batch) {
      if (share % (job.batch * job.parallel.gpus) != 0) {
        continue;
      }
      job.accumulation = share / (job.batch * job.parallel.gpus);
    } else if (job::global_batch(job) > *job.data.images) {
      return std::nullopt;
    }
    const auto figures = fit.fits(job, candidate.target) ? evaluate(job, candidate.target, {}, engine) : std::nullopt;
    if (figures && constraints_missed(request, *figures).empty()) {
      return job;
    }
  }
}

double seconds(const Evaluated& f) { return f.total->count(); }
double dollars(const Evaluated& f) { return f.cost->count(); }
double gpu_hours(const Evaluated& f) { return seconds(f) / 3600 * static_cast<double>(f.job.parallel.gpus); }

/// Candidates by the one constraint that they miss; those that miss several are in none.
class NearMisses {
 public:
  NearMisses(const PlanRequest& request, const Search& found) {
    for (const Contender& contender : found.missed) {
      const auto missed = constraints_missed(request, contender.figures);
      if (missed.size() == 1) {
        by_what_[missed.front().what].push_back(contender);
      }
    }
  }
  [[nodiscard]] const std::vector<Contender>& of(What what) { return by_what_[what]; }
  /// The first of those with the least figure; none where there are none.
  template <class Figure>
  [[nodiscard]] const Contender* least(What what, Figure figure) {
    const auto& those = of(what);
    const auto found = std::ranges::min_element(those, {}, [&](const Contender& c) { return figure(c.figures); });
    return found == those.end() ? nullptr : &*found;
  }

 private:
  std::map<What, std::vector<Contender>> by_what_{};
};

Failure limits_failure(const PlanRequest& request, const Search& found) {
  NearMisses near(request, found);
  const Contender* late = near.least(What::deadline, seconds);
  const Contender* dear = near.least(What::max_cost, dollars);
  const auto takes = [](const Evaluated& e) {
    return fmt::format("the nearest takes {} ({})", base::format_seconds(*e.total), describe(e.job, e.gpu));
  };
  const auto costs = [](const Evaluated& e) {
    return fmt::format("the nearest costs {} ({})", base::format_usd(*e.cost), describe(e.job, e.gpu));
  };
  if (late != nullptr && dear != nullptr) {
    return {"limits", "No plan meets both limits",
            fmt::format("within the budget {}; within the deadline {}", takes(late->figures), costs(dear->figures))};
  }
  if (late != nullptr) {
    return {"deadline", "No plan meets the deadline", takes(late->figures)};
  }
  if (dear != nullptr) {
    return {"max-cost", "No plan stays within the budget", costs(dear->figures)};
  }
  if (const auto& unpriced = near.of(What::price); !unpriced.empty()) {
    return {"price", "No plan has a known price",
            fmt::format("the catalogue has none for {0}; give it with --price {0}=USD_PER_HOUR",
                        unpriced.front().figures.gpu)};
  }
  const Evaluated& any = found.missed[*winner(request, found.missed)].figures;
  return {"limits", "No plan meets both limits",
          any.cost ? fmt::format("{}, and it costs {}", takes(any), base::format_usd(*any.cost))
                   : fmt::format("{}, and no price of it is known", takes(any))};
}

/// What to relax, for candidates that miss nothing else.
class Relaxation {
 public:
  Relaxation(const PlanRequest& request, const Search& found, const estimate::Engine& engine)
      : request_(request), found_(found), engine_(engine), near_(request, found) {}

  std::vector<Remedy> list() {
    more_gpus();
    if (const Contender* best = near_.least(What::deadline, seconds)) {
      allow("deadline", at_least(*best->figures.total), *best, "time");
    }
    if (const Contender* best = near_.least(What::max_cost, dollars)) {
      allow("max-cost", at_least(*best->figures.cost), *best, "money");
    }
    priced();
    if (remedies_.empty()) {
      const Contender& best = found_.missed[*winner(request_, found_.missed)];
      const std::string money =
          best.figures.cost ? " and " + at_least(*best.figures.cost) : ", and give a price with --price";
      allow("deadline", at_least(*best.figures.total) + money, best, "time and money");
    }
    return std::move(remedies_);
  }

 private:
  void offer(const std::string& code, const std::string& change, const Contender& contender, const job::Job& job,
             const std::string& costs) {
    const estimate::Target& target = request_.candidates[contender.candidate].target;
    const auto memory = engine_.memory(job, target);
    const auto figures = evaluate(job, target, *memory, engine_);
    const Evaluated& before = contender.figures;
    Remedy remedy{.code = code,
                  .change = change,
                  .saves = "the run takes " + base::format_seconds(*figures->total),
                  .costs = costs,
                  .slowdown = before.useful_images_per_second / figures->useful_images_per_second,
                  .more_hardware = job.parallel.gpus > before.job.parallel.gpus,
                  .job = job,
                  .gpu = before.gpu,
                  .memory = *memory};
    remedy.saves += figures->cost ? " and costs " + base::format_usd(*figures->cost) : "";
    remedy.changes_training = job.mode == job::Mode::train && job::global_batch(job) != job::global_batch(before.job);
    remedies_.push_back(std::move(remedy));
  }

  void allow(const std::string& code, const std::string& what, const Contender& contender, const std::string& costs) {
    offer(code, "allow " + what, contender, contender.figures.job, costs);
  }

  void more_gpus() {
    const std::vector<Contender>& late = near_.of(What::deadline);
    const auto best = winner(request_, late);
    const auto job = best ? enough_gpus(request_, late[*best], engine_) : std::nullopt;
    if (job) {
      offer("more-gpus", fmt::format("use {} GPUs", job->parallel.gpus), late[*best], *job,
            request_.global_batch ? "more GPUs"
                                  : fmt::format("changes training: a global batch of {}", job::global_batch(*job)));
    }
  }

  /// Nothing is invented: what the price must be is all that can be said.
  void priced() {
    const Contender* best = near_.least(What::price, gpu_hours);
    if (best == nullptr) {
      return;
    }
    const base::Usd most(request_.max_cost->count() / gpu_hours(best->figures));
    const bool possible = most.count() >= 0.001;  // no machine is as cheap as less
    offer("price",
          fmt::format("give the price of {0} (--price {0}=USD_PER_HOUR){1}", best->figures.gpu,
                      possible ? fmt::format(": it is within the budget up to {} an hour", at_most(most))
                               : ", and allow more than " + base::format_usd(*request_.max_cost)),
          *best, best->figures.job, possible ? "nothing" : "money");
  }

  const PlanRequest& request_;
  const Search& found_;
  const estimate::Engine& engine_;
  NearMisses near_;
  std::vector<Remedy> remedies_{};
};

}  // namespace

Failure failure_of(const PlanRequest& request, const Search& found) {
  if (!found.missed.empty()) {
    return limits_failure(request, found);
  }
  const auto rows = found.rejected.list();
  const auto row = [&](const std::string& reason) { return std::ranges::find(rows, reason, &Rejection::reason); };
  if (row("reserve") != rows.end()) {
    return {"reserve", "Nothing fits and keeps the reserve", row("reserve")->message};
  }
  if (row("cache-flushes") != rows.end()) {
    return {"cache-flushes", "Nothing fits without cache flushes",
            "what runs flushes the allocator's cache in every step, and how long that takes is not modelled"};
  }
  for (const char* reason : {"memory", "memory-floor"}) {
    if (row(reason) != rows.end()) {
      return {reason, "Nothing fits", row(reason)->message};
    }
  }
  return rows.empty() ? Failure{"none", "Nothing was looked at", ""}
                      : Failure{rows.front().reason, "No plan is possible", rows.front().message};
}

std::vector<Remedy> constraint_remedies(const PlanRequest& request, const Search& found,
                                        const estimate::Engine& engine) {
  return Relaxation(request, found, engine).list();
}

}  // namespace vggplan::planner
