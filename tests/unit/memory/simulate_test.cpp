// SPDX-License-Identifier: MIT
// Hand-written tapes: what a simulation reports of peaks, phases, workspaces and shortage. Random ones are in
// brute_simulation_test.cpp.
#include "vggplan/memory/simulate.hpp"

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

SimulationOptions limited_to(std::int64_t capacity) {
  SimulationOptions options;
  options.allocator.capacity = Bytes(capacity);
  return options;
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

TEST_CASE("the breakdown is of the moment of the peak and sums to it, by category and by layer") {
  const Simulation got = simulate(small_training(), {});
  const auto of = [&](Category category) { return got.peak.categories[static_cast<std::size_t>(category)]; };
  CHECK(of(Category::parameters) == 40 * kMiB);
  CHECK(of(Category::optimizer_state) == 30 * kMiB);
  CHECK(of(Category::activations) == 20 * kMiB);
  CHECK(of(Category::activation_gradients) == 60 * kMiB);
  CHECK(got.peak.layers == std::vector<std::int64_t>{70 * kMiB, 80 * kMiB, 0});
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

TEST_CASE("set-up that does not fit is a failure of step 0 without steps") {
  const Simulation got = simulate(small_training(), limited_to(10 * kMiB));
  REQUIRE(got.failure.has_value());
  CHECK(got.failure->step == 0);
  CHECK(got.failure->phase == Phase::setup);
  CHECK(got.failure->missing == Bytes(30 * kMiB));
  CHECK(got.steps.empty());
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
