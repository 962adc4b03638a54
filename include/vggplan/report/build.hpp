// SPDX-License-Identifier: MIT
// From typed results to reports. The keys are those of docs/interface.md.
#pragma once

#include <string>
#include <vector>

#include "vggplan/estimate/estimate.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/hardware/hardware.hpp"
#include "vggplan/planner/capacity.hpp"
#include "vggplan/planner/plan.hpp"
#include "vggplan/report/document.hpp"
#include "vggplan/runs/replay.hpp"
#include "vggplan/runs/run.hpp"

namespace vggplan::report {

/// Timeline and layers are reported where the estimate has them. `by_batch`: the same job with other batches.
Document build_estimate(const estimate::Estimate& estimate, const std::vector<estimate::Estimate>& by_batch = {});
Document build_layers(const estimate::Estimate& estimate);

/// Whole estimates of what a plan lists in short, index by index: they know the ranges of the figures.
struct PlanDetails {
  std::vector<estimate::Estimate> alternatives{};
  std::vector<estimate::Estimate> pareto{};
  std::vector<estimate::Estimate> by_batch{};  ///< the recommendation with other batches; may be empty
  std::string command{};                       ///< that makes a run of the plan; may be empty
};

/// `request` is what `plan` answers: its goal and its candidates are reported beside the answer.
Document build_plan(const planner::Plan& plan, const planner::PlanRequest& request, const PlanDetails& details);

Document build_fit(const planner::Capacity& capacity);

/// Records of the catalogue. Aliases are the other names of a GPU.
struct GpuEntry {
  hardware::Gpu gpu{};
  std::vector<std::string> aliases{};
};
struct ModelEntry {
  graph::ModelSpec spec{};
  graph::Network network{};  ///< with its usual classes, head and image
  bool from_file{false};     ///< then its nodes are told
  std::vector<std::string> warnings{};
};
Document build_gpus(const std::vector<GpuEntry>& gpus);
Document build_machines(const std::vector<hardware::Machine>& machines);
Document build_models(const std::vector<ModelEntry>& models);

/// `plan`, an estimate or a recommendation, against a run of it. `replay`: of a run that has a history.
Document build_verify(const Document& plan, const runs::Run& run, const std::optional<runs::Replay>& replay);
/// How many times as long the run took as was planned, in the phases that it tells of, or in the step without the wait
/// for images; nothing where it tells no time.
std::optional<double> slowdown(const Document& plan, const runs::Run& run);
/// How far workspaces may be from the plan before the allocated peak leaves its range.
base::Bytes workspace_slack(const Document& plan);

/// The estimates of a sweep in one report, for formats that are not written line by line. Estimates that are not the
/// points of one sweep become points, named by the inputs in which they differ.
Document build_sweep(std::vector<Document> estimates);

}  // namespace vggplan::report
