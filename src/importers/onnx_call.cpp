// SPDX-License-Identifier: MIT
#include "importers/onnx_call.hpp"

#include <fmt/format.h>

#include "vggplan/base/ascii.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::importers::onnx {
namespace {

using graph::NodeId;
using graph::Pair;

/// "/layer1/layer1.0/conv1/Conv", as PyTorch's exporter writes it, is the module layer1.0.conv1.
std::string module_path(std::string_view name) {
  std::string path;
  const auto parts = base::split(name, '/');
  for (const std::string_view& part : parts) {
    const bool last = &part == &parts.back();
    if (part.empty() || (last && !path.empty())) {
      continue;
    }
    const bool repeats = !path.empty() && part.starts_with(path + ".");
    path = path.empty() || repeats ? std::string(part) : fmt::format("{}.{}", path, part);
  }
  return path;
}

}  // namespace

const Value* Call::value(std::size_t input) const {
  const auto found = has(input) ? walk_.values.find(node_.inputs[input]) : walk_.values.end();
  return found == walk_.values.end() ? nullptr : &found->second;
}

NodeId Call::map(std::size_t input) {
  if (value(input) == nullptr) {
    fail(has(input) ? fmt::format("reads {}, which nothing before it makes", base::quoted(node_.inputs[input]))
                    : fmt::format("has no input {}", input + 1));
    return 0;
  }
  const auto* id = find<NodeId>(input);
  if (id == nullptr) {
    fail(fmt::format("its input {} is a constant, or a permuted map; maps of features are supported there",
                     base::quoted(node_.inputs[input])));
  }
  return id == nullptr ? 0 : *id;
}

const Weight& Call::weight(std::size_t input) {
  const auto* weight = find<Weight>(input);
  if (weight == nullptr) {
    fail(fmt::format("its input {} must be a weight that the file holds", input + 1),
         "export with weights (export_params=True)");
  }
  return weight == nullptr ? kNoWeight : *weight;
}

std::optional<Numbers> Call::constant(std::size_t input) const {
  if (const auto* weight = find<Weight>(input)) {
    return weight->values.empty() ? std::nullopt : std::optional(weight->values);
  }
  const auto* numbers = find<Numbers>(input);
  return numbers == nullptr ? std::nullopt : std::optional(*numbers);
}

std::optional<Numbers> Call::constant_or_attribute(std::size_t input, std::string_view name) const {
  const auto found = node_.attributes.find(name);
  if (found == node_.attributes.end()) {
    return constant(input);
  }
  Numbers numbers(found->second.integers.begin(), found->second.integers.end());
  numbers.insert(numbers.end(), found->second.numbers.begin(), found->second.numbers.end());
  return numbers;
}

Pair Call::pair(std::string_view name, std::int64_t otherwise) {
  const std::vector<std::int64_t> numbers = integers(name, {otherwise, otherwise});
  if (numbers.size() != 2) {
    fail(fmt::format("its {} has {} numbers; operators over two dimensions are supported", name, numbers.size()));
    return {otherwise, otherwise};
  }
  return {numbers[0], numbers[1]};
}

Pair Call::pads() {
  const std::string automatic = text("auto_pad", "NOTSET");
  expect(automatic == "NOTSET" || automatic == "VALID", "auto_pad " + base::quoted(automatic));
  const std::vector<std::int64_t> pads = integers("pads", {0, 0, 0, 0});
  const bool even = pads.size() == 4 && pads[0] == pads[2] && pads[1] == pads[3];
  expect(even, "padding that differs between two sides");
  return even ? Pair{pads[0], pads[1]} : Pair{0, 0};
}

std::string Call::name_of_node() const {
  for (std::size_t input = 0; input < node_.inputs.size(); ++input) {
    const auto* weight = find<Weight>(input);
    const std::string module = weight == nullptr ? "" : module_of(weight->name);
    if (!module.empty()) {
      return module;
    }
  }
  const std::string path = module_path(node_.name);
  return path.empty() ? fmt::format("{}_{}", node_.op, index_) : path;
}

void Call::emit(const graph::Kind& kind, const std::vector<NodeId>& inputs) {
  if (const auto id = add(name_of_node(), kind, inputs)) {
    keep(*id);
  }
}

void Call::alias(std::size_t input) {
  const Value* found = value(input);
  if (found == nullptr) {
    static_cast<void>(map(input));  // says what is missing
    return;
  }
  if (const auto* id = std::get_if<NodeId>(found)) {
    walk_.aliased.insert(*id);
  }
  keep(*found);
}

void Call::keep(Value value) {
  if (output_.empty()) {
    return fail("has no output");
  }
  if (!error_ && !walk_.values.emplace(output_, std::move(value)).second) {
    fail(fmt::format("makes {}, which is there already", base::quoted(output_)));
  }
}

const Node* Call::only_reader(std::string_view op) const {
  const auto found = node_.outputs.empty() ? walk_.readers.end() : walk_.readers.find(node_.outputs.front());
  if (found == walk_.readers.end() || found->second.size() != 1 || found->second.front() >= walk_.graph.nodes.size()) {
    return nullptr;
  }
  const Node& reader = walk_.graph.nodes[found->second.front()];
  return reader.op == op ? &reader : nullptr;
}

void Call::fuse_reader() {
  const std::size_t reader = walk_.readers.find(node_.outputs.front())->second.front();
  const std::vector<std::string>& outputs = walk_.graph.nodes[reader].outputs;
  walk_.fused.insert(reader);
  output_ = outputs.empty() ? "" : outputs.front();
}

bool Call::may_work_in_place(std::size_t readers) {
  const NodeId input = map(0);
  const auto found = walk_.readers.find(node_.inputs.empty() ? "" : node_.inputs.front());
  return found != walk_.readers.end() && found->second.size() == readers && !walk_.aliased.contains(input) &&
         walk_.assembly.may_be_changed(input);
}

}  // namespace vggplan::importers::onnx
