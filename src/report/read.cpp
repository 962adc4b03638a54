// SPDX-License-Identifier: MIT
// Reports read back, and held to what the JSON Schema promises.
#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>

#include "vggplan/base/format.hpp"
#include "vggplan/base/json_text.hpp"
#include "vggplan/report/document.hpp"
#include "vggplan/schema/validate.hpp"

namespace vggplan::report {

namespace {

constexpr const char* kInvalidRemedy =
    "save reports whole, with --json --output FILE; vggplan schema report tells their keys";

constexpr const char* kRemedy = "save one with --json --output FILE";

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

base::Result<Document> read(std::string_view text, const Document& schema, std::string_view file,
                            std::optional<std::size_t> line) {
  base::Result<Document> report = base::parse_json<Document>(text, file, line.value_or(1));
  if (!report) {
    base::Diagnostic error = report.error();
    error.remedy = kRemedy;
    return error;
  }
  const std::string place = line ? fmt::format("{}:{}", file, *line) : std::string(file);
  if (!report->is_object()) {
    return base::wrong(place, "is not a report: it is not one JSON object", kRemedy);
  }
  const std::string version = text_at(*report, "schema_version");
  const std::optional<int> major = major_of(version);
  if (!major) {
    return base::wrong(place, "is not a report: it has no schema_version such as \"1.0\"", kRemedy);
  }
  if (major != major_of(kSchemaVersion)) {
    return base::wrong(place, fmt::format("has schema version {}, and this program reads {}", version, kSchemaVersion),
                       "write the report again with this version of vggplan");
  }
  const std::string kind = text_at(*report, "kind");
  if (!base::parse_enum<Kind>(kind)) {
    return base::wrong(place, fmt::format("has the unknown kind {}", base::quoted(kind)),
                       base::suggestion(kind, base::enum_names<Kind>()));
  }
  TRY(schema::check(schema, *report, {place, kInvalidRemedy, schema::UnknownKeys::passed}));
  return report;
}

Kind kind(const Document& report) {
  return base::parse_enum<Kind>(report.at("kind").get_ref<const std::string&>()).value();
}

}  // namespace vggplan::report
