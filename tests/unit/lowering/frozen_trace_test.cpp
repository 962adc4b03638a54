// SPDX-License-Identifier: MIT
// Frozen layers against what PyTorch was seen to ask of its allocator, event for event: see trace_tape_test.cpp.
#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/measured.hpp"
#include "support/trace.hpp"

namespace vggplan::lowering {
namespace {

using support::Sizes;

/// "features": torchvision's vgg16.features; "first:N": the first N convolutions.
void freeze(graph::Network& network, const std::string& what) {
  std::int64_t left = what == "features" ? 13 : std::stoll(what.substr(what.find(':') + 1));
  for (graph::NodeId id = 0; id < network.features; ++id) {
    if (std::holds_alternative<graph::Convolution>(network.nodes[id].kind) && left-- > 0) {
      network.nodes[id].trained = false;
    }
  }
}

TEST_CASE("tapes of frozen layers ask for what PyTorch was recorded to ask for") {
  const auto traces = support::read_traces("frozen");
  REQUIRE(traces.size() == 8);
  for (const support::Trace& trace : traces) {
    INFO(trace.name);
    const support::Row row = support::Row::parse(trace.job);
    const job::Job job = support::job_of(row);
    graph::Network network = support::network(job.model, job.image);
    freeze(network, row.at("frozen"));
    const memory::Tape tape = support::tape_of(network, job, support::built_in_framework());
    support::RequestList list(tape);
    list.add_two_steps();
    const Sizes mine = support::split(list.list()).requests;
    const Sizes theirs = support::split(support::recorded(trace)).requests;
    CHECK(support::difference(support::without_order_of_frees(mine), support::without_order_of_frees(theirs)) == "");
    if (!job::is_autocast(job.precision)) {
      CHECK(support::difference(mine, theirs) == "");
    }
  }
}

}  // namespace
}  // namespace vggplan::lowering
