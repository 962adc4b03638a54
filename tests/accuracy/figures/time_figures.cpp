// SPDX-License-Identifier: MIT
#include "accuracy/figures/time_figures.hpp"

#include <algorithm>
#include <sstream>

#include "app/calibration.hpp"
#include "support/files.hpp"
#include "timing/host.hpp"
#include "vggplan/lowering/ops.hpp"
#include "vggplan/timing/carry_over.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::accuracy {

namespace {

using support::calibration;
using support::Row;

bool in_true_fp32(const timing::StepSample& sample) {
  return std::ranges::any_of(sample.ops, [](const timing::Op& op) {
    return op.kind == timing::OpKind::conv_forward && op.math == base::MathMode::fp32;
  });
}

/// "amp-bf16 nhwc" of "vgg16 224x224 b32 amp-bf16 nhwc momentum".
std::string setting_of(const std::string& label) {
  std::istringstream words(label);
  std::string word;
  std::string setting;
  for (int i = 0; words >> word && i < 5; ++i) {
    setting += i < 3 ? "" : i == 3 ? word : " " + word;
  }
  return setting;
}

TimedStep timed(const timing::StepSample& sample, const hardware::Gpu& gpu, const timing::Calibration& calibration) {
  const timing::StepTime time = timing::step_time(sample.ops, gpu, calibration, {1, sample.chosen_by_trial});
  TimedStep row;
  row.label = sample.label;
  row.setting = setting_of(sample.label);
  row.free_choice = in_true_fp32(sample) || sample.chosen_by_trial;
  row.host_bound = time.host_decides;
  row.step = {sample.step, time.step};
  row.forward = {sample.forward, time.forward};
  const bool trains = time.backward.value.count() > 0.0;
  row.backward = {trains ? sample.backward : base::Seconds(0), time.backward};
  row.optimizer = {trains ? sample.optimizer : base::Seconds(0), time.optimizer};
  return row;
}

TimedSteps timed_with(const timing::Calibration& calibration, const std::vector<std::string>& files,
                      const std::string& gpu) {
  TimedSteps rows;
  for (const timing::StepSample& sample : samples(files, gpu).steps) {
    rows.push_back(timed(sample, support::gpu(gpu), calibration));
  }
  return rows;
}

TimedRow exactly(const std::string& label, base::Seconds measured, base::Seconds predicted) {
  return {label, {measured, base::exactly(predicted, base::Basis::modelled)}};
}

/// "fp16" rows hold weights in fp16 as well, which no setting of ours does: as bf16 does.
job::Precision precision_of(const std::string& precision) {
  return precision == "fp16" ? job::Precision::bf16 : support::named<job::Precision>(precision);
}

job::Job job_of(const Row& row, const hardware::Gpu& gpu) {
  job::Job job;
  job.model = support::built_in_catalog().model(row.at("model").get<std::string>()).value();
  job.image = {3, row.value("height", std::int64_t{224}), row.value("width", std::int64_t{224})};
  job.classes = row.value("classes", job.classes);
  job.batch = row.at("batch").get<std::int64_t>();
  job.mode = row.at("mode") == "infer" ? job::Mode::infer : job::Mode::train;
  job.layout = support::named<base::Layout>(row.value("layout", "nchw"));
  job.optimizer = support::named<job::Optimizer>(row.value("optimizer", "sgd"));
  job.optimizer_impl = support::named<job::OptimizerImpl>(row.value("optimizer_impl", "foreach"));
  job.precision = job::runs_as(precision_of(row.at("precision").get<std::string>()), gpu);
  job.cudnn_benchmark = row.at("framework").get<std::string>().find("cudnn.benchmark") != std::string::npos;
  job.parallel.gpus = row.value("gpus", std::int64_t{1});
  return job;
}

void turn_to_fp16(std::vector<timing::Op>& ops) {
  for (timing::Op& op : ops) {
    op.type = op.type == base::DType::bf16 ? base::DType::f16 : op.type;
    op.math = op.math == base::MathMode::bf16 ? base::MathMode::fp16 : op.math;
  }
}

/// Copying the batch to the GPU, which some sources time: pageable memory over PCIe 3 or 4.
base::Seconds copy_seconds(const Row& row) {
  const bool copies = row.at("parts").get<std::string>().find("copy") != std::string::npos;
  const double bytes = row.at("precision") == "fp16" ? 2.0 : 4.0;
  return base::Seconds(copies ? row.at("batch").get<double>() * 3.0 * 224.0 * 224.0 * bytes / 8e9 : 0.0);
}

timing::Fabric fabric_of(const Row& row, const hardware::Gpu& gpu, std::int64_t gpus) {
  if (gpus == 1) {
    return {};
  }
  const auto topology = support::named<hardware::Topology>(row.at("topology").get<std::string>());
  const auto link = support::built_in_catalog().link(hardware::peer_link(gpu, topology).value()).value();
  return timing::make_fabric(link, topology, gpus, 1, std::nullopt);
}

std::string published_label(const Row& row) {
  return row.at("gpu").get<std::string>() + " " + row.at("model").get<std::string>() + " b" +
         std::to_string(row.at("batch").get<int>()) + " " + row.at("precision").get<std::string>() + " " +
         row.value("layout", "nchw") + " " + row.at("mode").get<std::string>() + ", " +
         row.at("framework").get<std::string>().substr(0, 20);
}

}  // namespace

timing::Samples samples(const std::vector<std::string>& files, const std::string& gpu) {
  catalog::Measurements all;
  for (const std::string& file : files) {
    const std::string rows = test::repository_file("tests/data/measurements/" + file);
    all = catalog::read_measurements(rows, file, std::move(all)).value();
  }
  return app::samples_of(all, support::gpu(gpu), support::built_in_catalog()).value();
}

