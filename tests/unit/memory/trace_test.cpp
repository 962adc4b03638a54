// SPDX-License-Identifier: MIT
// Recorded processes, replayed: the requests and frees of each give back its cudaMalloc calls.
#include <map>

#include "support/catch.hpp"
#include "support/trace.hpp"
#include "vggplan/memory/allocator.hpp"

namespace vggplan::memory {
namespace {

std::vector<std::int64_t> replay(const support::Trace& trace) {
  CachingAllocator allocator({});
  allocator.record_segments();
  std::map<std::int64_t, CachingAllocator::Handle> live;
  for (const support::TraceEvent& event : trace.events) {
    if (event.kind == 'a') {
      live[event.id] = *allocator.allocate(base::Bytes(event.bytes));
    } else if (event.kind == 'f') {
      allocator.free(live.at(event.id));
    }
  }
  std::vector<std::int64_t> segments;
  for (const base::Bytes bytes : allocator.segments()) {
    segments.push_back(bytes.count());
  }
  return segments;
}

TEST_CASE("every recorded trace gives its cudaMalloc calls back, size for size and in order") {
  const auto traces = support::read_traces();
  REQUIRE(traces.size() == 17);
  for (const support::Trace& trace : traces) {
    INFO(trace.name);
    std::vector<std::int64_t> recorded;
    for (const support::TraceEvent& event : trace.events) {
      if (event.kind == 'S') {
        recorded.push_back(event.bytes);
      }
    }
    CHECK(replay(trace) == recorded);
  }
}

}  // namespace
}  // namespace vggplan::memory
