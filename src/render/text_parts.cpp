// SPDX-License-Identifier: MIT
#include "render/text_parts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "render/figures.hpp"
#include "render/tables.hpp"

namespace vggplan::render {

namespace {

constexpr std::size_t kLabel = 22;
constexpr std::size_t kFigure = 11;
constexpr std::size_t kShare = 6;

std::string tinted(const Style& style, Tone tone, std::string_view text) {
  switch (tone) {
    case Tone::good: return style.good(text);
    case Tone::warn: return style.warn(text);
    case Tone::bad: return style.bad(text);
  }
  return std::string(text);
}

/// Columns left for a bar behind label, figure and share.
std::size_t bar_columns(const Style& style) {
  constexpr std::size_t kUsed = 2 + kLabel + kFigure + 1 + kShare + 2;
  return style.columns() > kUsed + 8 ? style.columns() - kUsed : 8;
}

std::string chart_row(std::string_view label, std::string_view figure_text, double share, const std::string& bar) {
  std::string line = fmt::format("  {}{} {}  {}", pad_right(label, kLabel), pad_left(figure_text, kFigure),
                                 pad_left(percent(share), kShare), bar);
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

std::string heading(const Style& style, std::string_view left, std::string_view right) {
  const std::size_t used = width(left) + width(right);
  const std::size_t gap = style.columns() > used + 1 ? style.columns() - used : 2;
  return style.bold(left) + (right.empty() ? "" : std::string(gap, ' ') + std::string(right)) + "\n";
}

std::string fact_line(const Style& style, const Fact& fact, std::size_t label_columns) {
  const std::string label = "  " + pad_right(fact.label, label_columns) + "  ";
  const std::size_t room = style.columns() > width(label) + 20 ? style.columns() - width(label) : 20;
  std::vector<std::string> lines = wrap(fact.value, room);
  if (lines.empty()) {
    lines.emplace_back();
  }
  if (!fact.range.empty()) {
    const std::string range = "(" + fact.range + ")";
    if (width(lines.back()) + 2 + width(range) <= room) {
      lines.back() += "  " + style.dim(range);
    } else {
      lines.push_back(style.dim(range));
    }
  }
  std::string text;
  for (const std::string& line : lines) {
    text += (text.empty() ? label : std::string(width(label), ' ')) + line + "\n";
  }
  return text;
}

std::string paragraph(const Style& style, std::string_view first, std::string_view rest, std::string_view text) {
  const std::size_t columns = style.columns() > width(first) + 20 ? style.columns() - width(first) : 20;
  std::string result;
  for (const std::string& line : wrap(text, columns)) {
    result += std::string(result.empty() ? first : rest) + line + "\n";
  }
  return result;
}

std::string text_summary(const Summary& summary, const Style& style) {
  std::string text = style.bold(summary.subject) + "\n";
  text += paragraph(style, "on ", "   ", summary.machine) + "\n";
  std::string answer = tinted(style, summary.tone, summary.verdict);
  const std::size_t room = style.columns() - std::min(style.columns(), width(summary.verdict) + 4);
  const std::vector<std::string> detail = wrap(summary.detail, std::max<std::size_t>(room, 20));
  text += "  " + answer + (detail.empty() ? "" : ": " + detail.front()) + "\n";
  for (std::size_t i = 1; i < detail.size(); ++i) {
    text += "    " + detail[i] + "\n";
  }
  if (!summary.settings.empty()) {
    text += paragraph(style, "  with ", "       ", summary.settings);
  }
  if (summary.facts.empty()) {
    return text;
  }
  text += "\n";
  std::size_t label = 0;
  for (const Fact& fact : summary.facts) {
    label = std::max(label, width(fact.label));
  }
  for (const Fact& fact : summary.facts) {
    text += fact_line(style, fact, label);
  }
  return text;
}

namespace {

/// What would show as "0.0 %" in one row, for those who did not ask for all.
std::vector<MemoryPart> without_crumbs(const std::vector<MemoryPart>& parts, double usable) {
  std::vector<MemoryPart> kept;
  MemoryPart crumbs;
  std::size_t count = 0;
  for (const MemoryPart& part : parts) {
    if (part.kind == MemoryPart::Kind::category && part.bytes < 0.0005 * usable) {
      crumbs.bytes += part.bytes;
      ++count;
    } else {
      kept.push_back(part);
    }
  }
  if (count < 2) {
    return parts;
  }
  crumbs.label = fmt::format("{} smaller ones", count);
  const auto after = std::find_if(kept.begin(), kept.end(),
                                  [](const MemoryPart& part) { return part.kind != MemoryPart::Kind::category; });
  kept.insert(after, crumbs);
  return kept;
}

}  // namespace

std::string text_memory(const Document& estimate, const Style& style) {
  const Document& memory = estimate.at("memory");
  std::vector<MemoryPart> parts = memory_parts(memory);
  const double usable = number(memory.at("usable_bytes"));
  if (!style.verbose()) {
    parts = without_crumbs(parts, usable);
  }
  double end = 0;
  for (const MemoryPart& part : parts) {
    end += part.bytes;
  }
  const double scale = std::max(end, usable);
  const std::size_t columns = bar_columns(style);
  std::string text = heading(style, "Memory of one GPU at its peak", binary_bytes(usable) + " usable");
  double from = 0;
  std::size_t category = 0;
  for (const MemoryPart& part : parts) {
    const double to = from + part.bytes;
    const bool free = part.kind != MemoryPart::Kind::category;
    const std::string bar = free ? style.dim(style.empty_bar(from / scale, to / scale, columns))
                                 : style.category(category, style.bar(from / scale, to / scale, columns));
    text += chart_row(part.label, binary_bytes(part.bytes), part.bytes / usable, bar);
    from = to;
    ++category;
  }
  if (end > usable) {
    const auto limit = static_cast<std::size_t>(usable / scale * static_cast<double>(columns));
    text += chart_row("beyond the usable", binary_bytes(end - usable), (end - usable) / usable,
                      std::string(limit, ' ') + style.bad("^ the limit"));
  }
  // Reports before 1.1 have the peak of the first two steps alone.
  const Document& allocated = memory.at(has(memory, "run_peak_bytes") ? "run_peak_bytes" : "allocated_peak_bytes");
  text += paragraph(style, "  ", "  ",
                    fmt::format("allocated {}, reserved {}, on the device {} with the CUDA context",
                                figure("_bytes", allocated), figure("_bytes", memory.at("reserved_peak_bytes")),
                                figure("_bytes", memory.at("device_used_bytes"))));
  if (style.verbose() && !range("_bytes", memory.at("reserved_peak_bytes")).empty()) {
    text += style.dim(fmt::format("  reserved {}: {}", range("_bytes", memory.at("reserved_peak_bytes")),
                                  memory.at("reserved_peak_bytes").at("basis").get<std::string>())) +
            "\n";
  }
  return text;
}

namespace {

/// Phases are timed one by one from an idle GPU, steps back to back: short ones overlap with the host's work.
std::string phases_note(double parts, double step) {
  constexpr double kNoticed = 1.005;
  return parts > kNoticed * step
             ? "; phases are those of a step by itself, in a loop the host starts the next one ahead of time"
             : "";
}

std::string bound_line(const Document& time, double parts) {
  std::string bound = fmt::format("bound by {}; {} of the arithmetic peak is used",
                                  bound_by_words(time.at("bound_by").get<std::string>()),
                                  percent(number(time.at("model_flops_utilization"))));
  constexpr double kMoreThanAll = 1.005;  // what is not shown as 100 %
  if (number(time.at("model_flops_utilization")) > kMoreThanAll) {
    bound += ", more than all of it: Winograd multiplies less than the direct algorithm that is counted";
  }
  if (has(time, "communication_seconds")) {
    const double sent = number(time.at("communication_seconds"));
    const bool hidden = number(time.at("communication_exposed_seconds")) <= 0.5 * sent;
    bound += fmt::format("; {} of communication, {}", figure("_seconds", time.at("communication_seconds")),
                         hidden ? "most hidden behind backward" : "little of it hidden");
  }
  return bound + phases_note(parts, number(time.at(std::string(whole_step(time)))));
}

}  // namespace

std::string text_time(const Document& estimate, const Style& style) {
  const Document& time = estimate.at("time");
  std::vector<TimePart> parts = time_parts(time);
  const Document& step = time.at(std::string(whole_step(time)));
  double sum = 0;
  for (const TimePart& part : parts) {
    sum += number(part.seconds);
  }
  if (!style.verbose()) {
    std::erase_if(parts, [sum](const TimePart& part) { return number(part.seconds) < 0.0005 * sum; });
  }
  const double scale = std::max(sum, number(step));
  const bool fits = estimate.at("memory").at("verdict") != "does-not-fit";
  std::string text =
      heading(style, fits ? "Time of one step" : "Time of one step, if there were room", figure("_seconds", step));
  double from = 0;
  std::size_t category = 0;
  for (const TimePart& part : parts) {
    const double seconds = number(part.seconds);
    const std::string bar = style.bar(from / scale, (from + seconds) / scale, bar_columns(style));
    text += chart_row(part.label, figure("_seconds", part.seconds), seconds / scale, style.category(category, bar));
    from += seconds;
    ++category;
  }
  text += paragraph(style, "  ", "  ", bound_line(time, sum));
  if (time.at("forward_seconds").at("basis") == "modelled") {
    text += paragraph(style, "  ", "  ",
                      "not measured on this GPU: carried over from another one, within the ranges given above");
  }
  return text;
}

std::string text_warnings(const Document& report, const Style& style) {
  std::string text;
  for (const Document& warning : all_warnings(report)) {
    text += paragraph(style, "! ", "  ", warning.at("message").get<std::string>());
    if (has(warning, "hint")) {
      text += paragraph(style, "  ", "  ", warning.at("hint").get<std::string>());
    }
  }
  return text.empty() ? "" : heading(style, "Warnings") + text;
}

std::string text_assumptions(const Document& report, const Style& style) {
  if (!style.verbose() || report.at("assumptions").empty()) {
    return "";
  }
  std::string text = heading(style, "Assumptions");
  for (const Document& row : report.at("assumptions")) {
    text += paragraph(style, "  ", "    ",
                      fmt::format("{}: {} ({})", row.at("name").get<std::string>(), row.at("value").get<std::string>(),
                                  row.at("source").get<std::string>()));
  }
  return text;
}

}  // namespace vggplan::render
