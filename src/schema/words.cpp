// SPDX-License-Identifier: MIT
#include "schema/words.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "vggplan/base/format.hpp"

namespace vggplan::schema {

namespace {

/// A bound of a range in words; empty for none.
std::string bound_words(const Json& schema, const char* closed, const char* closed_words, const char* open,
                        const char* open_words) {
  const Json* end = rule_of(schema, closed);
  const Json* open_end = rule_of(schema, open);
  return open_end != nullptr ? fmt::format("{} {}", open_words, json_text(*open_end))
         : end != nullptr    ? fmt::format("{} {}", closed_words, json_text(*end))
                             : "";
}

}  // namespace

std::string kind_of(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null: return "null";
    case Json::value_t::object: return "an object";
    case Json::value_t::array: return "an array";
    case Json::value_t::string: return "a string";
    case Json::value_t::boolean: return "true or false";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
    case Json::value_t::number_float: return "a number";
    case Json::value_t::binary:
    case Json::value_t::discarded: break;
  }
  return "something else";
}

std::string type_words(const std::string& type) {
  return type == "integer"   ? "a whole number"
         : type == "boolean" ? "true or false"
         : type == "null"    ? "null"
                             : (type == "object" || type == "array" ? "an " : "a ") + type;
}

std::string json_text(const Json& value) { return value.dump(-1, ' ', true, Json::error_handler_t::replace); }

std::string shown(const Json& value) {
  if (value.is_string()) {
    return base::quoted(value.get_ref<const std::string&>());
  }
  return value.is_number() ? json_text(value) : kind_of(value);
}

const Json* rule_of(const Json& schema, const char* keyword) {
  const auto found = schema.find(keyword);
  return found == schema.end() ? nullptr : &*found;
}

bool is_integer(const Json& schema) {
  const Json* type = rule_of(schema, "type");
  return type != nullptr && *type == "integer";
}

std::vector<std::string> words_of(const Json& rule) {
  return rule.is_array() ? rule.get<std::vector<std::string>>() : std::vector{rule.get<std::string>()};
}

std::string word_of(const Json& value) { return value.is_string() ? value.get<std::string>() : json_text(value); }

std::vector<std::string> allowed_words(const Json& schema) {
  std::vector<std::string> words;
  if (const Json* list = rule_of(schema, "enum")) {
    std::transform(list->begin(), list->end(), std::back_inserter(words), word_of);
  } else if (const Json* only = rule_of(schema, "const")) {
    words.push_back(word_of(*only));
  }
  return words;
}

std::string range_words(const Json& schema) {
  const Json* low = rule_of(schema, "minimum");
  const Json* high = rule_of(schema, "maximum");
  if (is_integer(schema) && low != nullptr && high != nullptr) {
    return fmt::format("from {} to {}", json_text(*low), json_text(*high));
  }
  const std::string from = bound_words(schema, "minimum", "at least", "exclusiveMinimum", "above");
  const std::string to = bound_words(schema, "maximum", "at most", "exclusiveMaximum", "below");
  return fmt::format("{}{}{}", from, from.empty() || to.empty() ? "" : " and ", to);
}

std::string count_words(const Json& schema) {
  const auto least = schema.value("minItems", std::size_t{0});
  const Json* most = rule_of(schema, "maxItems");
  return most == nullptr  ? fmt::format("at least {}", least)
         : *most == least ? fmt::format("{}", least)
         : least == 0     ? fmt::format("at most {}", json_text(*most))
                          : fmt::format("from {} to {}", least, json_text(*most));
}

std::string example_words(const Json& schema) {
  const Json* examples = schema.is_object() ? rule_of(schema, "examples") : nullptr;
  std::vector<std::string> texts;
  if (examples != nullptr) {
    std::transform(examples->begin(), examples->end(), std::back_inserter(texts), json_text);
  }
  return texts.empty() ? "" : fmt::format("write for example {}", fmt::join(texts, " or "));
}

}  // namespace vggplan::schema
