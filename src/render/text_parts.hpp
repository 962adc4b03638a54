// SPDX-License-Identifier: MIT
// Sections of the text format. Each ends with a line break and starts without an empty line.
#pragma once

#include <string>

#include "render/style.hpp"
#include "render/summary.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan::render {

std::string text_summary(const Summary& summary, const Style& style);
std::string text_memory(const Document& estimate, const Style& style);
std::string text_time(const Document& estimate, const Style& style);
std::string text_host(const Document& estimate, const Style& style);
std::string text_warnings(const Document& report, const Style& style);
std::string text_assumptions(const Document& report, const Style& style);

std::string text_estimate(const Document& report, const Style& style);
std::string text_plan(const Document& report, const Style& style);
std::string text_layers(const Document& report, const Style& style);
std::string text_catalogue(const Document& report, const Style& style);
std::string text_diff(const Document& report, const Style& style);
std::string text_check(const Document& report, const Style& style);
/// The points of a sweep, as the program writes them one by one.
std::string text_points(const Document& points, const TextOptions& options);

/// A heading with something at the right end of the line.
std::string heading(const Style& style, std::string_view left, std::string_view right = "");
/// "  label   value   (range)", the range on a line of its own where there is no room.
std::string fact_line(const Style& style, const Fact& fact, std::size_t label_columns);
/// Paragraph with a hanging indent.
std::string paragraph(const Style& style, std::string_view first, std::string_view rest, std::string_view text);

}  // namespace vggplan::render
