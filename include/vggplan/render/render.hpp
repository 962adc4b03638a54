// SPDX-License-Identifier: MIT
// Pure functions from a report to a string, one per format. They rely on what the schema of reports promises, to which
// report::read holds those from files.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/report/document.hpp"

namespace vggplan::render {

using report::Document;

struct TextOptions {
  std::size_t columns{80};
  bool color{false};
  bool unicode{true};
  bool verbose{false};  ///< with ranges, assumptions and what was rejected
};

/// Words of `text` on lines of at most `columns`, of which `used` are taken on the first line and `indent` on others.
/// A word that is longer stands alone.
std::vector<std::string> wrap(std::string_view text, std::size_t columns, std::size_t indent = 0, std::size_t used = 0);

std::string text(const Document& report, const TextOptions& options);

std::string json(const Document& report);       ///< indented
std::string json_line(const Document& report);  ///< one line, for JSON Lines

/// RFC 4180 but for the line ends, which are those of Unix. The table that the report is about: layers, alternatives,
/// points of a sweep ...
std::string csv(const Document& report);

/// Fit for a pull-request comment.
std::string markdown(const Document& report);

/// One self-contained page.
std::string html(const Document& report);

/// A flag that a sweep varies, the width of its longest value, and whether its values are words.
struct PointColumn {
  std::string key{};
  std::size_t width{};
  bool words{false};
};

/// The points of a sweep one by one, for output that does not wait for the last.
class PointWriter {
 public:
  PointWriter(std::vector<PointColumn> columns, const TextOptions& options);
  [[nodiscard]] std::string text_header() const;
  [[nodiscard]] std::string text_row(const Document& estimate) const;
  [[nodiscard]] static std::string csv_header(const Document& estimate);
  [[nodiscard]] static std::string csv_row(const Document& estimate);

 private:
  std::vector<PointColumn> columns_{};
  TextOptions options_{};
};

}  // namespace vggplan::render
