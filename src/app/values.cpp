// SPDX-License-Identifier: MIT
#include "app/values.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <system_error>

#include "app/flags.hpp"

namespace vggplan::app {

namespace {

std::string range_words(Range range) {
  return range.most >= 1'000'000'000'000 ? fmt::format("of at least {}", range.least)
                                         : fmt::format("from {} to {}", range.least, base::format_count(range.most));
}

/// At most this many points in all: a slip of the keyboard should not run for hours.
constexpr std::int64_t kMostSweepValues = 1'000'000;

struct Steps {
  double from{};
  double to{};
  double step{1};
};

/// "a:b", "a:b:step"; none where `text` is not of this form.
std::optional<Steps> parse_steps(std::string_view text) {
  std::vector<double> numbers;
  while (true) {
    const std::size_t end = std::min(text.find(':'), text.size());
    const std::string_view part = text.substr(0, end);
    double number = 0;
    const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || stop != part.data() + part.size() || !std::isfinite(number)) {
      return std::nullopt;
    }
    numbers.push_back(number);
    if (end == text.size()) {
      break;
    }
    text.remove_prefix(end + 1);
  }
  if (numbers.size() < 2 || numbers.size() > 3) {
    return std::nullopt;
  }
  return Steps{numbers[0], numbers[1], numbers.size() == 3 ? numbers[2] : 1};
}

/// "seq:4" is one value of --checkpointing; elsewhere "a:b" means a range.
bool is_word_with_colon(std::string_view flag, std::string_view value) {
  return flag == "checkpointing" && value.starts_with("seq:");
}

base::Status add_values(Axis& axis, std::string_view part, std::string_view place) {
  if (part.find(':') == std::string_view::npos || is_word_with_colon(axis.flag, part)) {
    axis.values.emplace_back(part);
    return std::nullopt;
  }
  const std::optional<Steps> steps = parse_steps(part);
  if (!steps) {
    return base::wrong(place, fmt::format("cannot make values out of {}", base::quoted(part)),
                       "write from:to:step, such as height=1024:4096:512, or a list, such as batch=1,2,4");
  }
  if (steps->step == 0 || (steps->to - steps->from) / steps->step < 0) {
    return base::wrong(place, fmt::format("the steps of {} never reach its end", base::quoted(part)),
                       "write from:to:step with a step towards the end");
  }
  // Half a step of slack, so that 0:1:0.1 ends at 1 in spite of rounding.
  const double count = std::floor((steps->to - steps->from) / steps->step + 1e-9) + 1;
  if (count > static_cast<double>(kMostSweepValues)) {
    return base::wrong(
        place, fmt::format("{} has more than {} values", base::quoted(part), base::format_count(kMostSweepValues)),
        "take a larger step");
  }
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(count); ++i) {
    axis.values.push_back(fmt::format("{:.12g}", steps->from + static_cast<double>(i) * steps->step));
  }
  return std::nullopt;
}

}  // namespace

base::Result<std::int64_t> parse_whole(std::string_view text, std::string_view place, Range range) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const bool whole = stop == end && !text.empty() && error != std::errc::invalid_argument;
  if (!whole || error == std::errc::result_out_of_range || value < range.least || value > range.most) {
    return base::wrong(place, fmt::format("takes a whole number {}, not {}", range_words(range), base::quoted(text)));
  }
  return value;
}

base::Result<double> parse_amount(std::string_view text, std::string_view place) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || !(value >= 0) || value > 1e12) {
    return base::wrong(place, fmt::format("takes a number from 0 to 10^12, not {}", base::quoted(text)));
  }
  return value;
}

base::Result<bool> parse_switch(std::string_view text, std::string_view place) {
  for (const std::string_view yes : {"true", "1", "yes", "on"}) {
    if (text == yes) {
      return true;
    }
  }
  for (const std::string_view no : {"false", "0", "no", "off", ""}) {
    if (text == no) {
      return false;
    }
  }
  return base::wrong(place, fmt::format("is a switch: true or false, not {}", base::quoted(text)));
}

