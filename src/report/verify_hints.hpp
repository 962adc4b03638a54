// SPDX-License-Identifier: MIT
// What a difference between plan and run suggests.
#pragma once

#include <optional>

#include "vggplan/report/document.hpp"
#include "vggplan/runs/replay.hpp"
#include "vggplan/runs/run.hpp"

namespace vggplan::report {

/// A "hint" for each component that is outside and for which there is something to say.
void add_hints(Document& components, const Document& plan, const runs::Run& run,
               const std::optional<runs::Replay>& replay);

/// What of a run no component shows: retries, clocks, another version of torch, a history that begins too late.
Document run_warnings(const Document& plan, const runs::Run& run, const std::optional<runs::Replay>& replay);

}  // namespace vggplan::report
