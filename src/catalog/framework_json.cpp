// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

#include "vggplan/base/format.hpp"
#include "vggplan/base/json_text.hpp"
#include "vggplan/catalog/framework.hpp"
#include "vggplan/catalog/json_reader.hpp"

namespace vggplan::base {

template <>
struct NameTable<lowering::ConvPass> {
  static constexpr std::array<Named<lowering::ConvPass>, 3> table{
      {{lowering::ConvPass::forward, "forward", ""},
       {lowering::ConvPass::input_gradient, "input-gradient", ""},
       {lowering::ConvPass::weight_gradient, "weight-gradient", ""}}};
};

template <>
struct NameTable<lowering::Lifetime> {
  static constexpr std::array<Named<lowering::Lifetime>, 2> table{
      {{lowering::Lifetime::process, "process", ""}, {lowering::Lifetime::call, "call", ""}}};
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

std::vector<WorkspaceRule> read_rules(ObjectReader& reader, std::string_view key, ObjectReader::Context& context) {
  std::vector<WorkspaceRule> rules;
  if (const nlohmann::json* list = reader.array(key, true)) {
    for (std::size_t i = 0; i < list->size(); ++i) {
      read_entry((*list)[i], reader.pointer_to(key) + "/" + std::to_string(i), context, rules);
    }
  }
  return rules;
}

memory::AllocatorRules read_allocator(const nlohmann::json& value, const std::string& pointer,
                                      ObjectReader::Context& context) {
  ObjectReader reader(value, pointer, context);
  const memory::AllocatorRules rules{reader.bytes("rounding_bytes"),       reader.bytes("small_limit_bytes"),
                                     reader.bytes("small_segment_bytes"),  reader.bytes("large_segment_bytes"),
                                     reader.bytes("large_request_bytes"),  reader.bytes("large_rounding_bytes"),
                                     reader.bytes("split_remainder_bytes")};
  reader.finish();
  return rules;
}

lowering::Observed read_observed(const nlohmann::json& value, const std::string& pointer,
                                 ObjectReader::Context& context) {
  ObjectReader reader(value, pointer, context);
  const auto bytes = [&reader](std::string_view key) {
    const auto count = reader.optional_integer(key, 1);
    return count ? std::optional(base::Bytes(*count)) : std::nullopt;
  };
  const lowering::Observed observed{bytes("fp32_step_bytes"), bytes("benchmark_step_bytes"),
                                    reader.optional_number("cache_flush_slowdown", {1, 1000})};
  reader.finish();
  return observed;
}

std::vector<lowering::CublasWorkspace> read_cublas(ObjectReader& reader, std::string_view key,
                                                   ObjectReader::Context& context) {
  std::vector<lowering::CublasWorkspace> workspaces;
  const nlohmann::json* list = reader.array(key, true);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    ObjectReader entry((*list)[i], reader.pointer_to(key) + "/" + std::to_string(i), context);
    lowering::CublasWorkspace workspace;
    const nlohmann::json* majors = entry.array("majors", false);
    for (std::size_t at = 0; majors != nullptr && at < majors->size(); ++at) {
      if (!(*majors)[at].is_number_integer()) {
        entry.report("majors", "lists the whole parts of compute capabilities", "write for example [9, 10]");
        break;
      }
      workspace.majors.push_back((*majors)[at].get<std::int64_t>());
    }
    workspace.bytes = entry.bytes("bytes", 0);
    entry.finish();
    workspaces.push_back(workspace);
  }
  return workspaces;
}

/// Reads what a file says into a profile. `whole`: it takes nothing from another, and has to say all.
class ProfileReader {
 public:
  ProfileReader(ObjectReader& reader, ObjectReader::Context& context, bool whole)
      : reader_(reader), context_(context), whole_(whole) {}

