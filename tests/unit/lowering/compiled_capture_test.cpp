// SPDX-License-Identifier: MIT
// What must hold of a compiled network, whatever it is: of random ones whose paths fork and meet.
#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "lowering/compiled/capture.hpp"
#include "support/catch.hpp"
#include "support/compiled_case.hpp"
#include "support/lowered.hpp"
#include "support/tape_faults.hpp"
#include "vggplan/lowering/ops.hpp"

namespace vggplan::lowering::compiled {
namespace {

using graph::Network;
using support::CompiledCase;
using support::is_product;
using Nodes = std::set<NodeId>;

/// Of which products each buffer of a program is made, by way of others.
std::vector<Nodes> made_of(const Program& program, const std::vector<Call>& work) {
  std::vector<Nodes> made(program.buffers.size());
  std::set<BufferId> there;
  for (BufferId b = 0; b < made.size(); ++b) {
    if (program.buffers[b].given) {
      there.insert(b);
    }
  }
  std::set<std::size_t> done;
  for (const Kernel& kernel : program.kernels) {
    const Call& here = work.at(kernel.call);
    CHECK(done.insert(kernel.call).second);
    Nodes nodes;
    if (here.product || !here.passes.empty()) {
      nodes.insert(here.node);
    }
    for (const BufferId b : kernel.reads) {
      CHECK(there.contains(b));
      nodes.insert(made[b].begin(), made[b].end());
    }
    for (const BufferId b : kernel.over) {
      CHECK(std::ranges::count(kernel.reads, b) == 1);
    }
    for (const BufferId b : kernel.writes) {
      CHECK(there.insert(b).second);
      made[b] = nodes;
    }
    CHECK((kernel.returns.empty() || program.buffers[kernel.writes.front()].bytes == 0));  // a tuple
    CHECK(std::ranges::adjacent_find(kernel.reads, std::greater_equal<>()) == kernel.reads.end());
  }
  CHECK(done.size() == work.size());
  CHECK(there.size() == made.size());
  return made;
}

/// Products before and behind each node.
struct Around {
  explicit Around(const Network& network) : before(network.nodes.size()), behind(network.nodes.size()) {
    std::vector<Nodes> all(network.nodes.size());
    for (NodeId id = 0; id < network.nodes.size(); ++id) {
      for (const NodeId input : network.nodes[id].inputs) {
        all[id].insert(all[input].begin(), all[input].end());
        all[id].insert(input);
      }
      for (const NodeId earlier : all[id]) {
        if (is_product(network.nodes[earlier])) {
          before[id].insert(earlier);
        }
        if (is_product(network.nodes[id])) {
          behind[earlier].insert(id);
        }
      }
    }
  }
  std::vector<Nodes> before;
  std::vector<Nodes> behind;
};

/// Of a network's parameters, the node of each.
std::vector<NodeId> nodes_of_parameters(const Network& network) {
  std::vector<NodeId> nodes;
  for (NodeId id = 0; id < network.nodes.size(); ++id) {
    nodes.insert(nodes.end(), graph::parameter_tensors(network.nodes[id]).size(), id);
  }
  return nodes;
}

TEST_CASE("compiled, each layer is computed of those before it, and each gradient of those behind it") {
  std::mt19937 random(41);
  for (int i = 0; i < 120; ++i) {
    INFO(i);
    const CompiledCase some(random);
    const Captured captured = some.captured();
    const Around around(some.network);
    const std::vector<Nodes> forward = made_of(captured.forward, captured.forward_calls);
    const std::vector<Nodes> backward = made_of(captured.backward, captured.backward_calls);
    // Forward: every product of those before it.
    for (const Kernel& kernel : captured.forward.kernels) {
      const Call& work = captured.forward_calls[kernel.call];
      if (work.product || !work.passes.empty()) {
        Nodes expected = around.before[work.node];
        expected.insert(work.node);
        CHECK(forward[kernel.writes.front()] == expected);
      }
    }
    CHECK(forward[captured.outputs.front()] == around.before[some.network.nodes.size() - 1]);
    // Backward: gradients of trained parameters, each of its size, of the products behind it.
    const std::vector<NodeId> nodes = nodes_of_parameters(some.network);
    REQUIRE(captured.gradients.size() == nodes.size());
    const std::int64_t parameter_bytes = base::size_of(job::parameter_type(some.job.precision));
    for (std::size_t p = 0; p < nodes.size(); ++p) {
      const NodeId id = nodes[p];
      CHECK((captured.gradients[p] != kNoBuffer) == some.network.nodes[id].trained);
      // Autograd copies what was turned to the layout of its weight: filters of one tap lie alike.
      const auto* conv = std::get_if<graph::Convolution>(&some.network.nodes[id].kind);
      const bool relaid = some.turns() && conv != nullptr && conv->taps() > 1 && (p == 0 || nodes[p - 1] != id);
      CHECK(captured.relaid[p] == (relaid && some.network.nodes[id].trained));
      if (captured.gradients[p] == kNoBuffer) {
        continue;
      }
      const bool weight = p == 0 || nodes[p - 1] != id;
      const std::int64_t elements = graph::parameter_tensors(some.network.nodes[id])[weight ? 0 : 1].elements;
      const Buffer& gradient = captured.backward.buffers[captured.gradients[p]];
      CHECK(gradient.output);
      if (is_product(some.network.nodes[id])) {  // those of batch norm are sums in fp32
        CHECK(gradient.bytes == elements * parameter_bytes);
      }
      Nodes expected = around.behind[id];
      if (weight && is_product(some.network.nodes[id])) {
        expected.insert(id);
      }
      CHECK(backward[captured.gradients[p]] == expected);
    }
    // What is handed from forward to backward is the same there, and the input of a convolution among it.
    std::map<BufferId, BufferId> saved;
    for (const auto& [ours, theirs] : captured.kept) {
      CHECK(captured.forward.buffers[ours].bytes == captured.backward.buffers[theirs].bytes);
      CHECK(captured.forward.buffers[ours].output);
      saved[theirs] = ours;
    }
    for (const Kernel& kernel : captured.backward.kernels) {
      const Call& work = captured.backward_calls[kernel.call];
      const bool of_weight = std::ranges::count(work.passes, ConvPass::weight_gradient) > 0;
      const bool reads_input = std::ranges::any_of(kernel.reads, [&](BufferId b) {
        const Buffer& buffer = captured.backward.buffers[b];
        return buffer.category == Category::input ||
               (saved.contains(b) && forward[saved.at(b)] == around.before[work.node]);
      });
      CHECK((!of_weight || reads_input));
    }
  }
}

bool may_wait(const graph::Node& node) {
  const auto* norm = std::get_if<graph::BatchNorm>(&node.kind);
  return std::holds_alternative<graph::MaxPool>(node.kind) || (norm != nullptr && !norm->frozen);
}

TEST_CASE("compiled, convolutions and products do what the network's do, and kernels stream what they read and write") {
  std::mt19937 random(42);
  int with_all = 0;
  int copies = 0;
  for (int i = 0; i < 80; ++i) {
    INFO(i);
    CompiledCase some(random);
    some.job.mode = random() % 3 == 0 ? job::Mode::infer : job::Mode::train;
    const Captured captured = some.captured();
    made_of(captured.forward, captured.forward_calls);
    // Where instructions take longer than memory they count as bytes.
    const bool waits = std::ranges::any_of(some.network.nodes, may_wait);
    with_all += waits ? 0 : 1;
    const auto check = [&](const Program& program, const std::vector<Call>& work) {
      for (const Kernel& kernel : program.kernels) {
        const Call& here = work[kernel.call];
        if (here.copied > 0) {  // before the library runs
          ++copies;
          CHECK(here.ops.front().bytes().count() == 2 * here.copied);
        }
        if (here.cast || here.product || !here.passes.empty() || here.ops.empty() ||
            here.ops.front().kind != timing::OpKind::fused) {
          continue;
        }
        const auto bytes = [&](const std::vector<BufferId>& list) {
          std::int64_t sum = 0;
          for (const BufferId b : list) {
            sum += program.buffers[b].bytes;
          }
          return sum;
        };
        CHECK(here.ops.front().written.count() == bytes(kernel.writes));
        const bool wide = program.buffers[kernel.writes.front()].type == base::DType::f32;
        CHECK(here.ops.front().type == (wide ? base::DType::f32 : job::activation_type(some.job.precision)));
        const std::int64_t read = here.ops.front().read.count();
        CHECK((waits ? read >= bytes(kernel.reads) : read == bytes(kernel.reads)));
      }
    };
    check(captured.forward, captured.forward_calls);
    check(captured.backward, captured.backward_calls);
  }
  CHECK(with_all >= 10);
  CHECK(copies > 0);
}

/// Triton has two for what goes element by element or over windows, four where the sum of a bias joins it, and one
/// where something is summed or a layout turned; libraries are not timed.
int configurations(const CompiledCase& some, const Program& program, const Kernel& kernel, const Call& call,
                   const std::set<BufferId>& weights) {
  using memory::Category;
  const Buffer& first = program.buffers[kernel.writes.front()];
  const graph::Node& node = some.network.nodes[call.node];
  if (call.product || !call.passes.empty() || call.ops.empty() || !kernel.returns.empty()) {
    return 1;
  }
  if (first.category == Category::weight_copies || first.category == Category::input) {
    const auto* conv = std::get_if<graph::Convolution>(&node.kind);
    const bool turned = some.turns() && conv != nullptr && (first.category == Category::input || conv->taps() > 1);
    return turned || kernel.reads.size() + (call.cast ? 1 : 0) == 0 ? 1 : 2;  // the copy of a bias is small
  }
  if (first.category == Category::gradients) {  // a cast, or a sum
    return weights.contains(kernel.writes.front()) ? 2 : 1;
  }
  if (first.category == Category::activations) {
    const bool averages = std::holds_alternative<graph::AdaptiveAveragePool>(node.kind) &&
                          first.bytes < program.buffers[kernel.reads.front()].bytes;
    const bool statistics = std::holds_alternative<graph::BatchNorm>(node.kind) && kernel.writes.size() == 3;
    return averages || statistics ? 1 : 2;
  }
  if (first.category == Category::activation_gradients && kernel.writes.size() > 1) {
    return program.buffers[kernel.writes.back()].category == Category::gradients ? 4 : 1;
  }
  return first.category == Category::other && first.type == base::DType::f32 ? 1 : 2;
}

TEST_CASE("each kernel is timed in its configurations when buffers of its sizes are first met, and never again") {
  std::mt19937 random(44);
  for (int i = 0; i < 30; ++i) {
    INFO(i);
    CompiledCase some(random);
    some.job.compile = job::Compile::reduce_overhead;  // with which no padding is tried
    const Captured captured = some.captured();
    std::map<std::vector<std::int64_t>, int> trials;
    std::set<BufferId> weights;
    const std::vector<NodeId> nodes = nodes_of_parameters(some.network);
    for (std::size_t p = 0; p < nodes.size(); ++p) {
      const bool first = p == 0 || nodes[p - 1] != nodes[p];
      if (first && is_product(some.network.nodes[nodes[p]])) {
        weights.insert(captured.gradients[p]);
      }
    }
    for (const bool backward : {false, true}) {
      const Program* program = backward ? &captured.backward : &captured.forward;
      const std::vector<Call>& calls = backward ? captured.backward_calls : captured.forward_calls;
      for (const Kernel& kernel : program->kernels) {
        const int tried = configurations(some, *program, kernel, calls[kernel.call], weights);
        std::vector<std::int64_t> sizes{tried};
        for (const auto* list : {&kernel.reads, &kernel.writes}) {
          sizes.push_back(-1);
          for (const BufferId b : *list) {
            sizes.push_back(program->buffers[b].bytes);
          }
        }
        trials[sizes] = tried > 1 ? tried : 0;
      }
    }
    std::int64_t expected = 0;
    for (const auto& [sizes, count] : trials) {
      expected += count;
    }
    const Device device;
    const memory::Tape tape = support::tape_of(some.network, some.job, support::without_workspaces(), device);
    const auto timed = [&](const std::vector<memory::Event>& events) {
      return std::ranges::count(events, device.l2_cache.count(), &memory::Event::bytes);
    };
    CHECK(timed(tape.steps.front()) == expected);
    CHECK(timed(tape.steps.back()) == 0);
  }
}

}  // namespace
}  // namespace vggplan::lowering::compiled

