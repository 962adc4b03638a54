// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "changes.hpp"
#include "explain.hpp"
#include "fit.hpp"
#include "limits.hpp"
#include "resolution.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::planner {
namespace {

using base::Bytes;
using estimate::MemoryAnswer;
using estimate::Target;
using estimate::Verdict;

/// More GPUs share the batch among them: they stand in the place of smaller batches.
bool exclude_each_other(const Change& a, const Change& b) {
  const std::string& code = a.remedy.code;
  return code == b.remedy.code || (code == "smaller-batch" && b.remedy.more_hardware);
}

std::string joined(const std::vector<Change>& changes, std::string Remedy::*part, const char* between) {
  std::string text;
  for (const Change& change : changes) {
    const std::string& next = change.remedy.*part;
    text += (text.empty() || next.empty() ? "" : between) + next;
  }
  return text;
}

bool contain(const std::vector<Change>& changes, bool Remedy::*trait) {
  return std::ranges::any_of(changes, [trait](const Change& change) { return change.remedy.*trait; });
}

/// "63 %", "0.076 %", "99.4 %", "99.960 %": two digits, or as many as tell it from all.
std::string share(double ratio) {
  const double percent = 100 * ratio;
  return percent < 98.95 ? fmt::format("{:.2g} %", percent)
                         : fmt::format("{:.{}f} %", percent, percent < 99.95 ? 1 : 3);
}

/// What a combination may touch; each includes those before.
enum class Reach { settings, hardware, training };

/// Tries changes of one job that does not fit.
class Doctor {
 public:
  Doctor(const PlanRequest& request, const job::Job& job, const Candidate& candidate, const estimate::Engine& engine)
      : request_(request),
        job_(job),
        target_(candidate.target),
        engine_(engine),
        fit_(request, engine),
        changes_(possible_changes(job, target_.gpu,
                                  std::min(candidate.per_node, request.max_gpus.value_or(candidate.per_node)))) {
    if (const auto answer = engine.memory(job, boundless())) {
      peak_ = answer->run_peak;
    }
    if (const auto time = timed(job, target_, engine)) {
      seconds_per_image_ = 1 / time->images_per_second;
    }
  }

  std::vector<Remedy> treat() {
    bool smaller = false;
    for (const auto& [remedy, edit] : changes_) {
      const bool shrinks = remedy.code == "smaller-batch";
      if (shrinks && smaller) {
        continue;  // a larger one does
      }
      if (const auto answer = fits(remedy.job, target_)) {
        add(remedy, target_, *answer);
        smaller |= shrinks;
      }
    }
    combination();
    more_memory();
    tiles();
    lower_resolution();
    std::ranges::stable_sort(remedies_, {}, [](const Remedy& r) {
      return std::tuple(r.changes_training, r.more_hardware, r.slowdown.value_or(1), -r.saved.count());
    });
    return std::move(remedies_);
  }

 private:
  [[nodiscard]] std::optional<MemoryAnswer> fits(const job::Job& job, const Target& target) const {
    return !job::validate(job) && fit_.fits(job, target) ? fit_.memory(job, target) : std::nullopt;
  }

  /// What the models say of a remedy whose change is described; false where it misses a limit of time or money.
  /// `pieces`: how many of the changed job's images stand for one of the original's.
  bool add(Remedy remedy, const Target& target, const MemoryAnswer& memory, double pieces = 1) {
    const auto time = timed(remedy.job, target, engine_);
    if (!time) {
      return false;
    }
    const double rate = time->images_per_second / pieces;
    if (!constraints_missed(request_, at_rate(remedy.job, target.gpu.name, rate, time->usd_per_hour)).empty()) {
      return false;
    }
    remedy.gpu = target.gpu.name;
    remedy.memory = memory;
    remedy.saved = std::max(Bytes(0), peak_ - memory.run_peak);
    remedy.saves = fmt::format("the peak falls to {}", base::format_bytes(memory.run_peak));
    if (seconds_per_image_) {
      remedy.slowdown = 1 / rate / *seconds_per_image_;
    }
    const double slowdown = remedy.slowdown.value_or(1);
    if (slowdown <= 0.95) {
      remedy.saves += fmt::format("; {:.2g} times as fast", 1 / slowdown);
    } else if (slowdown >= 1.005) {
      remedy.costs =
          fmt::format("{:.2f} times the time per image{}{}", slowdown, remedy.costs.empty() ? "" : "; ", remedy.costs);
    }
    remedy.costs = remedy.costs.empty() ? "nothing" : remedy.costs;
    remedies_.push_back(std::move(remedy));
    return true;
  }

  [[nodiscard]] job::Job with_all(const std::vector<Change>& changes) const {
    job::Job job = job_;
    for (const Change& change : changes) {
      change.edit(job);
    }
    return job;
  }

  [[nodiscard]] Target boundless() const { return estimate::with_usable(target_, kMostMemory); }

  /// What the job would reserve, were there no limit.
  [[nodiscard]] Bytes need(const job::Job& job) const {
    const auto answer = engine_.memory(job, boundless());
    return answer ? answer->reserved_peak : kMostMemory;
  }

  /// One change on top of the other, as they were offered, as long as each lowers the need; until the job fits.
  /// Empty where it never does.
  [[nodiscard]] std::vector<Change> pile_up(Reach reach) const {
    std::vector<Change> pile;
    Bytes least = need(job_);
    for (const Change& change : changes_) {
      if ((change.remedy.changes_training && reach < Reach::training) ||
          (change.remedy.more_hardware && reach < Reach::hardware)) {
        continue;
      }
      std::vector<Change> higher = pile;
      std::erase_if(higher, [&](const Change& other) {
        return exclude_each_other(other, change) || job::validate(with_all({other, change}));
      });
      higher.push_back(change);
      const job::Job changed = with_all(higher);
      if (job::validate(changed)) {
        continue;
      }
      if (fits(changed, target_)) {
        return higher;
      }
      if (const Bytes now = need(changed); now < least) {
        least = now;
        pile = std::move(higher);
      }
    }
    return {};
  }

