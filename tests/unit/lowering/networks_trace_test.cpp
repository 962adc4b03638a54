// SPDX-License-Identifier: MIT
// Networks that ship, frozen layers and trained images against what PyTorch was seen to ask of its allocator, event for
// event: see trace_tape_test.cpp.
#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/measured.hpp"
#include "support/trace.hpp"

namespace vggplan::lowering {
namespace {

using support::Row;
using support::Sizes;
using support::Trace;

/// Sizes of the requests of set-up and two steps, and those recorded.
struct Pair {
  Sizes mine{};
  Sizes theirs{};
};

Pair requests(const graph::Network& network, const job::Job& job, const Trace& trace) {
  const memory::Tape tape = support::tape_of(network, job, support::built_in_framework());
  support::RequestList list(tape);
  list.add_two_steps();
  return {support::split(list.list()).requests, support::split(support::recorded(trace)).requests};
}

Pair requests(const job::Job& job, const Trace& trace) {
  const auto network = job::network_of(job);
  REQUIRE(network.has_value());
  return requests(*network, job, trace);
}

TEST_CASE("tapes of the networks that ship ask for what PyTorch was recorded to ask for") {
  const auto traces = support::read_traces("networks");
  REQUIRE(traces.size() == 8);
  for (const Trace& trace : traces) {
    INFO(trace.name);
    const job::Job job = support::job_of(Row::parse(trace.job));
    auto [mine, theirs] = requests(job, trace);
    if (job.model.architecture == "fcn8s-vgg16") {  // its parameters are defined in another order than they run
      std::ranges::sort(mine);
      std::ranges::sort(theirs);
    }
    CHECK(support::difference(support::without_order_of_frees(mine), support::without_order_of_frees(theirs)) == "");
  }
}

TEST_CASE("tapes of frozen layers ask for what PyTorch was recorded to ask for") {
  const auto traces = support::read_traces("frozen");
  REQUIRE(traces.size() == 8);
  for (const Trace& trace : traces) {
    INFO(trace.name);
    const job::Job job = support::job_of(Row::parse(trace.job));
    const auto [mine, theirs] = requests(job, trace);
    CHECK(support::difference(support::without_order_of_frees(mine), support::without_order_of_frees(theirs)) == "");
    if (!job::is_autocast(job.precision)) {
      CHECK(support::difference(mine, theirs) == "");
    }
  }
}

// Features of VGG16 up to relu3_3, frozen; the mean squared distance from those of another image. Adam.
TEST_CASE("tapes of trained images ask for what PyTorch was recorded to ask for") {
  const auto traces = support::read_traces("image");
  REQUIRE(traces.size() == 2);
  for (const Trace& trace : traces) {
    INFO(trace.name);
    job::Job job = support::job_of(Row::parse(trace.job));
    job.scope.until = "relu3_3";
    job.scope.trained = graph::Trained::image;
    const auto [mine, theirs] = requests(job, trace);
    CHECK(support::difference(mine, theirs) == "");
  }
}

/// As eval() leaves them, which was called on the whole network.
void pass_dropouts_through(graph::Network& network) {
  for (graph::Node& node : network.nodes) {
    if (auto* dropout = std::get_if<graph::Dropout>(&node.kind)) {
      dropout->probability = 0;
    }
  }
}

// cuDNN's forward keeps no statistics, PyTorch's own does (bfloat16); the backward is PyTorch's own in both.
TEST_CASE("tapes of frozen batch norm ask for what PyTorch was recorded to ask for") {
  const auto traces = support::read_traces("frozen_norm");
  REQUIRE(traces.size() == 4);
  for (const Trace& trace : traces) {
    INFO(trace.name);
    const Row row = Row::parse(trace.job);
    job::Job job = support::job_of(row);
    job.scope.norm = support::named<graph::FrozenNorm>(row.at("freeze_norm").get<std::string>());
    auto network = job::network_of(job);
    REQUIRE(network.has_value());
    pass_dropouts_through(*network);
    const auto [mine, theirs] = requests(*network, job, trace);
    CHECK(support::difference(support::without_order_of_frees(mine), support::without_order_of_frees(theirs)) == "");
    if (!job::is_autocast(job.precision)) {
      CHECK(support::difference(mine, theirs) == "");
    }
  }
}

}  // namespace
}  // namespace vggplan::lowering
