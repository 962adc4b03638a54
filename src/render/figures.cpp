// SPDX-License-Identifier: MIT
#include "render/figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "vggplan/base/checked.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/units.hpp"

namespace vggplan::render {

namespace {

bool is_estimated(const Document& value) { return value.is_object() && value.contains("value"); }

/// Below 1000, with the zeros that make it three: what stands below each other in a column is alike.
std::string three_digits(double value) {
  const double size = std::abs(value);
  return size >= 99.95   ? fmt::format("{:.0f}", value)
         : size >= 9.995 ? fmt::format("{:.1f}", value)
                         : fmt::format("{:#.3g}", value);
}

std::string decimal(double value) {
  const double size = std::abs(value);
  if (size >= 1e15) {
    return fmt::format("{:.3g}", value);
  }
  return size >= 999.5 || value == std::trunc(value) ? base::format_count(std::llround(value)) : three_digits(value);
}

/// A size beyond what is counted can only come from a limit that somebody wrote down.
base::Bytes bytes_of(double value) {
  constexpr auto kMost = static_cast<double>(base::kLargestExact);
  return base::Bytes(std::llround(std::clamp(value, -kMost, kMost)));
}

/// A text as it is, and anything else as JSON.
std::string unquoted(const Document& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string percent_figure(double value) {
  // Percentages are rounded to hundredths.
  return (std::abs(value) < 0.995 && value != 0 ? fmt::format("{:.2f}", value) : decimal(value)) + " %";
}

std::string number_figure(std::string_view key, double value) {
  const auto ends = [&](std::string_view unit) { return key.ends_with(unit); };
  const auto has = [&](std::string_view unit) { return key.find(unit) != std::string_view::npos; };
  return ends("utilization")                                      ? percent(value)
         : ends("bytes_per_second")                               ? base::format_scaled(value, "B/s")
         : ends("images_per_second") || has("images_per_second_") ? rate(value, "images/s")
         : ends("bytes")                                          ? base::format_bytes(bytes_of(value))
         : ends("seconds")                                        ? base::format_seconds(base::Seconds(value))
         : ends("usd") || has("usd_per_")                         ? base::format_usd(base::Usd(value))
         : ends("flops_per_second")                               ? base::format_scaled(value, "FLOP/s")
         : ends("flops") || has("flops_")                         ? base::format_scaled(value, "FLOP")
         : ends("macs") || ends("macs_forward")                   ? base::format_scaled(value, "MAC")
         : ends("_mhz")                                           ? decimal(value) + " MHz"
         : ends("percent")                                        ? percent_figure(value)
                                                                  : decimal(value);
}

}  // namespace

double number(const Document& figure) {
  return is_estimated(figure) ? figure.at("value").get<double>() : figure.get<double>();
}

std::string figure(std::string_view key, const Document& value) {
  if (is_estimated(value) || value.is_number_float()) {
    return number_figure(key, number(value));
  }
  if (value.is_number_integer()) {
    const auto whole = value.get<std::int64_t>();
    const std::string shown = number_figure(key, static_cast<double>(whole));
    const bool counted = shown == decimal(static_cast<double>(whole));
    return counted ? base::format_count(whole) : shown;
  }
  if (value.is_boolean()) {
    return value.get<bool>() ? "yes" : "no";
  }
  if (value.is_array()) {
    // Numbers in a row are a shape.
    std::string joined;
    for (const Document& item : value) {
      joined += (joined.empty() ? "" : item.is_string() ? ", " : "x") + unquoted(item);
    }
    return joined;
  }
  return value.is_null() ? "" : unquoted(value);
}

std::string range(std::string_view key, const Document& value) {
  if (!is_estimated(value) || value.at("low") == value.at("high")) {
    return "";
  }
  std::string low = number_figure(key, number(value.at("low")));
  const std::string high = number_figure(key, number(value.at("high")));
  if (low == high) {
    return "";
  }
  const std::size_t low_space = low.rfind(' ');
  const std::size_t high_space = high.rfind(' ');
  const bool same_unit = low_space != std::string::npos && high_space != std::string::npos &&
                         low.substr(low_space) == high.substr(high_space);
  // "1 min 02 s to 1 min 05 s" keeps both units: the last alone would not say what the first number is.
  if (same_unit && std::ranges::count(low, ' ') == 1) {
    low.resize(low_space);
  }
  return low + " to " + high;
}

std::string metric_figure(std::string_view metric, const Document& value) {
  if (metric.starts_with("storage.") && metric.ends_with("_bytes") && value.is_number()) {
    return base::format_decimal_bytes(bytes_of(value.get<double>()));  // as it is sold
  }
  // Categories and phases of memory have names without a unit.
  const bool bytes = metric.starts_with("memory.phases.") || metric.starts_with("memory.breakdown_at_peak.");
  return figure(bytes ? "_bytes" : metric, value);
}

std::string metric_change(std::string_view metric, const Document& delta) {
  if (metric.ends_with("utilization") && delta.is_number()) {
    return fmt::format("{:.1f} points", 100 * delta.get<double>());
  }
  return metric_figure(metric, delta);
}

std::string without_unit(std::string_view name) {
  for (const std::string_view unit : {"_bytes_per_second", "_flops_per_second", "_bytes", "_seconds", "_mhz", "_usd"}) {
    if (name.ends_with(unit)) {
      return std::string(name.substr(0, name.size() - unit.size()));
    }
  }
  return std::string(name);
}

std::string metric_words(std::string_view metric) {
  const std::size_t dot = metric.find('.');
  if (dot == std::string_view::npos) {
    return words(metric);
  }
  const std::string_view section = metric.substr(0, dot);
  const std::string_view name = metric.substr(dot + 1);
  const std::size_t inner = name.find('.');
  if (inner == std::string_view::npos) {
    return fmt::format("{}: {}", section, words(without_unit(name)));
  }
  const std::string last = words(without_unit(name.substr(inner + 1)));
  return name.starts_with("breakdown") ? "at peak: " + last : fmt::format("{}: peak of {}", section, last);
}

std::string text_of(const Document& object, const char* key) { return object.at(key).get<std::string>(); }

bool has(const Document& object, std::string_view key) { return object.find(std::string(key)) != object.end(); }

std::string words(std::string_view key) {
  std::string text(key);
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

bool is_word(const Document& value) {
  return value.is_string() && value.get_ref<const std::string&>().find_first_of("0123456789") != 0;
}

std::string rate(double per_second, std::string_view unit) {
  const bool whole = per_second == 0 || std::abs(per_second) >= 99.95;
  return fmt::format("{} {}", whole ? decimal(std::round(per_second)) : three_digits(per_second), unit);
}

std::string percent(double fraction) {
  if (!std::isfinite(fraction)) {
    return "";
  }
  const double value = 100 * fraction;
  return std::abs(value) < 9.95 && value != 0 ? fmt::format("{:.1f} %", value) : fmt::format("{:.0f} %", value);
}

std::string binary_bytes(double count) { return base::format_bytes(bytes_of(std::trunc(count))); }

}  // namespace vggplan::render
