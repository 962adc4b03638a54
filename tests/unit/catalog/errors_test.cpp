// SPDX-License-Identifier: MIT
// What a user reads whose file is not right.
#include "support/catch.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::catalog {
namespace {

using base::Diagnostic;
using base::Fault;

const std::string kGpu = R"({
  "name": "my-card", "title": "My card", "architecture": "Ampere", "compute_capability": "8.6",
  "sm_count": 10, "boost_clock_mhz": 1500.5, "memory_total_bytes": 8e9, "context_memory_bytes": 0,
  "l2_cache_bytes": 4194304, "memory_bandwidth_bytes_per_second": 3e11, "fp32_flops_per_second": 1e13,
  "host_link": "pcie4x16", "unverified": ["sm_count"],
  "sources": [{"fields": ["title"], "reference": "the box", "date": "2026-11-22", "note": "seen"}]
})";

const std::string kGpuKeys = "'vggplan schema gpu' tells the keys and what they take";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

Diagnostic gpu_error(const std::string& from, const std::string& to) {
  const auto gpu = gpu_from({"card.json", replaced(kGpu, from, to), "/home/me/card.json"});
  REQUIRE_FALSE(gpu.has_value());
  return gpu.error();
}

Diagnostic model_error(const std::string& text) {
  const auto model = model_from({"m.json", text});
  REQUIRE_FALSE(model.has_value());
  return model.error();
}

