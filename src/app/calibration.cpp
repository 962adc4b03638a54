// SPDX-License-Identifier: MIT
#include "app/calibration.hpp"

#include <fmt/format.h>

#include "vggplan/graph/graph.hpp"
#include "vggplan/job/job.hpp"
#include "vggplan/lowering/ops.hpp"
#include "vggplan/lowering/schedule.hpp"

namespace vggplan::app {
namespace {

template <class E>
base::Status read_word(const std::string& place, std::string_view key, const std::string& word, E& value) {
  const auto parsed = base::parse_enum<E>(word);
  value = parsed.value_or(value);
  return parsed ? std::nullopt
                : base::Status(base::wrong(place, fmt::format("unknown {} '{}'", key, word),
                                           base::suggestion(word, base::enum_names<E>())));
}

std::string label_of(const catalog::MeasuredStep& s) {
  return fmt::format("{} {}x{} b{} {} {} {}{}{}{}{}{}{}{}{}", s.model, s.height, s.width, s.batch, s.precision,
                     s.layout, s.optimizer, s.optimizer_impl == "foreach" ? "" : "-" + s.optimizer_impl,
                     s.checkpointing == "none" ? "" : " " + s.checkpointing, s.head == "adaptive" ? "" : " " + s.head,
                     s.mode == "train" ? "" : " " + s.mode, s.frozen == "none" ? "" : " frozen " + s.frozen,
                     s.until.empty() ? "" : " until " + s.until, s.trained == "parameters" ? "" : " train " + s.trained,
                     s.compile == "none" ? "" : " compile " + s.compile);
}

base::Result<job::Job> job_of(const catalog::MeasuredStep& step, const catalog::Catalog& catalog) {
  job::Job job;
  if (step.features.empty()) {
    job.model = TRY(catalog.model(step.model));
  } else {
    job.model = {step.model, step.features, step.batch_norm};
  }
  job.image = {step.channels, step.height, step.width};
  job.classes = step.classes;
  job.scope.freeze = step.frozen;
  job.scope.until = step.until;
  job.batch = step.batch;
  job.cudnn_benchmark = step.benchmark;
  job.accumulation = step.accumulation;
  job.parallel.gpus = step.gpus;
  job.parallel.bucket = base::Bytes(step.bucket_mb * 1024 * 1024);
  job.parallel.bucket_view = step.bucket_view;
  TRY(read_word(step.place, "precision", step.precision, job.precision));
  TRY(read_word(step.place, "layout", step.layout, job.layout));
  TRY(read_word(step.place, "optimizer", step.optimizer, job.optimizer));
  TRY(read_word(step.place, "optimizer implementation", step.optimizer_impl, job.optimizer_impl));
  TRY(read_word(step.place, "head", step.head, job.head));
  TRY(read_word(step.place, "mode", step.mode, job.mode));
  TRY(read_word(step.place, "frozen norm", step.frozen_norm, job.scope.norm));
  TRY(read_word(step.place, "train", step.trained, job.scope.trained));
  TRY(read_word(step.place, "compile", step.compile, job.compile));
  TRY(read_word(step.place, "sharding", step.sharding, job.parallel.sharding));
  job.checkpointing = TRY(job::parse_checkpointing(step.checkpointing, "--checkpointing"));
  TRY(job::validate(job));
  return job;
}

base::Result<timing::Fabric> fabric_of(const hardware::Gpu& gpu, std::int64_t gpus, const catalog::Catalog& catalog) {
  const hardware::Topology topology = hardware::default_topology(gpu, gpus);
  const auto name = hardware::peer_link(gpu, topology);
  if (!name) {
    return timing::Fabric{};
  }
  const auto link = TRY(catalog.link(*name));
  return timing::make_fabric(link, topology, gpus, 1, std::nullopt);
}

base::Status add_step(const catalog::MeasuredStep& step, const hardware::Gpu& gpu, const lowering::Framework& framework,
                      const catalog::Catalog& catalog, timing::Samples& samples) {
  const job::Job job = TRY(job_of(step, catalog));
  const graph::Network network = TRY(job::network_of(job));
  const auto segments = TRY(lowering::segments(network, job.checkpointing));
  std::vector<timing::Op> ops = lowering::lower_ops(network, job, segments);
  if (step.gpus > 1) {
    const auto fabric = TRY(fabric_of(gpu, step.gpus, catalog));
    samples.parallel.push_back({label_of(step),
                                std::move(ops),
                                {step.accumulation, step.benchmark},
                                lowering::exchange_of(network, job, framework),
                                fabric,
                                step.step});
  } else if (step.forward.count() > 0.0) {
    samples.steps.push_back({label_of(step), std::move(ops), step.step, step.forward, step.backward,
                             step.optimizer_step, step.benchmark, step.for_ranges, step.on_host, step.host_operation});
  }
  return std::nullopt;
}

}  // namespace

base::Result<timing::Samples> samples_of(const catalog::Measurements& rows, const hardware::Gpu& gpu,
                                         const catalog::Catalog& catalog) {
  timing::Samples samples;
  samples.ops = rows.ops;
  samples.stages = rows.stages;
  samples.copies = rows.copies;
  samples.loaders = rows.loaders;
  const auto framework = TRY(catalog.framework(job::Job{}.framework));
  for (const catalog::MeasuredStep& step : rows.steps) {
    TRY(add_step(step, gpu, framework, catalog, samples));
  }
  for (const catalog::MeasuredCollective& row : rows.collectives) {
    const auto fabric = TRY(fabric_of(gpu, row.gpus, catalog));
    samples.collectives.push_back({row.collective, row.bytes, fabric, row.seconds});
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
