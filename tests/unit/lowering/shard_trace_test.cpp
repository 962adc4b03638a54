// SPDX-License-Identifier: MIT
// FSDP2's tape against what PyTorch was seen to ask of its allocator on two H200s.
//
// The recorded loop lets go of small tensors elsewhere than the tape (its output, its loss), so what is compared are
// requests of more than a MiB: all gathered and reduced weights, activations and state.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/measured.hpp"
#include "support/trace.hpp"
#include "vggplan/memory/allocator.hpp"
#include "vggplan/memory/simulate.hpp"

namespace vggplan::lowering {
namespace {

using support::Sizes;
using support::Trace;

constexpr std::int64_t kLarge = 1048576;

std::vector<Trace> shard_traces() {
  std::vector<Trace> read = support::read_traces("sharded");
  REQUIRE(!read.empty());
  return read;
}

memory::Tape sharded_tape(const Trace& trace) {
  return support::tape_of(support::job_of(support::Row::parse(trace.job)), support::built_in_framework());
}

/// What is taken and freed, stream by stream, apart from what is freed at once.
struct Requests {
  Sizes all{};
  std::map<std::size_t, Sizes> by_stream{};

  void add(std::int64_t bytes, std::size_t stream) {
    if (std::abs(bytes) > kLarge) {
      all.push_back(bytes);
      by_stream[stream].push_back(bytes);
    }
  }
};

Requests asked(const Trace& trace) {
  Requests requests;
  std::map<std::int64_t, std::size_t> stream_of;
  for (const support::TraceEvent& event : trace.events) {
    if (event.kind == 'a') {
      stream_of[event.id] = event.stream;
      requests.add(event.bytes, event.stream);
    } else if (event.kind == 'f') {
      requests.add(-event.bytes, stream_of.at(event.id));
    }
  }
  return requests;
}

Requests asked(const memory::Tape& tape) {
  Requests requests;
  std::map<memory::TensorId, memory::Event> live;
  for (const auto* events : {&tape.setup, &tape.steps.front(), &tape.steps.back()}) {
    for (const memory::Event& event : *events) {
      if (event.kind == memory::Event::Kind::allocate) {
        live[event.tensor] = event;
        requests.add(event.bytes, event.stream);
      } else if (event.kind == memory::Event::Kind::release) {
        requests.add(-live.at(event.tensor).bytes, live.at(event.tensor).stream);
      } else if (event.kind == memory::Event::Kind::scratch) {
        const std::int64_t workspace = tape.scratch[event.tensor].plans.front();
        requests.add(workspace, 0);
        requests.add(-workspace, 0);
      }
    }
  }
  return requests;
}

TEST_CASE("fsdp2 takes and frees each buffer when PyTorch was recorded to, and of the same stream") {
  for (const Trace& trace : shard_traces()) {
    INFO(trace.name);
    const Requests theirs = asked(trace);
    const Requests mine = asked(sharded_tape(trace));
    CHECK(support::difference(support::split(mine.all).requests, support::split(theirs.all).requests) == "");
    REQUIRE(theirs.by_stream.size() == 3);
    for (const std::size_t stream : {std::size_t{1}, std::size_t{2}}) {
      CHECK(support::difference(mine.by_stream.at(stream), theirs.by_stream.at(stream)) == "");
    }
  }
}

TEST_CASE("recorded requests of three streams give their cudaMalloc calls back") {
  for (const Trace& trace : shard_traces()) {
    INFO(trace.name);
    memory::CachingAllocator allocator({});
    allocator.record_segments();
    std::map<std::int64_t, memory::CachingAllocator::Handle> live;
    Sizes theirs;
    for (const support::TraceEvent& event : trace.events) {
      if (event.kind == 'a') {
        live[event.id] = *allocator.allocate(base::Bytes(event.bytes), event.stream);
      } else if (event.kind == 'f') {
        allocator.free(live.at(event.id));
      } else {
        theirs.push_back(event.bytes);
      }
    }
    Sizes mine;
    for (const base::Bytes bytes : allocator.segments()) {
      mine.push_back(bytes.count());
    }
    CHECK(mine == theirs);
  }
}

TEST_CASE("two steps under fsdp2 reserve what was recorded") {
  for (const Trace& trace : shard_traces()) {
    INFO(trace.name);
    std::int64_t segments = 0;
    for (const support::TraceEvent& event : trace.events) {
      segments += event.kind == 'S' ? event.bytes : 0;
    }
    memory::SimulationOptions options;
    options.steps = 2;
    CHECK(memory::simulate(sharded_tape(trace), options).reserved_peak.count() == segments);
  }
}

TEST_CASE("the lists that fsdp2's copies read are as long as recorded") {
  const Trace trace = shard_traces().front();  // VGG16 on two GPUs: the root's, then fc1, fc2 and fc3
  Sizes lists;
  for (const std::int64_t bytes : {29680, 33536, 32848, 32080, 32120, 131216, 802960, 116296}) {
    lists.push_back(bytes);
  }
  const auto mine = [](const memory::Tape& tape) {
    Sizes sizes;
    const std::vector<memory::Event>& events = tape.steps.front();
    for (std::size_t i = 0; i + 1 < events.size(); ++i) {
      const bool taken = events[i].kind == memory::Event::Kind::allocate;
      const bool at_once =
          events[i + 1].kind == memory::Event::Kind::release && events[i + 1].tensor == events[i].tensor;
      if (taken && at_once && events[i].category == memory::Category::communication) {
        sizes.push_back(events[i].bytes);
      }
    }
    return sizes;
  };
  Sizes theirs;
  const Sizes all = support::recorded(trace);
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    if (std::find(lists.begin(), lists.end(), all[i]) != lists.end() && all[i + 1] == -all[i]) {
      theirs.push_back(all[i]);
    }
  }
  theirs.resize(theirs.size() / 2);  // of the first of two steps
  CHECK(theirs.size() == 11);        // four groups copied out in forward, three again in backward, four copied in
  CHECK(mine(sharded_tape(trace)) == theirs);
}

TEST_CASE("a micro-batch under fsdp2 adds its reduced part to the one that is there") {
  job::Job job = support::job_of(support::Row::parse(shard_traces().front().job));
  job.accumulation = 3;
  const memory::Tape tape = support::tape_of(job, support::without_workspaces());
  constexpr std::int64_t kFirstLinear = (std::int64_t{25088} * 4096 + 4096) * 4;
  Sizes reduced;
  for (const memory::Event& event : tape.steps.front()) {
    if (event.kind == memory::Event::Kind::allocate && event.stream == 2 && event.bytes == kFirstLinear / 2) {
      reduced.push_back(event.bytes);
    }
  }
  CHECK(reduced.size() == 3);
  const memory::Simulation simulation = memory::simulate(tape, {});
  REQUIRE(simulation.steps.size() == 4);
  // Between steps there are parameters, state and gradients, a half each, the image, the output and small things.
  const std::int64_t halves = 3 * 138357544 * std::int64_t{2};
  const std::int64_t image = std::int64_t{64} * 3 * 224 * 224 * 4;
  const std::int64_t left =
      simulation.steps.back().after_phase.at(static_cast<std::size_t>(base::Phase::optimizer)).count();
  CHECK(left >= halves + image);
  CHECK(left <= halves + image + 100 * kLarge);
}

}  // namespace
}  // namespace vggplan::lowering
