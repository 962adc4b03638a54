// SPDX-License-Identifier: MIT
// Differences add up, and a gate trips where its limits say, not a byte earlier.
#include "vggplan/report/compare.hpp"

#include <limits>

#include "support/catch.hpp"
#include "support/samples.hpp"

namespace vggplan {

namespace {

using report::Document;
using report::Rule;

/// An estimate whose reserved peak is `gibibytes`.
Document with_reserved(std::int64_t bytes) {
  estimate::Estimate sample = test::sample_estimate();
  sample.memory.reserved_peak = base::exactly(base::Bytes(bytes));
  return report::build_estimate(sample);
}

Rule on_reserved() {
  Rule rule;
  rule.metric = "memory.reserved_peak_bytes";
  return rule;
}

bool passes(const Rule& rule, std::int64_t actual, std::int64_t base) {
  const Document before = with_reserved(base);
  return report::build_check(with_reserved(actual), &before, {rule})->at("passed").get<bool>();
}

std::string budget_error(const std::string& text) {
  const auto rules =
      report::read_budget(Document::parse(text), "b.json", report::build_estimate(test::sample_estimate()));
  return rules ? std::string() : rules.error().place + ": " + rules.error().rule;
}

}  // namespace

TEST_CASE("a difference names the inputs and figures that changed, and old + delta is new", "[report]") {
  const Document diff = test::sample_diff();
  CHECK(diff.at("inputs").at(0) ==
        Document({{"name", "batch"}, {"old", 4}, {"new", 6}, {"delta", 2}, {"delta_percent", 50.0}}));
  for (const Document& change : diff.at("changes")) {
    INFO(change.dump());
    CHECK(change.at("old").get<double>() + change.at("delta").get<double>() == Approx(change.at("new").get<double>()));
  }
}

TEST_CASE("a key that only one side has is told, without a delta", "[report]") {
  const Document diff = report::build_diff(report::build_estimate(test::sample_estimate()),
                                           report::build_estimate(test::infer_estimate()));
  bool found = false;
  for (const Document& change : diff.at("changes")) {
    if (change.at("metric") == "time.backward_seconds") {
      found = change.contains("old") && !change.contains("new") && !change.contains("delta");
    }
  }
  CHECK(found);
}

TEST_CASE("a limit is kept up to its last byte", "[report]") {
  Rule rule = on_reserved();
  rule.max = 1000;
  CHECK(passes(rule, 1000, 1));
  CHECK_FALSE(passes(rule, 1001, 1));
  rule = on_reserved();
  rule.min = 1000;
  CHECK(passes(rule, 1000, 1));
  CHECK_FALSE(passes(rule, 999, 1));
  rule = on_reserved();
  rule.max_increase = 10;
  CHECK(passes(rule, 110, 100));
  CHECK_FALSE(passes(rule, 111, 100));
  rule = on_reserved();
  rule.max_increase_percent = 5;
  CHECK(passes(rule, 1050, 1000));
  CHECK_FALSE(passes(rule, 1051, 1000));
  CHECK(passes(rule, 1, 1000));
  rule = on_reserved();
  rule.max_decrease_percent = 5;
  CHECK(passes(rule, 950, 1000));
  CHECK_FALSE(passes(rule, 949, 1000));
}

TEST_CASE("with two limits of increase both must trip", "[report]") {
  Rule rule = on_reserved();
  rule.max_increase = 10;
  rule.max_increase_percent = 5;
  CHECK(passes(rule, 110, 100));        // 10 % but only 10 bytes
  CHECK(passes(rule, 10'500, 10'000));  // 500 bytes but only 5 %
  CHECK_FALSE(passes(rule, 10'501, 10'000));
  CHECK_FALSE(passes(rule, 111, 100));
}

TEST_CASE("a warning does not fail, and without a base increases rest", "[report]") {
  Rule rule = on_reserved();
  rule.max = 1;
  rule.severity = report::Severity::warn;
  CHECK(passes(rule, 100, 100));
  rule = on_reserved();
  rule.max_increase = 1;
  const base::Result<Document> alone = report::build_check(with_reserved(100), nullptr, {rule});
  CHECK(alone->at("passed") == true);
  CHECK(alone->at("checks").size() == 1);  // whether it fits
  CHECK(alone->at("skipped") ==
        Document::parse(R"([{"metric": "memory.reserved_peak_bytes", "rule": "max_increase"}])"));
}

TEST_CASE("a change of a figure that the base lacks cannot be judged, and is not passed in silence", "[report]") {
  Rule rule;
  rule.metric = "run.total_seconds";
  rule.place = "b.toml:/checks/0";
  rule.max_increase_percent = 5;
  Document with_run = report::build_estimate(test::sample_estimate());
  with_run["run"]["total_seconds"] = 100.0;
  Document without = with_run;
  without.erase("run");
  const base::Result<Document> check = report::build_check(with_run, &without, {rule});
  REQUIRE_FALSE(check);
  CHECK(check.error().place == "b.toml:/checks/0");
  CHECK(check.error().rule == "limits the change of 'run.total_seconds', which the base report lacks");
  CHECK(report::build_check(with_run, &with_run, {rule})->at("passed") == true);
  rule.max_increase_percent.reset();
  rule.max = 99;  // needs no base
  CHECK(report::build_check(with_run, &without, {rule})->at("passed") == false);
}

TEST_CASE("what no longer fits fails whatever the budget", "[report]") {
  const Document fits = report::build_estimate(test::sample_estimate());
  const Document refused = report::build_estimate(test::refused_estimate());
  CHECK(report::build_check(refused, &fits, {})->at("passed") == false);
  CHECK(report::build_check(refused, nullptr, {})->at("passed") == false);
  const Document as_before = *report::build_check(refused, &refused, {});
  CHECK(as_before.at("passed") == true);
  CHECK(as_before.at("checks").at(0).at("passed") == false);
  CHECK(as_before.at("checks").at(0).at("severity") == "warn");
  CHECK(as_before.at("checks").at(0).at("limit") == "as before");
}

TEST_CASE("a metric that the report lacks is an error with the nearest, whatever its limit", "[report]") {
  for (const std::string limit : {"1", "\"1GiB\"", "\"5 apples\""}) {
    const auto rules = report::read_budget(
        Document::parse(R"({"checks": [{"max": )" + limit + R"(, "metric": "memory.reserved_peak_byte"}]})"), "b.json",
        with_reserved(1));
    REQUIRE_FALSE(rules);
    CHECK(rules.error().place == "b.json:/checks/0/metric");
    CHECK(rules.error().rule == "'memory.reserved_peak_byte' is not a figure of the report");
    CHECK(rules.error().remedy.starts_with("did you mean 'memory.reserved_peak_bytes'"));
  }
}

TEST_CASE("limits of time are written as reports print them", "[report]") {
  const auto limit = [](const std::string& text) {
    const Document budget = {{"checks", {{{"metric", "time.step_seconds"}, {"max", text}}}}};
    return report::read_budget(budget, "b", report::build_estimate(test::sample_estimate())).value().at(0).max.value();
  };
  CHECK(limit("400ms") == Approx(0.4));
  CHECK(limit("1.5s") == Approx(1.5));
  CHECK(limit("2min") == Approx(120));
  CHECK(limit("1h30min") == Approx(5400));
}

TEST_CASE("a limit is a number that can be reckoned with", "[report]") {
  for (const double odd : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(), 1e300}) {
    const Document budget = {{"checks", {{{"metric", "memory.usable_bytes"}, {"max", odd}}}}};
    const auto rules = report::read_budget(budget, "b.toml", with_reserved(1));
    REQUIRE_FALSE(rules);
    CHECK(rules.error().place == "b.toml:/checks/0/max");
  }
  Rule rule = on_reserved();
  rule.max = 1e29;
  const Document check = *report::build_check(with_reserved(1), nullptr, {rule});
  CHECK(check.at("checks").at(1).at("limit").get<double>() == Approx(1e29));
}

