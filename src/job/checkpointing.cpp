// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "vggplan/base/format.hpp"
#include "vggplan/job/job.hpp"

namespace vggplan::job {

namespace {
constexpr std::string_view kSequential = "seq:";
}

std::string to_string(const Checkpointing& checkpointing) {
  switch (checkpointing.kind) {
    case Checkpointing::Kind::none: return "none";
    case Checkpointing::Kind::block: return "block";
    case Checkpointing::Kind::sequential: return fmt::format("{}{}", kSequential, checkpointing.segments);
  }
  return "";
}

base::Result<Checkpointing> parse_checkpointing(std::string_view text, std::string_view place) {
  if (text == "none") {
    return Checkpointing{};
  }
  if (text == "block") {
    return Checkpointing{Checkpointing::Kind::block, 0};
  }
  if (text.starts_with(kSequential)) {
    const std::string_view digits = text.substr(kSequential.size());
    std::int64_t segments = 0;
    const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), segments);
    if (fault == std::errc{} && end == digits.data() + digits.size() && segments >= 1) {
      return Checkpointing{Checkpointing::Kind::sequential, segments};
    }
  }
  return base::wrong(
      place, fmt::format("must be none, block or seq:N with N segments, N at least 1, but is {}", base::quoted(text)),
      "for example --checkpointing block, or --checkpointing seq:4");
}

}  // namespace vggplan::job
