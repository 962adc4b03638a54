// SPDX-License-Identifier: MIT
// A tape replayed a second time: every moment is kept whole, and each figure is a question to all of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "brute_allocator.hpp"
#include "vggplan/memory/simulate.hpp"

namespace vggplan::support {

class BruteSimulation {
 public:
  struct Moment {
    std::size_t step{};  ///< 0: set-up
    base::Phase phase{};
    bool begun{};  ///< the phase, in this step
    bool taken{};  ///< an allocation has just been made
    memory::LayerId layer{};
    std::int64_t allocated{};
    std::int64_t reserved{};
    std::int64_t retries{};
    memory::Breakdown of{};
  };

  BruteSimulation(const memory::Tape& tape, const memory::SimulationOptions& options)
      : tape_(tape),
        allocator_(options.allocator.expandable_segments,
                   options.allocator.capacity ? std::optional(options.allocator.capacity->count()) : std::nullopt,
                   options.allocator.addresses == memory::AddressOrder::rising) {
    play(tape.setup);
    std::size_t wanted = std::max(options.steps, tape.steps.size());
    const std::size_t settled = wanted + 4;
    while (!failed_at && steps < wanted) {
      ++steps;
      begun_ = false;
      note(memory::kNoLayer, false);
      const std::int64_t before = allocator_.retries;
      play(tape.steps[std::min(steps, tape.steps.size()) - 1]);
      if (steps > 1 && allocator_.retries > before) {
        wanted = settled;
      }
    }
  }

  std::size_t steps{0};
  std::optional<memory::Event> failed_at{};  ///< with the bytes asked for last
  std::vector<Moment> moments{};
  std::int64_t largest_workspace{0};

 private:
  struct Held {
    std::int64_t block{};
    std::int64_t size{};
    memory::Event event{};
  };

  void note(memory::LayerId layer, bool taken) {
    Moment now{steps, phase_, begun_, taken, layer, allocator_.allocated(), allocator_.reserved(), allocator_.retries,
               {}};
    now.of.layers.resize(tape_.layers + 1);
    for (const auto& [id, held] : held_) {
      const memory::Event& event = held.event;
      now.of.categories[static_cast<std::size_t>(event.category)] += event.bytes;
      now.of.categories[static_cast<std::size_t>(memory::Category::rounding)] += held.size - event.bytes;
      now.of.layers[event.layer < 0 ? tape_.layers : static_cast<std::size_t>(event.layer)] += held.size;
    }
    moments.push_back(now);
  }

  void play(const std::vector<memory::Event>& events) {
    for (const memory::Event& event : events) {
      if (!happens(event)) {
        failed_at = event;
        failed_at->bytes = asked_;
        return;
      }
    }
  }

  bool happens(const memory::Event& event) {
    using Kind = memory::Event::Kind;
    switch (event.kind) {
      case Kind::allocate: return take(event.tensor, event, event.bytes);
      case Kind::release: give(event.tensor); return true;
      case Kind::scratch: return workspace(event);
      case Kind::trial:
        if (tried_.emplace(event.tensor, true).second) {
          const std::vector<std::int64_t>& plans = tape_.scratch[event.tensor].plans;
          std::any_of(plans.begin(), plans.end(), [&](std::int64_t bytes) { return briefly(event, bytes); });
          allocator_.empty_cache();
        }
        return true;
      case Kind::empty: allocator_.empty_cache(memory::kGraphStream); return true;
      case Kind::local_memory: allocator_.addresses().open_local_memory(); return true;
      case Kind::driver: allocator_.addresses().place(event.bytes); return true;
      case Kind::phase:
        phase_ = event.phase;
        begun_ = true;
        note(memory::kNoLayer, false);
        return true;
    }
    return true;
  }

  bool take(std::int64_t id, const memory::Event& event, std::int64_t bytes) {
    asked_ = bytes;
    const auto block = allocator_.allocate(bytes, event.stream);
    if (block) {
      held_[id] = {*block, allocator_.size_of(*block), event};
      held_[id].event.bytes = bytes;
      note(event.layer, true);
    }
    return block.has_value();
  }

  void give(std::int64_t id) {
    allocator_.free(held_.at(id).block);
    held_.erase(id);
    note(memory::kNoLayer, false);
  }

  bool briefly(const memory::Event& event, std::int64_t bytes) {
    asked_ = bytes;
    if (bytes > 0) {
      if (!take(-1, event, bytes)) {
        return false;
      }
      give(-1);
    }
    return true;
  }

  /// The plan that ran the last time, else the first that can be had, in their order.
  bool workspace(const memory::Event& event) {
    std::vector<std::int64_t> plans = tape_.scratch[event.tensor].plans;
    if (const auto known = ran_.find(event.tensor); known != ran_.end()) {
      plans.insert(plans.begin(), known->second);
    }
    asked_ = 0;
    for (const std::int64_t bytes : plans) {
      if (briefly(event, bytes)) {
        ran_[event.tensor] = bytes;
        largest_workspace = std::max(largest_workspace, bytes);
        return true;
      }
    }
    return false;
  }

  const memory::Tape& tape_;
  BruteAllocator allocator_;
  std::map<std::int64_t, Held> held_{};  ///< by tensor; -1: the workspace
  std::map<std::uint32_t, std::int64_t> ran_{};
  std::map<std::uint32_t, bool> tried_{};
  base::Phase phase_{base::Phase::setup};
  bool begun_{false};
  std::int64_t asked_{0};
};

}  // namespace vggplan::support
