// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "vggplan/base/format.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::report {

namespace {

constexpr std::array<std::string_view, 9> kKinds{"estimate", "plan", "layers", "gpus", "machines",
                                                 "models",   "diff", "check",  "sweep"};

std::optional<int> major_of(std::string_view version) {
  int major = 0;
  const char* end = version.data() + version.size();
  const auto [stop, error] = std::from_chars(version.data(), end, major);
  return error == std::errc() && stop != end && *stop == '.' ? std::optional(major) : std::nullopt;
}

std::string text_at(const Document& report, const char* key) {
  const auto found = report.find(key);
  return found != report.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

base::Result<Document> read(std::string_view text, std::string_view place) {
  Document report = Document::parse(text, nullptr, false);
  if (report.is_discarded() || !report.is_object()) {
    return base::wrong(place, "is not a report: it is not one JSON object", "save one with --json --output FILE");
  }
  const std::string version = text_at(report, "schema_version");
  const std::optional<int> major = major_of(version);
  if (!major) {
    return base::wrong(place, "is not a report: it has no schema_version such as \"1.0\"",
                       "save one with --json --output FILE");
  }
  if (major != major_of(kSchemaVersion)) {
    return base::wrong(place, fmt::format("has schema version {}, and this program reads {}", version, kSchemaVersion),
                       "write the report again with this version of vggplan");
  }
  const std::string kind = text_at(report, "kind");
  if (std::find(kKinds.begin(), kKinds.end(), kind) == kKinds.end()) {
    const std::vector<std::string> known(kKinds.begin(), kKinds.end());
    return base::wrong(place, fmt::format("has the unknown kind {}", base::quoted(kind)),
                       base::suggestion(kind, known));
  }
  return report;
}

std::string_view kind(const Document& report) { return report.at("kind").get_ref<const std::string&>(); }

}  // namespace vggplan::report
