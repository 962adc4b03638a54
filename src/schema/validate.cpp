// SPDX-License-Identifier: MIT
#include "vggplan/schema/validate.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <regex>
#include <vector>

#include "schema/words.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/schema/object_reader.hpp"

namespace vggplan::schema {

namespace {

bool is_type(const std::string& type, const Json& value) {
  return (type == "integer" && whole(value)) || (type == "number" && value.is_number()) ||
         (type == "string" && value.is_string()) || (type == "object" && value.is_object()) ||
         (type == "array" && value.is_array()) || (type == "boolean" && value.is_boolean()) ||
         (type == "null" && value.is_null());
}

/// `types`: one, or several.
bool is_one_of(const Json& types, const Json& value) {
  return types.is_string() ? is_type(types.get_ref<const std::string&>(), value)
                           : std::any_of(types.begin(), types.end(), [&](const Json& type) {
                               return is_type(type.get_ref<const std::string&>(), value);
                             });
}

/// Where both are whole, exact beyond 2^53 as well.
bool less(const Json& a, const Json& b) {
  return a.is_number_integer() && b.is_number_integer() ? *whole(a) < *whole(b) : a.get<double>() < b.get<double>();
}

/// The words that an object's key takes by its schema.
std::vector<std::string> words_at(const Json& schema, const std::string& key) {
  const Json* known = rule_of(schema, "properties");
  const Json* rules = known == nullptr ? nullptr : rule_of(*known, key.c_str());
  return rules == nullptr ? std::vector<std::string>{} : allowed_words(*rules);
}

bool holds(const std::vector<std::string>& words, const Json& value) {
  return std::ranges::find(words, word_of(value)) != words.end();
}

const Json& nothing() {
  static const Json kNone = Json::object();
  return kNone;
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) {
    keys.push_back(key);
  }
  return keys;
}

/// Errors begin with the part of the pointer below the value that is checked.
class Validator {
 public:
  Validator(const Json& root, const Reading& reading) : root_(root), reading_(reading) {}

  base::Status check(const Json& rules, const Json& value) {
    if (rules.is_boolean()) {
      return rules.get<bool>() ? std::nullopt : wrong({}, "does not go with what else is said");
    }
    if (const Json* ref = rule_of(rules, "$ref")) {
      TRY(check(target(*ref), value));
    }
    TRY(check_type(rules, value));
    TRY(check_words(rules, value));
    if (value.is_number()) {
      TRY(check_number(rules, value));
    } else if (value.is_string()) {
      TRY(check_text(rules, value.get_ref<const std::string&>()));
    } else if (value.is_array()) {
      TRY(check_array(rules, value));
    } else if (value.is_object()) {
      TRY(check_object(rules, value));
    }
    return check_choices(rules, value);
  }

 private:
  const Json& target(const Json& ref) const {
    return root_.at(Json::json_pointer(ref.get_ref<const std::string&>().substr(1)));
  }

  /// The remedy is an example of `rules` unless there is a better one.
  base::Status wrong(const Json& rules, std::string rule, std::string remedy = "") const {
    remedy = remedy.empty() ? example_words(rules) : std::move(remedy);
    return base::wrong("", std::move(rule), remedy.empty() ? std::string(reading_.remedy) : std::move(remedy));
  }

  static base::Status inside(std::string_view key, base::Status error) {
    if (error) {
      error->place.insert(0, "/" + escaped(key));
    }
    return error;
  }

  base::Status check_type(const Json& rules, const Json& value) const {
    const Json* types = rule_of(rules, "type");
    if (types == nullptr || is_one_of(*types, value)) {
      return std::nullopt;
    }
    std::vector<std::string> wanted = words_of(*types);
    std::ranges::transform(wanted, wanted.begin(), type_words);
    const bool fraction = is_integer(rules) && value.is_number();
    return wrong(rules, fmt::format("must be {}, not {}", fmt::join(wanted, " or "),
                                    fraction ? base::quoted(json_text(value)) : kind_of(value)));
  }

  base::Status check_words(const Json& rules, const Json& value) const {
    const Json* words = rule_of(rules, "enum");
    if (words != nullptr && std::find(words->begin(), words->end(), value) == words->end()) {
      return unknown_word(allowed_words(rules), value);
    }
    const Json* only = rule_of(rules, "const");
    return only == nullptr || *only == value
               ? std::nullopt
               : wrong(rules, fmt::format("must be {}, not {}", json_text(*only), shown(value)));
  }

  base::Status unknown_word(const std::vector<std::string>& words, const Json& value) const {
    return value.is_string()
               ? wrong({}, fmt::format("unknown value {}", shown(value)),
                       base::suggestion(value.get_ref<const std::string&>(), words))
               : wrong({}, fmt::format("must be one of {}, not {}", fmt::join(words, ", "), shown(value)));
  }

