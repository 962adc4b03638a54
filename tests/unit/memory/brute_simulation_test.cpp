// SPDX-License-Identifier: MIT
// Random tapes: every figure of a simulation is what a look at all moments of a plain replay says.
#include "support/brute_simulation.hpp"

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/sizes.hpp"

namespace vggplan::memory {
namespace {

using support::BruteSimulation;
using support::kMiB;
using Seen = BruteSimulation::Moment;

/// Tensors 0 to 9 are kept for ever once they are taken, 10 to 17 by the step that takes them; entries 0 to 2 are
/// workspaces, 3 and 4 trials.
class RandomTape {
 public:
  explicit RandomTape(std::uint32_t seed) : random_(seed) {
    tape.tensors = 18;
    tape.layers = 3;
    for (int entry = 0; entry < 5; ++entry) {
      Scratch plans;
      for (std::uint32_t i = below(4); i > 0; --i) {
        plans.plans.push_back(size());
      }
      if (below(3) > 0 || entry > 2) {
        plans.plans.push_back(0);
      }
      tape.scratch.push_back(plans);
    }
    for (std::uint32_t i = below(6); i > 0; --i) {
      keep(tape.setup);
      if (below(4) == 0) {
        tape.setup.push_back(phase());
      }
    }
    const std::uint32_t steps = 1 + below(5);
    for (std::uint32_t step = 1; step <= steps; ++step) {
      tape.steps.push_back(one_step(step == steps));
    }
  }

  Tape tape{};

 private:
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_()) % bound; }
  std::int64_t size() {
    const std::int64_t unit = std::array<std::int64_t, 4>{1, 512, 4096, kMiB}[below(4)];
    return unit * (1 + below(unit == kMiB ? 60 : 2000)) - (below(2) == 0 && unit > 1 ? 1 : 0);
  }
  Event event(Event::Kind kind, TensorId tensor, std::int64_t bytes) {
    return {kind,
            static_cast<Category>(below(kCategories - 1)),
            {},
            static_cast<std::uint8_t>(below(4) == 0 ? below(4) : 0),
            static_cast<LayerId>(static_cast<int>(below(4)) - 1),
            tensor,
            bytes};
  }
  Event phase() {
    Event begins = event(Event::Kind::phase, 0, 0);
    begins.phase = static_cast<base::Phase>(below(base::kPhases));
    return begins;
  }
  void keep(std::vector<Event>& events) {
    if (kept_ < 10) {
      events.push_back(event(Event::Kind::allocate, kept_++, size()));
    }
  }

  /// What it takes it gives back but, where it is not the last, what is kept.
  std::vector<Event> one_step(bool last) {
    std::vector<Event> events;
    std::vector<TensorId> live;
    std::vector<TensorId> unused{10, 11, 12, 13, 14, 15, 16, 17};
    for (std::uint32_t i = 5 + below(25); i > 0; --i) {
      const std::uint32_t what = below(20);
      if (what < 8 && !unused.empty()) {
        live.push_back(unused.back());
        unused.pop_back();
        events.push_back(event(Event::Kind::allocate, live.back(), size()));
      } else if (what < 12 && !live.empty()) {
        std::swap(live[below(static_cast<std::uint32_t>(live.size()))], live.back());
        events.push_back(event(Event::Kind::release, live.back(), 0));
        unused.push_back(live.back());
        live.pop_back();
      } else if (what == 13 && !last) {
        keep(events);
      } else if (what > 13) {
        events.push_back(other(what));
      }
    }
    for (const TensorId tensor : live) {
      events.push_back(event(Event::Kind::release, tensor, 0));
    }
    return events;
  }
  Event other(std::uint32_t what) {
    if (what < 16) {
      return event(Event::Kind::scratch, below(3), 0);
    }
    if (what < 19) {
      return phase();
    }
    switch (below(4)) {
      case 0: return event(Event::Kind::trial, 3 + below(2), 0);
      case 1: return event(Event::Kind::empty, 0, 0);
      case 2: return event(Event::Kind::local_memory, 0, 0);
      default: return event(Event::Kind::driver, 0, size());
    }
  }

  std::mt19937 random_;
  TensorId kept_{0};
};

/// The first figure that is not what the moments say; empty where all are.
class Comparison {
 public:
  Comparison(const Simulation& got, const BruteSimulation& plain, const SimulationOptions& options, std::size_t least)
      : got_(got), plain_(plain), options_(options), least_(least) {}

  std::string first_difference() {
    whole_run();
    for (std::size_t step = 1; step <= plain_.steps; ++step) {
      one_step(step);
    }
    timeline();
    failure();
    return difference_;
  }

 private:
  void same(const std::string& what, std::int64_t got, std::int64_t wanted) {
    if (got != wanted && difference_.empty()) {
      difference_ = what + ": " + std::to_string(got) + ", by brute force " + std::to_string(wanted);
    }
  }
  void same(const std::string& what, base::Bytes got, std::int64_t wanted) { same(what, got.count(), wanted); }
  template <class Which>
  [[nodiscard]] std::int64_t most(std::int64_t Seen::*figure, Which which) const {
    std::int64_t largest = 0;
    for (const Seen& moment : plain_.moments) {
      largest = which(moment) ? std::max(largest, moment.*figure) : largest;
    }
    return largest;
  }
  [[nodiscard]] std::int64_t most_until(std::int64_t Seen::*figure, std::size_t step) const {
    return most(figure, [&](const Seen& moment) { return moment.step <= step; });
  }
  [[nodiscard]] std::int64_t flushes_in(std::size_t step) const {
    return most_until(&Seen::retries, step) - most_until(&Seen::retries, step - 1);
  }

