// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "render/figures.hpp"
#include "render/pages.hpp"
#include "render/style.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan::render {

namespace {

/// Answers beside the swept flags. The widths hold whatever the formatters yield.
struct Answer {
  std::string_view key{};
  std::string_view heading{};
  std::size_t width{};
};
constexpr std::array<Answer, 4> kAnswers{{{"allocated_peak_bytes", "allocated", 11},
                                          {"reserved_peak_bytes", "reserved", 11},
                                          {"step_seconds", "GPU step", 12},
                                          {"images_per_second", "speed", 16}}};
constexpr std::size_t kVerdict = 8;

/// Without what was allocated where the swept flags leave no room for it: what is reserved decides.
std::span<const Answer> answers(const std::vector<PointColumn>& columns, const TextOptions& options) {
  std::size_t used = kVerdict;
  for (const PointColumn& column : columns) {
    used += column.width + 2;
  }
  for (const Answer& answer : kAnswers) {
    used += answer.width;
  }
  return std::span(kAnswers).subspan(used > options.columns ? 1 : 0);
}

std::string_view short_verdict(const Document& memory) {
  const auto& verdict = memory.at("verdict").get_ref<const std::string&>();
  return verdict == "fits" ? "yes" : verdict == "does-not-fit" ? "no" : "flushes";
}

std::string padded(const PointColumn& column, std::string_view text) {
  return (column.words ? pad_right(text, column.width) : pad_left(text, column.width)) + "  ";
}

Table one_row(const Document& estimate) { return points_table(Document::array({cleaned(estimate)})); }

}  // namespace

PointWriter::PointWriter(std::vector<PointColumn> columns, const TextOptions& options)
    : columns_(std::move(columns)), options_(options) {
  for (PointColumn& column : columns_) {
    column.width = std::max(column.width, column.key.size());
  }
}

std::string PointWriter::text_header() const {
  std::string line;
  for (const PointColumn& column : columns_) {
    line += padded(column, base::with_dashes(column.key));
  }
  line += pad_right("fits", kVerdict);
  for (const Answer& answer : answers(columns_, options_)) {
    line += pad_left(answer.heading, answer.width);
  }
  return Style(options_).dim(line) + "\n";
}

std::string PointWriter::text_row(const Document& estimate) const {
  const Style style(options_);
  std::string line;
  for (const PointColumn& column : columns_) {
    line += padded(column, figure("", cleaned(estimate.at("point").at(column.key), !options_.unicode)));
  }
  const std::string verdict = pad_right(short_verdict(estimate.at("memory")), kVerdict);
  line += style.tinted(verdict.starts_with("yes")  ? Tone::plain
                       : verdict.starts_with("no") ? Tone::bad
                                                   : Tone::warn,
                       verdict);
  for (const Answer& answer : answers(columns_, options_)) {
    const bool memory = answer.key.ends_with("bytes");
    const Document& part = estimate.at(memory ? "memory" : "time");
    line += pad_left(figure(answer.key, part.at(std::string(answer.key))), answer.width);
  }
  return line + "\n";
}

std::string text_points(const Document& points, const TextOptions& options) {
  std::vector<PointColumn> columns;
  for (const Document& estimate : points) {
    std::size_t index = 0;
    for (const auto& [key, value] : estimate.at("point").items()) {
      if (index == columns.size()) {
        columns.push_back({key, 0, is_word(value)});
      }
      columns[index].width = std::max(columns[index].width, width(figure("", value)));
      ++index;
    }
  }
  const PointWriter writer(std::move(columns), options);
  std::string text = writer.text_header();
  for (const Document& estimate : points) {
    text += writer.text_row(estimate);
  }
  return text;
}

std::string PointWriter::csv_header(const Document& estimate) { return render::csv_header(one_row(estimate)); }

std::string PointWriter::csv_row(const Document& estimate) { return render::csv_row(one_row(estimate).rows.front()); }

}  // namespace vggplan::render