  void read(lowering::Framework& profile) {
    take("allocator", profile.allocator, [&](std::string_view key) {
      const nlohmann::json* rules = reader_.object(key, true);
      return rules == nullptr ? profile.allocator : read_allocator(*rules, reader_.pointer_to(key), context_);
    });
    read_libraries(profile);
    take("scaler_pixels_with_batch_norm", profile.scaler_pixels_with_batch_norm,
         [&](std::string_view key) { return reader_.integer(key, 1); });
    bytes("ddp_first_bucket_bytes", profile.first_bucket);
    bytes("ddp_broadcast_chunk_bytes", profile.broadcast_chunk);
    bytes("nccl_bytes", profile.nccl);
    read_cudnn(profile);
    word("allocator_variable", profile.allocator_variable);
    word("least_compute_capability", profile.least_capability);
    word("most_compute_capability", profile.most_capability);
    if (reader_.has("observed")) {
      take("observed", profile.observed, [&](std::string_view key) {
        const nlohmann::json* observed = reader_.object(key);
        return observed == nullptr ? profile.observed : read_observed(*observed, reader_.pointer_to(key), context_);
      });
    }
    reader_.skip("observed");
  }

 private:
  template <class T, class Read>
  void take(std::string_view key, T& into, Read read) {
    if (whole_ || reader_.has(key)) {
      into = read(key);
    }
    reader_.skip(key);
  }
  void bytes(std::string_view key, base::Bytes& into, std::int64_t low = 1) {
    take(key, into, [&](std::string_view name) { return reader_.bytes(name, low); });
  }
  void word(std::string_view key, std::string& into) { into = reader_.optional_text(key).value_or(into); }
  void lifetime(std::string_view key, lowering::Lifetime& into) {
    if (reader_.has(key)) {
      into = reader_.enumeration<lowering::Lifetime>(key);
    }
    reader_.skip(key);
  }

  void read_libraries(lowering::Framework& profile) {
    take("cublas_workspaces", profile.cublas_workspaces,
         [&](std::string_view key) { return read_cublas(reader_, key, context_); });
    lifetime("cublas_workspace_lifetime", profile.cublas_lifetime);
    bytes("cublaslt_workspace_bytes", profile.cublaslt_workspace, 0);
    lifetime("cublaslt_workspace_lifetime", profile.cublaslt_lifetime);
    bytes("cublas_handle_driver_bytes", profile.cublas_handle_driver);
    bytes("backward_thread_driver_bytes", profile.backward_thread_driver);
  }

  void read_cudnn(lowering::Framework& profile) {
    const auto rules = [&](std::string_view key) { return read_rules(reader_, key, context_); };
    take("convolution_split_elements", profile.split_elements,
         [&](std::string_view key) { return reader_.integer(key, 1); });
    take("convolution_workspace", profile.workspace, rules);
    take("benchmark_workspace", profile.benchmark, rules);
  }

  ObjectReader& reader_;
  ObjectReader::Context& context_;
  bool whole_;
};

}  // namespace

base::Result<lowering::Framework> read_framework(std::string_view text, const std::string& shown,
                                                 const FindFramework& find) {
  auto json = base::parse_json<nlohmann::json>(text, shown);
  if (!json) {
    return json.error();
  }
  ObjectReader::Context context{shown, "framework"};
  ObjectReader reader(*json, "", context);
  lowering::Framework framework;
  const std::optional<std::string> base = reader.optional_name("rules_of");
  if (base && find) {
    base::Result<lowering::Framework> rules = find(*base);
    if (!rules) {
      return base::wrong(shown + ":/rules_of",
                         fmt::format("{} gives no rules: {}", base::quoted(*base), rules.error().rule),
                         rules.error().remedy);
    }
    framework = std::move(*rules);
    framework.rules_of = framework.title;
  } else if (base) {
    reader.report("rules_of", "the profile that has the rules must say all itself", "name that which it names");
  }
  framework.name = reader.name("name");
  framework.title = reader.optional_text("title").value_or(framework.name);
  reader.skip("sources");
  ProfileReader(reader, context, !base.has_value()).read(framework);
  reader.finish();
  if (context.error) {
    return *context.error;
  }
  return framework;
}

}  // namespace vggplan::catalog