  void whole_run() {
    same("steps", static_cast<std::int64_t>(got_.steps.size()), static_cast<std::int64_t>(plain_.steps));
    same("run's peak", got_.run_peak, most_until(&Seen::allocated, 99));
    same("reserved peak", got_.reserved_peak, most_until(&Seen::reserved, 99));
    same("peak of two steps", got_.allocated_peak, most_until(&Seen::allocated, 2));
    same("largest workspace", got_.largest_workspace, plain_.largest_workspace);
    if (plain_.steps > 0) {
      same("first step's peak", got_.first_step_peak, most_until(&Seen::allocated, 1));
      const auto first = std::ranges::find(plain_.moments, std::size_t{1}, &Seen::step);
      same("after set-up", got_.after_setup, first->allocated);
    }
    const auto peak = std::ranges::max_element(plain_.moments, {}, &Seen::allocated);  // the first of the largest
    if (got_.run_peak > base::Bytes(0)) {
      same("peak by category", got_.peak.categories == peak->of.categories ? 1 : 0, 1);
      same("peak by layer", got_.peak.layers == peak->of.layers ? 1 : 0, 1);
    }
  }

  void one_step(std::size_t number) {
    const StepMemory& step = got_.steps[number - 1];
    const std::string name = "step " + std::to_string(number) + ": ";
    const auto inside = [&](const Seen& moment) { return moment.step == number; };
    same(name + "allocated", step.allocated_peak, most(&Seen::allocated, inside));
    same(name + "reserved", step.reserved_peak, most_until(&Seen::reserved, number));
    for (std::size_t phase = 0; phase < base::kPhases; ++phase) {
      const auto here = [&](const Seen& moment) {
        return inside(moment) && moment.begun && moment.phase == static_cast<base::Phase>(phase);
      };
      same(name + "peak of a phase", step.phase_peak[phase], most(&Seen::allocated, here));
      std::int64_t after = 0;
      for (const Seen& moment : plain_.moments) {
        after = here(moment) ? moment.allocated : after;
      }
      same(name + "after a phase", step.after_phase[phase], after);
    }
    if (!plain_.failed_at || number < plain_.steps) {  // what fails flushes and leaves no moment
      same(name + "flushes", step.flushes, flushes_in(number));
      if (number == plain_.steps) {
        same("flushes of the last step", got_.flushes_per_step, flushes_in(number));
      }
    }
  }

  /// Allocations of step 1 and of the last one, where that was to be the last or came after it.
  void timeline() {
    std::vector<Seen> wanted;
    const std::size_t last = plain_.steps >= least_ ? plain_.steps : 1;
    std::ranges::copy_if(plain_.moments, std::back_inserter(wanted), [&](const Seen& moment) {
      return options_.timeline && moment.taken && moment.step > 0 && (moment.step == 1 || moment.step == last);
    });
    same("moments", static_cast<std::int64_t>(got_.timeline.size()), static_cast<std::int64_t>(wanted.size()));
    for (std::size_t i = 0; i < wanted.size() && difference_.empty(); ++i) {
      const Moment& moment = got_.timeline[i];
      same("moment's step", static_cast<std::int64_t>(moment.step), static_cast<std::int64_t>(wanted[i].step));
      same("moment's phase", static_cast<int>(moment.phase), static_cast<int>(wanted[i].phase));
      same("moment's layer", moment.layer, wanted[i].layer);
      same("moment's allocated", moment.allocated, wanted[i].allocated);
      same("moment's reserved", moment.reserved, wanted[i].reserved);
      same("moment's categories", moment.categories == wanted[i].of.categories ? 1 : 0, 1);
    }
  }

  void failure() {
    same("fails", got_.failure ? 1 : 0, plain_.failed_at ? 1 : 0);
    if (!got_.failure || !plain_.failed_at) {
      return;
    }
    const OutOfMemory& failure = *got_.failure;
    same("failed step", static_cast<std::int64_t>(failure.step), static_cast<std::int64_t>(plain_.steps));
    same("failed layer", failure.layer, plain_.failed_at->layer);
    same("failed request", failure.requested, plain_.failed_at->bytes);
    same("allocated and free", failure.reserved + failure.free, options_.allocator.capacity->count());
  }

  const Simulation& got_;
  const BruteSimulation& plain_;
  const SimulationOptions& options_;
  std::size_t least_;  ///< steps, where none fails
  std::string difference_{};
};

TEST_CASE("random tapes: every figure is what a look at all moments of a plain replay says") {
  int failures = 0;
  int settling = 0;
  for (std::uint32_t seed = 1; seed <= 400; ++seed) {
    std::mt19937 random(seed);
    const Tape tape = RandomTape(seed).tape;
    SimulationOptions options;
    options.steps = 1 + random() % 5;
    options.timeline = random() % 2 == 0;
    options.allocator.expandable_segments = random() % 3 == 0;
    options.allocator.addresses = random() % 3 == 0 ? AddressOrder::rising : AddressOrder::falling;
    if (random() % 4 > 0) {  // about as much as is needed
      const std::int64_t most = simulate(tape, options).reserved_peak.count();
      options.allocator.capacity = base::Bytes(most * static_cast<std::int64_t>(60 + random() % 40) / 100 + 1);
    }
    const Simulation got = simulate(tape, options);
    const BruteSimulation plain(tape, options);
    const std::size_t least = std::max(options.steps, tape.steps.size());
    INFO("seed " << seed);
    REQUIRE(Comparison(got, plain, options, least).first_difference() == "");
    failures += got.failure ? 1 : 0;
    settling += got.steps.size() > least ? 1 : 0;
  }
  CHECK(failures > 30);
  CHECK(settling > 10);
}

}  // namespace
}  // namespace vggplan::memory
