// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "render/figures.hpp"
#include "render/page.hpp"
#include "render/summary.hpp"
#include "render/tables.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan::render {

namespace {

std::string html_section(std::string_view title, const std::string& body) {
  return body.empty() ? "" : fmt::format("<section><h2>{}</h2>\n{}</section>\n", escape_html(title), body);
}

std::string table_section(const Table& table) {
  return table.rows.empty() ? "" : html_section(table.title, html_table(table));
}

/// A sentence below a table.
std::string html_aside(const std::string& text) {
  return text.empty() ? "" : "<p class=\"quiet\">" + escape_html(text) + "</p>\n";
}

std::string condensed_table(const Table& table) {
  const Condensed rows = condensed(table);
  return html_table(rows.table) + html_aside(rows.shared);
}

/// A place for page.js to draw in. What it shows stands in a table, too.
std::string chart(std::string_view id, std::string_view label, std::string_view attributes = "class=\"chart\"") {
  return fmt::format("<div {}><canvas id=\"chart-{}\" role=\"img\" aria-label=\"{}\"></canvas></div>\n", attributes, id,
                     escape_html(label));
}

std::string_view tone_class(Tone tone) {
  switch (tone) {
    case Tone::good: return "good";
    case Tone::warn: return "warn";
    case Tone::bad: return "bad";
  }
  return "";
}

std::string html_headline(const Summary& summary) {
  std::string text = fmt::format("<header><h1>{}</h1>\n<p class=\"quiet\">on {}</p>\n", escape_html(summary.subject),
                                 escape_html(summary.machine));
  text += fmt::format("<p class=\"verdict {}\"><strong>{}</strong>{}{}</p>\n", tone_class(summary.tone),
                      escape_html(summary.verdict), summary.detail.empty() ? "" : ": ", escape_html(summary.detail));
  text += summary.settings.empty() ? "" : fmt::format("<p>with {}</p>\n", escape_html(summary.settings));
  text += "<dl class=\"facts\">\n";
  for (const Fact& fact : summary.facts) {
    text += fmt::format("<div><dt>{}</dt><dd>{}{}</dd></div>\n", escape_html(fact.label), escape_html(fact.value),
                        fact.range.empty() ? "" : "<small>" + escape_html(fact.range) + "</small>");
  }
  return text + "</dl></header>\n";
}

std::string html_warnings(const Document& report) {
  std::string text;
  for (const Document& warning : all_warnings(report)) {
    text += fmt::format("<p class=\"mind\">{}{}</p>\n", escape_html(warning.at("message").get<std::string>()),
                        has(warning, "hint") ? fmt::format(" <span class=\"quiet\">{}</span>",
                                                           escape_html(warning.at("hint").get<std::string>()))
                                             : "");
  }
  return text;
}

std::string memory(const Document& estimate) {
  return html_section("Memory of one GPU at its peak",
                      chart("memory", "Memory by category against the usable memory", "class=\"chart low\"") +
                          html_table(memory_table(estimate)));
}

std::string timeline(const Document& estimate) {
  if (!has(estimate.at("memory"), "timeline") || estimate.at("memory").at("timeline").empty()) {
    return "";
  }
  const Document& phases = estimate.at("memory").at("phases");
  Table table;
  table.columns = {{"", "phase", Align::left}, {"", "allocated peak"}, {"", "range"}};
  for (const auto& [name, peak] : phases.items()) {
    table.rows.push_back({{words(name), {}}, {figure("_bytes", peak), {}}, {range("_bytes", peak), {}}});
  }
  return html_section("Memory over one step",
                      chart("timeline", "Memory by category over the allocations of one step") + html_table(table));
}

std::string time(const Document& estimate) {
  Table table;
  table.columns = {{"", "phase", Align::left}, {"", "time"}, {"", "range"}};
  for (const TimePart& part : time_parts(estimate.at("time"))) {
    table.rows.push_back(
        {{part.label, {}}, {figure("_seconds", part.seconds), {}}, {range("_seconds", part.seconds), {}}});
  }
  const Document& step = estimate.at("time");
  const std::string bound = fmt::format("<p>Bound by {}; {} of the arithmetic peak is used.</p>\n",
                                        escape_html(bound_by_words(step.at("bound_by").get<std::string>())),
                                        percent(number(step.at("model_flops_utilization"))));
  return html_section("Time of one step", html_table(table) + bound);
}

std::string batches(const Document& estimate) {
  if (!has(estimate, "by_batch")) {
    return "";
  }
  return html_section("Memory and speed by batch", chart("batch", "Memory reserved and images per second by batch") +
                                                       html_table(by_batch_table(estimate)));
}

std::string layers(const Document& holder) {
  if (!has(holder, "layers")) {
    return "";
  }
  // A line of text for each layer, and a few for axis and legend.
  const std::string tall = fmt::format("class=\"chart\" style=\"height: {}rem\"", 6 + holder.at("layers").size());
  return html_section(
      "Layers", chart("layers", "Time of forward and backward by layer", tall) + html_table(layers_table(holder)));
}

std::string html_assumptions(const Document& report) {
  const Table table = assumptions_table(report);
  return table.rows.empty() ? "" : table_section(table);
}

std::string estimate_body(const Document& estimate) {
  return memory(estimate) + timeline(estimate) + time(estimate) + batches(estimate) + layers(estimate);
}

std::string sentences(const Document& list) {
  std::string text = "<ul>\n";
  for (const Document& sentence : list) {
    text += "<li>" + escape_html(sentence.get<std::string>()) + "</li>\n";
  }
  return text + "</ul>\n";
}

std::string launch(const Document& part) {
  std::string lines = has(part, "command") ? part.at("command").get<std::string>() + "\n" : "";
  for (const Document& line : part.at("code")) {
    lines += line.get<std::string>() + "\n";
  }
  return html_section("Start it with", "<pre>" + escape_html(lines) + "</pre>\n");
}

std::string plan_body(const Document& report) {
  const std::string limits = table_section(max_batch_table(report)) + table_section(rejected_table(report));
  if (!has(report, "recommendation")) {
    return html_headline(summarise_refusal(report)) + html_warnings(report) + table_section(remedies_table(report)) +
           limits + html_assumptions(report);
  }
  const Document& best = report.at("recommendation");
  return html_headline(summarise_estimate(best)) + html_warnings(report) +
         html_section("Why this", sentences(best.at("why"))) + launch(best.at("launch")) + memory(best) +
         timeline(best) + time(best) +
         html_section("Alternatives", chart("alternatives", "Time against cost of the alternatives") +
                                          condensed_table(alternatives_table(report))) +
         batches(best) + layers(best) + limits + html_assumptions(best);
}

std::string plain_header(std::string_view title, const std::string& below) {
  return fmt::format("<header><h1>{}</h1>\n{}</header>\n", escape_html(title), html_aside(below));
}

std::string check_body(const Document& report) {
  const bool passed = report.at("passed").get<bool>();
  return fmt::format("<header><h1>Budget</h1><p class=\"verdict {}\"><strong>{}</strong></p></header>\n",
                     tone_class(passed ? Tone::good : Tone::bad), passed ? "Kept" : "Exceeded") +
         html_warnings(report) + table_section(check_table(report)) + html_aside(skipped_checks(report));
}

std::string layers_body(const Document& report) {
  return plain_header(subject(report.at("job")),
                      "on " + machine_name(report.at("machine")) + ", " + settings(report.at("job"))) +
         html_warnings(report) + layers(report) + html_assumptions(report);
}

std::string sweep_body(const Document& report) {
  return plain_header("Sweep", fmt::format("{} points", report.at("points").size())) +
         (report.at("points").empty() ? "" : chart("points", "Memory and speed by point")) +
         condensed_table(main_table(report));
}

std::string diff_body(const Document& report) {
  return plain_header("What changed", "") + table_section(diff_inputs_table(report)) +
         table_section(attribution_table(report)) + html_aside(idle_inputs(report)) + table_section(diff_table(report));
}

std::string catalogue_body(const Document& report) {
  if (!has_one_record(report)) {
    const Table table = catalogue_table(report);
    return plain_header(table.title, fmt::format("{} known", table.rows.size())) + html_table(table);
  }
  const Table record = record_table(report);
  return plain_header(record.title, "") + html_table(record) + table_section(sources_table(report));
}

std::string body(const Document& report) {
  switch (report::kind(report)) {
    case report::Kind::estimate:
      return html_headline(summarise_estimate(report)) + html_warnings(report) + estimate_body(report) +
             html_assumptions(report);
    case report::Kind::plan: return plan_body(report);
    case report::Kind::layers: return layers_body(report);
    case report::Kind::sweep: return sweep_body(report);
    case report::Kind::gpus:
    case report::Kind::machines:
    case report::Kind::models: return catalogue_body(report);
    case report::Kind::diff: return diff_body(report);
    case report::Kind::check: return check_body(report);
  }
  return "";
}

/// JSON inside a script element: "</script" and "<!--" must not appear there.
std::string embedded_json(const Document& report) {
  std::string escaped;
  for (const char c : json_line(report)) {
    escaped += c == '<' ? "\\u003c" : std::string(1, c);
  }
  return escaped;
}

/// A page without charts needs no scripts, and is a hundredth of the size.
std::string scripts(const Document& report, const std::string& content) {
  if (content.find("<canvas") == std::string::npos) {
    return "";
  }
  const std::string library = chart_library();
  if (library.empty()) {
    return "<style>.chart { display: none; }</style>\n";
  }
  return fmt::format(
      "<script type=\"application/json\" id=\"report\">{}</script>\n<script>{}</script>\n<script>{}</script>\n",
      embedded_json(report), library, page_script());
}

}  // namespace

std::string html(const Document& report) {
  const std::string content = body(report);
  const std::string title =
      has(report, "job") ? subject(report.at("job")) : std::string(base::name_of_enum(report::kind(report)));
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n"
      "<style>\n{}</style>\n</head>\n<body>\n<main>\n{}</main>\n<footer>vggplan {}</footer>\n{}</body>\n</html>\n",
      escape_html(title), page_style(), content, escape_html(report.at("tool").at("version").get<std::string>()),
      scripts(report, content));
}

}  // namespace vggplan::render
