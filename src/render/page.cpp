// SPDX-License-Identifier: MIT
#include "render/page.hpp"

#include "render/pages.hpp"
#include "render/style.hpp"

namespace vggplan::render {

Table as_table(const Facts& facts) {
  Table table;
  table.columns = {{"label", "", Align::left}, {"value", "", Align::left}, {"range", "", Align::left}};
  for (const Fact& fact : facts.rows) {
    table.rows.push_back({{fact.label, {}}, {fact.value, {}}, {fact.range, {}}});
  }
  return without_empty_columns(std::move(table));
}

Table as_table(const Bars& bars) {
  Table table;
  table.columns = {{"label", bars.heads.at(0), Align::left},
                   {"figure", bars.heads.at(1)},
                   {"share", bars.heads.at(2)},
                   {"range", bars.heads.at(3)}};
  for (const Bar& bar : bars.rows) {
    table.rows.push_back({{bar.label, {}}, {bar.figure, {}}, {bar.share, {}}, {bar.range, {}}});
  }
  return without_empty_columns(std::move(table));
}

std::string text(const Document& report, const TextOptions& options) {
  const Document clean = cleaned(report, !options.unicode);
  return report::kind(clean) == report::Kind::sweep ? text_points(clean.at("points"), options)
                                                    : write_text(page_of(clean), options);
}

std::string markdown(const Document& report) { return write_markdown(page_of(cleaned(report))); }

}  // namespace vggplan::render
