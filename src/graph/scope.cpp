// SPDX-License-Identifier: MIT
#include "vggplan/graph/scope.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <string_view>

#include "vggplan/base/format.hpp"
#include "vggplan/graph/flow.hpp"

namespace vggplan::graph {
namespace {

constexpr std::string_view kFreeze = "--freeze";

std::vector<std::string> layer_names(const Network& network) {
  std::vector<std::string> names;
  for (const Node& node : network.nodes) {
    if (is_layer(node)) {
      names.push_back(node.name);
    }
  }
  return names;
}

/// * stands for any text, ? for one letter.
bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) {
    return text.empty();
  }
  if (pattern.front() == '*') {
    return matches(pattern.substr(1), text) || (!text.empty() && matches(pattern, text.substr(1)));
  }
  return !text.empty() && (pattern.front() == '?' || pattern.front() == text.front()) &&
         matches(pattern.substr(1), text.substr(1));
}

void freeze_where(Network& network, const std::function<bool(NodeId)>& frozen) {
  for (NodeId id = 1; id < network.nodes.size(); ++id) {
    network.nodes[id].trained = network.nodes[id].trained && !frozen(id);
  }
}

/// The first N convolutions, and what comes before the next one: their batch norms.
base::Status freeze_first(Network& network, std::string_view text) {
  std::size_t wanted = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), wanted);
  const auto convolutions = static_cast<std::size_t>(std::ranges::count_if(
      network.nodes, [](const Node& node) { return std::holds_alternative<Convolution>(node.kind); }));
  if (error != std::errc() || end != text.data() + text.size() || wanted > convolutions) {
    return base::wrong(std::string(kFreeze),
                       fmt::format("first:N takes N from 0 to {}, the convolutions of {}, not {}", convolutions,
                                   network.name, base::quoted(text)),
                       "give, for example, first:4");
  }
  std::size_t seen = 0;
  for (Node& node : network.nodes) {
    seen += std::holds_alternative<Convolution>(node.kind) ? 1U : 0U;
    const bool linear = std::holds_alternative<Linear>(node.kind);
    node.trained = node.trained && (seen == 0 || seen > wanted || linear);
  }
  return std::nullopt;
}

NodeId last_trained(const Network& network) {
  NodeId last = 0;
  for (NodeId id = 1; id < network.nodes.size(); ++id) {
    last = trains(network.nodes[id]) ? id : last;
  }
  return last;
}

base::Status freeze(Network& network, const std::string& what) {
  constexpr std::string_view kFirst = "first:";
  if (what == "none") {
    return std::nullopt;
  }
  if (what == "features") {
    freeze_where(network, [&](NodeId id) { return id < network.features; });
  } else if (what == "all-but-last") {
    const NodeId last = last_trained(network);
    freeze_where(network, [&](NodeId id) { return id != last; });
  } else if (what.starts_with(kFirst)) {
    return freeze_first(network, std::string_view(what).substr(kFirst.size()));
  } else {
    const auto named = [&](const Node& node) { return matches(what, node.name); };
    if (std::ranges::none_of(network.nodes, [&](const Node& node) { return is_layer(node) && named(node); })) {
      return base::wrong(std::string(kFreeze),
                         fmt::format("no layer of {} is named like {}", network.name, base::quoted(what)),
                         "give none, features, all-but-last, first:N, or a pattern such as conv1_*; vggplan layers "
                         "lists the names");
    }
    freeze_where(network, [&](NodeId id) { return named(network.nodes[id]); });
  }
  return std::nullopt;
}

base::Status freeze_norms(Network& network, FrozenNorm what) {
  bool any = false;
  for (Node& node : network.nodes) {
    if (auto* norm = std::get_if<BatchNorm>(&node.kind); norm != nullptr && what != FrozenNorm::none) {
      norm->frozen = any = true;
      node.trained = node.trained && what != FrozenNorm::all;
    }
  }
  if (what != FrozenNorm::none && !any) {
    return base::wrong("--freeze-norm", fmt::format("{} has no batch norm", network.name), "leave it out");
  }
  return std::nullopt;
}

/// What follows the node, and what only they read, is not run.
base::Status cut(Network& network, const std::string& name) {
  const auto at = std::find_if(network.nodes.begin(), network.nodes.end(),
                               [&](const Node& node) { return is_layer(node) && node.name == name; });
  if (at == network.nodes.end()) {
    const std::vector<std::string> names = layer_names(network);
    return base::wrong("--until", fmt::format("{} has no layer {}", network.name, base::quoted(name)),
                       base::suggestion(name, names));
  }
  Node loss = network.nodes.back();
  const auto last = static_cast<NodeId>(at - network.nodes.begin());
  network.nodes.resize(last + 1);
  for (Node& node : network.nodes) {
    if (node.held && *node.held > last) {
      node.held = last;
    }
  }
  loss.inputs = {last};
  loss.input = network.nodes[last].output;
  loss.kind = Loss{Objective::mse};
  network.features = std::min(network.features, network.nodes.size());
  network.nodes.push_back(std::move(loss));
  return std::nullopt;
}

base::Status set_objective(Network& network, Objective objective) {
  auto& loss = std::get<Loss>(network.nodes.back().kind);
  const bool boxes = loss.objective == Objective::ssd;
  const Shape& output = network.nodes.back().input;
  if (boxes != (objective == Objective::ssd)) {
    return base::wrong("--loss",
                       fmt::format("{} {} boxes and classes", network.name, boxes ? "finds" : "does not find"),
                       boxes ? "give ssd" : "give cross-entropy, pixel-cross-entropy or mse");
  }
  if (objective == Objective::cross_entropy && output.height * output.width != 1) {
    return base::wrong("--loss",
                       fmt::format("cross-entropy tells classes of images apart, but the output of {} is a map of "
                                   "{}x{}",
                                   network.name, output.height, output.width),
                       "give pixel-cross-entropy or mse");
  }
  loss.objective = objective;
  return std::nullopt;
}

/// The loss compares what the frozen network makes of two images, which is one map.
base::Status train_image(Network& network) {
  Node& loss = network.nodes.back();
  if (loss.inputs.size() > 1) {
    return base::wrong(
        "--train", fmt::format("image compares one output, and {} has {}", network.name, loss.inputs.size()),
        fmt::format("name the layer to compare, as in --until {}", network.nodes[loss.inputs.front()].name));
  }
  for (Node& node : network.nodes) {
    node.trained = false;
  }
  network.nodes.front().trained = true;
  std::get<Loss>(loss.kind).objective = Objective::mse;
  return std::nullopt;
}

}  // namespace

base::Result<Network> scoped(Network network, const Scope& scope, bool training) {
  if (!scope.until.empty()) {
    TRY(cut(network, scope.until));
  }
  if (scope.trained == Trained::image) {
    TRY(train_image(network));
  } else {
    TRY(freeze(network, scope.freeze));
  }
  TRY(freeze_norms(network, scope.norm));
  if (scope.objective) {
    TRY(set_objective(network, *scope.objective));
  }
  if (training && !flow_of(network).needs_gradient.back()) {
    return base::wrong(std::string(kFreeze),
                       fmt::format("{} freezes all of {}", base::quoted(scope.freeze), network.name),
                       "leave something to train, or ask for --mode infer");
  }
  return network;
}

}  // namespace vggplan::graph
