// SPDX-License-Identifier: MIT
// Tapes through the allocator: worked examples, hand counts, and what must hold for every job.
#include "vggplan/lowering/tape.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/random_job.hpp"
#include "support/saved_walk.hpp"
#include "support/sizes.hpp"
#include "support/tape_faults.hpp"
#include "support/vgg.hpp"
#include "support/vgg16_steps.hpp"
#include "vggplan/lowering/saved.hpp"
#include "vggplan/lowering/workspace.hpp"
#include "vggplan/memory/simulate.hpp"

namespace vggplan::lowering {
namespace {

using base::Phase;
using job::Job;
using job::Precision;
using memory::Category;
using memory::Event;
using memory::Simulation;
using support::kMiB;
using support::kParameterBytes;
using support::live_after_forwards;
using support::vgg16_job;

Simulation simulated(const Job& job, const Framework& framework, std::size_t steps = 4) {
  memory::SimulationOptions options;
  options.steps = steps;
  options.allocator.rules = framework.allocator;
  options.allocator.expandable_segments = job.expandable_segments;
  memory::Tape tape = support::tape_of(job, framework);
  tape.steps.resize(std::min(tape.steps.size(), steps));
  return memory::simulate(tape, options);
}

/// Of each size: how often it is asked for, and how many of it live when all is over.
struct Count {
  int asked{};
  int live{};
};
Count library_workspaces(const memory::Tape& tape, std::int64_t bytes) {
  Count count;
  std::set<memory::TensorId> live;
  const auto add = [&](const std::vector<Event>& events) {
    for (const Event& event : events) {
      if (event.kind == Event::Kind::allocate && event.category == Category::library_workspace &&
          event.bytes == bytes) {
        ++count.asked;
        live.insert(event.tensor);
      } else if (event.kind == Event::Kind::release) {
        live.erase(event.tensor);
      }
    }
  };
  add(tape.setup);
  for (const auto& events : tape.steps) {
    add(events);
  }
  count.live = static_cast<int>(live.size());
  return count;
}

TEST_CASE(
    "workspaces of cuBLAS live as long as the process, or around each of the products of VGG's three Linear layers") {
  constexpr std::int64_t kCublas = 32 * kMiB;
  constexpr std::int64_t kLt = kMiB;
  Job job = vgg16_job(32);
  job.expandable_segments = true;  // blocks without tails, so that peaks are sums of what was asked for
  Framework framework = support::without_workspaces();
  const memory::Tape kept = support::tape_of(job, framework);
  const auto steps = static_cast<int>(kept.steps.size());
  CHECK(library_workspaces(kept, kCublas).asked == 2);  // a thread for forward, one for backward
  CHECK(library_workspaces(kept, kCublas).live == 2);
  CHECK(library_workspaces(kept, kLt).live == 1);
  const Simulation resident = simulated(job, framework);

  framework.cublaslt_lifetime = Lifetime::call;  // up to 2.8
  const memory::Tape mixed = support::tape_of(job, framework);
  CHECK(library_workspaces(mixed, kLt).asked == 3 * steps);
  CHECK(library_workspaces(mixed, kLt).live == 0);
  CHECK(library_workspaces(mixed, kCublas).live == 2);

  framework.cublaslt_workspace = base::Bytes(0);  // where it uses cuBLAS's
  CHECK(library_workspaces(support::tape_of(job, framework), 0).asked == 0);
  framework.cublaslt_workspace = base::Bytes(kLt);
  framework.cublas_lifetime = Lifetime::call;  // from 2.15 on
  graph::Network without_biases = support::vgg16(224, 224);
  for (graph::Node& node : without_biases.nodes) {
    if (auto* linear = std::get_if<graph::Linear>(&node.kind)) {
      linear->bias = false;
    }
  }
  CHECK(library_workspaces(support::tape_of(without_biases, job, framework), kCublas).asked == 9 * steps);
  const memory::Tape brief = support::tape_of(job, framework);
  CHECK(library_workspaces(brief, kCublas).asked == 9 * steps);  // each forward, and either gradient
  CHECK(library_workspaces(brief, kCublas).live == 0);
  const Simulation freed = simulated(job, framework);
  const auto less = [&](Phase phase) {
    const auto of = [&](const Simulation& simulation) {
      return simulation.steps.back().phase_peak[static_cast<std::size_t>(phase)].count();
    };
    return of(resident) - of(freed);
  };
  // In the last product, which has one of its own. With those that stay the peak is behind it: log-softmax of 32 x 1000
  // in fp32, the loss and its weight more.
  CHECK(less(Phase::forward) == kCublas + kLt + 32 * 1000 * 4 + 512 + 512);
  CHECK(less(Phase::backward) == 2 * kCublas + kLt);  // in the convolutions
  CHECK(less(Phase::optimizer) == 2 * kCublas + kLt);
}

/// As recorded on an H200 of vgg11_bn (400x300, 300 images) and of vgg19_bn (243x163, 1051 images): bfloat16 in both
/// layouts, pure and under autocast, and float16, which has none.
TEST_CASE("statistics of more than 2^31 elements are taken of a copy in fp32, of bfloat16 alone") {
  const auto copies = [](Precision precision, base::Layout layout, std::int64_t batch) {
    Job job = vgg16_job(batch);
    job.model = support::vgg(11);
    job.model.batch_norm = true;
    job.image = {3, 400, 300};
    job.precision = precision;
    job.layout = layout;
    const memory::Tape tape = support::tape_of(job, support::without_workspaces());
    support::RequestList list(tape);
    list.add_two_steps();
    const std::int64_t copy = batch * 64 * 400 * 300 * 4;
    // Contiguous maps are summed without buffers.
    const NormBuffers sums = batch_norm_staging(64, batch * 400 * 300);
    const bool staged = std::ranges::count(list.list(), sums.backward) > 0;
    CHECK(staged == (layout == base::Layout::nhwc && (precision != Precision::amp_fp16 || batch == 300)));
    return std::ranges::count(list.list(), copy);
  };
  for (const base::Layout layout : {base::Layout::nchw, base::Layout::nhwc}) {
    CHECK(copies(Precision::bf16, layout, 300) == 2);  // one of the first layer, in each of two steps
    CHECK(copies(Precision::amp_bf16, layout, 300) == 2);
    CHECK(copies(Precision::amp_fp16, layout, 300) == 0);
    CHECK(copies(Precision::bf16, layout, 270) == 0);  // 2.07 billion
  }
}

TEST_CASE("the backward of a batch norm sums in parts where something depends on the sums") {
  const auto staged = [](graph::FrozenNorm norm, base::Layout layout) {
    Job job = vgg16_job(64);
    job.model = support::vgg(11, true);
    job.image = {3, 64, 64};
    job.scope.norm = norm;
    job.layout = layout;
    const memory::Tape tape = support::tape_of(job, support::without_workspaces());
    const std::int64_t bytes = batch_norm_staging(64, 64 * 64 * 64).backward;  // of the first layer
    CHECK(bytes > 0);
    return std::ranges::count_if(tape.steps.back(), [&](const Event& event) {
      return event.kind == Event::Kind::allocate && event.bytes == bytes && event.layer == 2;
    });
  };
  using graph::FrozenNorm;
  CHECK(staged(FrozenNorm::none, base::Layout::nhwc) == 0);  // cuDNN's
  CHECK(staged(FrozenNorm::statistics, base::Layout::nhwc) == 1);
  CHECK(staged(FrozenNorm::statistics, base::Layout::nchw) == 0);
  CHECK(staged(FrozenNorm::all, base::Layout::nhwc) == 0);
  // Parameters that are frozen alone: sums of the batch are there, and its own kernels for bfloat16.
  Job narrow = vgg16_job(64);
  narrow.model = support::vgg(11, true);
  narrow.layout = base::Layout::nhwc;
  narrow.precision = Precision::bf16;
  graph::Network frozen = support::network(narrow.model, {3, 64, 64});
  for (graph::Node& node : frozen.nodes) {
    node.trained = node.trained && !std::holds_alternative<graph::BatchNorm>(node.kind);
  }
  const memory::Tape by_batch = support::tape_of(frozen, narrow, support::without_workspaces());
  const NormBuffers buffers = batch_norm_staging(64, 64 * 64 * 64);
  for (const std::int64_t bytes : {buffers.forward, buffers.backward}) {
    CHECK(std::ranges::count_if(by_batch.steps.back(), [&](const Event& event) {
            return event.kind == Event::Kind::allocate && event.bytes == bytes && event.layer == 2;
          }) == 1);
  }
  // All that the last takes beside maps is the inverse deviation of each channel.
  Job job = vgg16_job(64);
  job.model = support::vgg(11, true);
  job.scope.norm = FrozenNorm::all;
  std::vector<std::int64_t> other;
  const Tape normed = support::tape_of(job, support::without_workspaces());
  for (const Event& event : normed.steps.back()) {
    if (event.kind == Event::Kind::allocate && event.layer == 2 && event.category == Category::other) {
      other.push_back(event.bytes);
    }
  }
  CHECK(other == std::vector<std::int64_t>{64 * 4});
}

TEST_CASE("every tape frees what it allocated, once, and from some step on all are alike, whatever the job") {
  std::mt19937 random(12);
  const Framework& framework = support::built_in_framework();
  for (int asked = 0; asked < 300;) {
    Job job = support::random_job(random, 70);
    job.compile = static_cast<job::Compile>(random() % 3);
    job.forward_passes = support::pick(random, 1, 2);
    job.eval_batch = random() % 3 == 0 ? 3 : 0;
    job.lbfgs = {3, 2};
    job.optimizer = random() % 5 == 0 ? job::Optimizer::lbfgs : job.optimizer;
    const auto cut = segments(support::network(job.model, job.image, job.classes, job.head), job.checkpointing);
    if (job::validate(job).has_value() || !cut) {  // refused
      continue;
    }
    ++asked;
    INFO(support::description(job) << ' ' << base::name_of_enum(job.compile));
    const memory::Tape tape = support::tape_of(job, framework);
    CHECK(support::fault_of(tape, 3) == "");
    const Simulation got = simulated(job, framework, 6 + tape.steps.size());
    const memory::StepMemory& last = got.steps.back();
    const memory::StepMemory& before = got.steps[got.steps.size() - 2];
    CHECK(last.phase_peak == before.phase_peak);
    CHECK(last.after_phase == before.after_phase);
    CHECK(last.allocated_peak == before.allocated_peak);
    CHECK(last.flushes == 0);
  }
}

TEST_CASE("what a checkpointed segment at the end of the network computes again is not the output that Python holds") {
  for (const char* last : {"pool5", "relu3_3", "conv3_3"}) {
    Job job = vgg16_job(2);
    job.scope.until = last;
    job.checkpointing = {job::Checkpointing::Kind::block, 0};
    INFO(last);
    CHECK(support::fault_of(support::tape_of(job, support::built_in_framework()), 3) == "");
  }
}

/// Bytes that the tape holds for autograd when backward begins.
std::int64_t saved_by_tape(const Job& job, const graph::Network& network, bool checkpointed) {
  auto live = live_after_forwards(support::tape_of(job, support::without_workspaces())).front();
  const std::int64_t element = base::size_of(job::activation_type(job.precision));
  const std::int64_t parameter = base::size_of(job::parameter_type(job.precision));
  // Not saved, but there: logits and loss, which Python holds; under autocast the fp32 image, too,
  // unless a checkpointed segment starts with it.
  std::int64_t held = job.batch * job.classes * element + (job::is_autocast(job.precision) ? 4 : element);
  if (job::is_autocast(job.precision) && !checkpointed) {
    held += job.batch * network.input.elements() * parameter;
  }
  return live[Category::activations] + live[Category::pooling_indices] + live[Category::other] + live[Category::input] +
         live[Category::weight_copies] - held;
}

/// Names where tape, count and the rules of each operation differ.
std::string fault_of_saved(const Job& job, const graph::Network& network) {
  const auto cut = segments(network, job.checkpointing);
  const SavedBytes expected = support::SavedWalk(network, job)(*cut);
  const SavedBytes counted = saved_bytes(network, *cut, job);
  for (graph::NodeId id = 0; id < network.nodes.size(); ++id) {
    if (counted.layers[id] != expected.layers[id]) {
      return network.nodes[id].name + " keeps " + std::to_string(counted.layers[id].count()) + ", not " +
             std::to_string(expected.layers[id].count());
    }
  }
  if (counted.loss != expected.loss || counted.weight_copies != expected.weight_copies) {
    return "loss or copies of weights";
  }
  return saved_by_tape(job, network, !cut->empty()) == expected.total().count() ? "" : "the tape";
}

TEST_CASE("the same of random lists of layers, in every layout, precision, head and way of checkpointing") {
  std::mt19937 random(11);
  const std::array<std::int64_t, 8> widths{1, 2, 3, 8, 13, 31, 64, 70};
  std::size_t asked = 0;
  while (asked < 1500) {
    Job job = support::random_job(random, 40);
    job.parallel = {};
    job.mode = job::Mode::train;
    job.cudnn_benchmark = false;
    job.model.features = {widths.at(random() % widths.size())};
    for (std::int64_t more = support::pick(random, 0, 11); more > 0; --more) {
      job.model.features.push_back(random() % 3 == 0 ? graph::kPool : widths.at(random() % widths.size()));
    }
    job.model.hidden.assign(random() % 4, widths.at(random() % widths.size()));
    job.model.dropout = random() % 4 == 0 ? 0.0 : 0.5;
    job.image = {support::pick(random, 1, 5), support::pick(random, 1, 40), support::pick(random, 1, 40)};
    job.classes = support::pick(random, 1, 50);
    const auto network = graph::build_network(job.model, job.image, job.classes, job.head);
    if (!network) {
      continue;  // the image is too small for the pools
    }
    if (!segments(*network, job.checkpointing)) {
      continue;  // fewer layers than segments, or one begins with a ReLU
    }
    ++asked;
    std::string list;
    for (const std::int64_t width : job.model.features) {
      list += std::to_string(width) + ' ';
    }
    INFO(support::description(job) << ", features " << list << "hidden " << job.model.hidden.size());
    REQUIRE(fault_of_saved(job, *network) == "");
  }
}

TEST_CASE("optimizer state and temporaries are those of torch.optim, per implementation") {
  const auto last_of = [](job::Optimizer optimizer, job::OptimizerImpl impl, Category category) {
    Job job = vgg16_job(1, optimizer);
    job.optimizer_impl = impl;
    const memory::Tape tape = support::tape_of(job, support::without_workspaces());
    return support::taken(tape.setup, category) + support::taken(tape.steps[0], category);
  };
  using job::Optimizer;
  using job::OptimizerImpl;
  for (const OptimizerImpl impl : {OptimizerImpl::foreach, OptimizerImpl::fused, OptimizerImpl::loop}) {
    const bool fused = impl == OptimizerImpl::fused;
    CHECK(last_of(Optimizer::sgd, impl, Category::optimizer_state) == 0);
    CHECK(last_of(Optimizer::momentum, impl, Category::optimizer_state) == kParameterBytes);
    CHECK(last_of(Optimizer::momentum, impl, Category::optimizer_temporaries) == (fused ? 0 : kParameterBytes));
    // fused Adam keeps a step counter per parameter on the GPU: 32 of 4 bytes.
    CHECK(last_of(Optimizer::adamw, impl, Category::optimizer_state) == 2 * kParameterBytes + (fused ? 32 * 4 : 0));
  }
}

TEST_CASE("rmsprop keeps one state, and the roots of all parameters or of two at a time") {
  Job job = vgg16_job(1);
  job.optimizer = job::Optimizer::rmsprop;
  for (const auto impl : {job::OptimizerImpl::foreach, job::OptimizerImpl::loop}) {
    job.optimizer_impl = impl;
    const memory::Tape tape = support::tape_of(job, support::without_workspaces());
    std::int64_t state = 0;
    std::int64_t live = 0;
    std::int64_t most = 0;
    std::map<memory::TensorId, std::int64_t> roots;
    for (const Event& event : tape.steps[0]) {
      if (event.kind == Event::Kind::allocate && event.category == Category::optimizer_state) {
        state += event.bytes;
      } else if (event.kind == Event::Kind::allocate && event.category == Category::optimizer_temporaries) {
        roots[event.tensor] = event.bytes;
        most = std::max(most, live += event.bytes);
      } else if (event.kind == Event::Kind::release && roots.contains(event.tensor)) {
        live -= roots.at(event.tensor);
      }
    }
    CHECK(state == kParameterBytes);
    // One at a time: fc1's 25088 x 4096 weights, until the root of its 4096 biases is there.
    CHECK(most == (impl == job::OptimizerImpl::foreach ? kParameterBytes : 4 * (25088 * 4096 + 4096)));
    CHECK(live == 0);
  }
}

TEST_CASE("pure fp16 holds what pure bf16 does, and no scaler") {
  Job half = vgg16_job(2);
  half.precision = job::Precision::fp16;
  Job brain = half;
  brain.precision = job::Precision::bf16;
  const memory::Tape a = support::tape_of(half, support::without_workspaces());
  const memory::Tape b = support::tape_of(brain, support::without_workspaces());
  CHECK(a.setup == b.setup);
  CHECK(a.steps == b.steps);
}

TEST_CASE("what several forward passes keep is there together, and each step leaves what it found") {
  for (const auto precision : {job::Precision::tf32, job::Precision::amp_bf16}) {
    for (const auto kind : {job::Checkpointing::Kind::none, job::Checkpointing::Kind::block}) {
      Job job = vgg16_job(2);
      job.precision = precision;
      job.checkpointing.kind = kind;
      const auto held = [&](std::int64_t passes) {
        job.forward_passes = passes;
        auto live = live_after_forwards(support::tape_of(job, support::without_workspaces()));
        CHECK(live.front()[Category::optimizer_state] == 0);
        CHECK(live.back()[Category::gradients] == 0);
        std::int64_t bytes = 0;
        for (const auto& [category, held_bytes] : live.back()) {
          bytes += held_bytes;
        }
        return bytes;
      };
      const std::int64_t one = held(1);
      const std::int64_t more = held(2) - one;
      CHECK(held(3) - one == 2 * more);
      // Activations, indices and masks, copies of weights, an image, logits and a loss.
      const graph::Network network = support::vgg16(224, 224);
      const auto cut = segments(network, job.checkpointing);
      const std::int64_t saved = saved_bytes(network, *cut, job).total().count();
      // Beside what autograd keeps there are the logits and the loss, and the fp32 image of which autocast keeps a
      // copy; the targets are there once.
      const bool autocast = job::is_autocast(precision);
      const std::int64_t image = autocast && kind == job::Checkpointing::Kind::none ? 2 * 3 * 224 * 224 * 4 : 0;
      CHECK(more == saved + 2 * 1000 * (autocast ? 2 : 4) + 4 + image - 2 * 8);
    }
  }
}

TEST_CASE("under accumulation the gradients of earlier micro-batches live through later forward passes") {
  Job job = vgg16_job(1);
  job.accumulation = 3;
  auto live = live_after_forwards(support::tape_of(job, support::without_workspaces()));
  REQUIRE(live.size() == 6);  // two different steps of three
  for (std::size_t pass = 0; pass < live.size(); ++pass) {
    CHECK(live[pass][Category::gradients] == (pass % 3 == 0 ? 0 : kParameterBytes));
  }
}

}  // namespace
}  // namespace vggplan::lowering
