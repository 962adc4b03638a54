// SPDX-License-Identifier: MIT
#include "vggplan/catalog/record_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "vggplan/catalog/embedded.hpp"

namespace vggplan::catalog {

base::Status check_by_schema(std::string_view name, const schema::Json& value, std::string_view file) {
  const auto files = embedded_files();
  const auto found = std::ranges::find(files, fmt::format("schema/{}.schema.json", name), &base::EmbeddedFile::path);
  const std::string remedy = fmt::format("'vggplan schema {}' tells the keys and what they take", name);
  return schema::check(schema::Json::parse(found->text), value, {file, remedy});
}

}  // namespace vggplan::catalog
