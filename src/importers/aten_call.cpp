// SPDX-License-Identifier: MIT
#include "importers/aten_call.hpp"

#include <fmt/format.h>

#include "vggplan/base/format.hpp"

namespace vggplan::importers::aten {
namespace {

using graph::NodeId;
using graph::Pair;
using nlohmann::json;

const json kNothing;

/// The path of the innermost torch.nn module of "key,path,type;key,path,type", as PyTorch writes nn_module_stack.
std::string module_of_stack(std::string_view stack, std::string_view node) {
  const std::string_view last = stack.substr(stack.rfind(';') + 1);  // npos + 1 is 0
  const std::size_t first = last.find(',');
  const std::size_t second = last.find(',', std::min(first, last.size()) + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) {
    return std::string(node);
  }
  const std::string_view path = last.substr(first + 1, second - first - 1);
  const bool plain = path.find_first_of("[]'\" ") == std::string_view::npos;
  if (path.empty() || !plain) {
    return std::string(node);
  }
  const bool leaf = last.substr(second + 1).starts_with("torch.nn.modules.");
  return leaf ? std::string(path) : fmt::format("{}.{}", path, node);
}

}  // namespace

std::optional<std::int64_t> size_of(const json& value) {
  const json& number = value.is_object() ? member(value, "as_int") : value;
  return number.is_number_integer() ? std::optional(number.get<std::int64_t>()) : std::nullopt;
}

const json& member(const json& value, std::string_view key) {
  if (!value.is_object()) {
    return kNothing;
  }
  const auto found = value.find(key);
  return found == value.end() ? kNothing : *found;
}

std::string text_of(const json& value, std::string_view key) {
  const json& text = member(value, key);
  return text.is_string() ? text.get<std::string>() : "";
}

Call::Call(Walk& walk, const json& node, std::string place)
    : Checked(walk, std::move(place)), walk_(walk), node_(node) {
  const json& outputs = member(node, "outputs");
  if (outputs.is_array() && !outputs.empty()) {
    output_ = text_of(member(outputs.front(), "as_tensor"), "name");
  }
  const std::string target = text_of(node, "target");
  const std::size_t overload = target.rfind('.');
  in_place_ = overload != std::string::npos && overload > 0 && target[overload - 1] == '_';
}

const json& Call::argument(std::string_view name) const {
  const json& inputs = member(node_, "inputs");
  if (inputs.is_array()) {
    for (const json& input : inputs) {
      if (text_of(input, "name") == name) {
        return member(input, "arg");
      }
    }
  }
  return kNothing;
}

bool Call::has(std::string_view name) const {
  const json& given = argument(name);
  return given.is_object() && !given.contains("as_none");
}

const Value* Call::value(std::string_view name) const {
  const auto found = walk_.values.find(text_of(member(argument(name), "as_tensor"), "name"));
  return found == walk_.values.end() ? nullptr : &found->second;
}

NodeId Call::map(std::string_view name) {
  const auto* id = find<NodeId>(name);
  if (id == nullptr) {
    fail(find<Turned>(name) != nullptr
             ? fmt::format("its argument '{}' is a permuted map; a reshape to (batch, -1, values) is supported", name)
             : fmt::format("its argument '{}' is no tensor that a node before it makes", name));
    return 0;
  }
  if (in_place_ && changed_.empty()) {
    changed_ = text_of(member(argument(name), "as_tensor"), "name");
  }
  return *id;
}

std::vector<NodeId> Call::maps(std::string_view name) {
  std::vector<NodeId> ids;
  const json& list = member(argument(name), "as_tensors");
  for (std::size_t i = 0; list.is_array() && i < list.size(); ++i) {
    const auto found = walk_.values.find(text_of(list[i], "name"));
    const auto* id = found == walk_.values.end() ? nullptr : std::get_if<NodeId>(&found->second);
    if (id == nullptr) {
      fail(fmt::format("its argument '{}' holds something that no node before it makes", name));
      return {0};
    }
    ids.push_back(*id);
  }
  return ids;
}

const Weight& Call::weight(std::string_view name) {
  const auto* weight = find<Weight>(name);
  if (weight == nullptr) {
    fail(fmt::format("its argument '{}' must be a parameter", name));
    return kNoWeight;
  }
  module_ = module_of(weight->name);
  frozen_ = !weight->trained;
  return *weight;
}

std::int64_t Call::integer(std::string_view name, std::int64_t otherwise) const {
  return size_of(argument(name)).value_or(otherwise);
}

double Call::number(std::string_view name, double otherwise) const {
  for (const std::string_view key : {"as_float", "as_int"}) {
    if (const json& number = member(argument(name), key); number.is_number()) {
      return number.get<double>();
    }
  }
  return otherwise;
}

bool Call::flag(std::string_view name, bool otherwise) const {
  const json& given = member(argument(name), "as_bool");
  return given.is_boolean() ? given.get<bool>() : otherwise;
}

std::string Call::text(std::string_view name) const { return text_of(argument(name), "as_string"); }

/// A number, or the size of a map that the file has a name for; nothing for the batch.
std::optional<std::int64_t> Call::size(const json& number) const {
  const auto named = walk_.values.find(text_of(number, "as_name"));
  const auto* known = named == walk_.values.end() ? nullptr : std::get_if<Numbers>(&named->second);
  return known == nullptr ? size_of(number) : std::optional(static_cast<std::int64_t>(known->front()));
}

std::vector<std::optional<std::int64_t>> Call::integers(std::string_view name) const {
  std::vector<std::optional<std::int64_t>> sizes;
  for (const std::string_view key : {"as_ints", "as_sym_ints"}) {
    const json& list = member(argument(name), key);
    for (std::size_t i = 0; list.is_array() && i < list.size(); ++i) {
      sizes.push_back(size(list[i]));
    }
  }
  return sizes;
}

std::vector<double> Call::numbers(std::string_view name) const {
  std::vector<double> numbers;
  const json& list = member(argument(name), "as_floats");
  for (std::size_t i = 0; list.is_array() && i < list.size(); ++i) {
    numbers.push_back(list[i].is_number() ? list[i].get<double>() : 0);
  }
  return numbers;
}

Pair Call::pair(std::string_view name, Pair otherwise) {
  const auto sizes = integers(name);
  if (sizes.empty()) {
    const auto both = size_of(argument(name));
    return both ? Pair{*both, *both} : otherwise;
  }
  if (sizes.size() > 2 || !sizes.front() || !sizes.back()) {
    fail(fmt::format("its {} must be one or two numbers", name), "export without dynamic sizes there");
    return otherwise;
  }
  return {*sizes.front(), *sizes.back()};
}

std::string Call::name_of_node(std::string_view module) const {
  return module.empty() ? module_of_stack(text_of(member(node_, "metadata"), "nn_module_stack"), output_)
                        : std::string(module);
}

NodeId Call::emit(const graph::Kind& kind, const std::vector<NodeId>& inputs) {
  const auto id = add(name_of_node(module_), kind, inputs);
  if (id && frozen_) {
    walk_.assembly.freeze(*id);
  }
  if (id) {
    keep(*id);
  }
  return id.value_or(0);
}

void Call::alias(std::string_view name) {
  const NodeId id = map(name);
  if (!error_) {
    keep(id);
  }
}

void Call::keep(Value output) {
  if (error_) {
    return;
  }
  if (output_.empty() || !walk_.values.emplace(output_, output).second) {
    return fail(fmt::format("its output {} has no name of its own", base::quoted(output_)));
  }
  if (!changed_.empty()) {
    walk_.values.insert_or_assign(changed_, std::move(output));  // the same tensor
  }
}

}  // namespace vggplan::importers::aten
