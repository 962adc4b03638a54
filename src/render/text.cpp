// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "render/figures.hpp"
#include "render/tables.hpp"
#include "render/text_parts.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::render {

namespace {

std::string joined(std::initializer_list<std::string> sections) {
  std::string text;
  for (const std::string& section : sections) {
    if (!section.empty()) {
      text += (text.empty() ? "" : "\n") + section;
    }
  }
  return text;
}

std::string titled(const Table& table, const Style& style) {
  return table.rows.empty() ? "" : heading(style, table.title) + text_table(table, style, "  ");
}

/// The first sentences say most; the others are for those who ask.
std::string bullets(const Document& sentences, std::string_view title, const Style& style) {
  constexpr std::size_t kFirst = 4;
  std::string text = sentences.empty() ? "" : heading(style, title);
  std::size_t shown = 0;
  for (const Document& sentence : sentences) {
    if (shown++ == kFirst && !style.verbose()) {
      break;
    }
    text += paragraph(style, "  - ", "    ", sentence.get<std::string>());
  }
  return text;
}

/// A line of code, in several where it is too long; `end` closes all but the last.
std::string broken(const std::string& line, std::size_t columns, std::string_view end) {
  const std::string indent(2 + std::min(line.find_first_not_of(' '), line.size()), ' ');
  const std::vector<std::string> pieces = wrap(line, columns - indent.size());
  std::string text;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    text += indent + (i == 0 ? "" : "    ") + pieces[i] + std::string(i + 1 < pieces.size() ? end : "") + "\n";
  }
  return text;
}

std::string launch(const Document& part, const Style& style) {
  std::string text = heading(style, "Start it with");
  // Both are there to be copied: a shell goes on behind a backslash, Python between parentheses.
  if (has(part, "command")) {
    text += broken(part.at("command").get<std::string>(), style.columns() - 4, " \\");
  }
  for (const Document& line : part.at("code")) {
    text += broken(line.get<std::string>(), style.columns() - 4, "");
  }
  return text;
}

std::string largest_batches(const Document& plan, const Style& style) {
  const Document& cells = plan.at("max_batch");
  const bool none_fits =
      std::all_of(cells.begin(), cells.end(), [](const Document& cell) { return cell.at("hard") == 0; });
  if (none_fits) {
    const std::string tried =
        cells.size() < 2 ? "" : fmt::format(": {} combinations of settings were tried", cells.size());
    return cells.empty() ? "" : "Not even one image fits" + tried + ".\n";
  }
  const Table table = selected(max_batch_table(plan), {"gpu", "gpu_count", "precision", "layout", "checkpointing",
                                                       "sharding", "steady", "hard"});
  return titled(narrowed(without_constants(table, {"gpu", "gpu_count", "sharding"}), style.columns() - 2,
                         {"sharding", "gpu_count"}),
                style);
}

std::string limits(const Document& plan, const Style& style) {
  std::string text = largest_batches(plan, style);
  if (has(plan, "max_resolution")) {
    const Document& most = plan.at("max_resolution");
    text +=
        paragraph(style, "  ", "  ",
                  fmt::format("Largest image of this shape: {} x {} on {} with {}{}", most.at("height").dump(),
                              most.at("width").dump(), most.at("gpu").get<std::string>(), settings(most),
                              most.at("limited_by_search").get<bool>() ? ", or larger: the search ends there" : ""));
  }
  return text;
}

std::string remedies(const Document& plan, const Style& style) {
  if (!has(plan, "remedies") || plan.at("remedies").empty()) {
    return "";
  }
  std::string text = heading(style, remedies_title(plan));
  for (const Document& remedy : plan.at("remedies")) {
    text += paragraph(style, "  - ", "    ", remedy.at("change").get<std::string>());
    text += paragraph(style, "      ", "      ",
                      fmt::format("saves: {}; costs: {}", remedy.at("saves").get<std::string>(),
                                  remedy.at("costs").get<std::string>()));
  }
  return text;
}

std::string rejected(const Document& plan, const Style& style) {
  if (!style.verbose() || plan.at("rejected").empty()) {
    return "";
  }
  std::string text = heading(style, "What was ruled out");
  for (const Document& row : plan.at("rejected")) {
    text += paragraph(style, "  - ", "    ",
                      fmt::format("{}: {}{}", figure("", row.at("count")), row.at("message").get<std::string>(),
                                  has(row, "example") ? ", such as " + row.at("example").get<std::string>() : ""));
  }
  return text;
}

}  // namespace

std::string text_estimate(const Document& report, const Style& style) {
  return joined({text_summary(summarise_estimate(report), style), text_memory(report, style), text_time(report, style),
                 text_host(report, style), text_warnings(report, style), text_assumptions(report, style)});
}

std::string text_plan(const Document& report, const Style& style) {
  if (!has(report, "recommendation")) {
    return joined({text_summary(summarise_refusal(report), style), remedies(report, style), limits(report, style),
                   rejected(report, style), text_warnings(report, style), text_assumptions(report, style)});
  }
  const Document& best = report.at("recommendation");
  const Table others = selected(alternatives_table(report),
                                {"rank", "gpu", "gpu_count", "batch", "precision", "layout", "checkpointing",
                                 "sharding", "reserved_peak_bytes", "images_per_second", "total_seconds", "cost_usd"});
  // What tells the rows apart goes last.
  const std::string_view second = has(best, "run") ? "images_per_second" : "reserved_peak_bytes";
  const Table shown =
      narrowed(without_constants(others, {"gpu", "gpu_count", "sharding", "layout", "checkpointing"}),
               style.columns() - 2, {"reserved_peak_bytes", second, "sharding", "checkpointing", "layout"});
  const bool has_others = !report.at("alternatives").empty();
  return joined({text_summary(summarise_estimate(best), style), text_memory(best, style), text_time(best, style),
                 text_host(best, style), bullets(best.at("why"), "Why this", style), launch(best.at("launch"), style),
                 has_others ? titled(shown, style) : "", limits(report, style), rejected(report, style),
                 text_warnings(report, style), text_assumptions(report, style)});
}

std::string text_layers(const Document& report, const Style& style) {
  const Table shown = narrowed(layers_table(report), style.columns(),
                               {"flops_backward", "flops_forward", "kind", "workspace_bytes", "output_bytes"});
  const Document& job = report.at("job");
  return joined(
      {style.bold(subject(job)) + "\n" +
           paragraph(style, "on ", "   ", machine_name(report.at("machine")) + ", " + settings(job)),
       text_table(shown, style, ""),
       paragraph(style, "", "",
                 "Parameters and MACs are counted, MACs for one image; bytes and times are of one micro-batch."),
       text_warnings(report, style), text_assumptions(report, style)});
}

std::string text(const Document& original, const TextOptions& options) {
  const Style style(options);
  const Document report = style.encode_all(original);
  switch (report::kind(report)) {
    case report::Kind::estimate: return text_estimate(report, style);
    case report::Kind::plan: return text_plan(report, style);
    case report::Kind::layers: return text_layers(report, style);
    case report::Kind::sweep: return text_points(report.at("points"), options);
    case report::Kind::gpus:
    case report::Kind::machines:
    case report::Kind::models: return text_catalogue(report, style);
    case report::Kind::diff: return text_diff(report, style);
    case report::Kind::check: return text_check(report, style);
  }
  return "";
}

}  // namespace vggplan::render
