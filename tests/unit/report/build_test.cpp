// SPDX-License-Identifier: MIT
// Reports say what the estimate holds: exact integers, absent where nothing applies, and by the schema.
#include <limits>
#include <map>
#include <random>

#include "report/parts.hpp"
#include "report/values.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/samples.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan {

using report::Document;

TEST_CASE("what does not apply is absent", "[report]") {
  const Document infer = report::build_estimate(test::infer_estimate());
  for (const char* pointer :
       {"/job/optimizer", "/job/accumulation", "/job/checkpointing", "/time/backward_seconds",
        "/time/optimizer_seconds", "/memory/phases/backward", "/storage/checkpoint_bytes",
        "/model/saved_activation_bytes", "/run", "/time/communication_seconds", "/machine/name"}) {
    INFO(pointer);
    CHECK_FALSE(infer.contains(Document::json_pointer(pointer)));
  }
  const Document many = report::build_estimate(test::rich_estimate());
  for (const char* pointer : {"/job/sharding", "/time/communication_seconds", "/run/cost_usd",
                              "/machine/price_usd_per_hour", "/storage/dataset_bytes", "/memory/timeline", "/layers"}) {
    INFO(pointer);
    CHECK(many.contains(Document::json_pointer(pointer)));
  }
}

TEST_CASE("an estimated figure is an object, a counted one a plain number", "[report]") {
  const Document estimate = report::build_estimate(test::sample_estimate());
  CHECK(estimate.at("memory").at("reserved_peak_bytes") ==
        Document({{"value", 25769803776}, {"low", 25768755200}, {"high", 25770852352}, {"basis", "simulated"}}));
  CHECK(estimate.at("model").at("parameters") == 138357544);
  CHECK(estimate.at("memory").at("headroom_bytes").is_number_integer());
}

