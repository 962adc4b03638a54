// SPDX-License-Identifier: MIT
#include "vggplan/render/render.hpp"

namespace vggplan::render {

namespace {

/// Names that came from outside may hold broken UTF-8, which JSON cannot: U+FFFD takes its place.
constexpr auto kOnBadText = Document::error_handler_t::replace;

}  // namespace

std::string json(const Document& report) { return report.dump(2, ' ', false, kOnBadText) + "\n"; }

std::string json_line(const Document& report) { return report.dump(-1, ' ', false, kOnBadText) + "\n"; }

}  // namespace vggplan::render
