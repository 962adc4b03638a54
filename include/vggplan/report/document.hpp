// SPDX-License-Identifier: MIT
// The neutral report: an ordered JSON document. Renderers read it and nothing else, so that no format can
// show what another lacks, and a saved report renders like a fresh one.
#pragma once

#include <array>
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

namespace vggplan::base {
template <>
struct NameTable<report::Kind> {
  static constexpr std::array<Named<report::Kind>, 11> table{{
      {report::Kind::estimate, "estimate", "one job on one machine"},
      {report::Kind::plan, "plan", "a recommendation"},
      {report::Kind::fit, "fit", "what a card holds"},
      {report::Kind::layers, "layers", "the network, layer by layer"},
      {report::Kind::sweep, "sweep", "many estimates"},
      {report::Kind::gpus, "gpus", "GPUs of the catalogue"},
      {report::Kind::machines, "machines", "machines of the catalogue"},
      {report::Kind::models, "models", "models of the catalogue"},
      {report::Kind::diff, "diff", "two reports compared"},
      {report::Kind::check, "check", "a report against a budget"},
      {report::Kind::verify, "verify", "a plan against a run"},
  }};
};
}  // namespace vggplan::base
