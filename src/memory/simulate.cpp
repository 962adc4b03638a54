// SPDX-License-Identifier: MIT
#include "vggplan/memory/simulate.hpp"

#include <algorithm>
#include <utility>

namespace vggplan::memory {

namespace {

using base::Bytes;
using base::Phase;

constexpr std::size_t index(Phase phase) { return static_cast<std::size_t>(phase); }

class Replay {
 public:
  Replay(const Tape& tape, const SimulationOptions& options)
      : tape_(tape),
        options_(options),
        least_(std::max(options.steps, tape.steps.size())),
        allocator_(options.allocator),
        live_(tape.tensors),
        plan_(tape.scratch.size()) {
    current_.layers.assign(tape.layers + 1, 0);
  }

  Simulation run() {
    for (const Event& event : tape_.setup) {
      if (!apply(event)) {
        return finish();
      }
    }
    result_.after_setup = allocator_.allocated();
    // A process that is short of memory moves its segments about for some steps before it repeats itself:
    // flushes stop, or start again.
    constexpr std::size_t kSettle = 4;
    const auto unsettled = [&] { return flushed_late_ && step_ < least_ + kSettle; };
    for (step_ = 0; step_ < least_ || unsettled(); ++step_) {
      if (!run_step(tape_.steps[std::min(step_, tape_.steps.size() - 1)])) {
        return finish();
      }
    }
    return finish();
  }

 private:
  struct Live {
    CachingAllocator::Handle block{};
    std::int64_t requested{};
    std::int64_t size{};
    Category category{};
    LayerId layer{kNoLayer};
  };

  bool run_step(const std::vector<Event>& events) {
    result_.steps.emplace_back();
    result_.steps.back().allocated_peak = allocator_.allocated();
    std::erase_if(result_.timeline, [](const Moment& moment) { return moment.step > 1; });
    in_phase_ = false;
    const std::int64_t retries_before = allocator_.retries();
    bool complete = true;
    for (const Event& event : events) {
      complete = apply(event);
      if (!complete) {
        break;
      }
    }
    close_phase();
    StepMemory& step = result_.steps.back();
    step.reserved_peak = result_.reserved_peak;
    step.flushes = allocator_.retries() - retries_before;
    result_.flushes_per_step = step.flushes;
    flushed_late_ = flushed_late_ || (step_ > 0 && step.flushes > 0);
    if (step_ == 0) {
      result_.first_step_peak = result_.run_peak;
    }
    return complete;
  }

  bool apply(const Event& event) {
    switch (event.kind) {
      case Event::Kind::allocate: return allocate(event);
      case Event::Kind::release: release(live_[event.tensor]); return true;
      case Event::Kind::scratch: return scratch(event);
      case Event::Kind::trial: trial(event); return true;
      case Event::Kind::empty: allocator_.empty_cache(kGraphStream); return true;
      case Event::Kind::local_memory: allocator_.addresses().move_local_memory(); return true;
      case Event::Kind::driver: allocator_.addresses().place(Bytes(event.bytes)); return true;
      case Event::Kind::phase:
        close_phase();
        phase_ = event.phase;
        in_phase_ = true;
        phase_peak_ = allocator_.allocated();
        return true;
    }
    return true;
  }

  bool allocate(const Event& event) {
    if (!take(event, event.bytes, live_[event.tensor])) {
      fail(event, event.bytes);
      return false;
    }
    return true;
  }

  bool take(const Event& event, std::int64_t bytes, Live& live) {
    const auto block = allocator_.allocate(Bytes(bytes), event.stream);
    if (!block) {
      return false;
    }
    live = {*block, bytes, allocator_.block_size(*block).count(), event.category, event.layer};
    account(live, 1);
    note_peak(event);
    return true;
  }

  void release(const Live& live) {
    record_peak();
    account(live, -1);
    allocator_.free(live.block);
  }

  /// Tries the remembered plan, then every plan in order, as cuDNN's runner in PyTorch does.
  bool scratch(const Event& event) {
    const std::vector<std::int64_t>& plans = tape_.scratch[event.tensor].plans;
    std::optional<std::size_t>& chosen = plan_[event.tensor];
    if (chosen && try_scratch(event, plans[*chosen])) {
      return true;
    }
    for (std::size_t plan = 0; plan < plans.size(); ++plan) {
      if (try_scratch(event, plans[plan])) {
        chosen = plan;
        result_.largest_workspace = std::max(result_.largest_workspace, Bytes(plans[plan]));
        return true;
      }
    }
    fail(event, plans.empty() ? 0 : plans.back());
    return false;
  }