base::Result<planner::Reserve> parse_reserve(std::string_view text, std::string_view place) {
  planner::Reserve reserve;
  if (text.ends_with('%')) {
    const base::Result<double> percent = parse_amount(text.substr(0, text.size() - 1), place);
    if (!percent || *percent >= 100) {
      return base::wrong(place,
                         fmt::format("takes from 0 % to less than 100 % of the memory, not {}", base::quoted(text)),
                         "write 10% or 4GiB");
    }
    reserve.percent = *percent;
    return reserve;
  }
  base::Result<base::Bytes> bytes = base::parse_bytes(text, place);
  if (!bytes) {
    return base::wrong(place, bytes.error().rule, "write a share or a size: 10% or 4GiB");
  }
  reserve.bytes = *bytes;
  return reserve;
}

base::Result<Export> parse_export(std::string_view text, std::string_view place) {
  const std::size_t split = text.find('=');
  if (split == std::string_view::npos || split + 1 == text.size()) {
    return base::wrong(place, fmt::format("takes FORMAT=FILE, not {}", base::quoted(text)),
                       "write, for example, html=report.html");
  }
  if (text.substr(split + 1) == "-") {
    return base::wrong(place, "writes a file, and - is standard output",
                       fmt::format("write there with --format {}", text.substr(0, split)));
  }
  const Format format = TRY(parse_choice<Format>(text.substr(0, split), place));
  return Export{format, std::string(text.substr(split + 1))};
}

base::Result<std::pair<std::string, base::Usd>> parse_price(std::string_view text, std::string_view place) {
  const std::size_t split = text.rfind('=');
  if (split == std::string_view::npos || split == 0) {
    return base::wrong(
        place, fmt::format("takes NAME=USD_PER_HOUR, not {}", base::quoted(text)),
        "write, for example, a100-sxm4-80gb=1.80 for each GPU, or a machine's name for the whole machine");
  }
  const double amount = TRY(parse_amount(text.substr(split + 1), place));
  return std::pair{std::string(text.substr(0, split)), base::Usd(amount)};
}

base::Result<Axis> parse_axis(std::string_view text, std::string_view place) {
  const std::size_t split = text.find('=');
  if (split == std::string_view::npos || split == 0 || split + 1 == text.size()) {
    return base::wrong(place, fmt::format("takes FLAG=VALUES, not {}", base::quoted(text)),
                       "write, for example, height=1024:4096:512 or batch=1,2,4");
  }
  Axis axis{std::string(text.substr(0, split)), {}};
  std::string_view values = text.substr(split + 1);
  while (true) {
    const std::size_t end = std::min(values.find(','), values.size());
    TRY(add_values(axis, values.substr(0, end), place));
    if (end == values.size()) {
      break;
    }
    values.remove_prefix(end + 1);
  }
  return axis;
}

base::Diagnostic named_file(base::Diagnostic error, std::string_view place, std::string_view remedy) {
  if (error.fault == base::Fault::file) {
    error.place = fmt::format("{} {}", place, error.place);
    error.remedy = remedy;
  }
  return error;
}

base::Result<std::pair<std::string, std::string>> split_size(std::string_view text, std::string_view place) {
  const std::size_t split = text.find_first_of("xX");
  if (split == std::string_view::npos && !text.empty()) {
    return std::pair{std::string(text), std::string(text)};
  }
  if (split == std::string_view::npos || split == 0 || split + 1 == text.size()) {
    return base::wrong(place, fmt::format("takes HEIGHTxWIDTH, or one number for both, not {}", base::quoted(text)),
                       "write, for example, 4024x3036");
  }
  return std::pair{std::string(text.substr(0, split)), std::string(text.substr(split + 1))};
}

}  // namespace vggplan::app
