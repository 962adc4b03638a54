// SPDX-License-Identifier: MIT
// A schema's keywords, and what errors say of them and of values.
#pragma once

#include <string>
#include <vector>

#include "vggplan/schema/validate.hpp"

namespace vggplan::schema {

/// The keyword's value; null where the schema does not have it.
const Json* rule_of(const Json& schema, const char* keyword);

bool is_integer(const Json& schema);

/// Texts of a rule that is one, or several.
std::vector<std::string> words_of(const Json& rule);

/// A text itself; of all else, its JSON.
std::string word_of(const Json& value);

/// What a schema allows by "enum" or "const"; none where it allows other things as well.
std::vector<std::string> allowed_words(const Json& schema);

std::string json_text(const Json& value);

/// "a number".
std::string kind_of(const Json& value);

/// The same of a schema's word for a type.
std::string type_words(const std::string& type);

/// A number or a text itself; of what holds others, what it is.
std::string shown(const Json& value);

/// "from 1 to 9", or "above 0 and at most 1".
std::string range_words(const Json& schema);

/// How many entries a list has: "at least 2".
std::string count_words(const Json& schema);

/// "write for example 3"; empty where the schema gives no example.
std::string example_words(const Json& schema);

}  // namespace vggplan::schema
