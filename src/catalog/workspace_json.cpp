// SPDX-License-Identifier: MIT
#include "catalog/workspace_json.hpp"

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

constexpr Range kCopies{0, 1000};

WorkspaceSize read_size(ObjectReader& reader) {
  WorkspaceSize size;
  size.input = reader.optional_number("input", kCopies).value_or(0);
  size.output = reader.optional_number("output", kCopies).value_or(0);
  size.weight = reader.optional_number("weight", kCopies).value_or(0);
  size.bytes = reader.optional_integer("bytes", 0).value_or(0);
  size.align = reader.optional_integer("align", 1, 1024).value_or(0);
  return size;
}

/// [first] or [first, last], both inclusive; absent: no bound.
lowering::Range read_range(ObjectReader& reader, std::string_view key) {
  const nlohmann::json* bounds = reader.array(key, false);
  if (bounds == nullptr) {
    return {};
  }
  const bool whole =
      bounds->size() <= 2 && !bounds->empty() && (*bounds)[0].is_number_integer() && bounds->back().is_number_integer();
  if (!whole) {
    reader.report(key, "a range is [first] or [first, last], of whole numbers", "write for example [64] or [64, 128]");
    return {};
  }
  lowering::Range range{(*bounds)[0].get<std::int64_t>()};
  if (bounds->size() == 2) {
    range.end = (*bounds)[1].get<std::int64_t>() + 1;
  }
  return range;
}

/// Two whole numbers.
std::array<std::int64_t, 2> read_pair(ObjectReader& reader, std::string_view key) {
  const nlohmann::json* pair = reader.array(key, true);
  const auto positive = [](const nlohmann::json& value) { return value.is_number_unsigned() && value > 0; };
  if (pair == nullptr || pair->size() != 2 || !positive((*pair)[0]) || !positive((*pair)[1])) {
    reader.report(key, "takes two whole numbers above 0, of rows and of columns", "write for example [128, 256]");
    return {1, 1};
  }
  return {(*pair)[0].get<std::int64_t>(), (*pair)[1].get<std::int64_t>()};
}

WorkspaceKernel read_kernel(ObjectReader& reader) {
  WorkspaceKernel kernel;
  kernel.copies = reader.optional_boolean("copies", false);
  kernel.winograd = reader.optional_boolean("winograd", false);
  kernel.size = read_size(reader);
  const auto read_split = [&](ObjectReader& split) {
    kernel.split = lowering::SplitTiles{read_pair(split, "tile"), read_pair(split, "cluster"),
                                        split.integer("slots", 1), split.integer("steps", 1)};
  };
  reader.inside("split", read_split, false);
  return kernel;
}

/// Writes a tree into a rule, node after node: [axis, first size above, what is below, what is above], where an index
/// of a kernel may stand for a node.
class TreeReader {
 public:
  TreeReader(WorkspaceRule& rule, ObjectReader& reader) : rule_(rule), reader_(reader) {}

  void read(const nlohmann::json& root) {
    if (!is_node(root)) {
      return complain();
    }
    node(root, 0);
  }

 private:
  static constexpr std::size_t kDeepest = 64;

  static bool is_node(const nlohmann::json& value) {
    return value.is_array() && value.size() == 4 && value[0].is_string() && value[1].is_number_integer();
  }

  void complain() {
    reader_.report("tree", "a tree is [axis, first size above, below, above] and ends in indices of kernels",
                   "write for example [\"pixels\", 4096, 0, [\"images\", 2, 1, 0]]");
  }

  std::size_t node(const nlohmann::json& value, std::size_t depth) {
    const auto axis = base::parse_enum<lowering::SizeAxis>(value[0].get<std::string>());
    if (!axis || depth > kDeepest) {
      complain();
      return 0;
    }
    const std::size_t at = rule_.tree.size();
    rule_.tree.push_back({*axis, value[1].get<std::int64_t>()});
    const auto [below, below_is_kernel] = branch(value[2], depth);
    const auto [above, above_is_kernel] = branch(value[3], depth);
    SizeChoice& choice = rule_.tree[at];
    choice.below = below;
    choice.above = above;
    choice.below_is_kernel = below_is_kernel;
    choice.above_is_kernel = above_is_kernel;
    return at;
  }

  std::pair<std::size_t, bool> branch(const nlohmann::json& value, std::size_t depth) {
    if (is_node(value)) {
      return {node(value, depth + 1), false};
    }
    if (!value.is_number_unsigned() || value.get<std::size_t>() >= rule_.kernels.size()) {
      complain();
      return {0, true};
    }
    return {value.get<std::size_t>(), true};
  }

  WorkspaceRule& rule_;
  ObjectReader& reader_;
};

WorkspaceRule read_bounds(ObjectReader& reader) {
  WorkspaceRule rule;
  for (const std::string& name : reader.texts("math")) {
    const auto mode = base::parse_enum<base::MathMode>(name);
    if (!mode) {
      reader.report("math", "unknown value '" + name + "'", base::suggestion(name, base::enum_names<base::MathMode>()));
    }
    rule.math.push_back(mode.value_or(base::MathMode::fp32));
  }
  if (reader.has("layout")) {
    rule.layout = reader.enumeration<base::Layout>("layout");
  }
  reader.skip("layout");
  rule.pass = reader.enumeration<lowering::ConvPass>("pass");
  rule.in_channels = read_range(reader, "in_channels");
  rule.out_channels = read_range(reader, "out_channels");
  rule.pixels = read_range(reader, "pixels");
  rule.elements = read_range(reader, "elements");
  if (reader.has("kernel")) {
    rule.filter = lowering::FilterRange{read_range(reader, "kernel"), read_range(reader, "stride"),
                                        reader.has("groups") ? read_range(reader, "groups") : lowering::Range{1, 2},
                                        read_range(reader, "group_channels")};
  }
  reader.each(
      "fallbacks", [&](ObjectReader& size) { rule.fallbacks.push_back(read_size(size)); }, false);
  return rule;
}

/// `fitted` says how well the tree was fitted, for people.
WorkspaceRule read_entry(ObjectReader& reader) {
  WorkspaceRule rule = read_bounds(reader);
  reader.skip("fitted");
  if (!reader.has("kernels")) {
    rule.kernels = {read_kernel(reader)};
    return rule;
  }
  // Several kernels, and the tree that picks one of them.
  rule.kernels.clear();
  reader.each("kernels", [&](ObjectReader& kernel) { rule.kernels.push_back(read_kernel(kernel)); });
  if (const nlohmann::json* tree = reader.array("tree", rule.kernels.size() != 1)) {
    TreeReader(rule, reader).read(*tree);
  }
  return rule;
}

}  // namespace

std::vector<WorkspaceRule> read_workspace_rules(ObjectReader& reader, std::string_view key) {
  std::vector<WorkspaceRule> rules;
  reader.each(key, [&](ObjectReader& entry) { rules.push_back(read_entry(entry)); });
  return rules;
}

}  // namespace vggplan::catalog
