// SPDX-License-Identifier: MIT
// Hand-written tapes: what a simulation reports of peaks, phases, workspaces, shortage and time.
#include "vggplan/memory/simulate.hpp"

#include <algorithm>
#include <numeric>

#include "support/catch.hpp"
#include "support/sizes.hpp"

namespace vggplan::memory {
namespace {

using base::Bytes;
using base::Phase;
using Kind = Event::Kind;

using support::kMiB;

Event take(TensorId tensor, std::int64_t bytes, Category category = Category::activations, LayerId layer = kNoLayer) {
  return {Kind::allocate, category, {}, 0, layer, tensor, bytes};
}
Event give(TensorId tensor) { return {Kind::release, Category::other, {}, 0, kNoLayer, tensor, 0}; }
Event begin(Phase phase) { return {Kind::phase, Category::other, phase, 0, kNoLayer, 0, 0}; }
Event scratch(TensorId entry, LayerId layer = kNoLayer) {
  return {Kind::scratch, Category::convolution_workspace, {}, 0, layer, entry, 0};
}
Event trial(TensorId entry) { return {Kind::trial, Category::convolution_workspace, {}, 0, kNoLayer, entry, 0}; }

SimulationOptions limited_to(std::int64_t capacity) {
  SimulationOptions options;
  options.allocator.capacity = Bytes(capacity);
  return options;
}

std::int64_t sum(const std::vector<std::int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

constexpr std::size_t kForward = static_cast<std::size_t>(Phase::forward);
constexpr std::size_t kBackward = static_cast<std::size_t>(Phase::backward);
constexpr std::size_t kOptimizer = static_cast<std::size_t>(Phase::optimizer);

/// 40 MiB of parameters; a step with 20 in forward, 60 more in backward; the first makes 30 of state.
Tape small_training() {
  Tape tape;
  tape.tensors = 4;
  tape.layers = 2;
  tape.setup = {take(0, 40 * kMiB, Category::parameters, 0)};
  std::vector<Event> step{begin(Phase::forward),
                          take(1, 20 * kMiB, Category::activations, 1),
                          begin(Phase::backward),
                          take(2, 60 * kMiB, Category::activation_gradients, 1),
                          give(1),
                          begin(Phase::optimizer),
                          give(2)};
  tape.steps = {step, step};
  tape.steps[0].insert(tape.steps[0].end() - 1, take(3, 30 * kMiB, Category::optimizer_state, 0));
  return tape;
}

TEST_CASE("peaks are those of the first step, of two steps, and of each phase of each step") {
  const Simulation got = simulate(small_training(), {});
  CHECK(got.after_setup == Bytes(40 * kMiB));
  CHECK(got.first_step_peak == Bytes(130 * kMiB));  // 40 + 60 + 30: as the state is made
  CHECK(got.allocated_peak == Bytes(150 * kMiB));   // 40 + 30 + 20 + 60
  REQUIRE(got.steps.size() == 4);
  CHECK(got.steps[0].phase_peak[kForward] == Bytes(60 * kMiB));
  CHECK(got.steps[0].phase_peak[kBackward] == Bytes(120 * kMiB));
  CHECK(got.steps[0].phase_peak[kOptimizer] == Bytes(130 * kMiB));
  CHECK(got.steps[0].after_phase[kForward] == Bytes(60 * kMiB));
  CHECK(got.steps[0].after_phase[kBackward] == Bytes(100 * kMiB));
  CHECK(got.steps[0].after_phase[kOptimizer] == Bytes(70 * kMiB));
  CHECK(got.steps[3].phase_peak[kBackward] == Bytes(150 * kMiB));
  CHECK(got.steps[3].allocated_peak == Bytes(150 * kMiB));
  CHECK_FALSE(got.failure.has_value());
  CHECK(got.flushes_per_step == 0);
}

TEST_CASE("a phase's peak includes what was there when it began, as reset_peak_memory_stats sets it") {
  const Simulation got = simulate(small_training(), {});
  CHECK(got.steps[2].phase_peak[kOptimizer] == Bytes(130 * kMiB));  // nothing is allocated in it
}

TEST_CASE("later steps repeat the last entry of the tape; the peak of two steps leaves them out") {
  Tape tape = small_training();
  tape.steps.push_back(tape.steps[1]);
  tape.steps[2].insert(tape.steps[2].begin() + 1, {take(3, 900 * kMiB), give(3)});
  // Tensor 3 is free for use here only where step 1 did not keep it.
  tape.steps[0].erase(tape.steps[0].end() - 2);
  SimulationOptions options;
  options.steps = 6;
  const Simulation got = simulate(tape, options);
  CHECK(got.allocated_peak == Bytes(120 * kMiB));
  REQUIRE(got.steps.size() == 6);
  CHECK(got.steps[5].allocated_peak == Bytes(940 * kMiB));
  CHECK(got.run_peak == Bytes(940 * kMiB));
  CHECK(got.reserved_peak >= Bytes(940 * kMiB));
}

TEST_CASE("the breakdown is of the moment of the peak and sums to it, by category and by layer") {
  const Simulation got = simulate(small_training(), {});
  const auto of = [&](Category category) { return got.peak.categories[static_cast<std::size_t>(category)]; };
  CHECK(of(Category::parameters) == 40 * kMiB);
  CHECK(of(Category::optimizer_state) == 30 * kMiB);
  CHECK(of(Category::activations) == 20 * kMiB);
  CHECK(of(Category::activation_gradients) == 60 * kMiB);
  CHECK(got.peak.layers == std::vector<std::int64_t>{70 * kMiB, 80 * kMiB, 0});
}

TEST_CASE("rounding and unsplit tails are a category of their own; layers hold whole blocks") {
  Tape tape;
  tape.tensors = 2;
  tape.layers = 1;
  tape.setup = {take(0, 100, Category::parameters, 0), take(1, 19 * kMiB + 1, Category::input)};
  tape.steps = {{begin(Phase::forward)}};
  const Simulation got = simulate(tape, {});
  CHECK(got.allocated_peak == Bytes(512 + 20 * kMiB));
  CHECK(got.peak.categories[static_cast<std::size_t>(Category::rounding)] == 412 + kMiB - 1);
  CHECK(sum({got.peak.categories.begin(), got.peak.categories.end()}) == got.allocated_peak.count());
  CHECK(got.peak.layers == std::vector<std::int64_t>{512, 20 * kMiB});
}

TEST_CASE("a workspace counts in the peak and is gone at once") {
  Tape tape;
  tape.layers = 1;
  tape.scratch = {{{50 * kMiB, 0}}};
  tape.steps = {{begin(Phase::forward), scratch(0, 0)}};
  const Simulation got = simulate(tape, {});
  CHECK(got.allocated_peak == Bytes(50 * kMiB));
  CHECK(got.steps[0].after_phase[kForward] == Bytes(0));
  CHECK(got.peak.layers == std::vector<std::int64_t>{50 * kMiB, 0});
}

TEST_CASE("where memory is short the next plan is taken, and kept for the same operation") {
  Tape tape;
  tape.tensors = 1;
  tape.scratch = {{{90 * kMiB, 40 * kMiB, 0}}};
  tape.setup = {take(0, 30 * kMiB)};
  tape.steps = {{begin(Phase::forward), scratch(0)},
                {begin(Phase::forward), scratch(0), give(0), scratch(0), take(0, 30 * kMiB)}};
  const Simulation got = simulate(tape, limited_to(100 * kMiB));
  CHECK(got.allocated_peak == Bytes(70 * kMiB));  // also in step 2, where 90 would have had room
  CHECK(got.largest_workspace == Bytes(40 * kMiB));
  CHECK(got.steps[0].flushes == 1);  // for the plan that failed
  CHECK(got.steps[1].flushes == 0);
  CHECK_FALSE(got.failure.has_value());
}

TEST_CASE("two operations remember their plans apart") {
  Tape tape;
  tape.tensors = 1;
  tape.scratch = {{{90 * kMiB, 0}}, {{90 * kMiB, 0}}};
  tape.setup = {take(0, 30 * kMiB)};
  tape.steps = {{begin(Phase::forward), scratch(0), give(0), scratch(1), take(0, 30 * kMiB)}};
  const Simulation got = simulate(tape, limited_to(100 * kMiB));
  CHECK(got.allocated_peak == Bytes(90 * kMiB));
}

TEST_CASE("a plan without workspace always runs; without one the operation fails") {
  Tape tape;
  tape.scratch = {{{200 * kMiB, 0}}};
  tape.steps = {{begin(Phase::forward), scratch(0)}};
  CHECK_FALSE(simulate(tape, limited_to(100 * kMiB)).failure.has_value());
  tape.scratch = {{{200 * kMiB}}};
  CHECK(simulate(tape, limited_to(100 * kMiB)).failure.has_value());
}

TEST_CASE("cudnn.benchmark tries once an operation, then the cache is empty") {
  Tape tape;
  tape.tensors = 1;
  tape.scratch = {{{80 * kMiB, 0}}};
  tape.setup = {take(0, 20 * kMiB)};
  tape.steps = {{begin(Phase::forward), trial(0)}};
  const Simulation got = simulate(tape, {});
  CHECK(got.allocated_peak == Bytes(100 * kMiB));
  CHECK(got.steps[0].reserved_peak == Bytes(100 * kMiB));
  CHECK(got.steps[1].allocated_peak == Bytes(20 * kMiB));
}

TEST_CASE("the first allocation that fails is reported with step, phase, layer and what is missing") {
  Tape tape = small_training();
  const Simulation got = simulate(tape, limited_to(140 * kMiB));
  REQUIRE(got.failure.has_value());
  CHECK(got.failure->step == 2);
  CHECK(got.failure->phase == Phase::backward);
  CHECK(got.failure->layer == 1);
  CHECK(got.failure->requested == Bytes(60 * kMiB));
  // Reserved are 40, 30 and the 60 whose first 20 live: the rest of it is too small and cannot be given back.
  CHECK(got.failure->missing == Bytes((40 + 30 + 60 + 60 - 140) * kMiB));
  CHECK(got.steps.size() == 2);
}

TEST_CASE("what is missing is a segment, which may be larger than the request") {
  Tape tape;
  tape.tensors = 2;
  tape.setup = {take(0, 90 * kMiB)};
  tape.steps = {{begin(Phase::forward), take(1, 2 * kMiB)}};
  const Simulation got = simulate(tape, limited_to(100 * kMiB));
  REQUIRE(got.failure.has_value());
  CHECK(got.failure->requested == Bytes(2 * kMiB));
  CHECK(got.failure->missing == Bytes(10 * kMiB));  // 90 + 20 - 100
}

TEST_CASE("where whole pages are what does not fit at least a byte is missing") {
  Tape tape;
  tape.tensors = 1;
  tape.steps = {{begin(Phase::forward), take(0, 25 * kMiB)}};
  SimulationOptions options = limited_to(30 * kMiB);
  options.allocator.expandable_segments = true;
  const Simulation got = simulate(tape, options);
  REQUIRE(got.failure.has_value());
  CHECK(got.failure->missing == Bytes(1));  // 25 of 30, but pages of 20
}

TEST_CASE("a step's phases start anew: what the step before it took last does not count") {
  Tape tape;
  tape.tensors = 1;
  tape.steps = {{begin(Phase::forward), begin(Phase::optimizer), take(0, 50 * kMiB), give(0)},
                {begin(Phase::forward), begin(Phase::optimizer)}};
  const Simulation got = simulate(tape, {});
  CHECK(got.steps[0].phase_peak[kOptimizer] == Bytes(50 * kMiB));
  CHECK(got.steps[1].phase_peak[kOptimizer] == Bytes(0));
  CHECK(got.steps[1].allocated_peak == Bytes(0));
}

TEST_CASE("set-up that does not fit is a failure of step 0 without steps") {
  const Simulation got = simulate(small_training(), limited_to(10 * kMiB));
  REQUIRE(got.failure.has_value());
  CHECK(got.failure->step == 0);
  CHECK(got.failure->phase == Phase::setup);
  CHECK(got.failure->missing == Bytes(30 * kMiB));
  CHECK(got.steps.empty());
}

TEST_CASE("flushes per step are those of the last step") {
  // Two tensors that never live together but do not fit in each other's segment: a flush each time.
  Tape tape;
  tape.tensors = 2;
  const std::vector<Event> step{begin(Phase::forward), take(0, 60 * kMiB), give(0), take(1, 80 * kMiB), give(1)};
  tape.steps = {step};
  const Simulation got = simulate(tape, limited_to(100 * kMiB));
  CHECK(got.steps[0].flushes == 1);  // 60, then 80 instead
  CHECK(got.flushes_per_step == 0);  // from then on 60 fits in 80
  tape.steps = {{begin(Phase::forward), take(0, 60 * kMiB), give(0), take(1, 80 * kMiB), give(1), take(0, 60 * kMiB),
                 take(1, 30 * kMiB), give(0), give(1)}};
  CHECK(simulate(tape, limited_to(100 * kMiB)).flushes_per_step == 2);
}

TEST_CASE("where a step after the first flushes, more are simulated, so that it settles") {
  Tape tape;
  tape.tensors = 2;
  const std::vector<Event> calm{begin(Phase::forward), take(0, 60 * kMiB), give(0)};
  const std::vector<Event> larger{begin(Phase::forward), take(1, 80 * kMiB), give(1)};
  tape.steps = {calm, calm, calm, larger};
  const Simulation got = simulate(tape, limited_to(100 * kMiB));
  REQUIRE(got.steps.size() == 8);
  CHECK(got.steps[3].flushes == 1);
  CHECK(got.flushes_per_step == 0);
  tape.steps = {larger, calm, calm, calm};
  CHECK(simulate(tape, limited_to(100 * kMiB)).steps.size() == 4);
}

TEST_CASE(
    "the timeline holds each allocation of the first and of the last step, and their largest are the steps' peaks") {
  SimulationOptions options;
  options.timeline = true;
  const Simulation got = simulate(small_training(), options);
  const auto later = std::ranges::find_if(got.timeline, [](const Moment& m) { return m.step > 1; });
  const auto peak = [](auto from, auto to) {
    Bytes most;
    for (; from != to; ++from) {
      most = std::max(most, from->allocated);
    }
    return most;
  };
  CHECK(got.timeline.front().step == 1);
  CHECK(peak(got.timeline.begin(), later) == got.steps.front().allocated_peak);
  REQUIRE(got.timeline.end() - later == 2);
  CHECK(later->step == 4);
  CHECK(later->phase == Phase::forward);
  CHECK(later->layer == 1);
  CHECK(later->allocated == Bytes(90 * kMiB));
  CHECK(later[1].allocated == got.steps.back().allocated_peak);
  CHECK(later[1].reserved <= got.reserved_peak);
  for (const Moment& moment : got.timeline) {
    CHECK(std::accumulate(moment.categories.begin(), moment.categories.end(), std::int64_t{0}) ==
          moment.allocated.count());
  }
  CHECK(simulate(small_training(), {}).timeline.empty());
}

TEST_CASE("an allocation that fails tells what PyTorch's message does") {
  Tape tape;
  tape.tensors = 3;
  // 40 stay allocated; 30 are cached, and given back before the request fails: 60 of 100 are free.
  tape.steps = {{begin(Phase::forward), take(0, 40 * kMiB), take(1, 30 * kMiB), give(1), take(2, 70 * kMiB + 1)}};
  const Simulation got = simulate(tape, limited_to(100 * kMiB));
  REQUIRE(got.failure);
  CHECK(got.failure->tried == Bytes(72 * kMiB));  // segments are of whole 2 MiB
  CHECK(got.failure->requested == Bytes(70 * kMiB + 1));
  CHECK(got.failure->allocated == Bytes(40 * kMiB));
  CHECK(got.failure->reserved == Bytes(40 * kMiB));
  CHECK(got.failure->free == Bytes(60 * kMiB));
  CHECK(got.failure->missing == Bytes(12 * kMiB));
}

}  // namespace
}  // namespace vggplan::memory