TimedSteps timed_steps(const std::vector<std::string>& files, const std::string& gpu) {
  return timed_with(calibration(gpu), files, gpu);
}

const TimedSteps& fitted_steps() {
  static const TimedSteps kSteps = timed_steps({"single_gpu.jsonl"});
  return kSteps;
}

const TimedSteps& unseen_steps() {
  static const TimedSteps kSteps = timed_steps({"held_out_steps.jsonl", "further_steps.jsonl", "random_steps.jsonl"});
  return kSteps;
}

const TimedSteps& drawn_steps() {
  static const TimedSteps kSteps =
      timed_steps({"random_steps_4.jsonl", "random_steps_5.jsonl", "random_steps_6.jsonl", "random_steps_7.jsonl"});
  return kSteps;
}

const TimedSteps& earlier_steps() {
  static const TimedSteps kSteps = timed_steps({"random_steps_3.jsonl", "channel_steps_2.jsonl"});
  return kSteps;
}

TimedSteps host_steps_at_their_speed(const std::string& file) {
  TimedSteps steps = timed_steps({file});
  const std::vector<timing::StepSample> rows = samples({file}).steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    base::Seconds& step = steps[i].step.predicted.value;
    step = step * timing::host_factor(rows[i].host_operation.count(), calibration(kH200).host_speed);
  }
  return steps;
}

TimedSteps h100_carried_steps() {
  const timing::Calibration carried = timing::carry_over(calibration(kH200), support::gpu(kH200), support::gpu(kH100));
  return timed_with(carried, {"h100_steps.jsonl", "h100_random_steps.jsonl"}, kH100);
}

Errors errors_of(const std::vector<TimedRow>& rows) {
  Errors errors;
  for (const TimedRow& row : rows) {
    errors.add(row.label, row.time);
  }
  return errors;
}

std::vector<TimedRow> parallel_steps(const std::string& file) {
  std::vector<TimedRow> rows;
  for (const timing::ParallelSample& sample : samples({file}).parallel) {
    const timing::ParallelTime time = timing::parallel_step_time(sample.ops, support::gpu(kH200), calibration(kH200),
                                                                 sample.options, sample.exchange, sample.fabric);
    rows.push_back({sample.label, {sample.step, time.step.step}});
  }
  return rows;
}

std::vector<TimedRow> collectives(const std::string& file) {
  std::vector<TimedRow> rows;
  for (const timing::CollectiveSample& sample : samples({file}).collectives) {
    const base::Seconds time =
        timing::collective_seconds(sample.collective, sample.bytes, sample.fabric, calibration(kH200).links);
    rows.push_back(exactly(std::to_string(sample.bytes.count()), sample.seconds, time));
  }
  return rows;
}

std::vector<TimedRow> loader_loops() {
  // The loop of the measurement: 4024x3036, batch 2, amp-bf16, channels_last, 16 cores.
  const auto step = std::ranges::find(fitted_steps(), "vgg16 4024x3036 b2 amp-bf16 nhwc momentum", &TimedStep::label);
  const base::Seconds per_image = step->step.predicted.value / 2.0;
  std::vector<TimedRow> rows;
  for (const timing::LoaderSample& sample : samples({"data_loader.jsonl"}).loaders) {
    timing::InputSide side;
    side.workers = sample.workers;
    side.cpus = 16;
    const auto out = timing::input_throughput(sample.path, side, per_image, calibration(kH200).input);
    rows.push_back(exactly(std::to_string(sample.workers) + " workers", base::Seconds(1.0 / sample.images_per_second),
                           base::Seconds(1.0 / out.images_per_second)));
  }
  return rows;
}

timing::Calibration carried_to(const hardware::Gpu& gpu) {
  const std::vector<hardware::Gpu> measured{support::gpu(kH200), support::gpu(kH100)};
  const hardware::Gpu& from = measured[timing::most_alike(measured, gpu)];
  return timing::carry_over(calibration(from.name), from, gpu);
}

std::vector<Row> published_rows(const std::string& name) { return support::rows_of("published/" + name); }

timing::ParallelTime published_time(const Row& row) {
  const hardware::Gpu gpu = support::gpu(row.at("gpu").get<std::string>());
  const job::Job job = job_of(row, gpu);
  const graph::Network network = job::network_of(job).value();
  std::vector<timing::Op> ops = lowering::lower_ops(network, job, {});
  if (row.at("precision") == "fp16") {
    turn_to_fp16(ops);
  }
  if (!row.at("parts").get<std::string>().starts_with("step")) {
    std::erase_if(ops, [](const timing::Op& op) { return op.phase == base::Phase::optimizer; });
  }
  return timing::parallel_step_time(ops, gpu, carried_to(gpu), {1, job.cudnn_benchmark},
                                    lowering::exchange_of(network, job, support::built_in_framework()),
                                    fabric_of(row, gpu, job.parallel.gpus));
}

std::vector<TimedRow> published_steps(std::string_view use) {
  std::vector<TimedRow> rows;
  for (const Row& row : published_rows("training.jsonl")) {
    if (row.at("comparable").get<bool>() && row.at("use") == use) {
      const base::Seconds copy = copy_seconds(row);
      rows.push_back(
          {published_label(row),
           {base::Seconds(row.at("ms").get<double>() * 1e-3), published_time(row).step.step + base::exactly(copy)}});
    }
  }
  return rows;
}

}  // namespace vggplan::accuracy
