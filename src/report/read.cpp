// SPDX-License-Identifier: MIT
// Reports read back, and held to what the JSON Schema promises.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "vggplan/base/checked.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/json_text.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::report {

namespace {

constexpr const char* kInvalidRemedy =
    "save reports whole, with --json --output FILE; vggplan schema report tells their keys";

/// Of whole numbers: beyond 2^53 other parsers may have rounded, and arithmetic on it could overflow. FLOPs of a step
/// are allowed more, which nothing adds up.
double most_of(const Document& schema) { return schema.value("maximum", static_cast<double>(base::kLargestExact)); }

bool is_type(const std::string& type, const Document& value, double most) {
  if (type == "integer") {
    return value.is_number_integer() && std::abs(value.get<double>()) <= most;
  }
  return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
         (type == "string" && value.is_string()) || (type == "number" && value.is_number()) ||
         (type == "boolean" && value.is_boolean());
}

std::string type_words(const std::string& type, double most) {
  if (type == "integer") {
    return fmt::format("a whole number up to 2^{:.0f}", std::log2(most));
  }
  return type == "object" || type == "array" ? "an " + type : "a " + type;
}

/// What patterns describe is short, and std::regex recurses over each character.
bool matches(const std::string& text, const Document& pattern) {
  constexpr std::size_t kLongest = 100;
  return text.size() <= kLongest && std::regex_search(text, std::regex(pattern.get<std::string>()));
}

std::string shown_value(const Document& value) {
  constexpr auto kReplace = Document::error_handler_t::replace;
  return value.is_structured() ? std::string(value.type_name()) : base::quoted(value.dump(-1, ' ', false, kReplace));
}

/// Finds the first thing of a value that a schema does not allow. Knows the keywords that report.schema.json uses, less
/// those about keys that are not known: a later minor version may add some.
class Validator {
 public:
  Validator(const Document& root, std::string_view file) : root_(root), file_(file) {}

  [[nodiscard]] base::Status check(const Document& schema, const Document& value, const std::string& at) const {
    if (const auto ref = schema.find("$ref"); ref != schema.end()) {
      return check(root_.at(Document::json_pointer(ref->get<std::string>().substr(1))), value, at);
    }
    for (const auto& [keyword, rule] : schema.items()) {
      TRY(check_value(keyword, rule, schema, value, at));
      TRY(check_parts(keyword, rule, schema, value, at));
      TRY(check_choice(keyword, rule, schema, value, at));
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] base::Diagnostic wrong(const std::string& at, std::string rule) const {
    return base::wrong(file_ + (at.empty() ? "" : ":" + at), "is not a valid report: " + std::move(rule),
                       kInvalidRemedy);
  }

  /// The value by itself.
  [[nodiscard]] base::Status check_value(const std::string& keyword, const Document& rule, const Document& schema,
                                         const Document& value, const std::string& at) const {
    if (keyword == "type") {
      const double most = most_of(schema);
      const auto types =
          rule.is_array() ? rule.get<std::vector<std::string>>() : std::vector<std::string>{rule.get<std::string>()};
      if (std::none_of(types.begin(), types.end(),
                       [&](const std::string& type) { return is_type(type, value, most); })) {
        return wrong(at, fmt::format("takes {}, not {}", type_words(types.front(), most), shown_value(value)));
      }
    } else if (keyword == "minimum" && value.is_number() && value.get<double>() < rule.get<double>()) {
      return wrong(at, fmt::format("takes at least {}, not {}", rule.dump(), shown_value(value)));
    } else if (keyword == "enum" && std::find(rule.begin(), rule.end(), value) == rule.end()) {
      return wrong(at, fmt::format("takes one of {}, not {}", fmt::join(rule.get<std::vector<std::string>>(), ", "),
                                   shown_value(value)));
    } else if (keyword == "const" && value != rule) {
      return wrong(at, fmt::format("takes {}, not {}", rule.dump(), shown_value(value)));
    } else if (keyword == "minLength" && value.is_string() && value.get_ref<const std::string&>().empty()) {
      return wrong(at, "takes a text that is not empty");
    } else if (keyword == "pattern" && value.is_string() && !matches(value.get_ref<const std::string&>(), rule)) {
      return wrong(at, fmt::format("takes a text that matches {}, not {}", rule.dump(), shown_value(value)));
    } else if (keyword == "minItems" && value.is_array() && value.size() < rule.get<std::size_t>()) {
      return wrong(at, "has too few entries");
    }
    return std::nullopt;
  }

  /// What an object or a list holds.
  [[nodiscard]] base::Status check_parts(const std::string& keyword, const Document& rule, const Document& schema,
                                         const Document& value, const std::string& at) const {
    if (keyword == "items" && value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        TRY(check(rule, value[i], fmt::format("{}/{}", at, i)));
      }
    }
    if (keyword == "required" && value.is_object()) {
      for (const Document& key : rule) {
        if (!value.contains(key.get_ref<const std::string&>())) {
          return wrong(at, fmt::format("lacks the key '{}'", key.get_ref<const std::string&>()));
        }
      }
    }
    if (keyword == "propertyNames" && value.is_object()) {
      for (const auto& [key, member] : value.items()) {
        TRY(check(rule, key, at));
      }
    }
    const bool of_known = keyword == "properties";
    if (!value.is_object() || (!of_known && (keyword != "additionalProperties" || !rule.is_object()))) {
      return std::nullopt;
    }
    for (const auto& [key, member] : value.items()) {
      const bool known = schema.contains("properties") && schema.at("properties").contains(key);
      if (known == of_known) {
        TRY(check(of_known ? rule.at(key) : rule, member, at + "/" + key));
      }
    }
    return std::nullopt;
  }

  /// Schemas of which all, one, or one or another must hold.
  [[nodiscard]] base::Status check_choice(const std::string& keyword, const Document& rule, const Document& schema,
                                          const Document& value, const std::string& at) const {
    if (keyword == "allOf") {
      for (const Document& part : rule) {
        TRY(check(part, value, at));
      }
    } else if (keyword == "oneOf") {
      const auto holds = std::count_if(rule.begin(), rule.end(),
                                       [&](const Document& part) { return !check(part, value, at).has_value(); });
      return holds == 1 ? std::nullopt : check(rule.front(), value, at);
    } else if (keyword == "if" && !check(rule, value, at)) {
      return check(schema.at("then"), value, at);
    }
    return std::nullopt;
  }

  const Document& root_;
  std::string file_{};
};

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
  TRY(Validator(schema, place).check(schema, *report, ""));
  return report;
}

Kind kind(const Document& report) {
  return base::parse_enum<Kind>(report.at("kind").get_ref<const std::string&>()).value();
}

}  // namespace vggplan::report
