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

memory::AllocatorRules allocator_of(const ObjectReader& reader) {
  return {reader.bytes("rounding_bytes"),       reader.bytes("small_limit_bytes"),
          reader.bytes("small_segment_bytes"),  reader.bytes("large_segment_bytes"),
          reader.bytes("large_request_bytes"),  reader.bytes("large_rounding_bytes"),
          reader.bytes("split_remainder_bytes")};
}

lowering::Observed observed_of(const ObjectReader& reader) {
  return {reader.optional_bytes("fp32_step_bytes"), reader.optional_bytes("benchmark_step_bytes"),
          reader.optional_number("cache_flush_slowdown")};
}

/// [low, high]
std::pair<base::Bytes, base::Bytes> ends_of(const ObjectReader& reader, std::string_view key) {
  const std::vector<std::int64_t> ends = reader.integers(key);
  if (ends.size() != 2 || ends[0] > ends[1]) {
    reader.report(key, "must be the ends of a range: [low, high], in bytes", "write for example [1048576, 2097152]");
    return {};
  }
  return {base::Bytes(ends[0]), base::Bytes(ends[1])};
}

lowering::Outside outside_of(const ObjectReader& reader) {
  lowering::Outside outside;
  std::tie(outside.bare_low, outside.bare_high) = ends_of(reader, "bare_bytes_per_sm");
  std::tie(outside.loaded_low, outside.loaded_high) = ends_of(reader, "loaded_bytes");
  outside.measured_more = reader.bytes("measured_more_bytes");
  return outside;
}

std::vector<lowering::CublasWorkspace> cublas_of(const ObjectReader& reader) {
  std::vector<lowering::CublasWorkspace> workspaces;
  reader.each("cublas_workspaces", [&](const ObjectReader& entry) {
    workspaces.push_back({entry.integers("majors"), entry.bytes("bytes")});
  });
  return workspaces;
}

/// What a file says goes into a profile; the rest of it stays.
class ProfileReader {
 public:
  ProfileReader(const ObjectReader& reader, lowering::Framework& profile) : reader_(reader), profile_(profile) {}

  void read() {
    reader_.inside("allocator", [&](const ObjectReader& reader) { profile_.allocator = allocator_of(reader); });
    reader_.inside("outside", [&](const ObjectReader& reader) { profile_.outside = outside_of(reader); });
    reader_.inside("observed", [&](const ObjectReader& reader) { profile_.observed = observed_of(reader); });
    read_libraries();
    take("scaler_pixels_with_batch_norm", profile_.scaler_pixels_with_batch_norm);
    take("ddp_first_bucket_bytes", profile_.first_bucket);
    take("ddp_broadcast_chunk_bytes", profile_.broadcast_chunk);
    take("nccl_bytes", profile_.nccl);
    take("allocator_variable", profile_.allocator_variable);
    take("least_compute_capability", profile_.least_capability);
    take("most_compute_capability", profile_.most_capability);
  }

 private:
  void take(std::string_view key, base::Bytes& into) { into = reader_.optional_bytes(key).value_or(into); }
  void take(std::string_view key, std::int64_t& into) { into = reader_.integer(key, into); }
  void take(std::string_view key, std::string& into) { into = reader_.text(key, into); }
  void take(std::string_view key, lowering::Lifetime& into) { into = reader_.enumeration(key, into); }
  void take(std::string_view key, std::vector<lowering::WorkspaceRule>& into) {
    if (reader_.has(key)) {
      into = read_workspace_rules(reader_, key);
    }
  }

  void read_libraries() {
    if (reader_.has("cublas_workspaces")) {
      profile_.cublas_workspaces = cublas_of(reader_);
    }
    take("cublas_workspace_lifetime", profile_.cublas_lifetime);
    take("cublaslt_workspace_bytes", profile_.cublaslt_workspace);
    take("cublaslt_workspace_lifetime", profile_.cublaslt_lifetime);
    take("cublas_handle_driver_bytes", profile_.cublas_handle_driver);
    take("backward_thread_driver_bytes", profile_.backward_thread_driver);
    take("convolution_split_elements", profile_.split_elements);
    take("convolution_workspace", profile_.workspace);
    take("benchmark_workspace", profile_.benchmark);
  }

  const ObjectReader& reader_;
  lowering::Framework& profile_;
};

}  // namespace

base::Result<lowering::Framework> read_framework(const RecordFile& file, const FindFramework& find) {
  return read_record<lowering::Framework>(file, "framework", [&](const ObjectReader& reader) {
    lowering::Framework framework;
    const std::optional<std::string> base = reader.optional_text("rules_of");
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
    framework.name = reader.text("name");
    framework.title = reader.text("title", framework.name);
    ProfileReader(reader, framework).read();
    return framework;
  });
}

}  // namespace vggplan::catalog