  base::Status check_number(const Json& rules, const Json& value) const {
    static const Json kMostWhole(base::kLargestExact);
    const Json* low = rule_of(rules, "minimum");
    const Json* high = rule_of(rules, "maximum");
    const Json* above = rule_of(rules, "exclusiveMinimum");
    const Json* below = rule_of(rules, "exclusiveMaximum");
    if (high == nullptr && below == nullptr && is_integer(rules) && less(kMostWhole, value)) {
      return wrong(rules, fmt::format("must be at most {}, not {}", json_text(kMostWhole), json_text(value)));
    }
    const bool outside = (low != nullptr && less(value, *low)) || (high != nullptr && less(*high, value)) ||
                         (above != nullptr && !less(*above, value)) || (below != nullptr && !less(value, *below));
    return outside ? wrong(rules, fmt::format("must be {}, not {}", range_words(rules), json_text(value)))
                   : std::nullopt;
  }

  base::Status check_text(const Json& rules, const std::string& text) {
    if (text.size() < rules.value("minLength", std::size_t{0})) {
      return wrong(rules, "must not be empty");
    }
    if (const Json* most = rule_of(rules, "maxLength"); most != nullptr && text.size() > most->get<std::size_t>()) {
      return wrong(rules, fmt::format("must have at most {} characters, not {}", json_text(*most), text.size()));
    }
    const Json* pattern = rule_of(rules, "pattern");
    if (pattern == nullptr || matches(text, pattern->get_ref<const std::string&>())) {
      return std::nullopt;
    }
    const std::string meaning = rules.value("patternErrorMessage", "must match " + json_text(*pattern));
    return wrong(rules, fmt::format("{}, not {}", meaning, base::quoted(text)));
  }

  /// What patterns describe is short, and std::regex recurses over each character.
  bool matches(const std::string& text, const std::string& pattern) {
    constexpr std::size_t kLongest = 100;
    const auto regex = patterns_.try_emplace(pattern, pattern).first;
    return text.size() <= kLongest && std::regex_search(text, regex->second);
  }

  base::Status check_array(const Json& rules, const Json& value) {
    const Json* most = rule_of(rules, "maxItems");
    const auto least = rules.value("minItems", std::size_t{0});
    if (value.size() < least || (most != nullptr && value.size() > *most)) {
      return wrong(rules, least == 1 && value.empty()
                              ? "must not be empty"
                              : fmt::format("must hold {} entries, not {}", count_words(rules), value.size()));
    }
    const Json* first = rule_of(rules, "prefixItems");
    const Json* rest = rule_of(rules, "items");
    for (std::size_t i = 0; i < value.size(); ++i) {
      const Json* rule = first != nullptr && i < first->size() ? &(*first)[i] : rest;
      if (base::Status error = rule == nullptr ? std::nullopt : check(*rule, value[i])) {
        if (error->remedy == reading_.remedy && rules.contains("examples")) {
          error->remedy = example_words(rules);
        }
        return inside(std::to_string(i), error);
      }
    }
    return std::nullopt;
  }

  base::Status check_object(const Json& rules, const Json& value) {
    const Json* listed = rule_of(rules, "properties");
    const Json& known = listed == nullptr ? nothing() : *listed;
    const Json* others = rule_of(rules, "additionalProperties");
    const bool closed = others != nullptr && *others == false && reading_.unknown_keys == UnknownKeys::refused;
    for (const auto& [key, member] : value.items()) {
      if (closed && !known.contains(key)) {
        return inside(
            key, wrong({}, fmt::format("unknown key {}", base::quoted(key)), base::suggestion(key, keys_of(known))));
      }
    }
    TRY(check_presence(rules, value));
    const Json* names = rule_of(rules, "propertyNames");
    for (const auto& [key, member] : value.items()) {
      TRY(names == nullptr ? std::nullopt : inside(key, check(*names, key)));
      const Json* own = rule_of(known, key.c_str());
      const Json* rule = own != nullptr ? own : others;
      const bool passed = rule == nullptr || (own == nullptr && rule->is_boolean());
      TRY(passed ? std::nullopt : inside(key, check(*rule, member)));
    }
    return std::nullopt;
  }

  base::Status check_presence(const Json& rules, const Json& value) const {
    const auto missing = [&](const Json& key) { return !value.contains(key.get_ref<const std::string&>()); };
    if (const Json* required = rule_of(rules, "required")) {
      const auto key = std::find_if(required->begin(), required->end(), missing);
      if (key != required->end()) {
        return inside(key->get_ref<const std::string&>(), wrong({}, "is missing"));
      }
    }
    if (const Json* dependent = rule_of(rules, "dependentRequired")) {
      for (const auto& [key, needed] : dependent->items()) {
        const auto lacking = value.contains(key) ? std::find_if(needed.begin(), needed.end(), missing) : needed.end();
        if (lacking != needed.end()) {
          return inside(
              lacking->get_ref<const std::string&>(),
              wrong({}, "is missing", fmt::format("it goes with {}: give both or neither", base::quoted(key))));
        }
      }
    }
    return std::nullopt;
  }

