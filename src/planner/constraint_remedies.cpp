// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fit.hpp"
#include "remedies.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using estimate::Target;

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
  while (amount.count() * scale < 10 && digits < 9) {
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
  const Target& target = candidate.target;
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
    }
    if (!request.global_batch && job::global_batch(job) > *job.data.images) {
      return std::nullopt;
    }
    const auto figures = fit.fits(job, target) ? evaluate(job, target, {}, engine) : std::nullopt;
    if (figures && constraints_missed(request, *figures).empty()) {
      return job;
    }
  }
}

/// What to relax, for candidates that miss nothing else.
class Relaxation {
 public:
  Relaxation(const PlanRequest& request, const Search& found, const estimate::Engine& engine)
      : request_(request), found_(found), engine_(engine) {}

  std::vector<Remedy> list() {
    more_gpus();
    longer();
    dearer();
    priced();
    if (remedies_.empty()) {
      longer_and_dearer();
    }
    return std::move(remedies_);
  }

 private:
  using What = Missed::What;

  [[nodiscard]] std::vector<Contender> missing_only(What what) const {
    std::vector<Contender> those;
    for (const Contender& contender : found_.missed) {
      const auto missed = constraints_missed(request_, contender.figures);
      if (missed.size() == 1 && missed.front().what == what) {
        those.push_back(contender);
      }
    }
    return those;
  }

  template <class Figure>
  [[nodiscard]] const Contender* least(const std::vector<Contender>& those, Figure figure) const {
    const auto found = std::ranges::min_element(those, {}, [&](const Contender& c) { return figure(c.figures); });
    return found == those.end() ? nullptr : &*found;
  }

  void offer(const std::string& code, const std::string& change, const Contender& contender, const job::Job& job,
             const std::string& costs) {
    const Target& target = request_.candidates[contender.candidate].target;
    const auto memory = engine_.memory(job, target);
    const auto figures = memory ? evaluate(job, target, *memory, engine_) : std::nullopt;
    if (!figures) {
      return;
    }
    Remedy remedy;
    remedy.code = code;
    remedy.change = change;
    remedy.saves = fmt::format("the run takes {}{}", base::format_seconds(*figures->total),
                               figures->cost ? " and costs " + base::format_usd(*figures->cost) : "");
    remedy.changes_training =
        job.mode == job::Mode::train && job::global_batch(job) != job::global_batch(contender.figures.job);
    remedy.more_hardware = job.parallel.gpus > contender.figures.job.parallel.gpus;
    remedy.costs = costs;
    remedy.slowdown = contender.figures.useful_images_per_second / figures->useful_images_per_second;
    remedy.job = job;
    remedy.gpu = contender.figures.gpu;
    remedy.memory = *memory;
    remedies_.push_back(std::move(remedy));
  }

  void more_gpus() {
    const std::vector<Contender> late = missing_only(What::deadline);
    const auto best = winner(request_, late);
    const auto job = best ? enough_gpus(request_, late[*best], engine_) : std::nullopt;
    if (job) {
      offer("more-gpus", fmt::format("use {} GPUs", job->parallel.gpus), late[*best], *job,
            request_.global_batch ? "more GPUs"
                                  : fmt::format("changes training: a global batch of {}", job::global_batch(*job)));
    }
  }

  void longer() {
    const std::vector<Contender> late = missing_only(What::deadline);
    if (const Contender* best = least(late, [](const Evaluated& f) { return *f.total; })) {
      offer("deadline", "allow " + at_least(*best->figures.total), *best, best->figures.job, "time");
    }
  }

  void dearer() {
    const std::vector<Contender> dear = missing_only(What::max_cost);
    if (const Contender* best = least(dear, [](const Evaluated& f) { return *f.cost; })) {
      offer("max-cost", "allow " + at_least(*best->figures.cost), *best, best->figures.job, "money");
    }
  }

  /// Nothing is invented: what the price must be is all that can be said.
  void priced() {
    const std::vector<Contender> unpriced = missing_only(What::price);
    const auto gpu_hours = [](const Evaluated& f) {
      return f.total->count() / 3600 * static_cast<double>(f.job.parallel.gpus);
    };
    if (const Contender* best = least(unpriced, gpu_hours)) {
      const base::Usd most(request_.max_cost->count() / gpu_hours(best->figures));
      if (most.count() < 0.001) {
        return;  // no machine is as cheap
      }
      offer("price",
            fmt::format("give the price of {0} (--price {0}=USD_PER_HOUR): it is within the budget up to {1} an hour",
                        best->figures.gpu, at_most(most)),
            *best, best->figures.job, "nothing");
    }
  }

  void longer_and_dearer() {
    const auto best = winner(request_, found_.missed);
    const Evaluated& figures = found_.missed[*best].figures;
    std::string change = "allow " + at_least(*figures.total);
    change += figures.cost ? " and " + at_least(*figures.cost) : ", and give a price with --price";
    offer("deadline", change, found_.missed[*best], figures.job, "time and money");
  }

  const PlanRequest& request_;
  const Search& found_;
  const estimate::Engine& engine_;
  std::vector<Remedy> remedies_{};
};

}  // namespace

std::vector<Remedy> constraint_remedies(const PlanRequest& request, const Search& found,
                                        const estimate::Engine& engine) {
  return Relaxation(request, found, engine).list();
}

}  // namespace vggplan::planner
