// SPDX-License-Identifier: MIT
#include "app/calibration.hpp"

#include <fmt/format.h>

#include "vggplan/graph/graph.hpp"
#include "vggplan/lowering/ops.hpp"
#include "vggplan/lowering/schedule.hpp"

namespace vggplan::app {
namespace {

/// Reads one word of a row into `value`; the first that is unknown goes to `error`.
template <class E>
void read_word(const std::string& place, std::string_view key, const std::string& word, E& value,
               base::Status& error) {
  const auto parsed = base::parse_enum<E>(word);
  if (parsed) {
    value = *parsed;
  } else if (!error) {
    error = base::Diagnostic{base::Fault::question, place, fmt::format("unknown {} '{}'", key, word),
                             base::suggestion(word, base::enum_names<E>())};
  }
}

std::string label_of(const catalog::MeasuredStep& s) {
  return fmt::format("{} {}x{} b{} {} {} {}{}{}{}{}", s.model, s.height, s.width, s.batch, s.precision, s.layout,
                     s.optimizer, s.optimizer_impl == "foreach" ? "" : "-" + s.optimizer_impl,
                     s.checkpointing == "none" ? "" : " " + s.checkpointing, s.head == "adaptive" ? "" : " " + s.head,
                     s.mode == "train" ? "" : " " + s.mode);
}

}  // namespace

base::Result<job::Job> job_of(const catalog::MeasuredStep& step, const catalog::Catalog& catalog) {
  job::Job job;
  auto model = catalog.model(step.model);
  if (!model) {
    return model.error();
  }
  job.model = *std::move(model);
  job.image = {step.channels, step.height, step.width};
  job.classes = step.classes;
  job.batch = step.batch;
  job.cudnn_benchmark = step.benchmark;
  base::Status error;
  read_word(step.place, "precision", step.precision, job.precision, error);
  read_word(step.place, "layout", step.layout, job.layout, error);
  read_word(step.place, "optimizer", step.optimizer, job.optimizer, error);
  read_word(step.place, "optimizer implementation", step.optimizer_impl, job.optimizer_impl, error);
  read_word(step.place, "head", step.head, job.head, error);
  read_word(step.place, "mode", step.mode, job.mode, error);
  if (error) {
    return *error;
  }
  auto checkpointing = job::parse_checkpointing(step.checkpointing);
  if (!checkpointing) {
    return checkpointing.error();
  }
  job.checkpointing = *checkpointing;
  if (base::Status status = job::validate(job)) {
    return *status;
  }
  return job;
}

base::Result<timing::StepSample> sample_of(const catalog::MeasuredStep& step, const catalog::Catalog& catalog) {
  const auto job = job_of(step, catalog);
  if (!job) {
    return job.error();
  }
  const auto network = graph::build_network(job->model, job->image, job->classes, job->head);
  if (!network) {
    return network.error();
  }
  const auto segments = lowering::segments(*network, job->checkpointing);
  if (!segments) {
    return segments.error();
  }
  timing::StepSample sample;
  sample.label = label_of(step);
  sample.ops = lowering::lower_ops(*network, *job, *segments);
  sample.step = step.step;
  sample.forward = step.forward;
  sample.backward = step.backward;
  sample.optimizer = step.optimizer_step;
  sample.chosen_by_trial = step.benchmark;
  return sample;
}

base::Result<std::vector<timing::StepSample>> samples_of(std::span<const catalog::MeasuredStep> steps,
                                                         const catalog::Catalog& catalog) {
  std::vector<timing::StepSample> samples;
  for (const catalog::MeasuredStep& step : steps) {
    auto sample = sample_of(step, catalog);
    if (!sample) {
      return sample.error();
    }
    samples.push_back(*std::move(sample));
  }
  return samples;
}

std::string describe(const timing::Fit& fit) {
  std::string text = fmt::format("Calibration of {}: {} curves, {} streaming rates\n", fit.calibration.gpu,
                                 fit.calibration.curves.size(), fit.calibration.streams.size());
  text += fmt::format("{:<24}{:>8}{:>10}{:>10}\n", "fitted", "rows", "median", "worst");
  for (const timing::FitLine& line : fit.lines) {
    text += fmt::format("{:<24}{:>8}{:>9.1f}%{:>9.1f}%\n", line.what, line.rows, 100.0 * line.median_error,
                        100.0 * line.worst_error);
  }
  return text;
}

}  // namespace vggplan::app
