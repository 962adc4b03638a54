// SPDX-License-Identifier: MIT
#include <string>

#include "catalog/workspace_json.hpp"
#include "vggplan/base/json_text.hpp"
#include "vggplan/catalog/framework.hpp"
#include "vggplan/catalog/json_reader.hpp"

namespace vggplan::catalog {

namespace {

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

}  // namespace

base::Result<lowering::Framework> read_framework(std::string_view text, const std::string& shown) {
  auto json = base::parse_json<nlohmann::json>(text, shown);
  if (!json) {
    return json.error();
  }
  ObjectReader::Context context{shown, "framework"};
  ObjectReader reader(*json, "", context);
  lowering::Framework framework;
  framework.name = reader.name("name");
  framework.title = reader.optional_text("title").value_or(framework.name);
  reader.skip("sources");
  if (const nlohmann::json* allocator = reader.object("allocator", true)) {
    framework.allocator = read_allocator(*allocator, reader.pointer_to("allocator"), context);
  }
  framework.cublas_workspace = reader.bytes("cublas_workspace_bytes");
  framework.cublas_workspace_sm90 = reader.bytes("cublas_workspace_sm90_bytes");
  framework.cublaslt_workspace = reader.bytes("cublaslt_workspace_bytes");
  framework.cublas_handle_driver = reader.bytes("cublas_handle_driver_bytes");
  framework.backward_thread_driver = reader.bytes("backward_thread_driver_bytes");
  framework.scaler_pixels_with_batch_norm = reader.integer("scaler_pixels_with_batch_norm", 1);
  framework.first_bucket = reader.bytes("ddp_first_bucket_bytes");
  framework.nccl = reader.bytes("nccl_bytes");
  framework.least_capability = reader.optional_text("least_compute_capability").value_or("");
  reader.skip("observed");
  if (const nlohmann::json* observed = reader.has("observed") ? reader.object("observed") : nullptr) {
    framework.observed = read_observed(*observed, reader.pointer_to("observed"), context);
  }
  framework.broadcast_chunk = reader.bytes("ddp_broadcast_chunk_bytes");
  framework.split_elements = reader.integer("convolution_split_elements", 1);
  framework.workspace = read_workspace_rules(reader, "convolution_workspace", context);
  framework.benchmark = read_workspace_rules(reader, "benchmark_workspace", context);
  reader.finish();
  if (context.error) {
    return *context.error;
  }
  return framework;
}

}  // namespace vggplan::catalog
