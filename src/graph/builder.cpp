// SPDX-License-Identifier: MIT
#include "vggplan/graph/builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "graph/counts.hpp"
#include "graph/shapes.hpp"
#include "vggplan/base/checked.hpp"

namespace vggplan::graph {

using base::kLargestExact;

bool is_layer(const Node& node) {
  return !std::holds_alternative<Image>(node.kind) && !std::holds_alternative<Loss>(node.kind);
}

Builder::Builder(std::string name, Shape image, std::int64_t classes) : network_{std::move(name), image, classes} {
  Node node{"image", Image{}, {}, image, image};
  node.trained = false;
  network_.nodes.push_back(std::move(node));
  if (!add_elements(image)) {
    fail("the bytes of its tensors", "the image");
  }
}

NodeId Builder::add(std::string name, Kind kind, std::vector<NodeId> inputs) {
  if (!problem_.empty()) {
    return last_;
  }
  std::vector<Shape> shapes;
  for (const NodeId input : inputs) {
    shapes.push_back(shape(input));
  }
  Node node{std::move(name), kind, std::move(inputs), shapes.front(), output_shape(kind, shapes)};
  check(node);
  network_.nodes.push_back(std::move(node));
  last_ = network_.nodes.size() - 1;
  return last_;
}

base::Result<Network> Builder::finish(Objective objective, std::vector<NodeId> outputs) && {
  if (!problem_.empty()) {
    const Shape& image = network_.input;
    return base::wrong("--height, --width",
                       fmt::format("{}x{} with {} channels is too large: at {}, {} pass {}, the largest number that is "
                                   "counted exactly",
                                   image.height, image.width, image.channels, problem_node_, problem_, kLargestExact),
                       "give a smaller image, or fewer channels or classes");
  }
  if (outputs.empty()) {
    outputs = {last_};
  }
  const Shape first = shape(outputs.front());
  network_.nodes.push_back({"loss", Loss{objective}, std::move(outputs), first, {1, 1, 1}});
  return std::move(network_);
}

void Builder::fail(std::string_view what, std::string_view where) {
  problem_ = what;
  problem_node_ = where;
}

bool Builder::add_to(std::int64_t& total, std::optional<std::int64_t> amount) {
  const auto sum = amount ? base::checked_add(total, *amount) : std::nullopt;
  total = sum.value_or(total);
  return sum && *sum <= kLargestExact;
}

bool Builder::add_elements(const Shape& shape) {
  return add_to(bytes_, base::checked_product(kBytesPerElement, shape.channels, shape.height, shape.width));
}

void Builder::check(const Node& node) {
  if (!add_elements(node.output)) {
    return fail("the bytes of its tensors", node.name);
  }
  const auto counts = counts_of(node.kind, node.output, node.input, {true, trained_before_});
  if (!counts || !add_to(parameter_bytes_, base::checked_mul(counts->parameters, kBytesPerElement))) {
    return fail("the bytes of the parameters", node.name);
  }
  if (!add_to(flops_, counts->flops_forward.count()) || !add_to(flops_, counts->flops_backward.count())) {
    return fail("the FLOPs of a training step", node.name);
  }
  trained_before_ = trained_before_ || counts->macs > 0;
}

}  // namespace vggplan::graph