TEST_CASE("a user's GPU is read in full") {
  const auto gpu = gpu_from({"card.json", kGpu});
  REQUIRE(gpu.has_value());
  CHECK(gpu->name == "my-card");
  CHECK(gpu->boost_clock_mhz == 1500.5);
  CHECK(gpu->memory_total == base::Bytes(8'000'000'000));
  CHECK(gpu->fp32 == base::FlopsPerSecond(1e13));
  CHECK_FALSE(gpu->tf32_tensor.has_value());
  CHECK_FALSE(gpu->nvlink.has_value());
  CHECK(gpu->unverified == std::vector<std::string>{"sm_count"});
  CHECK(gpu->sources == std::vector<hardware::Source>{{{"title"}, "the box", "2026-11-22", "seen"}});
}

TEST_CASE("an unknown key is named with the nearest known one, and wins over the key that is then missing") {
  CHECK(gpu_error("\"sm_count\"", "\"sm_cout\"") == Diagnostic{Fault::question, "/home/me/card.json:/sm_cout",
                                                               "unknown key 'sm_cout'", "did you mean 'sm_count'?"});
  CHECK(gpu_error("\"note\"", "\"nota\"").place == "/home/me/card.json:/sources/0/nota");
  CHECK(gpu_error("\"note\"", "\"a/b~c\"").place == "/home/me/card.json:/sources/0/a~1b~0c");
}

TEST_CASE("a missing key is named with where to look up the keys") {
  CHECK(gpu_error(R"("title": "My card", )", "") ==
        Diagnostic{Fault::question, "/home/me/card.json:/title", "is missing", kGpuKeys});
}

TEST_CASE("a value of the wrong type says what it should be and what it is") {
  CHECK(gpu_error("10,", "\"ten\",") ==
        Diagnostic{Fault::question, "/home/me/card.json:/sm_count", "must be a whole number, not a string", kGpuKeys});
  CHECK(gpu_error("10,", "10.5,").rule == "must be a whole number, not '10.5'");
  CHECK(gpu_error("10,", "null,").rule == "must be a whole number, not null");
  CHECK(gpu_error("1500.5", "true").rule == "must be a number, not true or false");
  CHECK(gpu_error("\"Ampere\"", "8").rule == "must be a string, not a number");
  CHECK(gpu_error("[\"sm_count\"]", "\"sm_count\"").rule == "must be an array, not a string");
  CHECK(gpu_error("[\"sm_count\"]", "[1]").rule == "must be a string, not a number");
  CHECK(gpu_error("[{\"fields\"", "[1, {\"fields\"") ==
        Diagnostic{Fault::question, "/home/me/card.json:/sources/0", "must be an object, not a number",
                   R"(write for example [{"reference":"data sheet of the vendor","date":"2026-11-30"}])"});
}

TEST_CASE("a value out of range says the range") {
  CHECK(gpu_error("10,", "0,").rule == "must be from 1 to 4096, not 0");
  CHECK(gpu_error("10,", "-3,").rule == "must be from 1 to 4096, not -3");
  CHECK(gpu_error("10,", "18446744073709551615,").rule == "must be from 1 to 4096, not 18446744073709551615");
  CHECK(gpu_error("8e9", "9007199254740993").rule == "must be from 1 to 9007199254740992, not 9007199254740993");
  CHECK(gpu_error("8e9", "1e300").rule == "must be a whole number, not '1e+300'");
  CHECK(gpu_error("3e11", "0").rule == "must be at least 1 and at most 1e+18, not 0");
  CHECK(gpu_error("3e11", "1e-300").rule == "must be at least 1 and at most 1e+18, not 1e-300");
  CHECK(gpu_error("1500.5", "10001").rule == "must be above 0 and at most 10000, not 10001");
  CHECK(gpu_error("\"Ampere\"", "\"\"").rule == "must not be empty");
}

TEST_CASE("fields must fit together") {
  CHECK(gpu_error("\"context_memory_bytes\": 0", "\"context_memory_bytes\": 8000000000").rule ==
        "must be less than memory_total_bytes");
  CHECK(gpu_error("\"8.6\"", "\"eight\"").rule == "must be like '8.0', not 'eight'");
  CHECK(gpu_error("\"pcie4x16\"", "\"pcie4x16\", \"nvlink_topology\": \"nvswitch\"").rule == "is missing");
  CHECK(gpu_error("\"pcie4x16\"", "\"pcie4x16\", \"nvlink\": \"nvlink3\"").rule == "is missing");
  const auto topology = gpu_error("\"pcie4x16\"", R"("pcie4x16", "nvlink": "nvlink3", "nvlink_topology": "nvswich")");
  CHECK(topology.rule == "unknown value 'nvswich'");
  CHECK(topology.remedy == "did you mean 'nvswitch'?");
  CHECK(gpu_error("[\"sm_count\"]", "[\"sm_cnt\"]").rule == "'sm_cnt' is no key of the record");
  CHECK(gpu_error("[\"title\"]", "[\"colour\"]").place == "/home/me/card.json:/sources/0/fields");
  CHECK(gpu_error("\"my-card\"", "\"../etc\"").rule ==
        "must be a name of letters, digits, '.', '_' and '-', a letter or a digit first, not '../etc'");
}

TEST_CASE("text that is no JSON is located by line and column") {
  const auto broken = gpu_error("\"sm_count\": 10,", "\"sm_count\": 10,,");
  CHECK(broken.place == "/home/me/card.json:3:18");
  CHECK(broken.rule.starts_with("is not JSON: "));
  CHECK(gpu_from({"e.json", "[]"}).error() ==
        Diagnostic{Fault::question, "e.json", "must be an object, not an array", kGpuKeys});
}

TEST_CASE("a user's model is read, with torchvision's defaults for what it leaves out") {
  const auto model = model_from({"m.json", R"({"name": "tiny", "features": [8, "M", 16, "M"], "batch_norm": true})"});
  REQUIRE(model.has_value());
  CHECK(model->name == "tiny");
  CHECK(model->features == std::vector<std::int64_t>{8, graph::kPool, 16, graph::kPool});
  CHECK(model->batch_norm);
  CHECK(model->hidden == std::vector<std::int64_t>{4096, 4096});
  CHECK(model->dropout == 0.5);
  const auto bare = model_from(
      {"m.json", R"({"name": "n", "features": [1], "batch_norm": false, "hidden": [], "dropout": 0, "source": "me"})"});
  REQUIRE(bare.has_value());
  CHECK(bare->hidden.empty());
  CHECK(bare->dropout == 0);
  CHECK(bare->source == "me");
}

TEST_CASE("a model that cannot be is refused") {
  const auto with_features = [](const std::string& features) {
    return R"({"name": "n", "batch_norm": false, "features": )" + features + "}";
  };
  CHECK(model_error(with_features("[]")).rule == "must not be empty");
  CHECK(model_error(with_features("[64, \"m\"]")) == Diagnostic{Fault::question, "m.json:/features/1",
                                                                "must be \"M\", not 'm'",
                                                                R"(write for example [64,64,"M",128,"M"])"});
  CHECK(model_error(with_features("[0]")).rule == "must be from 1 to 1048576, not 0");
  CHECK(model_error(with_features("[64, 1.5]")).rule == "must be a whole number, not '1.5'");
  CHECK(model_error(with_features("[64, 1048577]")).place == "m.json:/features/1");
  CHECK(model_error(with_features("[64, -1]")).place == "m.json:/features/1");
  CHECK(model_error(with_features("[\"M\", 64]")).rule == "must be a whole number, not a string");
  CHECK(model_error(with_features("\"64\"")).rule == "must be an array, not a string");
  CHECK(model_error(R"({"name": "n", "features": [1], "batch_norm": "yes"})").rule ==
        "must be true or false, not a string");
  CHECK(model_error(R"({"name": "n", "features": [1], "batch_norm": false, "dropout": 1})").rule ==
        "must be at least 0 and below 1, not 1");
  CHECK(model_error(R"({"name": "n", "features": [1], "batch_norm": false, "hidden": [0]})").rule ==
        "must be from 1 to 1048576, not 0");
  CHECK(model_error(R"({"name": "n", "feature": [1], "batch_norm": false})").remedy == "did you mean 'features'?");
}

}  // namespace
}  // namespace vggplan::catalog
