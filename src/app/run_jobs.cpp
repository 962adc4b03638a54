// SPDX-License-Identifier: MIT
// plan, estimate, fit and layers.
#include <algorithm>
#include <set>

#include "app/knowledge.hpp"
#include "app/load_catalog.hpp"
#include "app/output.hpp"
#include "app/question.hpp"
#include "app/reports.hpp"
#include "app/run.hpp"
#include "vggplan/base/parallel.hpp"
#include "vggplan/report/build.hpp"

namespace vggplan::app {

namespace {

/// The page draws memory over the step, layers and batches, asked for or not.
bool makes_page(const Options& options) {
  return options.format == Format::html || std::any_of(options.exports.begin(), options.exports.end(),
                                                       [](const Export& copy) { return copy.format == Format::html; });
}

estimate::Options wanted(const Options& options) {
  return {.timeline = options.timeline || makes_page(options), .layers = makes_page(options)};
}

/// Some eight batches from 1 to `last`, evenly apart, with the job's own and the one before the last.
std::vector<std::int64_t> batches_up_to(std::int64_t last, std::int64_t own) {
  constexpr std::int64_t kSteps = 8;
  std::set<std::int64_t> batches{1, own, std::max<std::int64_t>(last - 1, 1), last};
  for (std::int64_t i = 1; i < kSteps; ++i) {
    batches.insert(std::max<std::int64_t>(1, last * i / kSteps));
  }
  return {batches.begin(), batches.end()};
}

/// The batch behind the largest of the recommended settings, where the search found that one: a chart that shows
/// where memory ends. Otherwise twice the batch.
std::int64_t last_batch(const job::Job& job, const planner::MaxBatch* largest) {
  const bool known = largest != nullptr && largest->hard >= job.batch && !largest->limited_by_search;
  return known ? largest->hard + 1 : std::max<std::int64_t>(4, 2 * job.batch);
}

base::Result<std::vector<estimate::Estimate>> by_batch(const estimate::Estimate& center,
                                                       const estimate::Knowledge& knowledge,
                                                       const planner::MaxBatch* largest = nullptr) {
  const std::vector<std::int64_t> batches = batches_up_to(last_batch(center.job, largest), center.job.batch);
  std::vector<base::Result<estimate::Estimate>> answers(batches.size(),
                                                        base::Result<estimate::Estimate>(base::Diagnostic{}));
  base::parallel_for(batches.size(), 0, [&](std::size_t i) {
    job::Job job = center.job;
    job.batch = batches[i];
    answers[i] = estimate::estimate(job, center.target, knowledge);
  });
  std::vector<estimate::Estimate> estimates;
  for (base::Result<estimate::Estimate>& answer : answers) {
    if (!answer) {
      return answer.error();
    }
    estimates.push_back(std::move(*answer));
  }
  return estimates;
}

/// What the question's reading of names adds, ahead of what the estimate has to say.
void put_first(std::vector<estimate::Warning>& warnings, const std::vector<estimate::Warning>& first) {
  warnings.insert(warnings.begin(), first.begin(), first.end());
}

struct Asked {
  estimate::Estimate estimate{};
  estimate::Knowledge knowledge{};
};

base::Result<Asked> ask(const Request& request, World& world, const estimate::Options& options) {
  const base::Result<catalog::Catalog> catalog = load_catalog(request.options, world);
  if (!catalog) {
    return catalog.error();
  }
  Questions questions(*catalog, world);
  const base::Result<EstimateQuestion> question = questions.estimate(request.options, request.command);
  if (!question) {
    return question.error();
  }
  base::Result<estimate::Knowledge> knowledge = load_knowledge(*catalog, request.options, {question->target.gpu.name});
  if (!knowledge) {
    return knowledge.error();
  }
  base::Result<estimate::Estimate> estimate = estimate::estimate(question->job, question->target, *knowledge, options);
  if (!estimate) {
    return estimate.error();
  }
  put_first(estimate->warnings, unused_prices(request.options, {question->target.gpu.name}, *knowledge));
  put_first(estimate->warnings, question->warnings);
  return Asked{std::move(*estimate), std::move(*knowledge)};
}

base::Result<int> finish(const report::Document& report, const Request& request, World& world, int code) {
  if (base::Status error = deliver(report, request.options, world)) {
    return *error;
  }
  return code;
}

/// Estimates of what the plan lists in short.
base::Result<report::PlanDetails> in_full(const planner::Plan& plan, const planner::PlanRequest& request,
                                          const estimate::Engine& engine) {
  std::vector<const planner::Evaluated*> all;
  for (const auto* list : {&plan.alternatives, &plan.pareto}) {
    for (const planner::Evaluated& evaluated : *list) {
      all.push_back(&evaluated);
    }
  }
  std::vector<base::Result<estimate::Estimate>> answers(all.size(),
                                                        base::Result<estimate::Estimate>(base::Diagnostic{}));
  base::parallel_for(all.size(), 0, [&](std::size_t i) {
    const auto candidate = std::find_if(request.candidates.begin(), request.candidates.end(),
                                        [&](const auto& row) { return row.target.gpu.name == all[i]->gpu; });
    answers[i] = engine.full(all[i]->job, candidate->target);
  });
  report::PlanDetails details;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (!answers[i]) {
      return answers[i].error();
    }
    auto& list = i < plan.alternatives.size() ? details.alternatives : details.pareto;
    list.push_back(std::move(*answers[i]));
  }
  return details;
}

/// What only some formats want of the recommendation.
base::Status add_extras(planner::Plan& plan, report::PlanDetails& details, const Options& options,
                        const estimate::Knowledge& knowledge) {
  const estimate::Options extras = wanted(options);
  if (!plan.recommendation || !(extras.timeline || extras.layers)) {
    return std::nullopt;
  }
  estimate::Estimate& best = plan.recommendation->estimate;
  base::Result<estimate::Estimate> again = estimate::estimate(best.job, best.target, knowledge, extras);
  if (!again) {
    return again.error();
  }
  best.memory.timeline = std::move(again->memory.timeline);
  best.layers = std::move(again->layers);
  if (!makes_page(options)) {
    return std::nullopt;
  }
  // The first row is of the settings recommended.
  base::Result<std::vector<estimate::Estimate>> others =
      by_batch(best, knowledge, plan.max_batch.empty() ? nullptr : &plan.max_batch.front());
  if (!others) {
    return others.error();
  }
  details.by_batch = std::move(*others);
  return std::nullopt;
}

}  // namespace

