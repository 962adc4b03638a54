// SPDX-License-Identifier: MIT
// Recordings against tapes: what agrees, where they part, and what is held at the peak. Tapes and recordings are
// written by hand; recorded steps of real networks are in tests/cli.
#include "vggplan/runs/replay.hpp"

#include <algorithm>

#include "support/catch.hpp"

namespace vggplan::runs {
namespace {

using memory::Category;
using memory::Event;
using Kind = TraceEvent::Kind;

constexpr std::int64_t kMiB = 1048576;
const std::vector<std::string> kLayers{"conv1", "conv2"};

Event phase(base::Phase phase) { return {.kind = Event::Kind::phase, .phase = phase}; }
Event takes(memory::TensorId tensor, std::int64_t bytes, Category category, memory::LayerId layer) {
  return {.kind = Event::Kind::allocate, .category = category, .layer = layer, .tensor = tensor, .bytes = bytes};
}
Event frees(memory::TensorId tensor) { return {.kind = Event::Kind::release, .tensor = tensor}; }
Event workspace(memory::TensorId entry, memory::LayerId layer) {
  return {.kind = Event::Kind::scratch, .category = Category::convolution_workspace, .layer = layer, .tensor = entry};
}

/// Two weights; then steps of two outputs, a workspace each, a loss, and frees of all in one go.
memory::Tape tape() {
  memory::Tape tape;
  tape.scratch = {{{3 * kMiB}}, {{0}}};
  tape.tensors = 5;
  tape.layers = 2;
  tape.setup = {takes(0, 10 * kMiB, Category::parameters, 0), takes(1, 20 * kMiB, Category::parameters, 1)};
  const std::vector<Event> step{phase(base::Phase::forward),
                                takes(2, 4 * kMiB, Category::activations, 0),
                                workspace(0, 0),
                                takes(3, 6 * kMiB, Category::activations, 1),
                                workspace(1, 1),
                                takes(4, 4, Category::other, memory::kNoLayer),
                                phase(base::Phase::backward),
                                frees(2),
                                frees(3),
                                frees(4)};
  tape.steps = {step, step};
  return tape;
}

class Recorder {
 public:
  Recorder& takes(std::int64_t address, std::int64_t bytes) {
    trace_.events.push_back({Kind::allocate, 0, bytes, address});
    return *this;
  }
  Recorder& frees(std::int64_t address, std::int64_t bytes) {
    trace_.events.push_back({Kind::release, 0, bytes, address});
    return *this;
  }
  Recorder& scratch(std::int64_t bytes) { return takes(900, bytes).frees(900, bytes); }
  Recorder& setup() { return takes(0, 10 * kMiB).takes(1, 20 * kMiB); }
  Recorder& forward(std::int64_t workspace) {
    return takes(2, 4 * kMiB).scratch(workspace).takes(3, 6 * kMiB).takes(4, 4);
  }
  Recorder& step(std::int64_t workspace) {
    return forward(workspace).frees(3, 6 * kMiB).frees(2, 4 * kMiB).frees(4, 4);
  }
  [[nodiscard]] Replay replayed(std::int64_t slack = 0) const {
    return replay(trace_, tape(), kLayers, base::Bytes(slack), {});
  }

 private:
  Trace trace_{};
};

CategoryBytes at_peak(const Replay& replay, Category category) {
  const auto found = std::ranges::find(replay.at_peak, category, &CategoryBytes::category);
  return found == replay.at_peak.end() ? CategoryBytes{} : *found;
}

TEST_CASE("a recording of the tape has no difference, in however many steps and orders of frees") {
  Recorder recorder;
  recorder.setup();
  for (int i = 0; i < 5; ++i) {
    recorder.step(3 * kMiB);
  }
  const Replay found = recorder.replayed();
  CHECK_FALSE(found.first_difference.has_value());
  CHECK(found.aligned);
  CHECK(at_peak(found, Category::parameters).planned == 30 * kMiB);
  CHECK(at_peak(found, Category::activations).measured == 10 * kMiB);
  CHECK(at_peak(found, Category::convolution_workspace).measured == 0);  // the peak is behind it
  REQUIRE(found.allocated_peak.has_value());
  CHECK(found.allocated_peak->count() == 40 * kMiB + 512);  // a block of the loss has 512 bytes
}

TEST_CASE("the first request that differs is named, with step, phase and layer") {
  Recorder recorder;
  recorder.setup().step(3 * kMiB).takes(2, 4 * kMiB).takes(3, 7 * kMiB).takes(4, 4);
  const Replay found = recorder.replayed();
  REQUIRE(found.first_difference.has_value());
  const Difference& difference = *found.first_difference;
  CHECK(difference.kind == Difference::Kind::request);
  CHECK(difference.event == 11);  // 2 of the set-up, 8 of a step with its workspace, 1
  CHECK(difference.step == 2);
  CHECK(difference.phase == base::Phase::forward);
  CHECK(difference.layer == "conv2");
  CHECK(difference.planned == 6 * kMiB);
  CHECK(difference.measured == 7 * kMiB);
  CHECK_FALSE(found.at_peak.empty());  // the peak of the plan is before it
}

TEST_CASE("where a recording differs before the peak, nothing is said of the peak") {
  const Replay found = Recorder().takes(0, 10 * kMiB).takes(1, 21 * kMiB).takes(2, 4 * kMiB).replayed();
  REQUIRE(found.first_difference.has_value());
  CHECK(found.first_difference->step == 0);
  CHECK(found.first_difference->layer == "conv2");
  CHECK(found.at_peak.empty());
}

TEST_CASE("another workspace is told where it is beyond what is not known, and counts at the peak") {
  Recorder recorder;
  recorder.setup().step(8 * kMiB).forward(8 * kMiB);
  CHECK_FALSE(recorder.replayed(5 * kMiB).first_difference.has_value());
  const Replay found = recorder.replayed(5 * kMiB - 1);
  REQUIRE(found.first_difference.has_value());
  CHECK(found.first_difference->kind == Difference::Kind::workspace);
  CHECK(found.first_difference->layer == "conv1");
  CHECK(found.first_difference->event == 3);
  CHECK(found.first_difference->planned == 3 * kMiB);
  CHECK(found.first_difference->measured == 8 * kMiB);
}

TEST_CASE("a recording that begins with a step is found on the tape, and others are said not to be") {
  Recorder later;
  later.frees(77, 4 * kMiB).frees(78, 6 * kMiB).frees(79, 4);
  later.step(3 * kMiB).step(3 * kMiB);
  const Replay found = later.replayed();
  CHECK(found.aligned);
  CHECK_FALSE(found.first_difference.has_value());
  CHECK_FALSE(found.allocated_peak.has_value());
  CHECK(found.at_peak.empty());

  CHECK_FALSE(Recorder().frees(1, 99).takes(2, 98).replayed().aligned);
}

TEST_CASE("recordings that make no sense are no trouble") {
  CHECK(Recorder().replayed().compared == 0);
  CHECK_FALSE(Recorder().setup().setup().replayed().allocated_peak.has_value());  // one address, twice in use
  const Replay nothing = replay({}, {}, {}, base::Bytes(0), {});
  CHECK_FALSE(nothing.aligned);
}

}  // namespace
}  // namespace vggplan::runs
