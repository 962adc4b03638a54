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

/// What is refused is refused on reading; what is not must not trouble any format, which take turns.
void expect_refused(FakeWorld& world, const json& report, bool valid, const std::string& what) {
  constexpr std::array kFormats{"text", "markdown", "html", "csv"};
  static std::size_t turn = 0;
  world.files["r.json"] = report.dump();
  const std::string format = kFormats.at(turn++ % kFormats.size());
  const Ran ran = run("show r.json --format " + format, world);
  INFO(what << " as " << format << ": " << ran.err);
  CHECK(ran.code == (valid ? app::kYes : app::kWrongQuestion));
  CHECK((valid || ran.err.starts_with("vggplan: r.json:")));
  CHECK((valid || ran.out.empty()));
  CHECK(ran.err.find("exception") == std::string::npos);
}

/// With lists of two entries at most: the third is read as the second is.
void shorten(json& value) {
  if (value.is_array() && value.size() > 2) {
    value.erase(value.begin() + 2, value.end());
  }
  if (value.is_structured()) {
    std::ranges::for_each(value, shorten);
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
  world.files["stats.json"] = R"({"allocated_bytes.all.peak": 1, "num_ooms": 1})";
  reports["verify"] = made("verify a.json stats.json");
  reports["check"] = made("check a.json --against b.json");
  return reports;
}

}  // namespace

