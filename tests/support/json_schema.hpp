// SPDX-License-Identifier: MIT
// A validator for the part of JSON Schema (draft 2020-12) that configs/schema uses. It shares no
// code with the loaders. A keyword that it does not know is an error, so that none goes unchecked.
#pragma once

#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace vggplan::test {

class SchemaValidator {
 public:
  explicit SchemaValidator(nlohmann::json schema) : root_(std::move(schema)) {}

  /// Every violation as "pointer: keyword"; empty when `value` is valid.
  [[nodiscard]] std::vector<std::string> validate(const nlohmann::json& value) const {
    std::vector<std::string> errors;
    check(root_, value, "", errors);
    return errors;
  }

 private:
  using json = nlohmann::json;
  using Errors = std::vector<std::string>;

  void check(const json& schema, const json& value, const std::string& at, Errors& errors) const {
    if (schema.is_boolean()) {
      require(schema.get<bool>(), at, "false schema", errors);
      return;
    }
    for (const auto& [keyword, rule] : schema.items()) {
      if (keyword == "$ref") {
        check(root_.at(json::json_pointer(rule.get<std::string>().substr(1))), value, at, errors);
      } else if (!annotation(keyword) && !check_any(schema, keyword, rule, value, at, errors) &&
                 !check_number(keyword, rule, value, at, errors) && !check_text(keyword, rule, value, at, errors) &&
                 !check_array(schema, keyword, rule, value, at, errors) &&
                 !check_object(schema, keyword, rule, value, at, errors)) {
        errors.push_back(at + ": unknown keyword " + keyword);
      }
    }
  }

  static bool annotation(const std::string& keyword) {
    static const std::set<std::string> kAnnotations{"$schema", "$id",      "$defs",       "$comment",           "title",
                                                    "default", "examples", "description", "patternErrorMessage"};
    return kAnnotations.contains(keyword);
  }

  static void require(bool holds, const std::string& at, const std::string& keyword, Errors& errors) {
    if (!holds) {
      errors.push_back((at.empty() ? "/" : at) + ": " + keyword);
    }
  }

  static bool is_type(const std::string& type, const json& value) {
    if (type == "integer") {
      return value.is_number_integer() ||
             (value.is_number_float() &&
              value.get<double>() == static_cast<double>(static_cast<long long>(value.get<double>())));
    }
    return (type == "object" && value.is_object()) || (type == "array" && value.is_array()) ||
           (type == "string" && value.is_string()) || (type == "number" && value.is_number()) ||
           (type == "boolean" && value.is_boolean()) || (type == "null" && value.is_null());
  }

  bool check_any(const json& schema, const std::string& keyword, const json& rule, const json& value,
                 const std::string& at, Errors& errors) const {
    if (keyword == "type") {
      const std::vector<std::string> types =
          rule.is_array() ? rule.get<std::vector<std::string>>() : std::vector<std::string>{rule.get<std::string>()};
      bool one = false;
      for (const std::string& type : types) {
        one = one || is_type(type, value);
      }
      require(one, at, keyword, errors);
    } else if (keyword == "enum") {
      require(std::find(rule.begin(), rule.end(), value) != rule.end(), at, keyword, errors);
    } else if (keyword == "const") {
      require(rule == value, at, keyword, errors);
    } else if (keyword == "if") {
      Errors inner;
      check(rule, value, at, inner);
      const char* branch = inner.empty() ? "then" : "else";
      if (schema.contains(branch)) {
        check(schema.at(branch), value, at, errors);
      }
    } else if (keyword == "then" || keyword == "else") {
      return true;  // read with its "if"
    } else if (keyword == "allOf") {
      for (const json& part : rule) {
        check(part, value, at, errors);
      }
    } else if (keyword == "oneOf" || keyword == "anyOf") {
      std::size_t matches = 0;
      for (const json& option : rule) {
        Errors inner;
        check(option, value, at, inner);
        matches += inner.empty() ? 1U : 0U;
      }
      require(matches == 1 || (keyword == "anyOf" && matches > 1), at, keyword, errors);
    } else {
      return false;
    }
    return true;
  }

