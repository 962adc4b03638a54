// SPDX-License-Identifier: MIT
// The neutral report: an ordered JSON document. Renderers read it and nothing else, so that no format can
// show what another lacks, and a saved report renders like a fresh one.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "vggplan/base/names.hpp"
#include "vggplan/base/result.hpp"

namespace vggplan::report {

using Document = nlohmann::ordered_json;

/// "major.minor": minor adds, major breaks. Held equal to configs/schema/report.schema.json by a test.
inline constexpr std::string_view kSchemaVersion = "1.1";

enum class Kind { estimate, plan, fit, layers, sweep, gpus, machines, models, diff, check, verify };

/// A saved report read back: of a kind that we write, of a schema version that we can read, and with all that the
/// kind promises by `schema` (configs/schema/report.schema.json). Renderers rely on that. `line`: which one of `file`
/// the text is, where each holds a report.
base::Result<Document> read(std::string_view text, const Document& schema, std::string_view file,
                            std::optional<std::size_t> line = std::nullopt);

/// Of a report built here or accepted by read().
Kind kind(const Document& report);

}  // namespace vggplan::report
