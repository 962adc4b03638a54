// SPDX-License-Identifier: MIT
// Puts a network from a file together, and holds every node to what its kind can take.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "vggplan/graph/builder.hpp"
#include "vggplan/importers/importers.hpp"

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

  /// The layers behind the last map, from its pooling on, are the head. Every node has to be read or an output. Where
  /// no loss is named it is the one that such outputs are trained with as a rule.
  base::Result<graph::Network> finish(std::optional<graph::Objective> objective,
                                      const std::vector<graph::NodeId>& outputs) &&;

 private:
  [[nodiscard]] std::vector<graph::Shape> shapes_of(const std::vector<graph::NodeId>& nodes) const;
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

/// Where maps are resized to be joined, files of PyTorch do not tell how long variables hold them.
void warn_of_holds(Imported& imported);

}  // namespace vggplan::importers
