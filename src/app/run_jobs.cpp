// SPDX-License-Identifier: MIT
// plan, estimate and layers.
#include <algorithm>

#include "app/output.hpp"
#include "app/parallel.hpp"
#include "app/question.hpp"
#include "app/run.hpp"
#include "vggplan/report/build.hpp"

namespace vggplan::app {

namespace {

report::Timeline timeline(const Options& options) {
  // The page draws the timeline, asked for or not.
  const auto is_page = [](const Export& copy) { return copy.format == Format::html; };
  const bool page = options.format == Format::html || std::any_of(options.exports.begin(), options.exports.end(), is_page);
  return options.timeline || page ? report::Timeline::include : report::Timeline::leave_out;
}

/// What the question's reading of names adds, ahead of what the estimate has to say.
void put_first(std::vector<estimate::Warning>& warnings, const std::vector<estimate::Warning>& first) {
  warnings.insert(warnings.begin(), first.begin(), first.end());
}

base::Result<estimate::Estimate> ask(const Request& request, World& world, const estimate::Options& wanted) {
  const base::Result<catalog::Catalog> catalog = load_catalog(request.options, world);
  if (!catalog) {
    return catalog.error();
  }
  Questions questions(*catalog, world);
  const base::Result<EstimateQuestion> question = questions.estimate(request.options, request.command);
  if (!question) {
    return question.error();
  }
  const base::Result<estimate::Knowledge> knowledge =
      questions.knowledge(request.options, {question->target.gpu.name});
  if (!knowledge) {
    return knowledge.error();
  }
  base::Result<estimate::Estimate> estimate =
      estimate::estimate(question->job, question->target, *knowledge, wanted);
  if (estimate) {
    put_first(estimate->warnings, question->warnings);
  }
  return estimate;
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
  std::vector<base::Result<estimate::Estimate>> answers(all.size(), base::Result<estimate::Estimate>(base::Diagnostic{}));
  parallel_for(all.size(), [&](std::size_t i) {
    const auto candidate = std::find_if(request.candidates.begin(), request.candidates.end(), [&](const auto& row) {
      return row.target.gpu.name == all[i]->gpu;
    });
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

}  // namespace

base::Result<int> run_estimate(const Request& request, World& world) {
  const report::Timeline with_timeline = timeline(request.options);
  const base::Result<estimate::Estimate> estimate =
      ask(request, world, {.timeline = with_timeline == report::Timeline::include, .layers = false});
  if (!estimate) {
    return estimate.error();
  }
  const bool runs = estimate->memory.verdict != estimate::Verdict::does_not_fit;
  return finish(report::build_estimate(*estimate, with_timeline), request, world, runs ? kYes : kNo);
}

base::Result<int> run_layers(const Request& request, World& world) {
  const base::Result<estimate::Estimate> estimate = ask(request, world, {.timeline = false, .layers = true});
  if (!estimate) {
    return estimate.error();
  }
  return finish(report::build_layers(*estimate), request, world, kYes);
}

base::Result<int> run_plan(const Request& request, World& world) {
  const base::Result<catalog::Catalog> catalog = load_catalog(request.options, world);
  if (!catalog) {
    return catalog.error();
  }
  Questions questions(*catalog, world);
  const base::Result<PlanQuestion> question = questions.plan(request.options);
  if (!question) {
    return question.error();
  }
  std::vector<std::string> gpus;
  for (const planner::Candidate& candidate : question->request.candidates) {
    gpus.push_back(candidate.target.gpu.name);
  }
  base::Result<estimate::Knowledge> knowledge = questions.knowledge(request.options, gpus);
  if (!knowledge) {
    return knowledge.error();
  }
  const estimate::Engine engine = estimate::make_engine(std::move(*knowledge));
  base::Result<planner::Plan> plan = planner::plan(question->request, engine);
  if (!plan) {
    return plan.error();
  }
  put_first(plan->warnings, question->warnings);
  base::Result<report::PlanDetails> details = in_full(*plan, question->request, engine);
  if (!details) {
    return details.error();
  }
  const report::Document report =
      report::build_plan(*plan, question->request, *details, timeline(request.options));
  return finish(report, request, world, plan->recommendation ? kYes : kNo);
}

}  // namespace vggplan::app
