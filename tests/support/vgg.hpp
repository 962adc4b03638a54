// SPDX-License-Identifier: MIT
// The VGG family as torchvision/models/vgg.py lists it (configurations A, B, D, E), for tests of
// modules that do not know the catalogue.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "vggplan/graph/graph.hpp"

namespace vggplan::support {

inline graph::ModelSpec vgg(int depth, bool batch_norm = false) {
  constexpr std::int64_t M = graph::kPool;
  graph::ModelSpec spec;
  spec.name = "vgg" + std::to_string(depth) + (batch_norm ? "_bn" : "");
  spec.batch_norm = batch_norm;
  switch (depth) {
    case 11: spec.features = {64, M, 128, M, 256, 256, M, 512, 512, M, 512, 512, M}; break;
    case 13: spec.features = {64, 64, M, 128, 128, M, 256, 256, M, 512, 512, M, 512, 512, M}; break;
    case 16: spec.features = {64, 64, M, 128, 128, M, 256, 256, 256, M, 512, 512, 512, M, 512, 512, 512, M}; break;
    case 19:
      spec.features = {64, 64, M, 128, 128, M, 256, 256, 256, 256, M, 512, 512, 512, 512, M, 512, 512, 512, 512, M};
      break;
    default: throw std::invalid_argument("no VGG of this depth");
  }
  return spec;
}

inline graph::Network network(const graph::ModelSpec& spec, graph::Shape image, std::int64_t classes = 1000,
                              graph::Head head = graph::Head::adaptive) {
  auto built = graph::build_network(spec, image, classes, head);
  if (!built) {
    throw std::invalid_argument(built.error().place + ": " + built.error().rule);
  }
  return std::move(built).value();
}

inline graph::Network vgg16(std::int64_t height, std::int64_t width, graph::Head head = graph::Head::adaptive) {
  return network(vgg(16), {3, height, width}, 1000, head);
}

inline graph::NodeId id_of(const graph::Network& network, std::string_view name) {
  for (graph::NodeId id = 0; id < network.nodes.size(); ++id) {
    if (network.nodes[id].name == name) {
      return id;
    }
  }
  throw std::invalid_argument("no such node");
}

inline const graph::Node& node_of(const graph::Network& network, std::string_view name) {
  return network.nodes[id_of(network, name)];
}

/// What reports call layers: all nodes but the image and the loss.
inline std::size_t layer_count(const graph::Network& network) { return network.nodes.size() - 2; }

}  // namespace vggplan::support
