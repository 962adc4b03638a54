// SPDX-License-Identifier: MIT
#include "catalog/workspace_json.hpp"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

namespace vggplan::base {

template <>
struct NameTable<lowering::SizeAxis> : NamesAsWritten<lowering::SizeAxis> {};

}  // namespace vggplan::base

namespace vggplan::catalog {

namespace {

using lowering::SizeChoice;
using lowering::WorkspaceKernel;
using lowering::WorkspaceRule;
using lowering::WorkspaceSize;

WorkspaceSize size_of(const ObjectReader& reader) {
  return {reader.number("input"), reader.number("output"), reader.number("weight"), reader.integer("bytes"),
          reader.integer("align")};
}

/// [first] or [first, last], both inclusive; absent: no bound.
lowering::Range range_of(const ObjectReader& reader, std::string_view key, lowering::Range otherwise = {}) {
  const std::vector<std::int64_t> ends = reader.integers(key);
  if (ends.empty()) {
    return otherwise;
  }
  lowering::Range range{ends.front()};
  if (ends.size() == 2) {
    range.end = ends.back() + 1;
  }
  return range;
}

/// Of rows and of columns.
std::array<std::int64_t, 2> pair_of(const ObjectReader& reader, std::string_view key) {
  const std::vector<std::int64_t> pair = reader.integers(key);
  return {pair.front(), pair.back()};
}

WorkspaceKernel kernel_of(const ObjectReader& reader) {
  WorkspaceKernel kernel;
  kernel.copies = reader.boolean("copies");
  kernel.winograd = reader.boolean("winograd");
  kernel.size = size_of(reader);
  reader.inside("split", [&](const ObjectReader& split) {
    kernel.split = lowering::SplitTiles{pair_of(split, "tile"), pair_of(split, "cluster"), split.integer("slots"),
                                        split.integer("steps")};
  });
  return kernel;
}

/// Writes a tree into a rule, node after node: [axis, first size above, what is below, what is above], where an index
/// of a kernel may stand for a node.
class TreeReader {
 public:
  TreeReader(WorkspaceRule& rule, const ObjectReader& reader) : rule_(rule), reader_(reader) {}

  std::size_t node(const Json& value) {
    const std::size_t at = rule_.tree.size();
    rule_.tree.push_back(
        {base::parse_enum<lowering::SizeAxis>(value[0].get<std::string>()).value(), schema::whole(value[1]).value()});
    const auto [below, below_is_kernel] = branch(value[2]);
    const auto [above, above_is_kernel] = branch(value[3]);
    SizeChoice& choice = rule_.tree[at];
    choice.below = below;
    choice.above = above;
    choice.below_is_kernel = below_is_kernel;
    choice.above_is_kernel = above_is_kernel;
    return at;
  }

 private:
  std::pair<std::size_t, bool> branch(const Json& value) {
    if (value.is_array()) {
      return {node(value), false};
    }
    const auto kernel = static_cast<std::size_t>(schema::whole(value).value());
    if (kernel >= rule_.kernels.size()) {
      reader_.report("tree", fmt::format("names kernel {}, and there are {}", kernel, rule_.kernels.size()),
                     "the first of 'kernels' is 0");
      return {0, true};
    }
    return {kernel, true};
  }

  WorkspaceRule& rule_;
  const ObjectReader& reader_;
};

WorkspaceRule rule_of(const ObjectReader& reader) {
  WorkspaceRule rule;
  for (const std::string& name : reader.texts("math")) {
    rule.math.push_back(base::parse_enum<base::MathMode>(name).value());
  }
  if (reader.has("layout")) {
    rule.layout = reader.enumeration<base::Layout>("layout");
  }
  rule.pass = reader.enumeration<lowering::ConvPass>("pass");
  rule.in_channels = range_of(reader, "in_channels");
  rule.out_channels = range_of(reader, "out_channels");
  rule.pixels = range_of(reader, "pixels");
  rule.elements = range_of(reader, "elements");
  if (reader.has("kernel")) {
    rule.filter = lowering::FilterRange{range_of(reader, "kernel"), range_of(reader, "stride"),
                                        range_of(reader, "groups", {1, 2}), range_of(reader, "group_channels")};
  }
  reader.each("fallbacks", [&](const ObjectReader& size) { rule.fallbacks.push_back(size_of(size)); });
  if (!reader.has("kernels")) {
    rule.kernels = {kernel_of(reader)};
    return rule;
  }
  // Several kernels, and the tree that picks one of them.
  rule.kernels.clear();
  reader.each("kernels", [&](const ObjectReader& kernel) { rule.kernels.push_back(kernel_of(kernel)); });
  if (const Json* tree = reader.find("tree")) {
    TreeReader(rule, reader).node(*tree);
  }
  return rule;
}

}  // namespace

std::vector<WorkspaceRule> read_workspace_rules(const ObjectReader& reader, std::string_view key) {
  std::vector<WorkspaceRule> rules;
  reader.each(key, [&](const ObjectReader& entry) { rules.push_back(rule_of(entry)); });
  return rules;
}

}  // namespace vggplan::catalog