TEST_CASE("a report that lacks a key or holds nonsense is refused, with its place", "[cli]") {
  const test::SchemaValidator schema(json::parse(run("schema report").out));
  const std::array<json, 5> kNonsense{nullptr, -1, "x", json::array(), ""};
  std::size_t turn = 0;
  FakeWorld world;
  for (auto& [name, report] : samples()) {
    shorten(report);
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
  const std::string lacks = "vggplan: bad.json:/job: is missing\n";
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

TEST_CASE("nesting, keys given twice and NUL bytes are refused in every file that is read", "[cli]") {
  const auto nested = [](std::size_t depth) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) {
      text += "[";
    }
    return text + "1" + std::string(depth, ']');
  };
  const std::string nul(1, '\0');
  FakeWorld world;
  const std::string good = samples().at("estimate").dump();
  world.files["good.json"] = good;
  const std::string inside = good.substr(0, good.size() - 1);
  const std::map<std::string, std::string> bad{
      {"nests deeper than 64 levels", inside + ",\"x\":" + nested(25'000) + "}"},
      {"nests deeper than 64 levels ", nested(60'000)},
      {"the key 'kind' occurs twice", inside + ",\"kind\":\"estimate\"}"},
      {"holds a NUL byte: it is no text", good + nul + "garbage"},
  };
  for (const auto& [rule, text] : bad) {
    const std::string told = rule.substr(0, rule.find_last_not_of(' ') + 1);
    world.files["bad.json"] = text;
    world.files["mine/gpus/bad.json"] = text;
    for (const std::string command :
         {"show bad.json", "diff good.json bad.json", "check good.json --against bad.json",
          "check good.json --budget bad.json", "calibrate bad.json --gpu t4",
          "estimate --size 64x64 --gpu t4 --gpu-file bad.json", "estimate --size 64x64 --gpu t4 --model bad.json",
          "estimate --size 64x64 --gpu t4 --calibration bad.json",
          "estimate --size 64x64 --gpu t4 --config-dir mine"}) {
      INFO(command << ": " << rule);
      const Ran ran = run(command, world);
      CHECK(ran.code == app::kWrongQuestion);
      CHECK(ran.out.empty());
      CHECK(ran.err.find(told) != std::string::npos);
    }
  }
}

TEST_CASE("deep TOML is refused as deep JSON is", "[cli]") {
  FakeWorld world;
  world.files["good.json"] = samples().at("estimate").dump();
  const auto repeated = [](const std::string& text) {
    std::string result;
    for (int i = 0; i < 500'000; ++i) {
      result += text;
    }
    return result;
  };
  for (const std::string& text : {"a = " + repeated("["), "a = " + repeated("{a="), "[" + repeated("a.") + "a]\nb = 1",
                                  repeated("a.") + "a = 1", "[[" + repeated("a.") + "a]]\nb = 1"}) {
    world.files["deep.toml"] = text;
    for (const std::string command :
         {"check good.json --budget deep.toml", "estimate --size 64x64 --gpu t4 --config deep.toml"}) {
      INFO(command << ": " << text.substr(0, 10));
      const Ran ran = run(command, world);
      CHECK(ran.code == app::kWrongQuestion);
      CHECK(ran.err.starts_with("vggplan: deep.toml:"));
    }
  }
}

TEST_CASE("a text too long for its pattern is refused, not matched", "[cli]") {
  FakeWorld world;
  json report = samples().at("estimate");
  report["schema_version"] = "1." + std::string(1'000'000, '0');
  expect_refused(world, report, false, "schema_version");
  report["schema_version"] = "1.0";
  report["job"]["checkpointing"] = "seq:" + std::string(1'000'000, '1');
  expect_refused(world, report, false, "checkpointing");
}

TEST_CASE("estimates that were put into one file are shown as a sweep, by what differs between them", "[cli]") {
  FakeWorld world;
  const auto line = [&](const std::string& arguments) {
    return json::parse(run("estimate --size 64x64 --json " + arguments, world).out).dump() + "\n";
  };
  const std::string one = line("--gpu t4 --batch 1");
  world.files["two.json"] = one + line("--gpu l4 --batch 2");
  for (const std::string format : {"text", "csv", "markdown", "html", "json"}) {
    INFO(format);
    const Ran ran = run("show two.json --format " + format, world);
    INFO(ran.err);
    CHECK(ran.code == app::kYes);
    CHECK(ran.out.find("batch") != std::string::npos);
    CHECK(ran.out.find("l4") != std::string::npos);
  }
  const json shown = json::parse(run("show two.json --json", world).out);
  CHECK(shown.at("points").at(0).at("point").at("batch") == 1);
  CHECK(shown.at("points").at(1).at("point").at("machine.gpu") == "l4");
  // The same estimate twice, two sweeps in one file, blank lines and CRLF, more inputs in one than in the other.
  world.files["same.json"] = one + one;
  world.files["crlf.json"] = "\n" + json::parse(one).dump() + "\r\n\r\n" + one;
  world.files["sweeps.json"] = run("sweep --size 64x64 --gpu t4 --sweep batch=1,2 --json", world).out +
                               run("sweep --gpu t4 --width 64 --sweep height=32,64 --json", world).out;
  world.files["more.json"] = one + line("--gpu t4 --images 100 --bucket-view");
  for (const std::string file : {"same.json", "crlf.json", "sweeps.json", "more.json"}) {
    for (const std::string format : {"text", "csv", "markdown", "html", "json"}) {
      INFO(file << " as " << format);
      const Ran ran = run("show " + file + " --format " + format, world);
      INFO(ran.err);
      CHECK(ran.code == app::kYes);
    }
  }
}

TEST_CASE("a line that is no estimate is refused by its number", "[cli]") {
  FakeWorld world;
  const std::string one = json::parse(run("estimate --size 64x64 --gpu t4 --json", world).out).dump() + "\n";
  const auto refused = [&](const std::string& text) {
    world.files["l.json"] = text;
    const Ran ran = run("show l.json", world);
    CHECK(ran.code == app::kWrongQuestion);
    CHECK(ran.out.empty());
    return ran.err.substr(0, ran.err.find(": ", 9));
  };
  CHECK(refused(one + "{\"kind\": }\n") == "vggplan: l.json:2:10");
  CHECK(refused(one + "\n" + json::parse(run("models --json", world).out).dump()) == "vggplan: l.json:3");
  json lacks = json::parse(one);
  lacks["memory"].erase("verdict");
  CHECK(refused(one + lacks.dump()) == "vggplan: l.json:2:/memory/verdict");
  lacks = json::parse(one);
  lacks["point"] = {{"a/~b", 1}};
  CHECK(refused(one + lacks.dump()) == "vggplan: l.json:2:/point/a~1~0b");
  CHECK(run("diff l.json l.json", world).code == app::kWrongQuestion);
}

TEST_CASE("figures of zero are divided by nowhere", "[cli]") {
  FakeWorld world;
  const json whole = samples().at("estimate");
  std::vector<json::json_pointer> found;
  places(whole, json::json_pointer(), found);
  for (const json::json_pointer& place : found) {
    if (!whole.at(place).is_number()) {
      continue;
    }
    json report = whole;
    report.at(place) = 0;
    world.files["r.json"] = report.dump();
    for (const std::string format : {"text --verbose", "markdown"}) {
      INFO(place.to_string() << " as " << format);
      const std::string out = run("show r.json --format " + format, world).out;
      CHECK(out.find("inf ") == std::string::npos);
      CHECK(out.find("nan ") == std::string::npos);
    }
  }
}

}  // namespace vggplan
