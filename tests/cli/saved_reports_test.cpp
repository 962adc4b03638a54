// SPDX-License-Identifier: MIT
// Reports from files: what is not whole is refused by name and place, never shown and never our own fault.
#include <array>
#include <nlohmann/json.hpp>

#include "cli/fake_world.hpp"
#include "support/catch.hpp"
#include "support/json_schema.hpp"

namespace vggplan {

namespace {

using nlohmann::json;
using test::FakeWorld;
using test::Ran;
using test::run;

/// Every place of `value`, itself left out.
void places(const json& value, const json::json_pointer& at, std::vector<json::json_pointer>& out) {
  if (!value.is_structured()) {
    return;
  }
  for (const auto& [key, member] : value.items()) {
    // One entry of a list stands for the others.
    if (!value.is_array() || key == "0") {
      const json::json_pointer place = value.is_array() ? at / std::size_t{0} : at / key;
      out.push_back(place);
      places(member, place, out);
    }
  }
}

void expect_refused(FakeWorld& world, const json& report, bool valid, const std::string& what) {
  world.files["r.json"] = report.dump();
  // What is refused is refused on reading; what is not must not trouble any format.
  for (const std::string format : {"text", "markdown", "html", "csv"}) {
    if (!valid && format != "text") {
      break;
    }
    const Ran ran = run("show r.json --format " + format, world);
    INFO(what << ": " << ran.err);
    CHECK(ran.code == (valid ? app::kYes : app::kWrongQuestion));
    CHECK((valid || ran.err.starts_with("vggplan: r.json:")));
    CHECK((valid || ran.out.empty()));
    CHECK(ran.err.find("exception") == std::string::npos);
  }
}

std::map<std::string, json> samples() {
  FakeWorld world;
  const auto made = [&](const std::string& arguments) { return json::parse(run(arguments + " --json", world).out); };
  std::map<std::string, json> reports;
  reports["estimate"] = made("estimate --size 64x64 --gpus t4x2 --images 100 --timeline");
  reports["plan"] = made("--size 64x64 --gpus t4");
  reports["layers"] = made("layers --size 64x64 --gpu t4");
  reports["gpus"] = made("gpus t4");
  world.files["a.json"] = made("estimate --size 64x64 --gpu t4").dump();
  world.files["b.json"] = made("estimate --size 64x96 --gpu l4 --batch 2").dump();
  reports["diff"] = made("diff a.json b.json");
  reports["check"] = made("check a.json --against b.json");
  return reports;
}

}  // namespace

TEST_CASE("a report that lacks a key or holds nonsense is refused, with its place", "[cli]") {
  const test::SchemaValidator schema(json::parse(run("schema report").out));
  const std::array<json, 5> kNonsense{nullptr, -1, "x", json::array(), ""};
  std::size_t turn = 0;
  FakeWorld world;
  for (const auto& [name, report] : samples()) {
    std::vector<json::json_pointer> all;
    places(report, json::json_pointer(), all);
    for (const json::json_pointer& place : all) {
      json less = report;
      json& parent = less.at(place.parent_pointer());
      if (parent.is_object()) {
        parent.erase(place.back());
        expect_refused(world, less, schema.validate(less).empty(), name + " without " + place.to_string());
      }
      if (place.back() == "schema_version" || place.back() == "kind") {
        continue;  // have messages of their own
      }
      json odd = report;
      odd.at(place) = kNonsense.at(turn++ % kNonsense.size());
      expect_refused(world, odd, schema.validate(odd).empty(), name + " with odd " + place.to_string());
    }
  }
}

TEST_CASE("a number that no counter holds is not shown as another", "[cli]") {
  FakeWorld world;
  json report = samples().at("estimate");
  for (const double value : {1e17, 1e22, 1e300}) {
    report["memory"]["reserved_peak_bytes"]["value"] = value;
    expect_refused(world, report, false, std::to_string(value));
  }
}

TEST_CASE("the file that is at fault is named, and where its JSON breaks off", "[cli]") {
  FakeWorld world;
  world.files["good.json"] = samples().at("estimate").dump();
  world.files["bad.json"] =
      R"({"schema_version": "1.0", "kind": "estimate", "tool": {"name": "vggplan", "version": "1"}})";
  const std::string lacks = "vggplan: bad.json: is not a valid report: lacks the key 'job'\n";
  for (const std::string command : {"show bad.json", "diff bad.json good.json", "diff good.json bad.json",
                                    "check bad.json --against good.json", "check good.json --against bad.json"}) {
    const Ran ran = run(command, world);
    INFO(command);
    CHECK(ran.code == app::kWrongQuestion);
    CHECK(ran.err.starts_with(lacks));
  }
  world.files["cut.json"] = "{\n  \"kind\": ";
  CHECK(run("show cut.json", world).err.starts_with("vggplan: cut.json:2:11: is not JSON: value - unexpected end"));
  world.files["empty.json"] = "";
  CHECK(run("diff empty.json good.json", world).err.starts_with("vggplan: empty.json:1:1: is not JSON: "));
}

}  // namespace vggplan