TEST_CASE("integers are exact up to the largest that is counted", "[report]") {
  CHECK(report::plain(base::Bytes(9'007'199'254'740'992)).dump() == "9007199254740992");
  CHECK(report::plain(base::Bytes(-1)).dump() == "-1");
}

TEST_CASE("numbers keep nine significant digits, and are finite", "[report]") {
  CHECK(report::rounded(0.1 + 0.2) == 0.3);
  CHECK(report::rounded(123456789.123) == 123456789.0);
  CHECK(report::rounded(1.23456789012e-7) == 1.23456789e-7);
  CHECK(report::rounded(9.87654321987e15) == 9876543219870000.0);
  CHECK(report::rounded(0.0) == 0.0);
  CHECK(report::rounded(-2.5) == -2.5);
  CHECK(report::rounded(5e-324) == 0.0);
  CHECK_THROWS_AS(report::rounded(std::numeric_limits<double>::infinity()), std::logic_error);
  CHECK_THROWS_AS(report::rounded(std::numeric_limits<double>::quiet_NaN()), std::logic_error);
}

TEST_CASE("a sweep is its estimates as they are, each with the inputs that set it apart", "[report]") {
  const std::vector<Document> estimates{report::build_estimate(test::sample_estimate()),
                                        report::build_estimate(test::refused_estimate())};
  const Document sweep = report::build_sweep(estimates);
  REQUIRE(sweep.at("points").size() == estimates.size());
  for (std::size_t i = 0; i < estimates.size(); ++i) {
    Document point = sweep.at("points").at(i);
    CHECK(point.at("point").is_object());
    point.erase("point");
    CHECK(point == estimates[i]);
  }
}

TEST_CASE("a plan has a recommendation or remedies, never both", "[report]") {
  CHECK(test::sample_plan().contains("recommendation"));
  CHECK_FALSE(test::sample_plan().contains("remedies"));
  CHECK_FALSE(test::refused_plan().contains("recommendation"));
  CHECK(test::refused_plan().at("remedies").size() == 1);
}

TEST_CASE("the settings of a remedy have all that it sets", "[report]") {
  const auto settings = [](void (*also)(job::Job&)) {
    return test::refused_plan(also).at("remedies").front().at("settings");
  };
  const report::Document usual = settings(nullptr);
  CHECK_FALSE(usual.contains("bucket_view"));
  CHECK_FALSE(usual.contains("expandable_segments"));
  CHECK(usual.at("checkpointing") == "block");
  CHECK(settings([](job::Job& job) { job.parallel.bucket_view = true; }).at("bucket_view") == true);
  CHECK(settings([](job::Job& job) { job.expandable_segments = true; }).at("expandable_segments") == true);
  CHECK(settings([](job::Job& job) { job.head = graph::Head::gap; }).at("head") == "gap");
  CHECK(settings([](job::Job& job) { job.optimizer = job::Optimizer::sgd; }).at("optimizer") == "sgd");
  CHECK(settings([](job::Job& job) { job.image.height = 96; }).at("height") == 96);
}

TEST_CASE("a long timeline is thinned, and no peak is lost", "[report]") {
  std::vector<estimate::TimelinePoint> points;
  std::map<std::string, std::int64_t> peaks;
  std::int64_t most_reserved = 0;
  std::mt19937 random(5);  // NOLINT: the same numbers in every run
  for (int i = 0; i < 100'000; ++i) {
    estimate::TimelinePoint point;
    point.phase = i % 25'000 < 12'000 ? "forward" : i % 25'000 < 24'997 ? "backward" : "optimizer";
    point.allocated = base::Bytes(static_cast<std::int64_t>(random()));
    point.reserved = base::Bytes(static_cast<std::int64_t>(random()));
    peaks[point.phase] = std::max(peaks[point.phase], point.allocated.count());
    most_reserved = std::max(most_reserved, point.reserved.count());
    points.push_back(std::move(point));
  }
  const Document timeline = report::timeline_part(points);
  CHECK(timeline.size() < 5000);
  std::map<std::string, std::int64_t> shown;
  std::int64_t shown_reserved = 0;
  for (const Document& point : timeline) {
    std::int64_t& peak = shown[point.at("phase")];
    peak = std::max(peak, point.at("allocated_bytes").get<std::int64_t>());
    shown_reserved = std::max(shown_reserved, point.at("reserved_bytes").get<std::int64_t>());
  }
  CHECK(shown == peaks);
  CHECK(shown_reserved == most_reserved);
  points.resize(900);
  CHECK(report::timeline_part(points).size() == 900);
}

TEST_CASE("a saved report reads back, and what is no report is refused", "[report]") {
  const Document schema = Document::parse(test::repository_file("configs/schema/report.schema.json"));
  const auto message = [&](std::string_view text) {
    const base::Result<Document> read = report::read(text, schema, "f.json");
    return read ? std::string() : read.error().place + ": " + read.error().rule;
  };
  CHECK(message(test::sample_plan().dump()).empty());
  CHECK(message("").starts_with("f.json:1:1: is not JSON: "));
  CHECK(message("[1]") == "f.json: is not a report: it is not one JSON object");
  CHECK(message("{}") == "f.json: is not a report: it has no schema_version such as \"1.0\"");
  CHECK(message(R"({"schema_version": 1})") == "f.json: is not a report: it has no schema_version such as \"1.0\"");
  CHECK(message(R"({"schema_version": "2.0"})") == "f.json: has schema version 2.0, and this program reads 1.1");
  CHECK(message(R"({"schema_version": "1.7", "kind": "estimate"})").find("is missing") != std::string::npos);
  Document later = test::sample_plan();
  later["schema_version"] = "1.7";
  later["memory_of_tomorrow"] = 1;
  CHECK(message(later.dump()).empty());
  CHECK(message(R"({"schema_version": "1.0", "kind": "estimat"})") == "f.json: has the unknown kind 'estimat'");
}

}  // namespace vggplan
