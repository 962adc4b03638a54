// SPDX-License-Identifier: MIT
// JSON held to a JSON Schema (draft 2020-12), with errors for the person who wrote the JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "vggplan/base/result.hpp"

namespace vggplan::schema {

/// Keeps the order of keys: the error that is told is the first that one meets in the file.
using Json = nlohmann::ordered_json;

/// Some keys of a reader's file may be of a later version of its schema.
enum class UnknownKeys { refused, passed };

struct Reading {
  std::string_view file{};    ///< as errors call it: their place is "file:/json/pointer"
  std::string_view remedy{};  ///< of errors that say none of their own
  UnknownKeys unknown_keys{UnknownKeys::refused};
};

/// The first thing of `value` that `schema` does not allow. In an object an unknown key is told first: it is usually
/// the misspelling of one that is then missing. Whole numbers go up to 2^53 unless the schema says "maximum": beyond it
/// other programs round. Remedies are the schema's own "examples", where it has some; "patternErrorMessage" says in
/// words what a pattern is, as it does to editors.
///
/// Knows the keywords that configs/schema uses. tests/unit/catalog holds it to a second validator.
base::Status check(const Json& schema, const Json& value, const Reading& reading);

}  // namespace vggplan::schema
