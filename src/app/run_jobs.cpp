// SPDX-License-Identifier: MIT
// plan, estimate, fit and layers.
#include <algorithm>
#include <set>

#include "app/output.hpp"
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

/// Of `count` questions, on as many threads as there are.
template <class Ask>
base::Result<std::vector<estimate::Estimate>> estimates_of(std::size_t count, Ask ask) {
  std::vector<base::Result<estimate::Estimate>> answers(count, base::Diagnostic{});
  base::parallel_for(count, 0, [&](std::size_t i) { answers[i] = ask(i); });
  std::vector<estimate::Estimate> estimates;
  for (base::Result<estimate::Estimate>& answer : answers) {
    estimates.push_back(TRY(std::move(answer)));
  }
  return estimates;
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
  return estimates_of(batches.size(), [&](std::size_t i) {
    job::Job job = center.job;
    job.batch = batches[i];
    return estimate::estimate(job, center.target, knowledge);
  });
}

/// What the question's reading of names adds, ahead of what the estimate has to say.
void put_first(std::vector<estimate::Warning>& warnings, const std::vector<estimate::Warning>& first) {
  warnings.insert(warnings.begin(), first.begin(), first.end());
}

struct Answer {
  estimate::Estimate estimate{};
  estimate::Knowledge knowledge{};
};

base::Result<Answer> answer(const Request& request, World& world, const estimate::Options& options) {
  Session session = TRY(Session::open(request.options, world));
  auto [question, knowledge] = TRY(session.ask(request.options, request.command));
  estimate::Estimate estimate = TRY(estimate::estimate(question.job, question.target, knowledge, options));
  put_first(estimate.warnings, unused_prices(request.options, {question.target.gpu.name}, knowledge));
  put_first(estimate.warnings, question.warnings);
  return Answer{std::move(estimate), std::move(knowledge)};
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
  std::vector<estimate::Estimate> estimates = TRY(estimates_of(all.size(), [&](std::size_t i) {
    const auto candidate = std::find_if(request.candidates.begin(), request.candidates.end(),
                                        [&](const auto& row) { return row.target.gpu.name == all[i]->gpu; });
    return engine.full(all[i]->job, candidate->target);
  }));
  report::PlanDetails details;
  const auto first = std::make_move_iterator(estimates.begin());
  const auto middle = first + static_cast<std::ptrdiff_t>(plan.alternatives.size());
  details.alternatives.assign(first, middle);
  details.pareto.assign(middle, std::make_move_iterator(estimates.end()));
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
  estimate::Estimate again = TRY(estimate::estimate(best.job, best.target, knowledge, extras));
  best.memory.timeline = std::move(again.memory.timeline);
  best.layers = std::move(again.layers);
  if (!makes_page(options)) {
    return std::nullopt;
  }
  // The first row is of the settings recommended.
  std::vector<estimate::Estimate> others =
      TRY(by_batch(best, knowledge, plan.max_batch.empty() ? nullptr : &plan.max_batch.front()));
  details.by_batch = std::move(others);
  return std::nullopt;
}

std::vector<std::string> gpus_of(const planner::PlanRequest& request) {
  std::vector<std::string> names;
  std::ranges::transform(request.candidates, std::back_inserter(names),
                         [](const planner::Candidate& candidate) { return candidate.target.gpu.name; });
  return names;
}

/// With the GPUs that remedies may name, which are timed by what is like them.
base::Result<estimate::Knowledge> knowledge_for(const planner::PlanRequest& request, const Options& options,
                                                const Session& session) {
  std::vector<std::string> names = gpus_of(request);
  std::ranges::transform(request.others, std::back_inserter(names),
                         [](const estimate::Target& other) { return other.gpu.name; });
  return session.knowledge(options, names);
}

}  // namespace

base::Result<int> run_estimate(const Request& request, World& world) {
  const Answer answered = TRY(answer(request, world, wanted(request.options)));
  std::vector<estimate::Estimate> others;
  if (makes_page(request.options)) {
    others = TRY(by_batch(answered.estimate, answered.knowledge));
  }
  const bool runs = answered.estimate.memory.verdict != estimate::Verdict::does_not_fit;
  return deliver(report::build_estimate(answered.estimate, others), request.options, world, runs ? kYes : kNo);
}

base::Result<int> run_fit(const Request& request, World& world) {
  Session session = TRY(Session::open(request.options, world));
  const PlanQuestion question = TRY(session.fit(request.options));
  const estimate::Knowledge knowledge = TRY(knowledge_for(question.request, request.options, session));
  planner::Capacity capacity = TRY(planner::capacity(question.request, estimate::make_engine(knowledge)));
  put_first(capacity.estimate.warnings, question.warnings);
  return deliver(report::build_fit(capacity), request.options, world, capacity.fits() ? kYes : kNo);
}

base::Result<int> run_layers(const Request& request, World& world) {
  const Answer answered = TRY(answer(request, world, {.timeline = false, .layers = true}));
  return deliver(report::build_layers(answered.estimate), request.options, world, kYes);
}

base::Result<report::Document> plan_report(const Request& request, World& world) {
  Session session = TRY(Session::open(request.options, world));
  const PlanQuestion question = TRY(session.plan(request.options));
  const estimate::Knowledge knowledge = TRY(knowledge_for(question.request, request.options, session));
  const estimate::Engine engine = estimate::make_engine(knowledge);
  planner::Plan plan = TRY(planner::plan(question.request, engine));
  put_first(plan.warnings, unused_prices(request.options, gpus_of(question.request), knowledge));
  put_first(plan.warnings, question.warnings);
  report::PlanDetails details = TRY(in_full(plan, question.request, engine));
  TRY(add_extras(plan, details, request.options, knowledge));
  details.command = launch_command(request.settled);
  return report::build_plan(plan, question.request, details);
}

base::Result<int> run_plan(const Request& request, World& world) {
  const report::Document report = TRY(plan_report(request, world));
  return deliver(report, request.options, world, report.contains("recommendation") ? kYes : kNo);
}

}  // namespace vggplan::app
