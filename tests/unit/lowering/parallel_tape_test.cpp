// SPDX-License-Identifier: MIT
// What several GPUs hold beside one: buckets of DDP, ZeRO-1's and FSDP2's parts, counted by hand.
#include <algorithm>
#include <array>
#include <map>

#include "lowering/partition.hpp"
#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/vgg16_steps.hpp"
#include "vggplan/lowering/tape.hpp"

namespace vggplan::lowering {
namespace {

using job::Job;
using memory::Category;
using memory::Event;
using support::kParameterBytes;
using support::live_after_forwards;
using support::vgg16_job;

TEST_CASE("ddp holds every gradient a second time; for one step, by a race, a third time") {
  const Framework framework = support::without_workspaces();
  Job job = vgg16_job(8);
  job.parallel.gpus = 2;
  for (const bool race : {false, true}) {
    const memory::Tape tape = support::tape_of(job, framework, {}, {Workspaces::derived, race});
    auto live = live_after_forwards(tape);
    REQUIRE(live.size() >= 3);
    CHECK(live[0][Category::communication] == kParameterBytes);
    CHECK(live[1][Category::communication] == kParameterBytes * (race ? 2 : 1));
    CHECK(live.back()[Category::communication] == kParameterBytes);
  }
}

TEST_CASE("ddp's rebuilt buckets are those that its limits make") {
  Job job = vgg16_job(1);
  job.parallel.gpus = 2;
  const auto sizes = [&](std::int64_t megabytes) {
    job.parallel.bucket = base::kMiB * megabytes;
    const memory::Tape tape = support::tape_of(job, support::without_workspaces());
    std::vector<std::int64_t> bytes;
    for (const Event& event : tape.steps.at(1)) {
      if (event.kind == Event::Kind::allocate && event.category == Category::communication) {
        bytes.push_back(event.bytes);
      }
    }
    return bytes;
  };
  // fc3 with its bias; fc2; fc1; then convolutions: a bucket closes when it has reached its limit.
  CHECK(sizes(25) == std::vector<std::int64_t>{16388000, 67125248, 411058176, 28317696, 28319744, 2221312});
  CHECK(sizes(100) == std::vector<std::int64_t>{16388000, 478183424, 58858752});
}

TEST_CASE(
    "the workspace of FFT is the one measured, to 1 %: small maps are padded to 16, channels_last operands are "
    "copied") {
  const auto relative = [](const Convolution& conv, std::int64_t measured) {
    return static_cast<double>(fft_workspace(conv)) / static_cast<double>(measured);
  };
  using base::Layout;
  using base::MathMode;
  // Forward passes in true fp32 on an H200.
  CHECK(relative({613, 512, 512, 3, 4, 4, MathMode::fp32, Layout::nchw}, 1336541184) ==
        Catch::Detail::Approx(1).epsilon(0.01));
  CHECK(relative({613, 512, 512, 3, 4, 4, MathMode::fp32, Layout::nhwc}, 1376108560) ==
        Catch::Detail::Approx(1).epsilon(0.01));
  CHECK(relative({1, 256, 512, 127, 197, 4, MathMode::fp32, Layout::nhwc}, 69477909520) ==
        Catch::Detail::Approx(1).epsilon(0.01));
  CHECK(fft_workspace({1, 64, 64, 254, 254, 4, MathMode::fp32, Layout::nchw}) > 0);
  CHECK(fft_workspace({1, 64, 64, 255, 9, 4, MathMode::fp32, Layout::nchw}) == 0);  // 257 with its padding
  CHECK(fft_workspace({1, 64, 64, 9, 255, 4, MathMode::fp32, Layout::nchw}) == 0);
  CHECK(fft_workspace({1, 64, 64, 32, 32, 2, MathMode::bf16, Layout::nchw}) == 0);
  CHECK(fft_workspace({1, 64, 64, 32, 32, 2, MathMode::fp32, Layout::nchw}) > 0);  // 16 bits without tensor cores
  CHECK(fft_workspace({1, 64, 64, 32, 32, 4, MathMode::tf32, Layout::nchw}) > 0);
}

TEST_CASE("a bucket is closed when it is full, and the last holds what is left") {
  const auto bytes = [](const std::vector<std::int64_t>& sizes, std::int64_t first, std::int64_t limit) {
    std::vector<std::int64_t> list;
    for (const Group& group : groups_of(sizes, first, limit)) {
      list.push_back(group.bytes);
    }
    return list;
  };
  using Bytes = std::vector<std::int64_t>;
  CHECK(bytes({4, 4, 4}, 4, 8) == Bytes{4, 8});
  CHECK(bytes({4, 4, 4}, 5, 9) == Bytes{8, 4});
  CHECK(bytes({}, 5, 9).empty());
}

TEST_CASE("the largest tensor goes to the emptiest rank, the first of those alike to the first of these") {
  using Owners = std::vector<std::size_t>;
  CHECK(owners_of({5, 5, 5}, 3) == Owners{0, 1, 2});
  CHECK(owners_of({1, 4, 4, 2}, 2) == Owners{1, 0, 1, 0});
  CHECK(owners_of({7}, 8) == Owners{0});
}

TEST_CASE("zero1's emptiest rank owns what the first leaves, and none where there are more ranks than tensors") {
  Job job = vgg16_job(1, job::Optimizer::momentum);
  const auto state = [&](std::int64_t gpus, bool emptiest) {
    job.parallel.gpus = gpus;
    job.parallel.sharding = job::Sharding::zero1;
    const memory::Tape tape = support::tape_of(job, support::without_workspaces(), {}, {.emptiest_rank = emptiest});
    return support::taken(tape.steps.at(0), Category::optimizer_state);
  };
  constexpr std::int64_t kFirstLinear = 25088 * 4096;  // more than all else together
  CHECK(state(2, false) == kFirstLinear * 4);
  CHECK(state(2, true) == (138357544 - kFirstLinear) * 4);
  CHECK(state(64, true) == 0);  // VGG16 has 32 tensors
}

/// VGG16 whose first layers with parameters are frozen.
graph::Network frozen_behind(int layers) {
  graph::Network network = support::vgg16(64, 64);
  for (graph::Node& node : network.nodes) {
    node.trained = !graph::parameter_tensors(node).empty() && layers-- <= 0;
  }
  return network;
}

std::int64_t taken(const std::vector<Event>& events, Category category, base::Phase phase) {
  base::Phase now = base::Phase::forward;
  std::int64_t bytes = 0;
  for (const Event& event : events) {
    now = event.kind == Event::Kind::phase ? event.phase : now;
    bytes += event.kind == Event::Kind::allocate && event.category == category && now == phase ? event.bytes : 0;
  }
  return bytes;
}

TEST_CASE("of frozen layers nothing is averaged, neither in DDP's buckets nor in FSDP2's parts") {
  Job job = vgg16_job(1, job::Optimizer::momentum);
  for (const int frozen : {0, 5, 13, 14, 15}) {
    const graph::Network network = frozen_behind(frozen);
    INFO(frozen);
    std::int64_t trained = 0;
    std::int64_t rows = 0;
    for (const graph::ParameterTensor& tensor : graph::trained_tensors(network)) {
      trained += 4 * tensor.elements;
      rows += 4 * (tensor.elements / tensor.rows) * ((tensor.rows + 2) / 3);
    }
    job.parallel.gpus = 3;
    job.parallel.sharding = job::Sharding::ddp;
    job.accumulation = 2;
    const memory::Tape ddp = support::tape_of(network, job, support::without_workspaces());
    // In one bucket first, then in several; 528 MiB of parameters are sent in chunks of 250 MiB in the beginning.
    CHECK(taken(ddp.setup, Category::communication, base::Phase::setup) == kParameterBytes + trained);
    CHECK(taken(ddp.steps.at(1), Category::communication, base::Phase::forward) == trained);
    CHECK(taken(ddp.steps.at(0), Category::optimizer_state, base::Phase::optimizer) == trained);
    job.accumulation = 1;
    job.parallel.sharding = job::Sharding::fsdp2;
    const memory::Tape sharded = support::tape_of(network, job, support::without_workspaces());
    CHECK(taken(sharded.steps.at(0), Category::optimizer_state, base::Phase::optimizer) == rows);
    // Averaged parts, but those of each group are one tensor; before them the gradients themselves.
    CHECK(taken(sharded.steps.at(0), Category::gradients, base::Phase::backward) == trained + rows);
  }
}

TEST_CASE("fused Adam counts the steps of each trained tensor on the GPU") {
  Job job = vgg16_job(1, job::Optimizer::adam);
  job.optimizer_impl = job::OptimizerImpl::fused;
  const graph::Network network = frozen_behind(13);
  std::int64_t expected = 0;
  for (const graph::ParameterTensor& tensor : graph::trained_tensors(network)) {
    expected += 2 * 4 * tensor.elements + 4;
  }
  const memory::Tape tape = support::tape_of(network, job, support::without_workspaces());
  CHECK(taken(tape.steps.front(), Category::optimizer_state, base::Phase::optimizer) == expected);
}

TEST_CASE("FSDP2 has all parameters in forward, and in backward those of Linear layers that have a gradient to pass") {
  Job job = vgg16_job(1);
  job.parallel.gpus = 3;
  job.parallel.sharding = job::Sharding::fsdp2;
  for (const int frozen : {0, 13, 14, 15}) {
    const graph::Network network = frozen_behind(frozen);
    INFO(frozen);
    std::int64_t all = 0;
    std::int64_t again = 0;
    int layers = 0;
    for (const graph::Node& node : network.nodes) {
      const std::vector<graph::ParameterTensor> tensors = graph::parameter_tensors(node);
      layers += tensors.empty() ? 0 : 1;
      for (const graph::ParameterTensor& tensor : tensors) {  // rows are filled up to a multiple of three
        const std::int64_t bytes = 4 * (tensor.elements / tensor.rows) * ((tensor.rows + 2) / 3 * 3);
        all += bytes;
        again += std::holds_alternative<graph::Linear>(node.kind) && layers > frozen ? bytes : 0;
      }
    }
    const memory::Tape tape = support::tape_of(network, job, support::without_workspaces());
    for (const auto& events : tape.steps) {
      CHECK(taken(events, Category::parameters, base::Phase::forward) == all);
      CHECK(taken(events, Category::parameters, base::Phase::backward) == again);
    }
  }
}

}  // namespace
}  // namespace vggplan::lowering