TEST_CASE("a budget is read strictly, and errors name the place", "[report]") {
  CHECK(
      budget_error(
          R"({"checks": [{"metric": "memory.usable_bytes", "max": "2GiB", "max_increase": "5%", "severity": "warn"}]})")
          .empty());
  CHECK(budget_error("[]") == "b.json: is not a budget: it has no list of checks");
  CHECK(budget_error(R"({"checks": []})") == "b.json: has no checks");
  CHECK(budget_error(R"({"checks": [], "cheks": 1})") == "b.json: 'cheks' is not a key of a budget");
  CHECK(budget_error(R"({"checks": [{}]})") ==
        "b.json:/checks/0: needs a metric, such as \"memory.reserved_peak_bytes\"");
  CHECK(budget_error(R"({"checks": [{"metric": "time.images_per_second"}]})") == "b.json:/checks/0: sets no limit");
  CHECK(budget_error(R"({"checks": [{"metric": "time.images_per_second", "maxx": 1}]})") ==
        "b.json:/checks/0: 'maxx' is not a key of a check");
  CHECK(budget_error(R"({"checks": [{"metric": "time.images_per_second", "max": "5%"}]})") ==
        "b.json:/checks/0/max: takes no percentage: percent of what?");
  CHECK(budget_error(R"({"checks": [{"metric": "time.images_per_second", "max": "much"}]})") ==
        "b.json:/checks/0/max: takes a number, not 'much'");
  CHECK(budget_error(R"({"checks": [{"metric": "memory.usable_bytes", "max": "2G"}]})") ==
        "b.json:/checks/0/max: the unit of '2G' may be decimal or binary");
  CHECK(budget_error(R"({"checks": [{"metric": "time.images_per_second", "max": 1, "severity": "info"}]})") ==
        "b.json:/checks/0/severity: takes \"warn\" or \"fail\", not \"info\"");
  CHECK(budget_error(R"({"checks": [{"metric": "time.images_per_second", "max_increase": -1}]})") ==
        "b.json:/checks/0/max_increase: takes a limit of 0 or more");
  CHECK(budget_error(
            R"({"checks": [{"metric": "time.images_per_second", "max_increase": "5%", "max_increase_percent": 6}]})") ==
        "b.json:/checks/0/max_increase_percent: limits the same thing a second time");
}

