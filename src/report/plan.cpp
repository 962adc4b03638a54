// SPDX-License-Identifier: MIT
#include "report/parts.hpp"
#include "report/values.hpp"

namespace vggplan::report {

namespace {

Document goal_part(const planner::PlanRequest& request) {
  Document part = Document::object();
  part["objective"] = enum_name(request.objective);
  set_if(part, "deadline_seconds", request.deadline);
  set_if(part, "max_cost_usd", request.max_cost);
  set_if(part, "max_gpus", request.max_gpus);
  if (request.reserve.percent > 0) {
    part["reserve_percent"] = plain(request.reserve.percent);
  }
  if (request.reserve.bytes.count() > 0) {
    part["reserve_bytes"] = plain(request.reserve.bytes);
  }
  return part;
}

Document candidates_part(const planner::PlanRequest& request) {
  Document part = Document::array();
  for (const planner::Candidate& candidate : request.candidates) {
    Document row = {{"gpu", candidate.target.gpu.name}};
    set_if_not_empty(row, "gpu_title", candidate.target.gpu.title);
    row["gpu_count"] = candidate.gpus;
    row["usable_bytes"] = plain(candidate.target.usable);
    if (candidate.target.machine) {
      row["machine"] = candidate.target.machine->name;
    }
    part.push_back(std::move(row));
  }
  return part;
}

/// Settings that a plan may choose, in the order in which people name them.
Document settings_part(const job::Job& job, const std::string& gpu) {
  const bool training = job.mode == job::Mode::train;
  Document part = Document::object();
  part["gpu"] = gpu;
  part["gpu_count"] = job.parallel.gpus;
  part["nodes"] = job.parallel.nodes;
  part["batch"] = job.batch;
  if (training) {
    part["accumulation"] = job.accumulation;
  }
  part["global_batch"] = job::global_batch(job);
  part["precision"] = enum_name(job.precision);
  part["layout"] = enum_name(job.layout);
  if (training) {
    part["checkpointing"] = job::to_string(job.checkpointing);
    if (job.parallel.gpus > 1) {
      part["sharding"] = enum_name(job.parallel.sharding);
    }
  }
  return part;
}

Document launch_part(const planner::Recommendation& recommendation) {
  const planner::Launch& launch = recommendation.launch;
  Document part = settings_part(recommendation.estimate.job, launch.gpu);
  part["workers"] = launch.workers;
  set_if_not_empty(part, "command", launch.command);
  part["code"] = launch.code;
  return part;
}

/// What the use of the machines costs.
void set_rates(Document& part, const planner::Evaluated& evaluated) {
  set_if(part, "usd_per_hour", evaluated.usd_per_hour);
  set_if(part, "usd_per_million_images", evaluated.usd_per_million_images);
  part["gpu_hours_per_million_images"] = plain(evaluated.gpu_hours_per_million_images);
}

Document evaluated_part(const planner::Evaluated& evaluated, const estimate::Estimate& estimate) {
  Document part = Document::object();
  part["settings"] = settings_part(evaluated.job, evaluated.gpu);
  part["memory"] = {{"verdict", enum_name(estimate.memory.verdict)},
                    {"allocated_peak_bytes", quantity(estimate.memory.allocated_peak)},
                    {"reserved_peak_bytes", quantity(estimate.memory.reserved_peak)},
                    {"usable_bytes", plain(estimate.memory.usable)}};
  part["time"] = {{"step_seconds", quantity(estimate.time.step)},
                  {"images_per_second", quantity(estimate.time.images_per_second)},
                  {"bound_by", evaluated.bound_by}};
  Document run = Document::object();
  if (estimate.run) {
    run["total_seconds"] = quantity(estimate.run->total);
    if (estimate.run->cost) {
      run["cost_usd"] = quantity(*estimate.run->cost);
    }
  }
  set_rates(run, evaluated);
  part["run"] = std::move(run);
  return part;
}

Document evaluated_list(const std::vector<planner::Evaluated>& list, const std::vector<estimate::Estimate>& details) {
  Document part = Document::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    part.push_back(evaluated_part(list[i], details.at(i)));
  }
  return part;
}

Document max_batch_part(const planner::MaxBatch& cell, job::Mode mode) {
  Document part = Document::object();
  part["gpu"] = cell.gpu;
  part["gpu_count"] = cell.gpus;
  part["precision"] = enum_name(cell.precision);
  part["layout"] = enum_name(cell.layout);
  if (mode == job::Mode::train) {
    part["checkpointing"] = job::to_string(cell.checkpointing);
    if (cell.gpus > 1) {
      part["sharding"] = enum_name(cell.sharding);
    }
  }
  part["usable_bytes"] = plain(cell.usable);
  part["steady"] = cell.steady;
  part["hard"] = cell.hard;
  if (cell.possible > cell.hard) {
    part["possible"] = cell.possible;
  }
  part["limited_by_search"] = cell.limited_by_search;
  return part;
}

Document max_resolution_part(const planner::MaxResolution& resolution) {
  Document part = settings_part(resolution.job, resolution.gpu);
  part["height"] = resolution.height;
  part["width"] = resolution.width;
  part["limited_by_search"] = resolution.limited_by_search;
  return part;
}

void set_miss(Document& part, const planner::Miss& miss) {
  if (const auto* bytes = std::get_if<base::Bytes>(&miss)) {
    part["nearest_miss_bytes"] = plain(*bytes);
  } else if (const auto* seconds = std::get_if<base::Seconds>(&miss)) {
    part["nearest_miss_seconds"] = plain(*seconds);
  } else if (const auto* usd = std::get_if<base::Usd>(&miss)) {
    part["nearest_miss_usd"] = plain(*usd);
  } else if (const auto* slower = std::get_if<planner::PercentSlower>(&miss)) {
    part["nearest_miss_percent"] = plain(slower->percent);
  }
}

Document rejection_part(const planner::Rejection& rejection) {
  Document part = {{"reason", rejection.reason}, {"message", rejection.message}, {"count", rejection.count}};
  set_miss(part, rejection.nearest_miss);
  set_if_not_empty(part, "example", rejection.example);
  return part;
}

Document remedy_part(const planner::Remedy& remedy) {
  Document part = {{"code", remedy.code}, {"change", remedy.change}, {"saves", remedy.saves}, {"costs", remedy.costs}};
  part["saved_bytes"] = plain(remedy.saved);
  set_if(part, "slowdown", remedy.slowdown);
  part["changes_training"] = remedy.changes_training;
  Document settings = settings_part(remedy.job, remedy.gpu);
  settings["height"] = remedy.job.image.height;
  settings["width"] = remedy.job.image.width;
  part["settings"] = std::move(settings);
  part["memory"] = {{"verdict", enum_name(remedy.memory.verdict)},
                    {"allocated_peak_bytes", plain(remedy.memory.run_peak)},
                    {"reserved_peak_bytes", plain(remedy.memory.reserved_peak)}};
  return part;
}

Document search_part(const planner::Plan& plan) {
  return {{"enumerated", plan.enumerated}, {"evaluated", plan.evaluated}, {"rejected", plan.rejected_count}};
}

template <class T, class Build>
Document list_of(const std::vector<T>& items, Build build) {
  Document part = Document::array();
  for (const T& item : items) {
    part.push_back(build(item));
  }
  return part;
}

}  // namespace

