// SPDX-License-Identifier: MIT
// Whether a document has what a JSON Schema promises.
#pragma once

#include <string_view>

#include "vggplan/report/document.hpp"

namespace vggplan::report {

/// The first thing of `value` that `schema` does not allow. Knows the keywords that report.schema.json uses, less
/// those about keys that are not known: a later minor version may add some. `place` names the file.
base::Status validate(const Document& value, const Document& schema, std::string_view place);

}  // namespace vggplan::report
