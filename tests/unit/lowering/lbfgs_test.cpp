// SPDX-License-Identifier: MIT
// L-BFGS against hand counts of torch/optim/lbfgs.py.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/vgg.hpp"
#include "support/vgg16_steps.hpp"
#include "vggplan/lowering/ops.hpp"

namespace vggplan::lowering {
namespace {

using memory::Category;
using memory::Event;
using support::kParameterBytes;

job::Job lbfgs_job(std::int64_t history, std::int64_t max_iter) {
  job::Job job = support::vgg16_job(1);
  job.optimizer = job::Optimizer::lbfgs;
  job.lbfgs = {history, max_iter};
  return job;
}

/// Vectors over all parameters that live, step by step.
struct Vectors {
  std::int64_t left{};  ///< as the step ends
  std::int64_t most{};
  std::int64_t forwards{};
};
std::vector<Vectors> vectors_of(const memory::Tape& tape) {
  std::map<memory::TensorId, std::int64_t> sizes;
  std::set<memory::TensorId> outputs;  // of the closure, which end with it
  std::int64_t live = 0;
  std::vector<Vectors> steps;
  for (const auto& events : tape.steps) {
    Vectors step;
    for (const Event& event : events) {
      const bool vector =
          event.category == Category::optimizer_state || event.category == Category::optimizer_temporaries;
      if (event.kind == Event::Kind::allocate && event.category == Category::activations) {
        outputs.insert(event.tensor);
      } else if (event.kind == Event::Kind::release && outputs.erase(event.tensor) > 0) {
        continue;
      }
      if (event.kind == Event::Kind::allocate && vector) {
        CHECK(outputs.empty());
        CHECK(event.bytes == kParameterBytes);
        sizes[event.tensor] = event.bytes;
        step.most = std::max(step.most, ++live);
      } else if (event.kind == Event::Kind::release && sizes.erase(event.tensor) > 0) {
        --live;
      } else if (event.kind == Event::Kind::phase && event.phase == base::Phase::forward) {
        ++step.forwards;
      }
    }
    step.left = live;
    steps.push_back(step);
  }
  return steps;
}

TEST_CASE("lbfgs keeps a pair of vectors an iteration until its history is full, and two more") {
  const std::vector<Vectors> steps = vectors_of(support::tape_of(lbfgs_job(7, 4), support::without_workspaces()));
  // Eight iterations, of which the first makes no pair, are two steps; the third repeats.
  REQUIRE(steps.size() == 3);
  CHECK(steps[0].left == 2 * 3 + 2);  // pairs, the direction, the gradient before
  CHECK(steps[1].left == 2 * 7 + 2);
  CHECK(steps[2].left == 2 * 7 + 2);
  // Besides: the flat gradient, the step's own direction beside that of the step before, q, and a new pair where the
  // oldest is to go.
  CHECK(steps[2].most == 2 * 7 + 2 + 3 + 2);
  for (const Vectors& step : steps) {
    CHECK(step.forwards == 4);
  }
}

TEST_CASE("each iteration of lbfgs lets go of the gradients of the one before, then looks for its own") {
  const auto live = support::live_after_forwards(support::tape_of(lbfgs_job(7, 3), support::without_workspaces()));
  REQUIRE(live.size() >= 6);
  for (const auto& categories : live) {
    CHECK((!categories.contains(Category::gradients) || categories.at(Category::gradients) == 0));
  }
}

TEST_CASE("lbfgs makes five vectors in its first iteration, and six in the first of a later step") {
  const auto made = [&](std::size_t step, std::int64_t iterations = 1) {
    const memory::Tape tape = support::tape_of(lbfgs_job(7, iterations), support::without_workspaces());
    return std::ranges::count_if(tape.steps.at(step), [](const Event& event) {
      return event.kind == Event::Kind::allocate &&
             (event.category == Category::optimizer_state || event.category == Category::optimizer_temporaries);
    });
  };
  // The gradient, its absolute values, the direction; the copy of the gradient, and once more absolute values.
  CHECK(made(0) == 5);
  // The gradient, its absolute values, y and s, q of the loop, the direction.
  CHECK(made(1) == 6);
  // Of one that follows in the same step also the last move, and the same without signs.
  CHECK(made(0, 2) == 5 + 8);
}

TEST_CASE("dot products of lbfgs ask for cuBLAS's workspace, once or in each iteration") {
  Framework framework = support::without_workspaces();
  framework.cublas_lifetime = Lifetime::call;
  const auto asked = [&] {
    graph::Network network = support::network(support::vgg(11), {3, 64, 64}, 10, graph::Head::none);
    const memory::Tape tape = support::tape_of(network, lbfgs_job(7, 3), framework);
    return std::ranges::count(tape.steps.front(), Category::library_workspace, &Event::category);
  };
  CHECK(asked() == 3);
  framework.cublas_lifetime = Lifetime::process;
  CHECK(asked() == 1);
}

TEST_CASE("vectors of lbfgs go over what is trained alone") {
  const job::Job job = lbfgs_job(7, 4);
  graph::Network network = support::vgg16(224, 224);
  for (graph::Node& node : network.nodes) {
    node.trained = std::holds_alternative<graph::Linear>(node.kind);
  }
  constexpr std::int64_t kHead = 4 * (138'357'544 - 14'714'688);
  const memory::Tape tape = support::tape_of(network, job, support::without_workspaces());
  for (const Event& event : tape.steps.front()) {
    const bool vector = event.kind == Event::Kind::allocate && event.category == Category::optimizer_state;
    CHECK((!vector || event.bytes == kHead));
  }
}

/// What an iteration does with vectors over all parameters, with pairs of numbers, and how often it waits for a number.
struct LbfgsWork {
  std::int64_t reads{};
  std::int64_t writes{};
  std::int64_t kernels{};
  std::int64_t numbers{};
  std::int64_t waits{};
  bool operator==(const LbfgsWork&) const = default;
};
LbfgsWork work_of(std::int64_t history) {
  const job::Job job = lbfgs_job(history, 4);
  LbfgsWork work;
  for (const timing::Op& op : lower_ops(job::network_of(job).value(), job, {})) {
    const bool updates = op.kind == timing::OpKind::host_read || op.kind == timing::OpKind::optimizer;
    CHECK(updates == (op.phase == base::Phase::optimizer));
    if (op.kind == timing::OpKind::host_read) {
      ++work.waits;
    } else if (op.kind == timing::OpKind::optimizer && op.extent.n == 1) {
      CHECK(op.read.count() == 3 * 4);  // a product, and its negative
      CHECK(op.written.count() == 2 * 4);
      CHECK(op.kernels == 2);
      ++work.numbers;
    } else if (op.kind == timing::OpKind::optimizer) {
      CHECK(op.extent.n == kParameterBytes / 4);
      work.reads += op.read.count() / kParameterBytes;
      work.writes += op.written.count() / kParameterBytes;
      work.kernels += op.kernels;
    }
  }
  return work;
}

TEST_CASE("an iteration of lbfgs reads eight vectors and writes two for each pair, 19 and ten more") {
  // Read: the gradients; |g|, its maximum; y = g - g', s = t d, y s, y y; -g; H q; g' = g, g d; p += t d; t d, |t d|,
  // its maximum. Written: all but the three dot products and the two maxima. Both ends go over 32 tensors. Waits are
  // for the first maximum, y s, g d, the loss and the last maximum.
  CHECK(work_of(0) == LbfgsWork{19, 10, 2 * 32 + 13, 0, 5});
  // Twice: s q, and q -= a y.
  CHECK(work_of(6) == LbfgsWork{19 + 6 * 8, 10 + 6 * 2, 2 * 32 + 13 + 6 * 4, 6 * 2, 5 + 6 * 2});
}

TEST_CASE("of passes of one graph the gradient of each product's weight is thrice there where the first two meet") {
  // Measured with two and three passes, ways.jsonl: 392 MiB of fc1 more than in-place sums would take. conv1_2's is
  // added in place, and so is what autocast has cast.
  constexpr std::int64_t kFc1 = 4 * 25088 * 4096;
  constexpr std::int64_t kConvolution = 4 * 64 * 64 * 9;
  using job::Precision;
  for (const auto& [precision, passes, bytes, tensors] : {std::tuple(Precision::tf32, 1, kFc1, 1U),
                                                          {Precision::tf32, 2, kFc1, 3U},
                                                          {Precision::tf32, 3, kFc1, 3U},
                                                          {Precision::amp_bf16, 2, kFc1, 2U},
                                                          {Precision::tf32, 1, kConvolution, 1U},
                                                          {Precision::tf32, 2, kConvolution, 2U},
                                                          {Precision::tf32, 3, kConvolution, 2U}}) {
    job::Job job = support::vgg16_job(1);
    job.forward_passes = passes;
    job.precision = precision;
    std::map<memory::TensorId, std::int64_t> live;
    std::size_t most = 0;
    const memory::Tape tape = support::tape_of(job, support::without_workspaces());
    for (const Event& event : tape.steps.front()) {
      if (event.kind == Event::Kind::allocate && event.category == Category::gradients && event.bytes == bytes) {
        live[event.tensor] = event.bytes;
        most = std::max(most, live.size());
      } else if (event.kind == Event::Kind::release) {
        live.erase(event.tensor);
      }
    }
    CHECK(most == tensors);
    CHECK(live.size() == 1);
  }
}

TEST_CASE("passes of a later micro-batch hold their sum beside the gradient until the last of them is back") {
  job::Job job = support::vgg16_job(1);
  job.forward_passes = 2;
  job.accumulation = 2;
  const memory::Tape tape = support::tape_of(job, support::without_workspaces());
  std::map<memory::TensorId, std::int64_t> live;
  std::int64_t held = 0;
  std::int64_t most = 0;
  for (const Event& event : tape.steps.front()) {
    if (event.kind == Event::Kind::allocate && event.category == Category::gradients) {
      live[event.tensor] = event.bytes;
      most = std::max(most, held += event.bytes);
    } else if (event.kind == Event::Kind::release && live.contains(event.tensor)) {
      held -= live.at(event.tensor);
      live.erase(event.tensor);
    }
  }
  CHECK(held == kParameterBytes);
  CHECK(most >= 2 * kParameterBytes);
}

}  // namespace
}  // namespace vggplan::lowering
