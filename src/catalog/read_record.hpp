// SPDX-License-Identifier: MIT
// The text of a JSON file to one record.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "vggplan/base/json_text.hpp"
#include "vggplan/catalog/json_reader.hpp"

namespace vggplan::catalog {

/// Dollars an hour of a machine.
inline constexpr Range kPrice{0, 1e6};

/// Reads `text` with `read(ObjectReader&)`; the error, if there was one, in place of the record.
template <class T, class Read>
base::Result<T> read_record(std::string_view text, const std::string& shown, std::string schema, Read read) {
  const auto root = TRY(base::parse_json<nlohmann::json>(text, shown));
  ObjectReader::Context context{shown, std::move(schema)};
  ObjectReader reader(root, "", context);
  static_cast<void>(reader.optional_text("$schema"));  // for editors
  T record = read(reader);
  reader.finish();
  if (context.error) {
    return *context.error;
  }
  return record;
}

}  // namespace vggplan::catalog