namespace vggplan::lowering {
namespace {

/// Of all ops of each node: FLOPs.
std::map<std::pair<NodeId, base::Phase>, std::int64_t> flops_of(const graph::Network& network, const job::Job& job) {
  std::map<std::pair<NodeId, base::Phase>, std::int64_t> flops;
  for (const timing::Op& op : lower_ops(network, job, {})) {
    if (op.flops.count() > 0) {
      flops[{op.layer, op.phase}] += op.flops.count();
    }
  }
  return flops;
}

TEST_CASE("compiled, a step computes what it does when it is not, and nothing of it leaks") {
  std::mt19937 random(43);
  for (int i = 0; i < 80; ++i) {
    INFO(i);
    support::CompiledCase some(random);
    job::Job eager = some.job;
    eager.compile = job::Compile::none;
    CHECK(flops_of(some.network, some.job) == flops_of(some.network, eager));
    const bool graphs = some.job.compile == job::Compile::reduce_overhead;
    std::vector<base::Phase> calls;
    for (const timing::Op& op : lower_ops(some.network, some.job, {})) {
      if (op.kind == timing::OpKind::compiled_call) {
        calls.push_back(op.phase);
        CHECK(op.layer == timing::kNoLayer);
      }
      if (op.kind == timing::OpKind::compiled_call || op.kind == timing::OpKind::fused || op.flops.count() > 0) {
        CHECK(op.launch == (graphs ? timing::Launch::graph : timing::Launch::compiled));
      }
    }
    CHECK(calls == std::vector{base::Phase::forward, base::Phase::backward});
    some.job.accumulation = support::pick(random, 1, 2);
    some.job.mode = random() % 4 == 0 ? job::Mode::infer : job::Mode::train;
    some.job.parallel.gpus = support::pick(random, 1, 2);
    INFO(support::description(some.job) << base::name_of_enum(some.job.compile) << some.network.nodes.size());
    CHECK(support::fault_of(support::tape_of(some.network, some.job, support::built_in_framework()), 2) == "");
  }
}

}  // namespace
}  // namespace vggplan::lowering
