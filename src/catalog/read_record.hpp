// SPDX-License-Identifier: MIT
// The text of a JSON file to one record.
#pragma once

#include <string_view>

#include "vggplan/base/json_text.hpp"
#include "vggplan/catalog/record_file.hpp"
#include "vggplan/schema/object_reader.hpp"

namespace vggplan::catalog {

using schema::Json;
using schema::ObjectReader;

/// Reads `file` with `read(const ObjectReader&)`; the error, if there was one, in place of the record.
template <class T, class Read>
base::Result<T> read_record(const RecordFile& file, std::string_view schema, Read read) {
  const auto root = TRY(base::parse_json<Json>(file.text, file.shown));
  if (!file.held) {
    TRY(check_by_schema(schema, root, file.shown));
  }
  ObjectReader::Context context{file.shown, {}};
  T record = read(ObjectReader(root, "", context));
  TRY(context.error);
  return record;
}

}  // namespace vggplan::catalog
