// SPDX-License-Identifier: MIT
// The schema of reports is strict (tests/formats holds what the program prints to it), and what JSON adds up adds up.
#include <nlohmann/json.hpp>

#include "cli/fake_world.hpp"
#include "support/catch.hpp"
#include "support/json_schema.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan {

namespace {

using nlohmann::json;
using test::run;

const test::SchemaValidator& schema() {
  static const test::SchemaValidator kSchema(json::parse(run("schema report").out));
  return kSchema;
}

/// `value` without each of its keys in turn, and the same for objects inside.
void without_each_key(const json& whole, const json::json_pointer& at, std::vector<std::pair<std::string, json>>& out) {
  const json& here = whole.at(at);
  if (!here.is_object()) {
    return;
  }
  for (const auto& [key, value] : here.items()) {
    json less = whole;
    less.at(at).erase(key);
    out.emplace_back((at / key).to_string(), std::move(less));
    without_each_key(whole, at / key, out);
  }
}

}  // namespace

TEST_CASE("the schema notices a key that is missing or not known", "[cli]") {
  const json estimate = json::parse(run("estimate --size 64x64 --gpus t4x2 --json").out);
  std::vector<std::pair<std::string, json>> reduced;
  without_each_key(estimate, json::json_pointer(), reduced);
  CHECK(reduced.size() > 60);
  for (const auto& [removed, report] : reduced) {
    // By category or by layer any name may come and go, and some keys depend on the hardware.
    // Reports before schema 1.1 have no peak of the whole run, and early ones of 1.1 no time of the host.
    const bool free = removed.starts_with("/memory/breakdown") || removed.starts_with("/memory/run_peak_bytes") ||
                      removed.find("communication") != std::string::npos || removed.starts_with("/time/host_") ||
                      removed == "/time/parallel_overhead_seconds" || removed == "/job/sharding" ||
                      removed.starts_with("/price") || removed.starts_with("/job/bucket") ||
                      removed.starts_with("/job/data/workers") || removed.find("/storage/") == 0 ||
                      removed.find("storage_images_per_second") != std::string::npos;
    INFO(removed);
    CHECK((free || !schema().validate(report).empty()));
  }
  json more = estimate;
  more["time"]["step_secs"] = 1;
  CHECK_FALSE(schema().validate(more).empty());
  json wrong = estimate;
  wrong["memory"]["usable_bytes"] = 1.5;
  CHECK_FALSE(schema().validate(wrong).empty());
}

TEST_CASE("the schema is of the version that the reports bear", "[cli]") {
  const json report = json::parse(run("models --json").out);
  CHECK(report.at("schema_version") == std::string(report::kSchemaVersion));
  const std::string pattern = json::parse(run("schema report").out)
                                  .at("$defs")
                                  .at("estimate")
                                  .at("properties")
                                  .at("schema_version")
                                  .at("pattern");
  CHECK(std::regex_match(report.at("schema_version").get<std::string>(), std::regex(pattern)));
}

}  // namespace vggplan
