// SPDX-License-Identifier: MIT
// The recommendation as an estimate, why, how to start it, and what else was considered; or why there is none.
#include <fmt/format.h>

#include <algorithm>

#include "render/figures.hpp"
#include "render/pages.hpp"

namespace vggplan::render {

namespace {

Headline refusal(const Document& plan) {
  Headline head;
  head.title = subject(plan.at("job"));
  head.tone = Tone::bad;
  constexpr std::size_t kNamed = 4;
  const Document& candidates = plan.at("candidates");
  for (const Document& candidate : candidates) {
    head.on += (head.on.empty() ? "" : " or ") + machine_name(candidate);
  }
  if (candidates.size() > kNamed) {
    head.on = fmt::format("any of {} kinds of GPUs", candidates.size());
  }
  const Document failure = plan.value("failure", Document::object());
  head.verdict = failure.value("message", "No plan is possible");
  head.detail = failure.value("detail", "");
  for (const Document& row : plan.at("rejected")) {
    if (row.at("reason") == failure.value("reason", "") && has(row, "nearest_miss_bytes")) {
      head.facts.push_back(fact("nearest miss", "nearest_miss_bytes", row));
      head.facts.back().value += has(row, "example") ? " short with " + text_of(row, "example") : " short";
    }
  }
  return head;
}

Section reasons(const Document& best) {
  List list;
  for (const Document& sentence : best.at("why")) {
    list.items.push_back({sentence.get<std::string>(), "", Depth::likely});
  }
  return {"Why this", block(Depth::likely, std::move(list))};
}

Section launch(const Document& part) {
  Code code;
  if (has(part, "command")) {
    code.lines = {{text_of(part, "command"), true}, {"run/run.sh --data IMAGES", true}};
  }
  return {"Start it with", block(Depth::always, std::move(code))};
}

Section alternatives(const Document& plan) {
  Section section{"The recommendation (row 1) and its alternatives", {}, true, ""};
  if (!plan.at("alternatives").empty()) {
    section.blocks.push_back({Depth::full, Chart{"alternatives", "Time against cost of the alternatives"}});
    add_condensed(section, alternatives_table(plan), Depth::full);
  }
  return section;
}

/// Every setting on the GPU that is looked at, and what the others hold.
void add_largest_batches(Page& page, const Document& plan) {
  const Document& cells = plan.at("max_batch");
  Section section{"Largest batch per GPU", {}, true, ""};
  if (std::all_of(cells.begin(), cells.end(), [](const Document& cell) { return cell.at("hard") == 0; })) {
    const std::string tried =
        cells.size() < 2 ? "" : fmt::format(": {} combinations of settings were tried", cells.size());
    add_prose(section, cells.empty() ? "" : "Not even one image fits" + tried + ".", Depth::spare);
    add(page, std::move(section));
    return;
  }
  Document own = Document::array();
  Document others = Document::array();
  for (const Document& cell : cells) {
    (cell.at("gpu") == cells.at(0).at("gpu") ? own : others).push_back(cell);
  }
  section.title += others.empty() ? "" : ", by settings";
  add_condensed(section, max_batch_table(own), Depth::full);
  add(page, std::move(section));
  Section elsewhere{"Largest batch on other GPUs", {}, true, ""};
  add_condensed(elsewhere, max_batch_table(others), Depth::full);
  add(page, std::move(elsewhere));
}

Section largest_image(const Document& plan) {
  Section section{"Largest image", {}, true, ""};
  if (has(plan, "max_resolution")) {
    const Document& most = plan.at("max_resolution");
    add_prose(section,
              fmt::format("Of this shape: {} x {} on {} with {}{}", most.at("height").dump(), most.at("width").dump(),
                          text_of(most, "gpu"), settings(most),
                          most.at("limited_by_search").get<bool>() ? ", or larger: the search ends there" : ""),
              Depth::full);
  }
  return section;
}

Section ruled_out(const Document& plan) {
  List list;
  for (const Document& row : plan.at("rejected")) {
    std::string text = fmt::format("{}: {}", figure("", row.at("count")), text_of(row, "message"));
    text +=
        has(row, "nearest_miss_bytes") ? ", by " + figure("_bytes", row.at("nearest_miss_bytes")) + " at least" : "";
    list.items.push_back({std::move(text), has(row, "example") ? "such as " + text_of(row, "example") : ""});
  }
  return {"What was ruled out", block(Depth::full, std::move(list)), true, ""};
}

}  // namespace

Section remedies(const Document& plan) {
  const std::string reason = plan.value("failure", Document::object()).value("reason", "memory");
  List list;
  for (const Document& remedy : plan.at("remedies")) {
    list.items.push_back({text_of(remedy, "change"),
                          fmt::format("saves: {}; costs: {}", text_of(remedy, "saves"), text_of(remedy, "costs"))});
  }
  return {reason.starts_with("memory") ? "What would make it fit" : "What would help",
          block(Depth::always, std::move(list))};
}

Page plan_page(const Document& report) {
  const bool fits = has(report, "recommendation");
  const Document& best = fits ? report.at("recommendation") : report;
  Page page{fits ? headline(best) : refusal(report), {}};
  if (fits) {
    if (!has(best, "run") && report.at("goal").at("objective") == "cheapest") {
      add_price(page.head.facts, best);
    }
    add(page, memory_section(best));
    add(page, time_section(best));
    add(page, reasons(best));
    add(page, launch(best.at("launch")));
  } else {
    add(page, remedies(report));
  }
  add_warnings(page, report);
  add(page, alternatives(report));
  add_largest_batches(page, report);
  add(page, largest_image(report));
  if (fits) {
    add(page, host_section(best));
    add_details(page, best);
  }
  add(page, ruled_out(report));
  add_assumptions(page, best);
  return page;
}

}  // namespace vggplan::render
