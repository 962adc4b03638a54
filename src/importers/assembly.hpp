// SPDX-License-Identifier: MIT
// Puts a network from a file together, and holds every node to what its kind can take.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/graph/builder.hpp"

namespace vggplan::importers {

// Far beyond use; they bound time and memory for files that were made to waste them.
inline constexpr std::size_t kMostNodes = 10'000;
inline constexpr std::size_t kMostInputs = 1'000;  ///< of one node

class Assembly {
 public:
  Assembly(std::string shown, std::string name, graph::Shape image);

  /// Channels and features of 0 are filled in from the input's. `place` is where the file describes the node.
  base::Result<graph::NodeId> add(const std::string& place, std::string name, graph::Kind kind,
                                  std::vector<graph::NodeId> inputs);
  void freeze(graph::NodeId node) { frozen_.push_back(node); }
  void hold(graph::NodeId node, graph::NodeId until) { builder_.hold(node, until); }
  [[nodiscard]] const graph::Shape& shape(graph::NodeId node) const { return builder_.shape(node); }
  /// What made it does not keep it for backward.
  [[nodiscard]] bool may_be_changed(graph::NodeId node) const { return nodes_[node].may_be_changed; }

  /// The layers behind the last map, from its pooling on, are the head. Every node has to be read or an output.
  base::Result<graph::Network> finish(graph::Objective objective, const std::vector<graph::NodeId>& outputs) &&;

 private:
  struct Added {
    std::string name{};
    bool read{false};
    std::string changed_by{};  ///< the node that works in place on its output
    bool may_be_changed{false};
  };
  base::Status read_inputs(const std::string& place, const graph::Kind& kind, std::span<const graph::NodeId> inputs,
                           const std::string& reader);

  std::string shown_;
  graph::Builder builder_;
  std::vector<Added> nodes_{};
  std::set<std::string, std::less<>> names_{};
  std::vector<graph::NodeId> frozen_{};
};

/// What is wrong with a size that a file fixes, where the image is another than it was exported with; else empty.
std::string misfit_of_fixed_size(const std::optional<graph::Pair>& exported, const graph::Shape& image,
                                 const graph::Pair& size);
inline constexpr std::string_view kFixedSizeRemedy =
    "give --size as the file was exported with, or export with sizes left open (dynamic_shapes, dynamic_axes)";

/// Where maps are resized to be joined, files of PyTorch do not tell how long variables hold them. Empty elsewhere.
std::string hold_warning(const graph::Network& network);

/// The loss that outputs of these shapes are trained with as a rule.
graph::Objective usual_objective(std::span<const graph::Shape> outputs);

}  // namespace vggplan::importers