base::Result<int> run_estimate(const Request& request, World& world) {
  const base::Result<Asked> asked = ask(request, world, wanted(request.options));
  if (!asked) {
    return asked.error();
  }
  base::Result<std::vector<estimate::Estimate>> others = std::vector<estimate::Estimate>();
  if (makes_page(request.options)) {
    others = by_batch(asked->estimate, asked->knowledge);
  }
  if (!others) {
    return others.error();
  }
  const bool runs = asked->estimate.memory.verdict != estimate::Verdict::does_not_fit;
  return finish(report::build_estimate(asked->estimate, *others), request, world, runs ? kYes : kNo);
}

namespace {

struct GpuNames {
  std::vector<std::string> asked{};
  std::vector<std::string> all{};  ///< with those that remedies may name, which are timed by what is like them
};

GpuNames names_of(const planner::PlanRequest& request) {
  GpuNames names;
  for (const planner::Candidate& candidate : request.candidates) {
    names.asked.push_back(candidate.target.gpu.name);
  }
  names.all = names.asked;
  for (const estimate::Target& other : request.others) {
    names.all.push_back(other.gpu.name);
  }
  return names;
}

}  // namespace

base::Result<int> run_fit(const Request& request, World& world) {
  const base::Result<catalog::Catalog> catalog = load_catalog(request.options, world);
  if (!catalog) {
    return catalog.error();
  }
  Questions questions(*catalog, world);
  const base::Result<PlanQuestion> question = questions.fit(request.options);
  if (!question) {
    return question.error();
  }
  const GpuNames gpus = names_of(question->request);
  const base::Result<estimate::Knowledge> knowledge = load_knowledge(*catalog, request.options, gpus.asked, gpus.all);
  if (!knowledge) {
    return knowledge.error();
  }
  base::Result<planner::Capacity> capacity = planner::capacity(question->request, estimate::make_engine(*knowledge));
  if (!capacity) {
    return capacity.error();
  }
  put_first(capacity->estimate.warnings, question->warnings);
  return finish(report::build_fit(*capacity), request, world, capacity->fits() ? kYes : kNo);
}

base::Result<int> run_layers(const Request& request, World& world) {
  const base::Result<Asked> asked = ask(request, world, {.timeline = false, .layers = true});
  if (!asked) {
    return asked.error();
  }
  return finish(report::build_layers(asked->estimate), request, world, kYes);
}

base::Result<report::Document> plan_report(const Request& request, World& world) {
  const base::Result<catalog::Catalog> catalog = load_catalog(request.options, world);
  if (!catalog) {
    return catalog.error();
  }
  Questions questions(*catalog, world);
  const base::Result<PlanQuestion> question = questions.plan(request.options);
  if (!question) {
    return question.error();
  }
  const GpuNames gpus = names_of(question->request);
  const base::Result<estimate::Knowledge> knowledge = load_knowledge(*catalog, request.options, gpus.asked, gpus.all);
  if (!knowledge) {
    return knowledge.error();
  }
  const estimate::Engine engine = estimate::make_engine(*knowledge);
  base::Result<planner::Plan> plan = planner::plan(question->request, engine);
  if (!plan) {
    return plan.error();
  }
  put_first(plan->warnings, unused_prices(request.options, gpus.asked, *knowledge));
  put_first(plan->warnings, question->warnings);
  base::Result<report::PlanDetails> details = in_full(*plan, question->request, engine);
  if (!details) {
    return details.error();
  }
  if (base::Status error = add_extras(*plan, *details, request.options, *knowledge)) {
    return *error;
  }
  details->command = launch_command(request.settled);
  return report::build_plan(*plan, question->request, *details);
}

base::Result<int> run_plan(const Request& request, World& world) {
  const base::Result<report::Document> report = plan_report(request, world);
  if (!report) {
    return report.error();
  }
  return finish(*report, request, world, report->contains("recommendation") ? kYes : kNo);
}

}  // namespace vggplan::app
