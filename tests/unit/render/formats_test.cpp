// SPDX-License-Identifier: MIT
// No format lacks what another tells: every figure of verbose text is in Markdown and HTML.
#include "support/formats.hpp"

#include <algorithm>
#include <random>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan {

namespace {

using render::Document;

using support::figures;
using support::lacking;
using support::plain_html;
using support::plain_markdown;
using support::replace_all;

/// The report with every figure changed: what stands in two places by chance does not hide that one of them is missing.
Document shaken(const Document& value, std::mt19937& random, const std::string& key = "") {
  if (value.is_object() || value.is_array()) {
    Document result = value;
    for (auto& [inner, item] : result.items()) {
      item = shaken(item, random, value.is_object() ? inner : key);
    }
    return result;
  }
  // What is counted by the page, or compared with something else, stays.
  const bool fixed = key == "output_shape" || key == "epochs" || key == "nodes" || key == "steady" || key == "hard";
  if (fixed || !value.is_number()) {
    return value;
  }
  const double factor = std::uniform_real_distribution<double>(1.01, 1.99)(random);
  return value.is_number_integer() ? Document(1 + static_cast<std::int64_t>(factor * value.get<double>()))
                                   : Document(factor * value.get<double>());
}

void check_formats(const std::string& name, const Document& report) {
  const std::string text = render::text(report, {160, false, true, true});
  INFO(name << "\n" << text);
  CHECK(lacking(text, plain_markdown(render::markdown(report))) == std::vector<std::string>());
  CHECK(lacking(text, plain_html(render::html(report))) == std::vector<std::string>());
}

}  // namespace

TEST_CASE("every figure that text shows is in Markdown and HTML, too", "[render]") {
  std::mt19937 random(7);
  for (const test::Sample& sample : test::samples()) {
    check_formats(sample.name, sample.report);
    for (int i = 0; i < 5; ++i) {
      check_formats(sample.name + ", shaken", shaken(sample.report, random));
    }
  }
}

TEST_CASE("a figure that a format lacks is noticed", "[render]") {
  const std::string text = render::text(test::sample_plan(), {160, false, true, true});
  CHECK(figures(text).size() > 50);
  std::string page = plain_html(render::html(test::sample_plan()));
  replace_all(page, "4096 x 3072", "large");
  CHECK(lacking(text, page) == std::vector<std::string>{"3072"});
}

TEST_CASE("a plan tells in each format what faults once hid", "[render]") {
  const Document plan = test::sample_plan();
  for (const std::string& format :
       {render::text(plan, {160, false, true, true}), render::markdown(plan), render::html(plan)}) {
    for (const char* part :
         {"4096 x 3072", "27.2 GB", "host memory", "250 kB", "vggplan launch", "ound by the GPU", "25 GB"}) {
      INFO(part << "\n" << format.substr(0, 3000));
      CHECK(format.find(part) != std::string::npos);
    }
  }
}

TEST_CASE("where nothing fits no format lists largest batches of zero", "[render]") {
  const Document plan = test::refused_plan();
  for (const std::string& format :
       {render::text(plan, {160, false, true, true}), render::markdown(plan), render::html(plan)}) {
    CHECK(format.find("Not even one image fits") != std::string::npos);
    CHECK(format.find("with cache flushes") == std::string::npos);
  }
}

TEST_CASE("GPUs on none of which a plan is possible are named, or counted where they are many", "[render]") {
  Document plan = test::refused_plan();
  const Document one = plan.at("candidates").front();
  const auto first_lines = [&](std::size_t kinds) {
    plan["candidates"] = Document(kinds, one);
    return render::text(plan, {}).substr(0, 120);
  };
  CHECK(first_lines(2).find("on 8 x Made-Up 40 GB or 8 x Made-Up 40 GB\n") != std::string::npos);
  CHECK(first_lines(72).find("on any of 72 kinds of GPUs\n") != std::string::npos);
}

TEST_CASE("reports of one job end where a screen of 40 rows does", "[render]") {
  for (const test::Sample& sample : test::samples()) {
    const std::string text = render::text(sample.report, {});
    INFO(sample.name << "\n" << text);
    CHECK(std::count(text.begin(), text.end(), '\n') < 40);
  }
}

TEST_CASE("sweep, diff and check name the job in each format", "[render]") {
  const Document sweep = test::sample_sweep();
  for (const Document& report : {test::sample_diff(), test::sample_check(), sweep}) {
    for (const std::string& format : {render::markdown(report), render::html(report)}) {
      CHECK(format.find("vgg16 at 1024 x 768") != std::string::npos);
      CHECK(format.find("Made-Up 40 GB") != std::string::npos);
    }
  }
  CHECK(render::html(test::sample_check()).find("<td class=\"bad\">FAIL</td>") != std::string::npos);
}

TEST_CASE("no control character leaves in any format", "[render]") {
  Document report = report::build_estimate(test::sample_estimate());
  report["job"]["model"] = "a\x1b[31m\x07\x7f\xc2\x9b\xe2\x80\xae\xe2\x80\xa8z";
  for (const std::string& format : {render::text(report, {}), render::csv(report), render::markdown(report),
                                    render::html(report), render::json(report), render::json_line(report)}) {
    INFO(format.substr(0, 300));
    CHECK(std::ranges::none_of(format, [](char c) { return (c >= 0 && c < ' ' && c != '\n') || c == 0x7f; }));
    CHECK(format.find("\xc2\x9b") == std::string::npos);
  }
  CHECK(render::csv(report).find("a?[31m?????z") != std::string::npos);
  CHECK(Document::parse(render::json(report)) == report);
}

TEST_CASE("CSV leaves no formula to run, and numbers as they are", "[render]") {
  for (const std::string bad : {"=cmd()", "+1", "-1", "@sum", "\t=1"}) {
    Document report = report::build_estimate(test::sample_estimate());
    report["job"]["model"] = bad;
    report["memory"]["headroom_bytes"] = -5;
    const std::string csv = render::csv(report);
    const std::string row = csv.substr(csv.find('\n') + 1);
    INFO(row);
    CHECK(row.starts_with(bad.front() == '\t' ? "?=1," : "'" + bad + ","));
    CHECK(row.find(",-5,") != std::string::npos);
  }
}

}  // namespace vggplan