  base::Status check_choices(const Json& rules, const Json& value) {
    if (const Json* parts = rule_of(rules, "allOf")) {
      for (const Json& part : *parts) {
        TRY(check(part, value));
      }
    }
    if (const Json* condition = rule_of(rules, "if")) {
      const Json* then = rule_of(rules, check(*condition, value) ? "else" : "then");
      TRY(then == nullptr ? std::nullopt : check(*then, value));
    }
    if (const Json* options = rule_of(rules, "anyOf")) {
      const bool one =
          std::any_of(options->begin(), options->end(), [&](const Json& option) { return !check(option, value); });
      TRY(one ? std::nullopt : none_of(*options, value));
    }
    const Json* options = rule_of(rules, "oneOf");
    return options == nullptr ? std::nullopt : check_one(*options, value);
  }

  /// The error of the option that comes first, where none holds. Options that are a key each are told all.
  base::Status none_of(const Json& options, const Json& value) {
    base::Status error = check(options.front(), value);
    std::vector<std::string> keys;
    for (const Json& option : options) {
      if (option.contains("required") && option.size() == 1 && option.at("required").size() == 1) {
        keys.push_back(option.at("required").front().get<std::string>());
      }
    }
    if (keys.size() == options.size()) {
      error->remedy = fmt::format("give one of {}", fmt::join(keys, ", "));
    }
    return error;
  }

  base::Status check_one(const Json& options, const Json& value) {
    std::vector<const Json*> forms;
    for (const Json& option : options) {
      const Json* ref = rule_of(option, "$ref");
      forms.push_back(ref == nullptr ? &option : &target(*ref));
    }
    std::vector<const Json*> meant;
    std::ranges::copy_if(forms, std::back_inserter(meant), [&](const Json* form) { return may_mean(*form, value); });
    if (meant.empty()) {
      return no_form(forms, value);
    }
    if (meant.size() == 1) {
      return check(*meant.front(), value);
    }
    const auto holding =
        std::ranges::count_if(meant, [&](const Json* form) { return !check(*form, value).has_value(); });
    return holding == 1 ? std::nullopt : holding > 1 ? wrong({}, "may be read in two ways") : none_of(options, value);
  }

  /// Forms are told apart by their type, or by a key that takes other words in each.
  static bool may_mean(const Json& form, const Json& value) {
    if (const Json* only = rule_of(form, "const")) {
      return only->type() == value.type();
    }
    const Json* types = rule_of(form, "type");
    const bool number = is_integer(form) && value.is_number();
    if (types != nullptr && !number && !is_one_of(*types, value)) {
      return false;
    }
    for (const auto& [key, member] : value.is_object() ? value.items() : nothing().items()) {
      const std::vector<std::string> words = words_at(form, key);
      if (!words.empty() && !holds(words, member)) {
        return false;
      }
    }
    return true;
  }

  base::Status no_form(const std::vector<const Json*>& forms, const Json& value) const {
    for (const auto& [key, member] : value.is_object() ? value.items() : nothing().items()) {
      std::vector<std::string> words;
      for (const Json* form : forms) {
        std::ranges::copy_if(words_at(*form, key), std::back_inserter(words),
                             [&](const auto& word) { return std::ranges::find(words, word) == words.end(); });
      }
      if (!words.empty() && !holds(words, member)) {
        return inside(key, unknown_word(words, member));
      }
    }
    std::vector<std::string> wanted;
    for (const Json* form : forms) {
      const Json* only = rule_of(*form, "const");
      const Json* types = rule_of(*form, "type");
      wanted.push_back(only != nullptr ? json_text(*only)
                                       : type_words(types == nullptr ? "object" : words_of(*types).front()));
    }
    return wrong({}, fmt::format("must be {}, not {}", fmt::join(wanted, " or "), kind_of(value)));
  }

  const Json& root_;
  const Reading& reading_;
  std::map<std::string, std::regex> patterns_{};  ///< compiled once: a network has a name for each of its nodes
};

}  // namespace

base::Status check(const Json& schema, const Json& value, const Reading& reading) {
  base::Status error = Validator(schema, reading).check(schema, value);
  if (error) {
    error->place = fmt::format("{}{}{}", reading.file, error->place.empty() ? "" : ":", error->place);
  }
  return error;
}

}  // namespace vggplan::schema
