// SPDX-License-Identifier: MIT
#include "accuracy/figures/time_figures.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "accuracy/figures/time_rows.hpp"
#include "support/lowered.hpp"
#include "support/measured.hpp"
#include "timing/host.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/lowering/ops.hpp"
#include "vggplan/timing/carry_over.hpp"
#include "vggplan/timing/step_time.hpp"

namespace vggplan::accuracy {

namespace {

using nlohmann::json;

const timing::Calibration& calibration() {
  static const timing::Calibration kCalibration = stored_calibration();
  return kCalibration;
}

const hardware::Gpu& measured_gpu() {
  static const hardware::Gpu kGpu = gpu_named(kH200);
  return kGpu;
}

template <class T>
T taken(base::Result<T> result) {
  if (!result) {
    throw std::runtime_error(result.error().place + ": " + result.error().rule);
  }
  return *std::move(result);
}

bool in_true_fp32(const timing::StepSample& sample) {
  return std::any_of(sample.ops.begin(), sample.ops.end(), [](const timing::Op& op) {
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
  row.step = {sample.step.count(), time.step};
  row.forward = {sample.forward.count(), time.forward};
  const bool trains = time.backward.value.count() > 0.0;
  row.backward = {trains ? sample.backward.count() : 0.0, time.backward};
  row.optimizer = {trains ? sample.optimizer.count() : 0.0, time.optimizer};
  return row;
}

TimedRow exactly(const std::string& label, double measured, double predicted) {
  return {label, {measured, base::exactly(base::Seconds(predicted), base::Basis::modelled)}};
}

/// "fp16" rows hold weights in fp16 as well, which no setting of ours does: as bf16 does.
job::Precision precision_of(const std::string& precision) {
  return precision == "fp16" ? job::Precision::bf16 : base::parse_enum<job::Precision>(precision).value();
}

job::Job job_of(const json& row, const hardware::Gpu& gpu) {
  job::Job job;
  job.model = taken(catalogue().model(row.at("model").get<std::string>()));
  job.image = {3, row.value("height", std::int64_t{224}), row.value("width", std::int64_t{224})};
  job.classes = row.value("classes", job.classes);
  job.batch = row.at("batch").get<std::int64_t>();
  job.mode = row.at("mode") == "infer" ? job::Mode::infer : job::Mode::train;
  job.layout = base::parse_enum<base::Layout>(row.value("layout", "nchw")).value();
  job.optimizer = base::parse_enum<job::Optimizer>(row.value("optimizer", "sgd")).value();
  job.optimizer_impl = base::parse_enum<job::OptimizerImpl>(row.value("optimizer_impl", "foreach")).value();
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
double copy_seconds(const json& row) {
  const bool copies = row.at("parts").get<std::string>().find("copy") != std::string::npos;
  const double bytes = row.at("precision") == "fp16" ? 2.0 : 4.0;
  return copies ? row.at("batch").get<double>() * 3.0 * 224.0 * 224.0 * bytes / 8e9 : 0.0;
}

timing::Fabric fabric_of(const json& row, const hardware::Gpu& gpu, std::int64_t gpus) {
  if (gpus == 1) {
    return {};
  }
  const auto topology = base::parse_enum<hardware::Topology>(row.at("topology").get<std::string>());
  const auto link = taken(catalogue().link(hardware::peer_link(gpu, topology.value()).value()));
  return timing::make_fabric(link, *topology, gpus, 1, std::nullopt);
}

}  // namespace

std::vector<TimedStep> timed_steps(const std::vector<std::string>& files, const hardware::Gpu& gpu,
                                   const timing::Calibration& calibration) {
  std::vector<TimedStep> rows;
  for (const timing::StepSample& sample : samples(files, gpu.name).steps) {
    rows.push_back(timed(sample, gpu, calibration));
  }
  return rows;
}

const std::vector<TimedStep>& fitted_steps() {
  static const std::vector<TimedStep> kSteps = timed_steps({"single_gpu.jsonl"}, measured_gpu(), calibration());
  return kSteps;
}

const std::vector<TimedStep>& unseen_steps() {
  static const std::vector<TimedStep> kSteps =
      timed_steps({"held_out_steps.jsonl", "further_steps.jsonl", "random_steps.jsonl"}, measured_gpu(), calibration());
  return kSteps;
}

const std::vector<TimedStep>& drawn_steps() {
  static const std::vector<TimedStep> kSteps =
      timed_steps({"random_steps_4.jsonl", "random_steps_5.jsonl"}, measured_gpu(), calibration());
  return kSteps;
}

const std::vector<TimedStep>& earlier_steps() {
  static const std::vector<TimedStep> kSteps =
      timed_steps({"random_steps_3.jsonl", "channel_steps_2.jsonl"}, measured_gpu(), calibration());
  return kSteps;
}

const std::vector<TimedStep>& host_steps() {
  static const std::vector<TimedStep> kSteps = timed_steps({"host_issue_2.jsonl"}, measured_gpu(), calibration());
  return kSteps;
}

std::vector<TimedStep> host_steps_at_their_speed(const std::string& file) {
  std::vector<TimedStep> steps = timed_steps({file}, measured_gpu(), calibration());
  const std::vector<timing::StepSample> rows = samples({file}).steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    base::Seconds& step = steps[i].step.predicted.value;
    step = base::Seconds(step.count() * timing::host_factor(rows[i].host_operation.count(), calibration().host_speed));
  }
  return steps;
}

std::vector<TimedStep> h100_fitted_steps() {
  return timed_steps({"h100_steps.jsonl"}, gpu_named(kH100), stored_calibration(kH100));
}

std::vector<TimedStep> h100_unseen_steps() {
  return timed_steps({"h100_random_steps.jsonl"}, gpu_named(kH100), stored_calibration(kH100));
}

std::vector<TimedStep> h100_carried_steps() {
  const hardware::Gpu h100 = gpu_named(kH100);
  return timed_steps({"h100_steps.jsonl", "h100_random_steps.jsonl"}, h100,
                     timing::carry_over(calibration(), measured_gpu(), h100));
}

std::vector<TimedRow> parallel_steps(const std::string& file) {
  std::vector<TimedRow> rows;
  for (const timing::ParallelSample& sample : samples({file}).parallel) {
    const timing::ParallelTime time = timing::parallel_step_time(sample.ops, measured_gpu(), calibration(),
                                                                 sample.options, sample.exchange, sample.fabric);
    rows.push_back({sample.label, {sample.step.count(), time.step.step}});
  }
  return rows;
}

std::vector<TimedRow> collectives(const std::string& file) {
  std::vector<TimedRow> rows;
  for (const timing::CollectiveSample& sample : samples({file}).collectives) {
    const base::Seconds time =
        timing::collective_seconds(sample.collective, sample.bytes, sample.fabric, calibration().links);
    rows.push_back(exactly(std::to_string(sample.bytes.count()), sample.seconds.count(), time.count()));
  }
  return rows;
}

std::vector<TimedRow> loader_loops() {
  // The loop of the measurement: 4024x3036, batch 2, amp-bf16, channels_last, 16 cores.
  const auto step = std::find_if(fitted_steps().begin(), fitted_steps().end(), [](const TimedStep& candidate) {
    return candidate.label == "vgg16 4024x3036 b2 amp-bf16 nhwc momentum";
  });
  const base::Seconds per_image = step->step.predicted.value / 2.0;
  std::vector<TimedRow> rows;
  for (const timing::LoaderSample& sample : samples({"data_loader.jsonl"}).loaders) {
    timing::InputSide side;
    side.workers = sample.workers;
    side.cpus = 16;
    const timing::InputThroughput out = timing::input_throughput(sample.path, side, per_image, calibration().input);
    rows.push_back(exactly(std::to_string(sample.workers) + " workers", 1.0 / sample.images_per_second,
                           1.0 / out.images_per_second));
  }
  return rows;
}

std::vector<json> published_rows(const std::string& name) {
  std::vector<json> all;
  std::istringstream lines(read_data("published/" + name));
  for (std::string line; std::getline(lines, line);) {
    all.push_back(json::parse(line));
  }
  return all;
}

std::string published_label(const json& row) {
  return row.at("gpu").get<std::string>() + " " + row.at("model").get<std::string>() + " b" +
         std::to_string(row.at("batch").get<int>()) + " " + row.at("precision").get<std::string>() + " " +
         row.value("layout", "nchw") + " " + row.at("mode").get<std::string>() + ", " +
         row.at("framework").get<std::string>().substr(0, 20);
}

timing::Calibration carried_to(const hardware::Gpu& gpu) {
  const std::vector<hardware::Gpu> measured{gpu_named(kH200), gpu_named(kH100)};
  const hardware::Gpu& from = measured[timing::most_alike(measured, gpu)];
  return timing::carry_over(stored_calibration(from.name), from, gpu);
}

timing::ParallelTime published_time(const json& row) {
  const hardware::Gpu gpu = taken(catalogue().gpu(row.at("gpu").get<std::string>()));
  const job::Job job = job_of(row, gpu);
  const auto network = taken(graph::build_network(job.model, job.image, job.classes, job.head));
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
  for (const json& row : published_rows("training.jsonl")) {
    if (row.at("comparable").get<bool>() && row.at("use") == use) {
      base::Estimated<base::Seconds> time = published_time(row).step.step;
      const base::Seconds copy(copy_seconds(row));
      time = {time.value + copy, time.low + copy, time.high + copy, time.basis};
      rows.push_back({published_label(row), {row.at("ms").get<double>() * 1e-3, time}});
    }
  }
  return rows;
}

double answer_of(const std::string& tool, const std::string& label) {
  static const std::vector<support::Row> kAnswers = support::read_rows("other_estimators.jsonl");
  for (const support::Row& answer : kAnswers) {
    if (answer.at("tool") == tool && answer.contains("ms") && support::label_of(answer) + " momentum" == label) {
      return 1e-3 * answer.at("ms").get<double>();
    }
  }
  return 0.0;
}

}  // namespace vggplan::accuracy
