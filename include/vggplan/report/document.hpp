// SPDX-License-Identifier: MIT
// The neutral report: an ordered JSON document. Renderers read it and nothing else, so that no format can
// show what another lacks, and a saved report renders like a fresh one.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "vggplan/base/result.hpp"

namespace vggplan::report {

using Document = nlohmann::ordered_json;

/// "major.minor": minor adds, major breaks. Held equal to configs/schema/report.schema.json by a test.
inline constexpr std::string_view kSchemaVersion = "1.0";

/// A saved report read back: JSON of a kind that we write and of a schema version that we can read.
/// `place` names the file in the error.
base::Result<Document> read(std::string_view text, std::string_view place);

/// "estimate", "plan" ... of a report built here or accepted by read().
std::string_view kind(const Document& report);

}  // namespace vggplan::report
