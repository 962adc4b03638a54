// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "vggplan/schema/validate.hpp"

namespace vggplan::catalog {

/// The text of a JSON file that holds a record.
struct RecordFile {
  std::string_view text{};
  std::string shown{};  ///< what errors call it
  bool ships{false};    ///< with the program, which tests hold to its schema; all others are when they are read
};

/// `value`, which is of `file`, against configs/schema/`name`.schema.json.
base::Status check_by_schema(std::string_view name, const schema::Json& value, std::string_view file);

}  // namespace vggplan::catalog
