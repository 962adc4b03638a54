// SPDX-License-Identifier: MIT
// A JSON file that holds a record, and the schema that it is held to.
#pragma once

#include <string>
#include <string_view>

#include "vggplan/schema/validate.hpp"

namespace vggplan::catalog {

/// The text of a JSON file that holds a record.
struct RecordFile {
  std::string_view text{};
  std::string shown{};  ///< what errors call it
  bool held{false};     ///< to its schema: files that ship are by tests, all others when they are read first
};

/// `value`, which is of `file`, against configs/schema/`name`.schema.json.
base::Status check_by_schema(std::string_view name, const schema::Json& value, std::string_view file);

}  // namespace vggplan::catalog