  static bool check_number(const std::string& keyword, const json& rule, const json& value, const std::string& at,
                           Errors& errors) {
    if (keyword != "minimum" && keyword != "maximum" && keyword != "exclusiveMinimum" &&
        keyword != "exclusiveMaximum") {
      return false;
    }
    if (value.is_number()) {
      const bool holds = keyword == "minimum"            ? value >= rule
                         : keyword == "maximum"          ? value <= rule
                         : keyword == "exclusiveMinimum" ? value > rule
                                                         : value < rule;
      require(holds, at, keyword, errors);
    }
    return true;
  }

  static bool check_text(const std::string& keyword, const json& rule, const json& value, const std::string& at,
                         Errors& errors) {
    if (keyword != "pattern" && keyword != "minLength" && keyword != "maxLength") {
      return false;
    }
    if (value.is_string()) {
      const auto& text = value.get_ref<const std::string&>();
      const bool holds = keyword == "pattern"     ? std::regex_search(text, std::regex(rule.get<std::string>()))
                         : keyword == "minLength" ? text.size() >= rule.get<std::size_t>()
                                                  : text.size() <= rule.get<std::size_t>();
      require(holds, at, keyword, errors);
    }
    return true;
  }

  bool check_array(const json& schema, const std::string& keyword, const json& rule, const json& value,
                   const std::string& at, Errors& errors) const {
    if (keyword == "items") {
      const std::size_t first = schema.contains("prefixItems") ? schema.at("prefixItems").size() : 0;
      for (std::size_t i = first; value.is_array() && i < value.size(); ++i) {
        check(rule, value[i], at + "/" + std::to_string(i), errors);
      }
      return true;
    }
    if (keyword != "prefixItems" && keyword != "minItems" && keyword != "maxItems") {
      return false;
    }
    if (!value.is_array()) {
      return true;
    }
    if (keyword == "minItems" || keyword == "maxItems") {
      const auto size = rule.get<std::size_t>();
      require(keyword == "minItems" ? value.size() >= size : value.size() <= size, at, keyword, errors);
      return true;
    }
    for (std::size_t i = 0; i < std::min(value.size(), rule.size()); ++i) {
      check(rule[i], value[i], at + "/" + std::to_string(i), errors);
    }
    return true;
  }

  bool check_object(const json& schema, const std::string& keyword, const json& rule, const json& value,
                    const std::string& at, Errors& errors) const {
    if (keyword != "properties" && keyword != "required" && keyword != "additionalProperties" &&
        keyword != "dependentRequired" && keyword != "propertyNames") {
      return false;
    }
    if (!value.is_object()) {
      return true;
    }
    if (keyword == "required") {
      for (const auto& key : rule) {
        require(value.contains(key.get<std::string>()), at + "/" + key.get<std::string>(), keyword, errors);
      }
    } else if (keyword == "propertyNames") {
      for (const auto& [key, member] : value.items()) {
        check(rule, key, at + "/" + key, errors);
      }
    } else if (keyword == "dependentRequired") {
      for (const auto& [key, needed] : rule.items()) {
        for (const auto& other : needed) {
          require(!value.contains(key) || value.contains(other.get<std::string>()), at + "/" + key, keyword, errors);
        }
      }
    } else {
      const json properties = schema.value("properties", json::object());
      for (const auto& [key, member] : value.items()) {
        const bool known = properties.contains(key);
        if (keyword == "properties" && known) {
          check(rule.at(key), member, at + "/" + key, errors);
        } else if (keyword == "additionalProperties" && !known) {
          check(rule, member, at + "/" + key, errors);
        }
      }
    }
    return true;
  }

  json root_;
};

}  // namespace vggplan::test
