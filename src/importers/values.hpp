// SPDX-License-Identifier: MIT
// What the names of an exported graph stand for.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "vggplan/graph/graph.hpp"

namespace vggplan::importers {

using Numbers = std::vector<double>;  ///< sizes, scales and bounds that were computed when the file was written

struct Weight {
  std::string name{};  ///< features.0.weight
  std::vector<std::int64_t> dims{};
  bool trained{true};
  Numbers values{};  ///< of small ones
};
/// Stands for one where there is none; the error is told.
inline const Weight kNoWeight{"", {0, 0, 0, 0}, true, {}};
/// A map after permute(0, 2, 3, 1): a reshape makes rows of values of it, as heads of detection do.
struct Turned {
  graph::NodeId map{};
};
/// Logarithms of a softmax. CrossEntropyLoss takes them itself, so they are no node, and only the loss reads them.
struct LogSoftmax {
  graph::NodeId map{};
};
/// What is drawn for each image: stochastic depth keeps its part of a block with this probability.
struct Drawn {
  double kept{1};
};
using Value = std::variant<graph::NodeId, Weight, Numbers, Turned, LogSoftmax, Drawn>;
using Values = std::map<std::string, Value, std::less<>>;

/// The node behind an output of the network: none where no node makes it.
std::optional<graph::NodeId> output_node(const Values& values, std::string_view name);

/// The module that a parameter belongs to: "features.0" of "features.0.weight". Empty where it does not tell.
std::string module_of(std::string_view parameter);

/// Names of nodes that may come twice, made different.
class Names {
 public:
  std::string unique(std::string name);

 private:
  std::map<std::string, std::size_t> used_{};
};

}  // namespace vggplan::importers
