// SPDX-License-Identifier: MIT
// What a card holds: the fastest settings, the largest batch, the largest image, and what each costs.
#include <fmt/format.h>

#include <algorithm>

#include "render/figures.hpp"
#include "render/pages.hpp"

namespace vggplan::render {

namespace {

/// "amp-bf16, nhwc, checkpointing block" of a row.
std::string chosen(const Document& row) {
  std::string text = text_of(row, "precision") + ", " + text_of(row, "layout");
  if (row.value("checkpointing", "none") != "none") {
    text += ", checkpointing " + text_of(row, "checkpointing");
  }
  return text + (has(row, "sharding") && row.at("sharding") != "ddp" ? ", " + text_of(row, "sharding") : "");
}

std::string cost(const Document& row) {
  if (!has(row, "slowdown")) {
    return "";
  }
  const double percent = 100 * (row.at("slowdown").get<double>() - 1);
  return percent < 0.5 ? "the fastest" : fmt::format("{:.0f} % more time an image", percent);
}

std::int64_t pixels(const Document& row) {
  return row.at("height").get<std::int64_t>() * row.at("width").get<std::int64_t>();
}

std::string image_text(const Document& row) {
  return fmt::format("{} x {}", row.at("height").get<std::int64_t>(), row.at("width").get<std::int64_t>());
}

template <class Measure>
const Document& largest(const Document& rows, Measure measure) {
  return *std::ranges::max_element(rows, [&](const Document& a, const Document& b) { return measure(a) < measure(b); });
}

std::string batch_text(const Document& row) {
  const std::int64_t batch = row.at("batch").get<std::int64_t>();
  const std::int64_t certain = row.at("batch_certain").get<std::int64_t>();
  return certain == batch ? fmt::format("{}", batch) : fmt::format("{} (certainly {})", batch, certain);
}

Facts facts(const Document& report) {
  const Document& rows = report.at("largest");
  const Document& batch = largest(rows, [](const Document& row) { return row.at("batch").get<std::int64_t>(); });
  const Document& image = largest(rows, pixels);
  Facts facts;
  if (has(report, "time")) {
    const Document& fastest = rows.at(0);
    facts.rows.push_back(
        {"fastest",
         fmt::format("{} with batch {}: {}",
                     figure("images_per_second", report.at("time").at("images_per_second").at("value")),
                     report.at("job").at("batch").dump(), chosen(fastest)),
         ""});
  }
  if (batch.at("batch").get<std::int64_t>() > 0) {
    facts.rows.push_back({"largest batch", batch_text(batch) + ": " + chosen(batch), cost(batch)});
  }
  if (pixels(image) > 0) {
    facts.rows.push_back(
        {"largest image",
         fmt::format("{} with batch {}: {}", image_text(image), report.at("image_batch").dump(), chosen(image)), ""});
  }
  return facts;
}

Headline head(const Document& report) {
  Headline head;
  head.title = subject(report.at("job"));
  head.on = machine_name(report.at("machine"));
  const bool fits = report.at("fits").get<bool>();
  head.tone = fits ? Tone::good : Tone::bad;
  head.verdict = fits ? "Fits" : "Does not fit";
  head.detail = figure("_bytes", report.at("usable_bytes")) + " usable per GPU";
  head.facts = facts(report).rows;
  return head;
}

/// Whether the speed is that of the batch for which the images are, or of the largest.
bool batch_given(const Document& report) { return report.at("job").at("batch") == report.at("image_batch"); }

/// Height and width in one column.
Table readable(const Document& report) {
  Table table = fit_table(report);
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    cell_of(table, table.rows[i], "height").shown = image_text(report.at("largest").at(i));
  }
  const auto height = std::ranges::find_if(table.columns, [](const Column& column) { return column.key == "height"; });
  height->heading = "image";
  drop_column(table, "width");
  return table;
}

}  // namespace

Page fit_page(const Document& report) {
  Page page{head(report), {}};
  if (has(report, "remedies")) {
    add(page, remedies(report));
  }
  Section section{"By settings, the fastest first", {}, false, ""};
  add_condensed(section, readable(report));
  add_prose(section,
            fmt::format("Images are the largest of this shape with batch {}; speed is that of {}.",
                        report.at("image_batch").dump(),
                        batch_given(report) ? "that batch" : "the largest batch that certainly fits"),
            Depth::likely);
  add(page, std::move(section));
  add_warnings(page, report);
  add_assumptions(page, report);
  return page;
}

}  // namespace vggplan::render
