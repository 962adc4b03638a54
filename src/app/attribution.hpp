// SPDX-License-Identifier: MIT
// Which of several changed inputs does what.
#pragma once

#include "vggplan/app/app.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::app {

/// Walks from the job of `before` to that of `after`, one input at a time, and tells what each step changes: the
/// rows sum to the whole difference. Empty where fewer than two inputs differ. An error where the figures cannot be
/// had again from the inputs: another version or calibration wrote them, or a job on the way is not possible.
base::Result<report::Document> attribute(const report::Document& before, const report::Document& after, World& world);

}  // namespace vggplan::app
