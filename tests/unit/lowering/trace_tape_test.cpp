// SPDX-License-Identifier: MIT
// Tapes against what PyTorch was seen to ask of its allocator, event for event.
//
// Events are split in two: workspaces of libraries, which are freed by the very next event, and all
// else, which is PyTorch's own. The latter must agree to the byte and in order. One order cannot be
// known: when an autocast context ends, its cached copies die in the order of a hash table.
#include <algorithm>
#include <cmath>
#include <map>

#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/measured.hpp"
#include "support/trace.hpp"
#include "vggplan/memory/allocator.hpp"

namespace vggplan::lowering {
namespace {

using support::difference;
using support::recorded;
using support::Sizes;
using support::split;
using support::Split;
using support::Trace;
using support::without_order_of_frees;

job::Job job_of(const Trace& trace) { return support::job_of(support::Row::parse(trace.job)); }

void apply(const memory::Event& event, memory::AddressSpace& addresses) {
  if (event.kind == memory::Event::Kind::local_memory) {
    addresses.move_local_memory();
  } else {
    addresses.place(base::Bytes(event.bytes));
  }
}

support::RequestList predicted(const Trace& trace) {
  const memory::Tape tape = support::tape_of(job_of(trace), support::built_in_framework());
  support::RequestList list(tape);
  list.add_two_steps();
  return list;
}

/// The recorded requests through the allocator, with what the tape says of the driver in between.
Sizes replayed_segments(const Trace& trace) {
  const support::RequestList tape = predicted(trace);
  memory::CachingAllocator allocator({});
  allocator.record_segments();
  std::map<std::int64_t, memory::CachingAllocator::Handle> live;
  auto mark = tape.marks().begin();
  std::size_t requests = 0;  // workspaces left out, in the trace as on the tape
  const Sizes list = recorded(trace);
  std::size_t at = 0;
  const auto due = [&] {
    const Sizes before(tape.list().begin(), tape.list().begin() + static_cast<std::ptrdiff_t>(mark->position));
    return split(before).requests.size() <= requests;
  };
  for (const support::TraceEvent& event : trace.events) {
    for (; mark != tape.marks().end() && due(); ++mark) {
      apply(mark->event, allocator.addresses());
    }
    if (event.kind == 'a') {
      live[event.id] = *allocator.allocate(base::Bytes(event.bytes));
    } else if (event.kind == 'f') {
      allocator.free(live.at(event.id));
    }
    if (event.kind != 'S') {
      const bool workspace = at + 1 < list.size() && list[at] > 0 && list[at + 1] == -list[at];
      const bool freed = at > 0 && list[at] < 0 && list[at - 1] == -list[at];
      requests += workspace || freed ? 0 : 1;
      ++at;
    }
  }
  Sizes segments;
  for (const base::Bytes bytes : allocator.segments()) {
    segments.push_back(bytes.count());
  }
  return segments;
}

TEST_CASE("tapes ask for what PyTorch was recorded to ask for, byte for byte and in order") {
  int in_order = 0;
  const auto traces = support::read_traces();
  REQUIRE(traces.size() == 75);
  for (const Trace& trace : traces) {
    INFO(trace.name);
    const Sizes mine = split(predicted(trace).list()).requests;
    const Sizes theirs = split(recorded(trace)).requests;
    CHECK(difference(without_order_of_frees(mine), without_order_of_frees(theirs)) == "");
    if (!job::is_autocast(job_of(trace).precision)) {
      CHECK(difference(mine, theirs) == "");
    }
    in_order += mine == theirs ? 1 : 0;
  }
  CHECK(in_order >= 11);  // all without autocast
}

TEST_CASE("recorded requests give their cudaMalloc calls back, size for size and in order") {
  for (const Trace& trace : support::read_traces()) {
    INFO(trace.name);
    Sizes segments;
    for (const support::TraceEvent& event : trace.events) {
      if (event.kind == 'S') {
        segments.push_back(event.bytes);
      }
    }
    CHECK(replayed_segments(trace) == segments);
  }
}

TEST_CASE("workspaces come where PyTorch was recorded to take them, and are as large") {
  // What remains are partial sums of split work, whose number cuDNN's heuristics choose.
  constexpr double kShare = 0.01;
  constexpr double kPartialSums = 18.0 * 1048576;
  for (const Trace& trace : support::read_traces()) {
    INFO(trace.name);
    const Split mine = split(predicted(trace).list());
    const Split theirs = split(recorded(trace));
    REQUIRE(mine.workspaces.size() == theirs.workspaces.size());
    for (std::size_t i = 0; i < mine.workspaces.size(); ++i) {
      const auto largest = [](const Sizes& sizes) {
        return sizes.empty() ? 0.0 : static_cast<double>(*std::max_element(sizes.begin(), sizes.end()));
      };
      const double measured = largest(theirs.workspaces[i]);
      INFO("after request " << i);
      CHECK(std::abs(largest(mine.workspaces[i]) - measured) <= std::max(kShare * measured, kPartialSums));
    }
  }
}

}  // namespace
}  // namespace vggplan::lowering
