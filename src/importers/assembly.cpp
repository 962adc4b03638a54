// SPDX-License-Identifier: MIT
#include "importers/assembly.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "importers/kind_rules.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::importers {
namespace {

using graph::NodeId;
using graph::Shape;

/// Neither the image, nor what is computed from the output itself in backward.
bool lets_change(const graph::Kind& kind) {
  return graph::is_any<graph::Convolution, graph::BatchNorm, graph::Linear, graph::Add, graph::Concatenate>(kind);
}

bool follows_the_last_map(const graph::Kind& kind) {
  return graph::is_any<graph::AdaptiveAveragePool, graph::Flatten, graph::Linear, graph::Dropout, graph::Activation>(
      kind);
}

/// How many nodes run before the head: VGG's begins with avgpool, and a network that ends in a map has none.
std::size_t features_of(const graph::Network& network) {
  const std::size_t layers = network.nodes.size() - 1;
  std::size_t features = layers;
  for (std::size_t id = layers; id-- > 1 && follows_the_last_map(network.nodes[id].kind);) {
    const bool begins = graph::is_any<graph::AdaptiveAveragePool, graph::Flatten>(network.nodes[id].kind);
    features = begins ? id : features;
  }
  return features;
}

graph::Objective usual_objective(const std::vector<Shape>& outputs) {
  constexpr std::int64_t kBox = 4;  // values of it
  const bool boxes = outputs.size() == 2 && outputs[0].height == kBox && outputs[1].height > 1 &&
                     outputs[0].channels == outputs[1].channels && outputs[0].width == 1 && outputs[1].width == 1;
  if (boxes) {
    return graph::Objective::ssd;
  }
  if (outputs.size() != 1 || outputs.front().channels == 1) {
    return graph::Objective::mse;
  }
  const bool flat = outputs.front().height == 1 && outputs.front().width == 1;
  return flat ? graph::Objective::cross_entropy : graph::Objective::pixel_cross_entropy;
}

}  // namespace

Assembly::Assembly(std::string shown, std::string name, Shape image)
    : shown_(std::move(shown)),
      builder_(std::move(name), image, 0),
      nodes_{{"image", false, "", false}},
      names_{"image", "loss"} {}

base::Status Assembly::read_inputs(const std::string& place, const graph::Kind& kind, std::span<const NodeId> inputs,
                                   const std::string& reader) {
  for (const NodeId input : inputs) {
    if (!nodes_[input].changed_by.empty()) {
      return base::wrong(place,
                         fmt::format("reads {} after {} has changed it in place", base::quoted(nodes_[input].name),
                                     base::quoted(nodes_[input].changed_by)),
                         "read the later one, or let that one not work in place");
    }
    nodes_[input].read = true;
  }
  if (graph::works_in_place(kind)) {
    nodes_[inputs.front()].changed_by = reader;
  }
  return std::nullopt;
}

std::vector<Shape> Assembly::shapes_of(const std::vector<NodeId>& nodes) const {
  std::vector<Shape> shapes;
  std::ranges::transform(nodes, std::back_inserter(shapes), [&](NodeId node) { return shape(node); });
  return shapes;
}

base::Result<NodeId> Assembly::add(const std::string& place, std::string name, graph::Kind kind,
                                   std::vector<NodeId> inputs) {
  if (nodes_.size() > kMostNodes) {
    return base::wrong(shown_, fmt::format("has more than {} nodes", base::format_count(kMostNodes)));
  }
  if (!names_.insert(name).second) {
    return base::wrong(place, fmt::format("the name {} is taken", base::quoted(name)), "give each node its own");
  }
  TRY(complete(kind, shapes_of(inputs), place));
  TRY(read_inputs(place, kind, inputs, name));
  const bool changeable = lets_change(kind);
  const NodeId id = builder_.add(name, kind, std::move(inputs));
  if (builder_.failed()) {
    return std::move(builder_).finish(graph::Objective::mse).error();
  }
  const Shape& out = builder_.shape(id);
  if (out.height > graph::kLargestSide || out.width > graph::kLargestSide) {
    return base::wrong(
        place, fmt::format("yields {}x{}; sides may have up to {} pixels", out.height, out.width, graph::kLargestSide));
  }
  nodes_.push_back({std::move(name), false, "", changeable});
  return id;
}

base::Result<graph::Network> Assembly::finish(std::optional<graph::Objective> objective,
                                              const std::vector<NodeId>& outputs) && {
  if (nodes_.size() < 2) {
    return base::wrong(shown_, "has no nodes");
  }
  if (outputs.empty() || outputs.size() > kMostInputs) {
    return base::wrong(shown_, fmt::format("must have from 1 to {} outputs, not {}", kMostInputs, outputs.size()));
  }
  TRY(read_inputs(shown_, graph::Loss{}, outputs, ""));
  const auto unread = std::ranges::find_if(nodes_, [](const Added& node) { return !node.read; });
  if (unread != nodes_.end()) {
    return base::wrong(shown_, fmt::format("nothing reads {}, and it is no output", base::quoted(unread->name)),
                       "leave it out, or make it an output");
  }
  const graph::Objective loss = objective ? *objective : usual_objective(shapes_of(outputs));
  graph::Network network = TRY(std::move(builder_).finish(loss, outputs));
  network.classes = network.nodes.back().input.channels;
  network.features = features_of(network);
  for (const NodeId node : frozen_) {
    network.nodes[node].trained = false;
  }
  return network;
}

void warn_of_holds(Imported& imported) {
  const std::vector<graph::Node>& nodes = imported.network.nodes;
  const auto enlarged = [&](NodeId id) {
    const auto* conv = std::get_if<graph::Convolution>(&nodes[id].kind);
    return std::holds_alternative<graph::Resize>(nodes[id].kind) || (conv != nullptr && conv->transposed);
  };
  const bool joined = std::ranges::any_of(nodes, [&](const graph::Node& node) {
    return std::holds_alternative<graph::Concatenate>(node.kind) && std::ranges::any_of(node.inputs, enlarged);
  });
  if (joined) {
    imported.warnings.emplace_back(
        "the file does not tell how long variables of forward() hold maps that are resized and joined, as those of a "
        "U-Net: they are taken as freed when they were joined, and where the layers behind still hold them, the peak "
        "is "
        "larger by them; a JSON graph tells it (held_until)");
  }
}

}  // namespace vggplan::importers
