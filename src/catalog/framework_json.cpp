// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <string>
#include <tuple>
#include <utility>

#include "catalog/read_record.hpp"
#include "catalog/records.hpp"
#include "catalog/workspace_json.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::catalog {

namespace {

memory::AllocatorRules read_allocator(ObjectReader& reader) {
  return {reader.bytes("rounding_bytes"),       reader.bytes("small_limit_bytes"),
          reader.bytes("small_segment_bytes"),  reader.bytes("large_segment_bytes"),
          reader.bytes("large_request_bytes"),  reader.bytes("large_rounding_bytes"),
          reader.bytes("split_remainder_bytes")};
}

lowering::Observed read_observed(ObjectReader& reader) {
  return {reader.optional_bytes("fp32_step_bytes"), reader.optional_bytes("benchmark_step_bytes"),
          reader.optional_number("cache_flush_slowdown", {1, 1000})};
}

/// [low, high]
std::pair<base::Bytes, base::Bytes> read_ends(ObjectReader& reader, std::string_view key) {
  const nlohmann::json* ends = reader.array(key, true);
  if (ends == nullptr) {
    return {};
  }
  const bool whole = ends->size() == 2 && (*ends)[0].is_number_unsigned() && (*ends)[1].is_number_unsigned();
  if (!whole || (*ends)[0] > (*ends)[1]) {
    reader.report(key, "must be the ends of a range: [low, high], in bytes", "write for example [1048576, 2097152]");
    return {};
  }
  return {base::Bytes((*ends)[0].get<std::int64_t>()), base::Bytes((*ends)[1].get<std::int64_t>())};
}

lowering::Outside read_outside(ObjectReader& reader) {
  lowering::Outside outside;
  std::tie(outside.bare_low, outside.bare_high) = read_ends(reader, "bare_bytes_per_sm");
  std::tie(outside.loaded_low, outside.loaded_high) = read_ends(reader, "loaded_bytes");
  outside.measured_more = reader.bytes("measured_more_bytes", 0);
  return outside;
}

std::vector<lowering::CublasWorkspace> read_cublas(ObjectReader& reader, std::string_view key) {
  std::vector<lowering::CublasWorkspace> workspaces;
  reader.each(key, [&](ObjectReader& entry) {
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
    workspaces.push_back(workspace);
  });
  return workspaces;
}

/// Reads what a file says into a profile. `whole`: it takes nothing from another, and has to say all.
class ProfileReader {
 public:
  ProfileReader(ObjectReader& reader, bool whole) : reader_(reader), whole_(whole) {}

  void read(lowering::Framework& profile) {
    part("allocator", profile.allocator, read_allocator);
    read_libraries(profile);
    take("scaler_pixels_with_batch_norm", profile.scaler_pixels_with_batch_norm,
         [&](std::string_view key) { return reader_.integer(key, 1); });
    bytes("ddp_first_bucket_bytes", profile.first_bucket);
    bytes("ddp_broadcast_chunk_bytes", profile.broadcast_chunk);
    bytes("nccl_bytes", profile.nccl);
    part("outside", profile.outside, read_outside);
    read_cudnn(profile);
    word("allocator_variable", profile.allocator_variable);
    word("least_compute_capability", profile.least_capability);
    word("most_compute_capability", profile.most_capability);
    reader_.inside(
        "observed", [&](ObjectReader& observed) { profile.observed = read_observed(observed); }, false);
  }

 private:
  template <class T, class Read>
  void take(std::string_view key, T& into, Read read) {
    if (whole_ || reader_.has(key)) {
      into = read(key);
    }
    reader_.skip(key);
  }
  /// An object of its own.
  template <class T>
  void part(std::string_view key, T& into, T (*of)(ObjectReader&)) {
    reader_.inside(
        key, [&](ObjectReader& reader) { into = of(reader); }, whole_);
  }
  void bytes(std::string_view key, base::Bytes& into, std::int64_t low = 1) {
    take(key, into, [&](std::string_view name) { return reader_.bytes(name, low); });
  }
  void word(std::string_view key, std::string& into) { into = reader_.optional_text(key).value_or(into); }
  void lifetime(std::string_view key, lowering::Lifetime& into) { into = reader_.optional_enumeration(key, into); }

  void read_libraries(lowering::Framework& profile) {
    take("cublas_workspaces", profile.cublas_workspaces,
         [&](std::string_view key) { return read_cublas(reader_, key); });
    lifetime("cublas_workspace_lifetime", profile.cublas_lifetime);
    bytes("cublaslt_workspace_bytes", profile.cublaslt_workspace, 0);
    lifetime("cublaslt_workspace_lifetime", profile.cublaslt_lifetime);
    bytes("cublas_handle_driver_bytes", profile.cublas_handle_driver);
    bytes("backward_thread_driver_bytes", profile.backward_thread_driver);
  }

  void read_cudnn(lowering::Framework& profile) {
    const auto rules = [&](std::string_view key) { return read_workspace_rules(reader_, key); };
    take("convolution_split_elements", profile.split_elements,
         [&](std::string_view key) { return reader_.integer(key, 1); });
    take("convolution_workspace", profile.workspace, rules);
    take("benchmark_workspace", profile.benchmark, rules);
  }

  ObjectReader& reader_;
  bool whole_;
};

}  // namespace

base::Result<lowering::Framework> read_framework(std::string_view text, const std::string& shown,
                                                 const FindFramework& find) {
  return read_record<lowering::Framework>(text, shown, "framework", [&](ObjectReader& reader) {
    lowering::Framework framework;
    const std::optional<std::string> base = reader.optional_name("rules_of");
    if (base && find) {
      if (base::Result<lowering::Framework> rules = find(*base)) {
        framework = std::move(*rules);
        framework.rules_of = framework.title;
      } else {
        reader.report("rules_of", fmt::format("{} gives no rules: {}", base::quoted(*base), rules.error().rule),
                      rules.error().remedy);
      }
    } else if (base) {
      reader.report("rules_of", "the profile that has the rules must say all itself", "name that which it names");
    }
    framework.name = reader.name("name");
    framework.title = reader.optional_text("title").value_or(framework.name);
    reader.skip("sources");
    ProfileReader(reader, !base.has_value()).read(framework);
    return framework;
  });
}

}  // namespace vggplan::catalog
