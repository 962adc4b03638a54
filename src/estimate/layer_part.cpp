// SPDX-License-Identifier: MIT
#include <algorithm>

#include "estimate/parts.hpp"
#include "vggplan/graph/flow.hpp"
#include "vggplan/lowering/saved.hpp"
#include "vggplan/lowering/tape.hpp"

namespace vggplan::estimate {

namespace {

/// The largest workspace that a convolution of the layer asks for in a step of the steady state.
std::vector<Bytes> workspaces(const memory::Tape& tape, std::size_t layers) {
  std::vector<Bytes> largest(layers);
  if (tape.steps.empty()) {
    return largest;
  }
  for (const memory::Event& event : tape.steps.back()) {
    const bool of_layer = event.layer >= 0 && static_cast<std::size_t>(event.layer) < layers;
    if (!of_layer || event.kind != memory::Event::Kind::scratch || tape.scratch[event.tensor].plans.empty()) {
      continue;
    }
    Bytes& held = largest[static_cast<std::size_t>(event.layer)];
    held = std::max(held, Bytes(tape.scratch[event.tensor].plans.front()));
  }
  return largest;
}

std::vector<std::string> names_of(const graph::Network& network, const std::vector<graph::NodeId>& nodes) {
  std::vector<std::string> names;
  for (const graph::NodeId id : nodes) {
    names.push_back(network.nodes[id].name);
  }
  return names;
}

}  // namespace

std::vector<LayerRow> layer_part(const Question& asked, const std::vector<LayerTime>& times) {
  const auto& [lowered, job, target, framework] = asked;
  const graph::Network& network = lowered.network;
  const memory::Tape tape =
      lowering::lower_tape(network, job, lowered.segments, framework, device_of(target.gpu, framework));
  const std::vector<Bytes> workspace = workspaces(tape, network.nodes.size());
  const lowering::SavedBytes saved = lowering::saved_bytes(network, lowered.segments, job);
  const std::vector<graph::LayerCounts> counts = graph::count_nodes(network);
  std::vector<LayerRow> rows;
  for (graph::NodeId i = 0; i < network.nodes.size(); ++i) {
    const graph::Node& layer = network.nodes[i];
    if (!graph::is_layer(layer)) {
      continue;
    }
    LayerRow row;
    row.name = layer.name;
    row.kind = graph::kind_name(layer.kind);
    row.inputs = names_of(network, layer.inputs);
    row.trained = job.mode == job::Mode::train && graph::trains(layer);
    row.output = layer.output;
    row.counts = counts[i];
    row.output_bytes = graph::output_bytes(layer, job::activation_type(job.precision)) * job.batch;
    row.saved_bytes = saved.layers[i];
    row.workspace_bytes = workspace[i];
    const auto time = std::ranges::find_if(times, [&](const LayerTime& t) { return t.layer == layer.name; });
    row.forward = time != times.end() ? time->forward : Seconds(0);
    row.backward = time != times.end() ? time->backward : Seconds(0);
    rows.push_back(std::move(row));
  }
  if (job.mode == job::Mode::train) {
    LayerRow loss;  // no layer of the network, but the rows are to add up to what autograd holds
    loss.name = "loss";
    loss.kind = graph::kind_name(network.nodes.back().kind);
    loss.inputs = names_of(network, network.nodes.back().inputs);
    loss.output = {1, 1, 1};
    loss.saved_bytes = saved.loss;
    rows.push_back(std::move(loss));
  }
  return rows;
}

}  // namespace vggplan::estimate
