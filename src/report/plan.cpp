// SPDX-License-Identifier: MIT
#include "report/parts.hpp"
#include "report/values.hpp"

namespace vggplan::report {

namespace {

Document goal_part(const planner::PlanRequest& request) {
  const planner::Reserve& reserve = request.reserve;
  return object_of({{"objective", enum_name(request.objective)},
                    {"deadline_seconds", plain(request.deadline)},
                    {"max_cost_usd", plain(request.max_cost)},
                    {"max_gpus", plain(request.max_gpus)},
                    {"reserve_percent", when(reserve.percent > 0, plain(reserve.percent))},
                    {"reserve_bytes", when(reserve.bytes.count() > 0, plain(reserve.bytes))}});
}

Document candidate_part(const planner::Candidate& candidate) {
  const estimate::Target& target = candidate.target;
  return object_of({{"gpu", target.gpu.name},
                    {"gpu_title", plain(target.gpu.title)},
                    {"gpu_count", candidate.gpus},
                    {"usable_bytes", plain(target.usable)},
                    {"machine", target.machine ? Document(target.machine->name) : Document()}});
}

Document launch_part(const planner::Recommendation& best, const std::string& command) {
  Document part = settings_part(best.estimate.job, best.figures.gpu);
  add(part, {{"workers", best.estimate.input.workers},
             {"reserve_bytes", when(best.reserve.count() > 0, plain(best.reserve))},
             {"command", when(best.estimate.job.mode == job::Mode::train, plain(command))}});  // a run trains
  return part;
}

/// What the use of the machines costs.
void add_rates(Document& part, const planner::Evaluated& evaluated) {
  add(part, {{"usd_per_hour", plain(evaluated.usd_per_hour)},
             {"usd_per_million_images", plain(evaluated.usd_per_million_images)},
             {"gpu_hours_per_million_images", plain(evaluated.gpu_hours_per_million_images)}});
}

Document evaluated_part(const planner::Evaluated& evaluated, const estimate::Estimate& estimate) {
  Document run = Document::object();
  if (estimate.run) {
    add(run, {{"total_seconds", quantity(estimate.run->total)}, {"cost_usd", quantity(estimate.run->cost)}});
  }
  add_rates(run, evaluated);
  return {{"settings", settings_part(evaluated.job, evaluated.gpu)},
          {"memory", short_memory_part(estimate.memory)},
          {"time", short_time_part(estimate.time)},
          {"run", std::move(run)}};
}

Document evaluated_list(const std::vector<planner::Evaluated>& list, const std::vector<estimate::Estimate>& details) {
  Document part = Document::array();
  for (std::size_t i = 0; i < list.size(); ++i) {
    part.push_back(evaluated_part(list[i], details.at(i)));
  }
  return part;
}

Document max_batch_part(const planner::MaxBatch& cell, job::Mode mode) {
  const bool training = mode == job::Mode::train;
  return object_of({{"gpu", cell.gpu},
                    {"gpu_count", cell.gpus},
                    {"precision", enum_name(cell.precision)},
                    {"layout", enum_name(cell.layout)},
                    {"checkpointing", when(training, job::to_string(cell.checkpointing))},
                    {"sharding", when(training && cell.gpus > 1, enum_name(cell.sharding))},
                    {"usable_bytes", plain(cell.usable)},
                    {"steady", cell.steady},
                    {"hard", cell.hard},
                    {"possible", when(cell.possible > cell.hard, cell.possible)},
                    {"limited_by_search", cell.limited_by_search}});
}

Document max_resolution_part(const planner::MaxResolution& resolution) {
  Document part = settings_part(resolution.job, resolution.gpu);
  add(part, {{"height", resolution.height},
             {"width", resolution.width},
             {"limited_by_search", resolution.limited_by_search}});
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
  add(part, {{"example", plain(rejection.example)}});
  return part;
}

Document failure_part(const planner::Failure& failure) {
  return object_of({{"reason", failure.reason}, {"message", failure.message}, {"detail", plain(failure.detail)}});
}

Document recommendation_part(const planner::Recommendation& best, const PlanDetails& details) {
  Document rates = Document::object();
  add_rates(rates, best.figures);
  Document part = {{"why", best.why}, {"launch", launch_part(best, details.command)}, {"rates", std::move(rates)}};
  add_estimate(part, best.estimate, details.by_batch);
  return part;
}

}  // namespace

Document settings_part(const job::Job& job, const std::string& gpu) {
  const bool training = job.mode == job::Mode::train;
  return object_of({{"gpu", gpu},
                    {"gpu_count", job.parallel.gpus},
                    {"nodes", job.parallel.nodes},
                    {"batch", job.batch},
                    {"accumulation", when(training, job.accumulation)},
                    {"global_batch", job::global_batch(job)},
                    {"precision", enum_name(job.precision)},
                    {"layout", enum_name(job.layout)},
                    {"checkpointing", when(training, job::to_string(job.checkpointing))},
                    {"compile", when(job.compile != job::Compile::none, enum_name(job.compile))},
                    {"sharding", when(training && job.parallel.gpus > 1, enum_name(job.parallel.sharding))}});
}

Document remedy_part(const planner::Remedy& remedy) {
  Document settings = settings_part(remedy.job, remedy.gpu);
  const bool training = remedy.job.mode == job::Mode::train;
  add(settings, {{"height", remedy.job.image.height},
                 {"width", remedy.job.image.width},
                 {"head", enum_name(remedy.job.head)},
                 {"optimizer", when(training, enum_name(remedy.job.optimizer))},
                 {"optimizer_impl", when(training, enum_name(remedy.job.optimizer_impl))},
                 {"bucket_view", when(remedy.job.parallel.bucket_view, true)},
                 {"expandable_segments", when(remedy.job.expandable_segments, true)}});
  return object_of({{"code", remedy.code},
                    {"change", remedy.change},
                    {"saves", remedy.saves},
                    {"costs", remedy.costs},
                    {"saved_bytes", plain(remedy.saved)},
                    {"slowdown", plain(remedy.slowdown)},
                    {"changes_training", remedy.changes_training},
                    {"settings", std::move(settings)},
                    {"memory",
                     {{"verdict", enum_name(remedy.memory.verdict)},
                      {"allocated_peak_bytes", plain(remedy.memory.allocated_peak)},
                      {"run_peak_bytes", plain(remedy.memory.run_peak)},
                      {"reserved_peak_bytes", plain(remedy.memory.reserved_peak)}}}});
}

Document build_plan(const planner::Plan& plan, const planner::PlanRequest& request, const PlanDetails& details) {
  const job::Mode mode = plan.job.mode;
  Document report = start(Kind::plan);
  add(report, {{"job", job_part(plan.job)},
               {"model", model_part(plan.model, mode)},
               {"goal", goal_part(request)},
               {"candidates", list_of(request.candidates, candidate_part)}});
  if (plan.recommendation) {
    add(report, {{"recommendation", recommendation_part(*plan.recommendation, details)}});
  } else {
    add(report, {{"failure", plan.failure ? failure_part(*plan.failure) : Document()},
                 {"remedies", list_of(plan.remedies, remedy_part)}});
  }
  const auto cell = [&](const planner::MaxBatch& most) { return max_batch_part(most, mode); };
  add(report,
      {{"alternatives", evaluated_list(plan.alternatives, details.alternatives)},
       {"pareto", evaluated_list(plan.pareto, details.pareto)},
       {"max_batch", list_of(plan.max_batch, cell)},
       {"max_resolution", plan.max_resolution ? max_resolution_part(*plan.max_resolution) : Document()},
       {"rejected", list_of(plan.rejected, rejection_part)},
       {"search", {{"enumerated", plan.enumerated}, {"evaluated", plan.evaluated}, {"rejected", plan.rejected_count}}},
       {"storage", storage_part(plan.storage, mode)},
       {"warnings", warnings_part(plan.warnings)},
       {"assumptions", assumptions_part(plan.assumptions)}});
  return report;
}

}  // namespace vggplan::report