  bool try_scratch(const Event& event, std::int64_t bytes) {
    if (bytes == 0) {
      return true;
    }
    Live live;
    const bool taken = take(event, bytes, live);
    if (taken) {
      release(live);
    }
    return taken;
  }

  /// cudnn.benchmark runs once per operation: one workspace of the largest plan that fits, then emptyCache().
  void trial(const Event& event) {
    if (plan_[event.tensor]) {
      return;
    }
    for (const std::int64_t bytes : tape_.scratch[event.tensor].plans) {
      if (try_scratch(event, bytes)) {
        break;
      }
    }
    plan_[event.tensor].emplace();
    allocator_.empty_cache();
  }

  void account(const Live& live, std::int64_t sign) {
    const std::size_t layer = live.layer == kNoLayer ? tape_.layers : static_cast<std::size_t>(live.layer);
    current_.categories[static_cast<std::size_t>(live.category)] += sign * live.requested;
    current_.categories[static_cast<std::size_t>(Category::rounding)] += sign * (live.size - live.requested);
    current_.layers[layer] += sign * live.size;
  }

  void note_peak(const Event& event) {
    phase_peak_ = std::max(phase_peak_, allocator_.allocated());
    if (!result_.steps.empty()) {
      result_.steps.back().allocated_peak = std::max(result_.steps.back().allocated_peak, allocator_.allocated());
    }
    result_.reserved_peak = std::max(result_.reserved_peak, allocator_.reserved());
    if (allocator_.allocated() > result_.run_peak) {
      result_.run_peak = allocator_.allocated();
      at_peak_ = true;
      if (step_ <= 1) {
        result_.allocated_peak = result_.run_peak;
      }
    }
    const bool recorded = !result_.steps.empty() && (step_ == 0 || step_ + 1 >= least_);
    if (options_.timeline && recorded) {
      result_.timeline.push_back(
          {step_ + 1, phase_, event.layer, allocator_.allocated(), allocator_.reserved(), current_.categories});
    }
  }

  /// Memory mostly grows by many allocations in a row: what it is made of is copied where it is about to fall.
  void record_peak() {
    if (std::exchange(at_peak_, false)) {
      result_.peak = current_;
    }
  }

  void close_phase() {
    if (result_.steps.empty() || !in_phase_) {
      return;
    }
    StepMemory& step = result_.steps.back();
    step.phase_peak[index(phase_)] = std::max(step.phase_peak[index(phase_)], phase_peak_);
    step.after_phase[index(phase_)] = allocator_.allocated();
  }

  void fail(const Event& event, std::int64_t requested) {
    const Bytes capacity = options_.allocator.capacity.value_or(Bytes(0));
    const Bytes segment = allocator_.segment_for(Bytes(requested));
    const Bytes wanted = options_.allocator.expandable_segments ? Bytes(requested) : segment;
    const Bytes missing = std::max(Bytes(1), allocator_.reserved() + wanted - capacity);
    const std::size_t step = result_.steps.empty() ? 0 : step_ + 1;
    result_.failure = OutOfMemory{step,
                                  phase_,
                                  event.layer,
                                  Bytes(requested),
                                  missing,
                                  segment,
                                  allocator_.allocated(),
                                  allocator_.reserved(),
                                  capacity - allocator_.reserved()};
  }

  Simulation finish() {
    record_peak();
    return std::move(result_);
  }

  const Tape& tape_;
  const SimulationOptions& options_;
  std::size_t least_;  ///< steps: an evaluation may come late, and all must
  CachingAllocator allocator_;
  std::vector<Live> live_;
  std::vector<std::optional<std::size_t>> plan_;
  Breakdown current_{};
  Simulation result_{};
  std::size_t step_{};
  Phase phase_{Phase::setup};
  bool flushed_late_{false};  ///< in a step after the first
  bool in_phase_{false};      ///< of the current step
  bool at_peak_{false};       ///< nothing has been freed since the largest of all
  Bytes phase_peak_{};
};

}  // namespace

Simulation simulate(const Tape& tape, const SimulationOptions& options) { return Replay(tape, options).run(); }

}  // namespace vggplan::memory
