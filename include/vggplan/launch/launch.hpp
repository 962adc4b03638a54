// SPDX-License-Identifier: MIT
// From a plan to a folder that runs it: the plan, a program that trains by it, and a file for each engine that can
// start that program. The texts are those of templates/, filled from the report.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/names.hpp"
#include "vggplan/launch/file.hpp"
#include "vggplan/report/document.hpp"

namespace vggplan::launch {

enum class Engine { torchrun, slurm, kubernetes, skypilot, dstack, accelerate };

/// The folder but for the plan itself, in the order in which it is told of; with an engine, without the files of the
/// others. `plan` is a report with a recommendation that trains.
std::vector<File> run_folder(const report::Document& plan, std::optional<Engine> engine);

}  // namespace vggplan::launch

namespace vggplan::base {
template <>
struct NameTable<launch::Engine> {
  static constexpr std::array<Named<launch::Engine>, 6> table{{
      {launch::Engine::torchrun, "torchrun", "by hand"},
      {launch::Engine::slurm, "slurm", "a batch job"},
      {launch::Engine::kubernetes, "kubernetes", "a TrainJob of Kubeflow Trainer"},
      {launch::Engine::skypilot, "skypilot", "a task on the clouds that SkyPilot knows"},
      {launch::Engine::dstack, "dstack", "a task of dstack"},
      {launch::Engine::accelerate, "accelerate", "a configuration of Hugging Face Accelerate"},
  }};
};
}  // namespace vggplan::base