TEST_CASE("plans are compared by their recommendation, and without one there is nothing to compare", "[report]") {
  CHECK(report::comparable(test::sample_plan(), "p").value().at("job").at("batch") == 4);
  CHECK(report::comparable(test::refused_plan(), "p").error().rule ==
        "is a plan for which nothing fits: there are no figures to compare");
  CHECK(report::comparable(test::sample_layers(), "p").error().place == "p");
}

TEST_CASE("a check of different GPUs or jobs says so, whatever it answers", "[report]") {
  const Document base = report::build_estimate(test::sample_estimate());
  const auto codes = [&](const Document& actual) {
    const Document check = *report::build_check(actual, &base, {on_reserved()});
    CHECK(check.at("passed") == true);
    std::vector<std::string> found;
    for (const Document& warning : check.value("warnings", Document::array())) {
      found.push_back(warning.at("code").get<std::string>());
    }
    return found;
  };
  CHECK(codes(base).empty());
  Document other = base;
  other["machine"]["gpu"] = "another";
  other["machine"]["usable_bytes"] = 1;
  CHECK(codes(other) == std::vector<std::string>{"different-gpu"});
  other["job"]["batch"] = 77;
  CHECK(codes(other) == std::vector<std::string>{"different-gpu", "different-job"});
  other["machine"] = base["machine"];
  CHECK(codes(other) == std::vector<std::string>{"different-job"});
  const Document check = *report::build_check(other, &base, {});
  const auto message = check.at("warnings").at(0).at("message").get<std::string>();
  CHECK(message.find("batch is 77, and " + base.at("job").at("batch").dump() + " in the base") != std::string::npos);
  CHECK_FALSE(report::build_check(other, nullptr, {})->contains("warnings"));
}

}  // namespace vggplan