Document build_plan(const planner::Plan& plan, const planner::PlanRequest& request, const PlanDetails& details) {
  Document report = start(Kind::plan);
  report["job"] = job_part(plan.job);
  report["model"] = model_part(plan.model, plan.job.mode);
  report["goal"] = goal_part(request);
  report["candidates"] = candidates_part(request);
  if (plan.recommendation) {
    Document part = Document::object();
    part["why"] = plan.recommendation->why;
    part["launch"] = launch_part(*plan.recommendation);
    part["rates"] = Document::object();
    set_rates(part["rates"], plan.recommendation->figures);
    add_estimate(part, plan.recommendation->estimate, details.by_batch);
    report["recommendation"] = std::move(part);
  } else {
    if (plan.failure) {
      report["failure"] = {{"reason", plan.failure->reason}, {"message", plan.failure->message}};
      set_if_not_empty(report["failure"], "detail", plan.failure->detail);
    }
    report["remedies"] = list_of(plan.remedies, remedy_part);
  }
  report["alternatives"] = evaluated_list(plan.alternatives, details.alternatives);
  report["pareto"] = evaluated_list(plan.pareto, details.pareto);
  report["max_batch"] =
      list_of(plan.max_batch, [&](const planner::MaxBatch& cell) { return max_batch_part(cell, plan.job.mode); });
  if (plan.max_resolution) {
    report["max_resolution"] = max_resolution_part(*plan.max_resolution);
  }
  report["rejected"] = list_of(plan.rejected, rejection_part);
  report["search"] = search_part(plan);
  report["storage"] = storage_part(plan.storage, plan.job.mode);
  report["warnings"] = warnings_part(plan.warnings);
  report["assumptions"] = assumptions_part(plan.assumptions);
  return report;
}

}  // namespace vggplan::report
