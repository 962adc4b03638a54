// SPDX-License-Identifier: MIT
#include "accuracy/figures/memory_figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "vggplan/catalog/calibration.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/lowering/workspace.hpp"

namespace vggplan::accuracy {

namespace {

using support::Row;

constexpr std::string_view kGpu = "h200-sxm-141gb";

const catalog::Catalog& built_in() {
  static const catalog::Catalog kCatalog = catalog::Catalog::built_in();
  return kCatalog;
}

struct Field {
  Peak peak{};
  std::string_view name{};
  const char* key{};
  base::Estimated<base::Bytes> estimate::Memory::*figure{};
};

constexpr std::array<Field, kPeaks> kFields{{
    {Peak::allocated, "allocated", "peak", &estimate::Memory::allocated_peak},
    {Peak::reserved, "reserved", "reserved", &estimate::Memory::reserved_peak},
    {Peak::first_step, "first step", "peak_first_step", &estimate::Memory::first_step_peak},
    {Peak::after_forward, "after forward", "mem_after_fwd", &estimate::Memory::after_forward},
    {Peak::forward, "forward", "peak_fwd", &estimate::Memory::forward_peak},
    {Peak::backward, "backward", "peak_bwd", &estimate::Memory::backward_peak},
    {Peak::optimizer, "optimizer", "peak_opt", &estimate::Memory::optimizer_peak},
}};

estimate::Memory memory_of(const job::Job& job, const estimate::Target& target) {
  const auto answer = estimate::estimate(job, target, knowledge());
  if (!answer) {
    throw std::runtime_error(answer.error().place + ": " + answer.error().rule);
  }
  return answer->memory;
}

lowering::Convolution convolution_of(const graph::Node& node, const job::Job& job) {
  return {job.batch,
          node.input.channels,
          node.output.channels,
          node.input.height,
          node.input.width,
          base::size_of(job::activation_type(job.precision)),
          job::convolution_math(job.precision),
          job.layout};
}

bool fft_possible(const job::Job& job) {
  const auto network = graph::build_network(job.model, job.image, job.classes, job.head);
  return std::any_of(network->nodes.begin(), network->nodes.end(), [&](const graph::Node& node) {
    return std::holds_alternative<graph::Convolution>(node.kind) &&
           lowering::fft_workspace(convolution_of(node, job)) > 0;
  });
}

/// The answer of another tool for the step of this row: default settings but for size, batch and precision.
std::optional<std::int64_t> answer_of(std::string_view tool, const Row& row) {
  static const std::vector<Row> kAnswers = support::read_rows("other_estimators.jsonl");
  const job::Job job = support::job_of(row);
  job::Job usual = job;
  usual.model = support::job_of(Row{{"h", 224}, {"w", 224}}).model;
  usual.layout = base::Layout::nchw;
  usual.optimizer = job::Optimizer::momentum;
  usual.optimizer_impl = job::OptimizerImpl::foreach;
  usual.checkpointing = {};
  usual.classes = 1000;
  usual.image.channels = 3;
  usual.head = graph::Head::adaptive;
  usual.mode = job::Mode::train;
  usual.cudnn_benchmark = usual.expandable_segments = false;
  if (!(usual == job)) {
    return std::nullopt;
  }
  for (const Row& answer : kAnswers) {
    const bool same = answer.at("tool") == tool && answer.at("h") == row.at("h") && answer.at("w") == row.at("w") &&
                      answer.at("batch") == row.at("batch") && answer.at("precision") == row.at("precision");
    if (same && answer.contains("total")) {
      return answer.at("total").get<std::int64_t>();
    }
  }
  return std::nullopt;
}

Step step_of(const Row& row, const estimate::Target& target) {
  Step step;
  step.label = support::label_of(row);
  step.job = support::job_of(row);
  step.free_choice = step.job.precision == job::Precision::fp32 || step.job.cudnn_benchmark;
  step.fft = step.free_choice && fft_possible(step.job);
  step.skips_at_random = step.job.precision == job::Precision::amp_fp16 && step.job.model.batch_norm;
  step.torchinfo = answer_of("torchinfo", row);
  step.mem_tracker = answer_of("memtracker", row);
  const estimate::Memory memory = memory_of(step.job, target);
  for (const Field& field : kFields) {
    if (row.contains(field.key)) {
      step.peaks[field.peak] = {row.at(field.key).get<std::int64_t>(), memory.*field.figure};
    }
  }
  return step;
}

BatchCell cell_of(const Row& row) {
  constexpr std::int64_t kMost = 24;
  estimate::Target target = measured_target();
  target.usable = base::kGiB * row.at("cap_gib").get<std::int64_t>();
  BatchCell cell{support::label_of(row), row.at("cap_gib"), row.at("max_batch"), 0, 0};
  job::Job job = support::job_of(row);
  for (job.batch = 1; job.batch <= kMost; ++job.batch) {
    const auto answer = estimate::simulate_memory(job, target, knowledge());
    if (!answer || answer->verdict == estimate::Verdict::does_not_fit) {
      continue;
    }
    cell.hard = job.batch;
    cell.steady = answer->verdict == estimate::Verdict::fits ? job.batch : cell.steady;
  }
  return cell;
}

CapacityRun run_of(const Row& row) {
  estimate::Target target = measured_target();
  target.usable = base::kGiB * row.at("cap_gib").get<std::int64_t>();
  const auto answer = estimate::simulate_memory(support::job_of(row), target, knowledge());
  const auto retries = row.at("retries_after_step").get<std::vector<std::int64_t>>();
  const std::int64_t last = retries.back() - retries[retries.size() - 2];
  return {support::label_of(row), row.at("cap_gib"), last, answer->cache_flushes_per_step};
}

Compared compared(std::int64_t measured, const base::Estimated<base::Bytes>& predicted) {
  return {measured, predicted};
}

bool near(std::int64_t a, std::int64_t b, double share, double bytes) {
  const double apart = std::abs(static_cast<double>(a - b));
  return apart <= std::max(share * static_cast<double>(b), bytes);
}

lowering::ConvPass pass_of(const std::string& op) {
  return op == "conv_forward"      ? lowering::ConvPass::forward
         : op == "conv_input_grad" ? lowering::ConvPass::input_gradient
                                   : lowering::ConvPass::weight_gradient;
}

estimate::Target target_of(std::string_view name) {
  const hardware::Gpu gpu = built_in().gpu(std::string(name)).value();
  return {gpu, std::nullopt, gpu.usable_memory()};
}

}  // namespace

const estimate::Knowledge& knowledge() {
  static const estimate::Knowledge kKnowledge = [] {
    const catalog::Catalog& catalog = built_in();
    estimate::Knowledge known;
    known.framework = catalog.framework("pytorch-2.11").value();
    const auto calibration = catalog::read_calibration(catalog.text("calibration", kGpu).value(), std::string(kGpu));
    known.measured = {{catalog.gpu(kGpu).value(), calibration.value()}};
    known.links = catalog.links().value();
    return known;
  }();
  return kKnowledge;
}

estimate::Target measured_target() { return target_of(kGpu); }

std::string_view name_of(Peak peak) { return kFields[static_cast<std::size_t>(peak)].name; }

std::vector<Step> measured_steps(const std::vector<std::string>& files, std::string_view gpu) {
  const estimate::Target target = target_of(gpu);
  std::vector<Step> steps;
  for (const std::string& file : files) {
    for (const Row& row : support::read_rows(file)) {
      if (row.contains("peak") && row.contains("reserved")) {
        steps.push_back(step_of(row, target));
      }
    }
  }
  return steps;
}

const std::vector<Step>& fitted_peaks() {
  static const std::vector<Step> kSteps = measured_steps({"single_gpu.jsonl"}, kGpu);
  return kSteps;
}

const std::vector<Step>& other_peaks() {
  static const std::vector<Step> kSteps = measured_steps(
      {"held_out_steps.jsonl", "host_bound_steps.jsonl", "further_steps.jsonl", "random_steps.jsonl"}, kGpu);
  return kSteps;
}

const std::vector<Step>& drawn_peaks() {
  static const std::vector<Step> kSteps = measured_steps(
      {"random_steps_4.jsonl", "random_steps_5.jsonl", "random_steps_6.jsonl", "random_steps_7.jsonl"}, kGpu);
  return kSteps;
}

const std::vector<Step>& earlier_peaks() {
  static const std::vector<Step> kSteps = measured_steps({"random_steps_3.jsonl", "channel_steps_2.jsonl"}, kGpu);
  return kSteps;
}

const std::vector<Step>& h100_peaks() {
  static const std::vector<Step> kSteps =
      measured_steps({"h100_steps.jsonl", "h100_random_steps.jsonl"}, "h100-sxm5-80gb");
  return kSteps;
}

void Spread::add(double error) { errors_.push_back(error); }

double Spread::median() const {
  std::vector<double> sizes;
  std::transform(errors_.begin(), errors_.end(), std::back_inserter(sizes),
                 [](double error) { return std::abs(error); });
  std::sort(sizes.begin(), sizes.end());
  const std::size_t half = sizes.size() / 2;
  return sizes.empty() ? 0 : sizes.size() % 2 == 1 ? sizes[half] : (sizes[half - 1] + sizes[half]) / 2;
}

double Spread::worst() const {
  return std::accumulate(errors_.begin(), errors_.end(), 0.0,
                         [](double most, double error) { return std::max(most, std::abs(error)); });
}

std::size_t Spread::within(double bound) const {
  return static_cast<std::size_t>(
      std::count_if(errors_.begin(), errors_.end(), [&](double error) { return std::abs(error) <= bound; }));
}

std::size_t Spread::under() const {
  constexpr double kRepeat = 1e-4;  // runs repeat to within this
  return static_cast<std::size_t>(
      std::count_if(errors_.begin(), errors_.end(), [&](double error) { return error < -kRepeat; }));
}

Spread spread_of(const std::vector<Step>& steps, Peak peak) {
  Spread spread;
  for (const Step& step : steps) {
    const auto found = step.peaks.find(peak);
    // The third step, whose phases were measured, was skipped: its optimizer state was not there yet.
    const bool later = peak != Peak::allocated && peak != Peak::reserved && peak != Peak::first_step;
    if (!step.free_choice && !(step.skips_at_random && later) && found != step.peaks.end()) {
      spread.add(found->second.error());
    }
  }
  return spread;
}

const std::vector<BatchCell>& batch_cells() {
  static const std::vector<BatchCell> kCells = [] {
    std::vector<BatchCell> cells;
    for (const Row& row : support::read_rows("max_batch.jsonl")) {
      cells.push_back(cell_of(row));
    }
    return cells;
  }();
  return kCells;
}

std::vector<CapacityRun> capacity_runs() {
  std::vector<CapacityRun> runs;
  for (const Row& row : support::read_rows("capacity_steps.jsonl")) {
    runs.push_back(run_of(row));
  }
  return runs;
}

std::vector<RankPeak> rank_peaks(const std::string& file) {
  std::vector<RankPeak> peaks;
  for (const Row& row : support::read_rows(file)) {
    if (row.at("kind") != "train") {
      continue;
    }
    const estimate::Memory memory = memory_of(support::job_of(row), measured_target());
    const Row& ranks = row.at("ranks");
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
      const bool fullest = std::none_of(ranks.begin(), ranks.end(),
                                        [&](const Row& other) { return other.at("peak") > ranks[rank].at("peak"); });
      peaks.push_back({support::label_of(row), rank, fullest, compared(ranks[rank].at("peak"), memory.allocated_peak),
                       compared(ranks[rank].at("reserved"), memory.reserved_peak)});
    }
  }
  return peaks;
}

