// SPDX-License-Identifier: MIT
// Networks that ship against what PyTorch was seen to ask of its allocator, event for event: see trace_tape_test.cpp.
#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/measured.hpp"
#include "support/trace.hpp"

namespace vggplan::lowering {
namespace {

using support::Sizes;

/// FCN8s defines its parameters in another order than it runs them: for it, what was asked for and not when.
Sizes comparable(Sizes list, const std::string& architecture) {
  if (architecture == "fcn8s-vgg16") {
    std::sort(list.begin(), list.end());
    return list;
  }
  return support::without_order_of_frees(list);
}

TEST_CASE("tapes of the networks that ship ask for what PyTorch was recorded to ask for") {
  const auto traces = support::read_traces("networks");
  REQUIRE(traces.size() == 8);
  for (const support::Trace& trace : traces) {
    INFO(trace.name);
    const job::Job job = support::job_of(support::Row::parse(trace.job));
    const memory::Tape tape = support::tape_of(job, support::built_in_framework());
    support::RequestList list(tape);
    list.add_two_steps();
    const Sizes mine = comparable(support::split(list.list()).requests, job.model.architecture);
    const Sizes theirs = comparable(support::split(support::recorded(trace)).requests, job.model.architecture);
    CHECK(support::difference(mine, theirs) == "");
  }
}

}  // namespace
}  // namespace vggplan::lowering
