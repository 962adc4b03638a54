// SPDX-License-Identifier: MIT
// What holds of every checkpointed segment of every network, on random ones whose paths fork and meet: where it lies,
// what is kept, what runs again, what is allocated.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "lowering/kinds/kinds.hpp"
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

/// The first count - 1 of `count` equal lengths, each end moved to the nearest place of those that are left, the
/// earlier of two, so that enough are left for the others; nothing where there are too few.
std::vector<NodeId> ends_of(const Network& network, std::int64_t count) {
  std::vector<NodeId> places;
  for (NodeId place = kFirstNode + 1; place < network.features; ++place) {
    if (may_cut(network, place)) {
      places.push_back(place);
    }
  }
  std::vector<NodeId> ends;
  const std::int64_t length = static_cast<std::int64_t>(network.features - kFirstNode) / count;
  for (std::int64_t i = 1; i < count; ++i) {
    const auto wanted = static_cast<std::int64_t>(kFirstNode) + i * length;
    std::optional<NodeId> nearest;
    for (std::size_t at = 0; at < places.size(); ++at) {
      const bool free = ends.empty() || places[at] > ends.back();
      const bool leaves = static_cast<std::int64_t>(places.size() - at) >= count - i;
      const auto distance = [&](NodeId place) { return std::abs(static_cast<std::int64_t>(place) - wanted); };
      if (free && leaves && (!nearest || distance(places[at]) < distance(*nearest))) {
        nearest = places[at];
      }
    }
    if (!nearest) {
      return {};
    }
    ends.push_back(*nearest);
  }
  return ends;
}

/// Whether autograd saves nothing of what lies between.
bool saves_nothing(const Network& network, NodeId first, NodeId last) {
  return std::all_of(network.nodes.begin() + static_cast<std::ptrdiff_t>(first),
                     network.nodes.begin() + static_cast<std::ptrdiff_t>(last), [](const graph::Node& node) {
                       return std::holds_alternative<graph::Add>(node.kind) ||
                              std::holds_alternative<graph::Concatenate>(node.kind) ||
                              std::holds_alternative<graph::Resize>(node.kind) ||
                              (std::holds_alternative<graph::AdaptiveAveragePool>(node.kind) && is_mean(node));
                     });
}

/// Whether every layer of the features is read by the next alone.
bool is_a_chain(const Network& network) {
  for (NodeId id = kFirstNode; id < network.features; ++id) {
    if (network.nodes[id].inputs != std::vector<NodeId>{id - 1} || tensors_across(network, id) != 1) {
      return false;
    }
  }
  return tensors_across(network, network.features) == 1;
}

/// Of a network that is no chain: where its segments lie, and how many there may be.
void check_lengths(const Network& network, std::int64_t count) {
  const auto found = segments(network, sequential(count));
  const std::vector<NodeId> ends = ends_of(network, count);
  REQUIRE(found.has_value() == (count == 1 || !ends.empty()));
  std::vector<Segment> expected;
  NodeId first = kFirstNode;
  for (const NodeId end : ends) {
    if (!saves_nothing(network, first, end)) {
      expected.push_back({first, end});
    }
    first = end;
  }
  CHECK((!found || *found == expected));
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

/// Of each node of a segment what autograd holds (input, result, copy of the weight, mask, statistics), in bytes.
std::vector<std::int64_t> held_of(const Step& step, const Segment& segment) {
  std::vector<std::int64_t> bytes;
  for (NodeId id = segment.first; id < segment.last; ++id) {
    const Saved& saved = step.saved[id];
    for (const TensorId tensor :
         {saved.input, saved.result, saved.weight_copy, saved.mask, saved.statistics[0], saved.statistics[1]}) {
      bytes.push_back(tensor == kNothing ? 0 : step.tape.bytes(tensor));
    }
  }
  return bytes;
}

/// By node, how often memory is asked for.
std::vector<int> asked_by(Step& step) {
  std::vector<int> asked(step.network.nodes.size());
  for (const memory::Event& event : step.tape.take_events()) {
    const bool of_node = event.kind == memory::Event::Kind::allocate && event.layer != memory::kNoLayer;
    asked[of_node ? static_cast<NodeId>(event.layer) : 0] += of_node ? 1 : 0;
  }
  return asked;
}

TEST_CASE("a segment that runs again takes and saves what it did without a checkpoint, whatever it ends with") {
  std::mt19937 random(38);
  const Framework framework;
  const Device device;
  for (int i = 0; i < 150; ++i) {
    Network network = support::RandomNetwork(random).build();
    for (graph::Node& node : network.nodes) {
      node.trained = node.trained && random() % 5 != 0;
    }
    job::Job job;
    job.precision = random() % 2 == 0 ? job::Precision::tf32 : job::Precision::amp_bf16;
    const NodeId cut = kFirstNode + 1 + random() % (network.features - kFirstNode);
    const std::vector<Segment> one{{kFirstNode, cut}};
    const std::vector<Segment> none;
    const Packed packed = packed_of(network, graph::flow_of(network), one.front());
    if (tensors_across(network, cut) != 1 || packed.first == cut) {
      continue;
    }
    INFO("network " << i << " up to " << network.nodes[cut - 1].name);
    Step plain(network, job, none, framework, device, {});
    Step again(network, job, one, framework, device, {});
    for (Step* step : {&plain, &again}) {
      step->image = step->tape.allocate(1, Category::input, memory::kNoLayer);
      forward(*step);
    }
    std::vector<int> first = asked_by(plain);
    again.tape.take_events();
    std::vector<Visit> visits = schedule(network, one, job::Mode::train);
    std::erase_if(visits, [](const Visit& visit) { return visit.pass != Pass::recompute; });
    recompute(again, 0, visits);
    std::vector<int> second = asked_by(again);
    CHECK(held_of(again, one.front()) == held_of(plain, one.front()));
    if (packed.stop == packed.last) {  // without its output
      first[packed.last] -= graph::output_bytes(network.nodes[packed.last], base::DType::f32).count() > 0 ? 1 : 0;
    }
    first.resize(packed.last + 1);
    second.resize(packed.last + 1);
    CHECK(first == second);
  }
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
    for (std::int64_t count = 1; !is_a_chain(network) && count < static_cast<std::int64_t>(network.features); ++count) {
      check_lengths(network, count);
    }
    const auto most = static_cast<std::int64_t>(cuts(network).size()) + 1;
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
    }
  }
  CHECK(with_blocks > 300);
}

}  // namespace
}  // namespace vggplan::lowering