std::vector<WorkspaceShare> workspace_shares() {
  constexpr double kRound = 4096;
  constexpr double kMiB = 1048576;
  std::map<std::string, WorkspaceShare> shares;
  const lowering::Device device;
  for (const Row& row : support::read_rows("convolutions.jsonl")) {
    if (!row.contains("workspace")) {
      continue;
    }
    const auto math = support::named<base::MathMode>(row.at("precision").get<std::string>());
    const bool wide = math == base::MathMode::fp32 || math == base::MathMode::tf32;
    const auto layout = support::named<base::Layout>(row.at("layout").get<std::string>());
    const lowering::Convolution conv{row.at("n"), row.at("c"),  row.at("k"), row.at("h"),
                                     row.at("w"), wide ? 4 : 2, math,        layout};
    const std::int64_t mine =
        lowering::workspace_plans(knowledge().framework, pass_of(row.at("op")), conv, device).front();
    const std::int64_t measured = row.at("workspace");
    WorkspaceShare& share = shares[row.at("precision").get<std::string>() + " " + row.at("layout").get<std::string>()];
    ++share.rows;
    share.equal += near(mine, measured, 0, kRound) ? 1U : 0U;
    share.close += near(mine, measured, 0.01, kMiB) ? 1U : 0U;
  }
  std::vector<WorkspaceShare> list;
  for (auto& [setting, share] : shares) {
    share.setting = setting;
    list.push_back(share);
  }
  return list;
}

}  // namespace vggplan::accuracy
