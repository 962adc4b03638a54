// SPDX-License-Identifier: MIT
// Differences add up, and a gate trips where its limits say, not a byte earlier.
#include "vggplan/report/compare.hpp"

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
  const auto rules = report::read_budget(Document::parse(text), "b.json");
  return rules ? std::string() : rules.error().place + ": " + rules.error().rule;
}

}  // namespace

TEST_CASE("a report does not differ from itself", "[report]") {
  const Document one = report::build_estimate(test::sample_estimate());
  const Document diff = report::build_diff(one, one);
  CHECK(diff.at("inputs").empty());
  CHECK(diff.at("changes").empty());
}

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

TEST_CASE("percentages are of the base", "[report]") {
  Rule rule = on_reserved();
  rule.max_increase_percent = 50;
  CHECK(passes(rule, 150, 100));  // of the new figure it would be 33 %
  CHECK_FALSE(passes(rule, 151, 100));
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
}

TEST_CASE("what no longer fits fails whatever the budget", "[report]") {
  const Document fits = report::build_estimate(test::sample_estimate());
  const Document refused = report::build_estimate(test::refused_estimate());
  CHECK(report::build_check(refused, &fits, {})->at("passed") == false);
  CHECK(report::build_check(refused, nullptr, {})->at("passed") == false);
  CHECK(report::build_check(refused, &refused, {})->at("passed") == true);
}

TEST_CASE("a metric that the report lacks is an error with the nearest", "[report]") {
  Rule rule;
  rule.metric = "memory.reservd_peak_bytes";
  rule.max = 1;
  const base::Result<Document> check = report::build_check(with_reserved(1), nullptr, {rule});
  REQUIRE_FALSE(check);
  CHECK(check.error().rule == "'memory.reservd_peak_bytes' is not a figure of the report");
  CHECK(check.error().remedy ==
        "did you mean 'memory.reserved_peak_bytes', 'memory.steady_peak_bytes' or "
        "'memory.allocated_peak_bytes'?");
}

TEST_CASE("a budget is read strictly, and errors name the place", "[report]") {
  CHECK(budget_error(R"({"checks": [{"metric": "m_bytes", "max": "2GiB", "max_increase": "5%", "severity": "warn"}]})")
            .empty());
  CHECK(budget_error("[]") == "b.json: is not a budget: it has no list of checks");
  CHECK(budget_error(R"({"checks": []})") == "b.json: has no checks");
  CHECK(budget_error(R"({"checks": [], "cheks": 1})") == "b.json: 'cheks' is not a key of a budget");
  CHECK(budget_error(R"({"checks": [{}]})") ==
        "b.json:/checks/0: needs a metric, such as \"memory.reserved_peak_bytes\"");
  CHECK(budget_error(R"({"checks": [{"metric": "a"}]})") == "b.json:/checks/0: sets no limit");
  CHECK(budget_error(R"({"checks": [{"metric": "a", "maxx": 1}]})") ==
        "b.json:/checks/0: 'maxx' is not a key of a check");
  CHECK(budget_error(R"({"checks": [{"metric": "a", "max": "5%"}]})") ==
        "b.json:/checks/0/max: takes no percentage: percent of what?");
  CHECK(budget_error(R"({"checks": [{"metric": "a", "max": "much"}]})") ==
        "b.json:/checks/0/max: takes a number, not 'much'");
  CHECK(budget_error(R"({"checks": [{"metric": "m_bytes", "max": "2G"}]})") ==
        "b.json:/checks/0/max: the unit of '2G' may be decimal or binary");
  CHECK(budget_error(R"({"checks": [{"metric": "a", "max": 1, "severity": "info"}]})") ==
        "b.json:/checks/0/severity: takes \"warn\" or \"fail\", not \"info\"");
  CHECK(budget_error(R"({"checks": [{"metric": "a", "max_increase": -1}]})") ==
        "b.json:/checks/0/max_increase: takes a limit of 0 or more");
  CHECK(budget_error(R"({"checks": [{"metric": "a", "max_increase": "5%", "max_increase_percent": 6}]})") ==
        "b.json:/checks/0/max_increase_percent: limits the same thing a second time");
}

TEST_CASE("plans are compared by their recommendation, and without one there is nothing to compare", "[report]") {
  CHECK(report::comparable(test::sample_plan(), "p").value().at("job").at("batch") == 4);
  CHECK(report::comparable(test::refused_plan(), "p").error().rule ==
        "is a plan for which nothing fits: there are no figures to compare");
  CHECK(report::comparable(test::sample_layers(), "p").error().place == "p");
}

}  // namespace vggplan
