// SPDX-License-Identifier: MIT
#include "catalog/workspace_rules.hpp"

#include <array>
#include <string>

#include "vggplan/base/names.hpp"

namespace vggplan::base {

template <>
struct NameTable<lowering::ConvPass> {
  static constexpr std::array<Named<lowering::ConvPass>, 3> table{
      {{lowering::ConvPass::forward, "forward", ""},
       {lowering::ConvPass::input_gradient, "input-gradient", ""},
       {lowering::ConvPass::weight_gradient, "weight-gradient", ""}}};
};

}  // namespace vggplan::base

namespace vggplan::catalog {

namespace {

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

std::optional<lowering::StreamK> read_stream_k(ObjectReader& rule, ObjectReader::Context& context) {
  if (!rule.has("stream_k")) {
    rule.skip("stream_k");
    return std::nullopt;
  }
  const nlohmann::json* value = rule.object("stream_k");
  if (value == nullptr) {
    return std::nullopt;
  }
  ObjectReader reader(*value, rule.pointer_to("stream_k"), context);
  lowering::StreamK stream_k;
  stream_k.tile_pixels = reader.integer("tile_pixels", 1);
  stream_k.tile_channels = reader.integer("tile_channels", 1);
  stream_k.slots = reader.integer("slots", 1);
  stream_k.cluster = reader.integer("cluster", 1);
  stream_k.iterations = reader.integer("iterations", 1);
  reader.finish();
  return stream_k;
}

/// What a kernel asks of the sizes, and what it takes; `rule` has what it shares with others.
void read_kernel(ObjectReader& reader, WorkspaceRule& rule, ObjectReader::Context& context) {
  rule.pixels = read_range(reader, "pixels");
  rule.images = read_range(reader, "images");
  rule.map = read_range(reader, "map");
  rule.map_multiple = reader.optional_integer("map_multiple", 1).value_or(1);
  rule.ragged = reader.optional_integer("ragged", 1).value_or(0);
  rule.copies = reader.has("copies") && reader.boolean("copies");
  reader.skip("copies");
  rule.size = read_size(reader);
  rule.stream_k = read_stream_k(reader, context);
}

WorkspaceRule read_shared(ObjectReader& reader, ObjectReader::Context& context) {
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
  rule.elements = read_range(reader, "elements");
  if (reader.has("kernel")) {
    rule.filter = lowering::FilterRange{read_range(reader, "kernel"), read_range(reader, "stride"),
                                        reader.has("groups") ? read_range(reader, "groups") : lowering::Range{1, 2},
                                        read_range(reader, "group_channels")};
  }
  if (const nlohmann::json* fallbacks = reader.array("fallbacks", false)) {
    for (std::size_t i = 0; i < fallbacks->size(); ++i) {
      ObjectReader fallback((*fallbacks)[i], reader.pointer_to("fallbacks") + "/" + std::to_string(i), context);
      rule.fallbacks.push_back(read_size(fallback));
      fallback.finish();
    }
  }
  return rule;
}

/// An entry is one rule, or of its `kernels` a rule each. `fitted` says how well those were fitted, for people.
void read_entry(const nlohmann::json& value, const std::string& pointer, ObjectReader::Context& context,
                std::vector<WorkspaceRule>& rules) {
  ObjectReader reader(value, pointer, context);
  WorkspaceRule shared = read_shared(reader, context);
  reader.skip("fitted");
  const nlohmann::json* kernels = reader.array("kernels", false);
  if (kernels == nullptr) {
    read_kernel(reader, shared, context);
    rules.push_back(shared);
  }
  for (std::size_t i = 0; kernels != nullptr && i < kernels->size(); ++i) {
    ObjectReader kernel((*kernels)[i], reader.pointer_to("kernels") + "/" + std::to_string(i), context);
    rules.push_back(shared);
    read_kernel(kernel, rules.back(), context);
    kernel.finish();
  }
  reader.finish();
}

}  // namespace

std::vector<WorkspaceRule> read_workspace_rules(ObjectReader& reader, std::string_view key,
                                                ObjectReader::Context& context) {
  std::vector<WorkspaceRule> rules;
  if (const nlohmann::json* list = reader.array(key, true)) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      read_entry((*list)[i], reader.pointer_to(key) + "/" + std::to_string(i), context, rules);
    }
  }
  return rules;
}

}  // namespace vggplan::catalog
