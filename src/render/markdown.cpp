// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "render/figures.hpp"
#include "render/summary.hpp"
#include "render/tables.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan::render {

namespace {

std::string markdown_section(const Table& table) {
  return table.rows.empty() ? "" : fmt::format("\n#### {}\n\n{}", escape_markdown(table.title), markdown_table(table));
}

/// A sentence below a table.
std::string markdown_aside(const std::string& text) { return text.empty() ? "" : "\n" + escape_markdown(text) + "\n"; }

std::string details(std::string_view title, const std::string& body) {
  return body.empty() ? ""
                      : fmt::format("\n<details><summary>{}</summary>\n\n{}\n</details>\n", escape_html(title), body);
}

std::string_view mark(Tone tone) {
  switch (tone) {
    case Tone::good: return "✅";
    case Tone::warn: return "⚠️";
    case Tone::bad: return "❌";
  }
  return "";
}

std::string markdown_headline(const Summary& summary) {
  std::string text =
      fmt::format("### {} on {}\n\n{} **{}**", escape_markdown(summary.subject), escape_markdown(summary.machine),
                  mark(summary.tone), escape_markdown(summary.verdict));
  text += summary.detail.empty() ? "\n" : ": " + escape_markdown(summary.detail) + "\n";
  if (!summary.settings.empty()) {
    text += "\nwith " + escape_markdown(summary.settings) + "\n";
  }
  if (summary.facts.empty()) {
    return text;
  }
  Table table;
  table.columns = {{"", "", Align::left}, {"", "estimate", Align::left}, {"", "range", Align::left}};
  for (const Fact& fact : summary.facts) {
    table.rows.push_back({{fact.label, {}}, {fact.value, {}}, {fact.range, {}}});
  }
  return text + "\n" + markdown_table(table);
}

std::string markdown_warnings(const Document& report) {
  std::string text;
  for (const Document& warning : all_warnings(report)) {
    text += fmt::format("> {}{}\n>\n", escape_markdown(warning.at("message").get<std::string>()),
                        has(warning, "hint") ? ": " + escape_markdown(warning.at("hint").get<std::string>()) : "");
  }
  return text.empty() ? "" : "\n" + text;
}

std::string breakdown(const Document& estimate) {
  Table time;
  time.columns = {{"", "phase of a step", Align::left}, {"", "time"}};
  for (const TimePart& part : time_parts(estimate.at("time"))) {
    time.rows.push_back({{part.label, {}}, {figure("_seconds", part.seconds), {}}});
  }
  return markdown_table(memory_table(estimate)) + "\n" + markdown_table(time);
}

std::string markdown_assumptions(const Document& report) {
  const Table table = assumptions_table(report);
  return details("Assumptions", table.rows.empty() ? "" : markdown_table(table));
}

std::string estimate_page(const Document& report) {
  return markdown_headline(summarise_estimate(report)) + markdown_warnings(report) +
         details("Memory and time", breakdown(report)) + markdown_assumptions(report);
}

std::string plan_page(const Document& report) {
  const bool fits = has(report, "recommendation");
  std::string text =
      markdown_headline(fits ? summarise_estimate(report.at("recommendation")) : summarise_refusal(report));
  text += markdown_warnings(report);
  if (fits) {
    const Document& best = report.at("recommendation");
    text += "\n";
    for (const Document& sentence : best.at("why")) {
      text += "- " + escape_markdown(sentence.get<std::string>()) + "\n";
    }
    text += details("Memory and time", breakdown(best));
    text += markdown_section(selected(alternatives_table(report),
                                      {"rank", "gpu", "gpu_count", "batch", "precision", "layout", "checkpointing",
                                       "reserved_peak_bytes", "images_per_second", "total_seconds", "cost_usd"}));
  } else {
    text += markdown_section(remedies_table(report));
  }
  text += markdown_section(selected(max_batch_table(report), {"gpu", "gpu_count", "precision", "layout",
                                                              "checkpointing", "sharding", "steady", "hard"}));
  const Table rejected = rejected_table(report);
  text += details("What was ruled out", rejected.rows.empty() ? "" : markdown_table(rejected));
  return text + markdown_assumptions(fits ? report.at("recommendation") : report);
}

std::string layers_page(const Document& report) {
  return fmt::format("### {}\n\non {}, {}\n", escape_markdown(subject(report.at("job"))),
                     escape_markdown(machine_name(report.at("machine"))), escape_markdown(settings(report.at("job")))) +
         markdown_section(layers_table(report));
}

std::string sweep_page(const Document& report) {
  const Condensed rows = condensed(main_table(report));
  return markdown_table(rows.table) + markdown_aside(rows.shared);
}

std::string diff_page(const Document& report) {
  const Table changes = diff_table(report);
  const std::string rest = changes.rows.empty() ? "\nNo figure differs.\n"
                                                : markdown_section(main_changes_table(report)) +
                                                      details("All figures that differ", markdown_table(changes));
  return "### What changed\n" + markdown_section(diff_inputs_table(report)) +
         markdown_section(attribution_table(report)) + markdown_aside(idle_inputs(report)) + rest;
}

std::string check_page(const Document& report) {
  const bool passed = report.at("passed").get<bool>();
  return fmt::format("### {} Budget {}\n\n{}{}{}", mark(passed ? Tone::good : Tone::bad), passed ? "kept" : "exceeded",
                     markdown_table(check_table(report)), markdown_aside(skipped_checks(report)),
                     markdown_warnings(report));
}

/// All records in a table, or one with all that is known of it.
std::string catalogue_page(const Document& report) {
  const Table sources = sources_table(report);
  if (!has_one_record(report)) {
    return markdown_table(catalogue_table(report));
  }
  const Table record = record_table(report);
  return fmt::format("### {}\n\n{}", escape_markdown(record.title), markdown_table(record)) + markdown_section(sources);
}

}  // namespace

std::string markdown(const Document& report) {
  switch (report::kind(report)) {
    case report::Kind::estimate: return estimate_page(report);
    case report::Kind::plan: return plan_page(report);
    case report::Kind::layers: return layers_page(report);
    case report::Kind::sweep: return sweep_page(report);
    case report::Kind::gpus:
    case report::Kind::machines:
    case report::Kind::models: return catalogue_page(report);
    case report::Kind::diff: return diff_page(report);
    case report::Kind::check: return check_page(report);
  }
  return "";
}

}  // namespace vggplan::render
