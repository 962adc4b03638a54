// SPDX-License-Identifier: MIT
#include "vggplan/graph/builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "graph/counts.hpp"
#include "graph/shapes.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/base/range.hpp"

namespace vggplan::graph {

using base::kLargestExact;

bool is_layer(const Node& node) { return !is_any<Image, Loss>(node.kind); }

base::Status check_sizes(const Shape& image, std::int64_t classes, std::int64_t least_side, std::string_view why) {
  using base::Range;
  for (const Range& range :
       {Range{"--height", image.height, least_side, kLargestSide, why},
        Range{"--width", image.width, least_side, kLargestSide, why},
        Range{"--channels", image.channels, 1, kMostChannels, ""}, Range{"--classes", classes, 1, kMostClasses, ""}}) {
    TRY(base::check_range(range));
  }
  return std::nullopt;
}

Builder::Builder(std::string name, Shape image, std::int64_t classes) : network_{std::move(name), image, classes} {
  Node node{"image", Image{}, {}, image, image};
  node.trained = false;
  network_.nodes.push_back(std::move(node));
  if (!add_elements(image)) {
    too_large("the bytes of its tensors", "the image");
  }
}

NodeId Builder::add(std::string name, Kind kind, std::vector<NodeId> inputs) {
  if (problem_) {
    return last_;
  }
  std::vector<Shape> shapes;
  for (const NodeId input : inputs) {
    shapes.push_back(shape(input));
  }
  if (const std::string problem = misfit(kind, shapes); !problem.empty()) {
    refuse(fmt::format("at {}, {} {}", name, kind_name(kind), problem),
           "give sides that are multiples of 32, so that halving leaves nothing over, or correct the network");
    return last_;
  }
  Node node{std::move(name), kind, std::move(inputs), shapes.front(), output_shape(kind, shapes)};
  if (!check(node)) {
    return last_;
  }
  network_.nodes.push_back(std::move(node));
  last_ = network_.nodes.size() - 1;
  return last_;
}

base::Result<Network> Builder::finish(Objective objective, std::vector<NodeId> outputs) && {
  if (problem_) {
    return *std::move(problem_);
  }
  if (outputs.empty()) {
    outputs = {last_};
  }
  const Shape first = shape(outputs.front());
  network_.nodes.push_back({"loss", Loss{objective}, std::move(outputs), first, {1, 1, 1}});
  return std::move(network_);
}

void Builder::hold(NodeId node, NodeId until) {
  std::optional<NodeId>& held = network_.nodes[node].held;
  held = std::max(held.value_or(until), until);
}

bool Builder::refuse(const std::string& what, std::string remedy) {
  const Shape& image = network_.input;
  problem_ = base::wrong("--height, --width",
                         fmt::format("{}x{} with {} channels {}", image.height, image.width, image.channels, what),
                         std::move(remedy));
  return false;
}

bool Builder::too_large(std::string_view what, std::string_view where) {
  return refuse(fmt::format("is too large: at {}, {} pass {}, the largest number that is counted exactly", where, what,
                            kLargestExact),
                "give a smaller image, or fewer channels or classes");
}

bool Builder::add_to(std::int64_t& total, std::optional<std::int64_t> amount) {
  const auto sum = amount ? base::checked_add(total, *amount) : std::nullopt;
  total = sum.value_or(total);
  return sum && *sum <= kLargestExact;
}

bool Builder::add_elements(const Shape& shape) {
  return add_to(bytes_, base::checked_product(kBytesPerElement, shape.channels, shape.height, shape.width));
}

bool Builder::check(const Node& node) {
  const Shape& out = node.output;
  if (std::min({out.channels, out.height, out.width}) < 1) {
    return refuse(fmt::format("is too small for {}: at {}, {} meets a map of {}x{}, smaller than its window",
                              network_.name, node.name, kind_name(node.kind), node.input.height, node.input.width),
                  "give a larger image");
  }
  if (!add_elements(out)) {
    return too_large("the bytes of its tensors", node.name);
  }
  const auto counts = counts_of(node.kind, out, node.input, {true, trained_before_});
  if (!counts || !add_to(parameter_bytes_, base::checked_mul(counts->parameters, kBytesPerElement))) {
    return too_large("the bytes of the parameters", node.name);
  }
  if (!add_to(flops_, counts->flops_forward.count()) || !add_to(flops_, counts->flops_backward.count())) {
    return too_large("the FLOPs of a training step", node.name);
  }
  trained_before_ = trained_before_ || counts->macs > 0;
  return true;
}

}  // namespace vggplan::graph