  /// Leaves out what the others do without, and takes the mildest change of each code that still helps.
  [[nodiscard]] std::vector<Change> without_idle(std::vector<Change> changes) const {
    for (std::size_t i = changes.size(); i-- > 0;) {
      std::vector<Change> fewer = changes;
      fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(i));
      if (fits(with_all(fewer), target_)) {
        changes = std::move(fewer);
        continue;
      }
      for (const Change& milder : changes_) {
        std::vector<Change> other = changes;
        other[i] = milder;
        if (milder.remedy.code == changes[i].remedy.code && fits(with_all(other), target_)) {
          changes = std::move(other);
          break;
        }
      }
    }
    return changes;
  }

  /// Where no single change helps: several that leave training as it is, then with more GPUs, then all.
  void combination() {
    if (!remedies_.empty()) {
      return;
    }
    for (const Reach reach : {Reach::settings, Reach::hardware, Reach::training}) {
      const std::vector<Change> pile = without_idle(pile_up(reach));
      if (pile.empty()) {
        continue;
      }
      Remedy all{.code = "combination",
                 .change = joined(pile, &Remedy::change, ", and "),
                 .costs = joined(pile, &Remedy::costs, "; "),
                 .changes_training = contain(pile, &Remedy::changes_training),
                 .more_hardware = contain(pile, &Remedy::more_hardware),
                 .job = with_all(pile)};
      if (const auto answer = fits(all.job, target_)) {
        add(std::move(all), target_, *answer);
      }
      return;
    }
  }

  /// The smallest capacity at which the job as asked fits, to the MiB.
  void more_memory() {
    const auto with_capacity = [&](std::int64_t mebibytes) {
      return estimate::with_usable(target_, base::kMiB * mebibytes);
    };
    const auto too_small = [&](std::int64_t mebibytes) { return !fits(job_, with_capacity(mebibytes)); };
    const std::int64_t enough = last_true(kMostMemory.count() / base::kMiB.count(), too_small) + 1;
    auto answer = fits(job_, with_capacity(enough));
    if (!answer) {
      return;
    }
    const Target* best = nullptr;
    for (const Target& other : request_.others) {
      const auto there = estimate::check_precision(job_, other.gpu) ? std::nullopt : fits(job_, other);
      if (there && (best == nullptr || other.usable < best->usable)) {
        best = &other;
        answer = there;
      }
    }
    const Bytes needed = base::kMiB * enough;
    Remedy remedy{.code = "more-memory", .costs = "another GPU", .more_hardware = true, .job = job_};
    remedy.change = fmt::format("use a GPU with {} of usable memory{}", base::format_bytes(needed),
                                best == nullptr ? "; none that is known has it" : ", such as " + best->gpu.name);
    if (add(std::move(remedy), best == nullptr ? with_capacity(enough) : *best, *answer)) {
      remedies_.back().saves =
          fmt::format("{} more than the {} that are usable", base::format_bytes(needed - target_.usable),
                      base::format_bytes(target_.usable));
      remedies_.back().saved = Bytes(0);
    }
  }

  void tiles() {
    const Tiling cut = largest_tile(job_, target_, fit_);
    if (cut.tiles < 2) {
      return;
    }
    Remedy remedy{.code = "tiles",
                  .costs = "changes training unless the features of all tiles are joined before the head",
                  .changes_training = true,
                  .job = on_tile(job_, cut.side)};
    if (const auto answer = fits(remedy.job, target_)) {
      remedy.change = fmt::format(
          "cut each image into {} tiles of up to {}x{} that share {} pixels (an output of the last pooling "
          "sees {} pixels)",
          cut.tiles, remedy.job.image.height, remedy.job.image.width, cut.overlap, cut.field);
      add(std::move(remedy), target_, *answer, static_cast<double>(cut.tiles));
    }
  }

  void lower_resolution() {
    // Where "fits" flickers a larger image may fit, too.
    const MaxResolution largest =
        largest_resolution(job_, target_, fit_, std::max(job_.image.height, job_.image.width));
    Remedy remedy{.code = "lower-resolution",
                  .costs = "changes training: details are lost",
                  .changes_training = true,
                  .job = job_};
    const graph::Shape image{job_.image.channels, largest.height, largest.width};
    remedy.job = job::of_size(job_, image);
    if (const auto answer = fits(remedy.job, target_)) {
      remedy.change =
          fmt::format("scale the images to {}x{} ({} of the pixels)", image.height, image.width,
                      share(static_cast<double>(image.elements()) / static_cast<double>(job_.image.elements())));
      add(std::move(remedy), target_, *answer);
    }
  }

  const PlanRequest& request_;
  const job::Job& job_;
  Target target_;
  const estimate::Engine& engine_;
  Fit fit_;
  std::vector<Change> changes_;
  Bytes peak_{};                               ///< of the job as asked, were there no limit
  std::optional<double> seconds_per_image_{};  ///< as asked
  std::vector<Remedy> remedies_{};
};

}  // namespace

std::vector<Remedy> memory_remedies(const PlanRequest& request, const job::Job& job, const Candidate& candidate,
                                    const estimate::Engine& engine) {
  return Doctor(request, job, candidate, engine).treat();
}

}  // namespace vggplan::planner
