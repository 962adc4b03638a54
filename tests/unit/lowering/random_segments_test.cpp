// SPDX-License-Identifier: MIT
// What holds of every checkpointed segment of every network, on random ones whose paths fork and meet: where it lies,
// what is kept, what runs again, what is allocated.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "lowering/regions.hpp"
#include "support/catch.hpp"
#include "support/checkpointing.hpp"
#include "support/lowered.hpp"
#include "support/random_network.hpp"
#include "support/saved_walk.hpp"
#include "vggplan/lowering/ops.hpp"

namespace vggplan::lowering {
namespace {

using graph::Network;
using graph::NodeId;
using job::Checkpointing;
using support::kBlock;
using support::segment_of;
using support::sequential;

/// Tensors from elsewhere that nodes of the segment read, and tensors of the segment that are read elsewhere.
std::pair<std::set<NodeId>, std::set<NodeId>> crossing(const Network& network, const Segment& segment) {
  const auto inside = [&](NodeId id) { return segment.first <= id && id < segment.last; };
  std::pair<std::set<NodeId>, std::set<NodeId>> found;
  for (NodeId id = 0; id < network.nodes.size(); ++id) {
    for (const NodeId input : network.nodes[id].inputs) {
      if (inside(id) && !inside(input)) {
        found.first.insert(input);
      } else if (!inside(id) && inside(input)) {
        found.second.insert(input);
      }
    }
  }
  return found;
}

/// Tensors that are made before `place` and read from there on.
std::size_t tensors_across(const Network& network, NodeId place) {
  std::set<NodeId> live;
  for (NodeId id = place; id < network.nodes.size(); ++id) {
    for (const NodeId input : network.nodes[id].inputs) {
      if (input < place) {
        live.insert(input);
      }
    }
  }
  return live.size();
}

/// Where one tensor crosses, and the next node does not overwrite it.
bool may_cut(const Network& network, NodeId place) {
  const graph::Kind& next = network.nodes[place].kind;
  const auto* activation = std::get_if<graph::Activation>(&next);
  const auto* add = std::get_if<graph::Add>(&next);
  return tensors_across(network, place) == 1 && !(activation != nullptr && activation->in_place) &&
         !(add != nullptr && add->in_place);
}

/// No place is nearer to the middle than the one that was taken.
void check_middle(const Network& network, const Segment& half) {
  const auto distance = [&](NodeId place) {
    return std::abs(static_cast<std::int64_t>(place) -
                    static_cast<std::int64_t>(kFirstNode + (network.features - 1) / 2));
  };
  CHECK(tensors_across(network, half.last) == 1);  // what runs normally may begin in place
  for (NodeId place = kFirstNode + 1; place < network.features; ++place) {
    const bool nearer =
        place < half.last ? distance(place) <= distance(half.last) : distance(place) < distance(half.last);
    CHECK_FALSE((may_cut(network, place) && nearer));  // of two that are as near the earlier is taken
  }
}

void check_shape(const Network& network, const std::vector<Segment>& found) {
  NodeId behind = kFirstNode;
  for (const Segment& segment : found) {
    CHECK(segment.first >= behind);
    CHECK(segment.last > segment.first);
    const auto [in, out] = crossing(network, segment);
    CHECK(in == std::set<NodeId>{network.nodes[segment.first].inputs.front()});
    CHECK(out == std::set<NodeId>{segment.last - 1});
    behind = segment.last;
  }
}

/// Bytes that live, at most and when the first backward begins; how often what is not there is freed, or lives on.
struct Walked {
  std::int64_t most{};
  std::int64_t saved{-1};
  int faults{};
};

Walked walk(const memory::Tape& tape) {
  Walked walked;
  std::map<memory::TensorId, std::int64_t> live;
  std::int64_t now = 0;
  std::size_t before = 0;
  const auto run = [&](const std::vector<memory::Event>& events) {
    for (const memory::Event& event : events) {
      if (event.kind == memory::Event::Kind::allocate) {
        walked.faults += live.emplace(event.tensor, event.bytes).second ? 0 : 1;
        now += event.bytes;
        walked.most = std::max(walked.most, now);
      } else if (event.kind == memory::Event::Kind::release) {
        const auto found = live.find(event.tensor);
        walked.faults += found == live.end() ? 1 : 0;
        now -= found == live.end() ? 0 : found->second;
        live.erase(event.tensor);
      } else if (event.kind == memory::Event::Kind::phase && event.phase == base::Phase::backward) {
        walked.saved = walked.saved < 0 ? now : walked.saved;
      }
    }
  };
  run(tape.setup);
  for (std::size_t step = 0; step < tape.steps.size() + 2; ++step) {
    run(tape.steps[std::min(step, tape.steps.size() - 1)]);
    walked.faults += step >= tape.steps.size() && live.size() != before ? 1 : 0;
    before = live.size();
  }
  return walked;
}

/// Names the first node of which the count and the rules of its operation differ.
std::string fault_of_saved(const Network& network, const job::Job& job, const std::vector<Segment>& found) {
  const SavedBytes expected = support::SavedWalk(network, job)(found);
  const SavedBytes counted = saved_bytes(network, found, job);
  for (NodeId id = 0; id < network.nodes.size(); ++id) {
    if (counted.layers[id] != expected.layers[id]) {
      return network.nodes[id].name + " keeps " + std::to_string(counted.layers[id].count()) + ", not " +
             std::to_string(expected.layers[id].count());
    }
  }
  return counted.weight_copies == expected.weight_copies ? "" : "copies of weights";
}

using Ops = std::multiset<std::tuple<NodeId, timing::OpKind, double>>;

/// Of the nodes that segments hold: what runs first, but for nodes behind the last that packs anything, and again.
std::pair<Ops, Ops> first_and_again(const Network& network, const job::Job& job, const std::vector<Segment>& found) {
  const graph::Flow flow = graph::flow_of(network);
  std::pair<Ops, Ops> ops;
  for (const timing::Op& op : lower_ops(network, job, found)) {
    const NodeId node = op.layer;
    const std::size_t segment = segment_of(found, node);
    const bool clone = op.kind == timing::OpKind::copy;  // of what is overwritten, which autograd keeps the second time
    if (segment == kNoSegment || clone || (op.phase != base::Phase::forward && !op.recompute)) {
      continue;
    }
    if (op.recompute || node < packed_of(network, flow, found[segment]).stop) {
      (op.recompute ? ops.second : ops.first).emplace(node, op.kind, op.bytes().as_double());
    }
  }
  return ops;
}

/// The two largest outputs of one node's segment: what recomputation may hold beside what it saves.
std::int64_t own_needs(const Network& network, const job::Job& job, const std::vector<Segment>& found) {
  std::int64_t most = 0;
  for (const Segment& segment : found) {
    for (NodeId id = segment.first; id < segment.last; ++id) {
      most = std::max(most, network.nodes[id].output.elements());
    }
  }
  return 2 * 4 * job.batch * most;
}

void check_tapes(const Network& network, job::Job job, const Checkpointing& how, const std::vector<Segment>& found) {
  const Walked plain = walk(support::tape_of(network, job, support::without_workspaces()));
  job.checkpointing = how;
  const Walked again = walk(support::tape_of(network, job, support::without_workspaces()));
  CHECK(again.faults == 0);
  CHECK(again.most <= plain.most + own_needs(network, job, found));
  // Under autocast the image is there beside the copy of it that the first convolution keeps; a checkpoint keeps
  // itself.
  const bool keeps_image = std::ranges::any_of(
      found, [&](const Segment& segment) { return network.nodes[segment.first].inputs.front() == 0; });
  const std::int64_t image =
      job::is_autocast(job.precision) && keeps_image ? 4 * job.batch * network.input.elements() : 0;
  CHECK(plain.saved - again.saved ==
        (saved_bytes(network, {}, job).total() - saved_bytes(network, found, job).total()).count() + image);
}

TEST_CASE("nothing of a checkpointed step leaks, however it is spread over GPUs") {
  std::mt19937 random(37);
  for (int i = 0; i < 200; ++i) {
    const Network network = support::RandomNetwork(random).build();
    job::Job job;
    job.image = network.input;
    job.classes = network.classes;
    job.precision = static_cast<job::Precision>(random() % 5);
    job.layout = static_cast<base::Layout>(random() % 2);
    job.parallel.gpus = 2;
    job.accumulation = support::pick(random, 1, 2);
    job.checkpointing = random() % 2 == 0 ? kBlock : sequential(2);
    if (!segments(network, job.checkpointing)) {
      continue;
    }
    for (const job::Sharding sharding : {job::Sharding::ddp, job::Sharding::zero1, job::Sharding::fsdp2}) {
      job.parallel.sharding = sharding;
      INFO("network " << i << ' ' << job::to_string(job.checkpointing) << ' ' << base::name_of_enum(sharding));
      CHECK(walk(support::tape_of(network, job, support::built_in_framework())).faults == 0);
    }
  }
}

TEST_CASE("segments of random networks: one tensor in, one out; what is kept, run again and allocated") {
  std::mt19937 random(31);
  constexpr std::array<job::Precision, 3> kPrecisions{job::Precision::tf32, job::Precision::bf16,
                                                      job::Precision::amp_bf16};
  int with_blocks = 0;
  for (int i = 0; i < 200; ++i) {
    const Network network = support::RandomNetwork(random).build();
    job::Job job;
    job.image = network.input;
    job.classes = network.classes;
    job.batch = support::pick(random, 1, 3);
    job.layout = static_cast<base::Layout>(random() % 2);
    const auto most = static_cast<std::int64_t>(cuts(network).size()) + 1;
    for (std::int64_t count = 2; count <= most; ++count) {
      const auto equal = segments(network, sequential(count));
      if (equal && !equal->empty()) {
        check_shape(network, *equal);
      }
    }
    for (const Checkpointing& how :
         {kBlock, sequential(2), sequential(support::pick(random, 3, 6)), sequential(most)}) {
      const auto found = segments(network, how);
      INFO("network " << i << " of " << network.nodes.size() << ", " << job::to_string(how));
      if (!found) {
        continue;
      }
      with_blocks += found->empty() ? 0 : 1;
      check_shape(network, *found);
      for (const job::Precision precision : kPrecisions) {
        job.precision = precision;
        CHECK(fault_of_saved(network, job, *found) == "");
        check_tapes(network, job, how, *found);
      }
      const auto [first, again] = first_and_again(network, job, *found);
      CHECK(first == again);
      if (how == sequential(2)) {
        check_middle(network, found->front());
      }
    }
  }
  CHECK(with_blocks > 300);
}

}  // namespace
}  // namespace vggplan::lowering
