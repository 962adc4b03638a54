// SPDX-License-Identifier: MIT
// Values of a report as people read them. The key says what the unit is.
#pragma once

#include <string>
#include <string_view>

#include "vggplan/render/render.hpp"

namespace vggplan::render {

/// The central value of a figure, estimated or counted.
double number(const Document& figure);

/// "18.67 GiB", "171 ms", "138,357,544" ... for the value of `key`, whose ending names the unit.
std::string figure(std::string_view key, const Document& value);

/// "18.2 to 19.1 GiB" where the figure is estimated and its range is not a point; else "".
std::string range(std::string_view key, const Document& value);

/// A figure named by its path, "storage.dataset_bytes", in the units that reports show it in.
std::string metric_figure(std::string_view metric, const Document& value);
/// The same for a difference of two such figures.
std::string metric_change(std::string_view metric, const Document& delta);
/// "reserved_peak" for "reserved_peak_bytes": where the figure beside it shows its unit.
std::string without_unit(std::string_view name);
/// "memory: reserved peak" for "memory.reserved_peak_bytes".
std::string metric_words(std::string_view metric);

std::string text_of(const Document& object, const char* key);
/// Whether `object` has `key`.
bool has(const Document& object, std::string_view key);

/// "saved activations" for "saved_activations".
std::string words(std::string_view key);

/// Whether a swept value is a word rather than a number or a size: words stand at the left of a column.
bool is_word(const Document& value);

/// "12.3 images/s" with three significant digits.
std::string rate(double per_second, std::string_view unit);

std::string percent(double fraction);

std::string binary_bytes(double count);  ///< "18.67 GiB"

}  // namespace vggplan::render
