// SPDX-License-Identifier: MIT
#include "accuracy/figures/memory_figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "estimate/memory_part.hpp"
#include "vggplan/lowering/workspace.hpp"

namespace vggplan::accuracy {

namespace {

using support::Row;

struct Field {
  Peak peak{};
  const char* key{};
  base::Estimated<base::Bytes> estimate::Memory::*figure{};
};

constexpr std::array kFields{
    Field{Peak::allocated, "peak", &estimate::Memory::allocated_peak},
    Field{Peak::reserved, "reserved", &estimate::Memory::reserved_peak},
    Field{Peak::first_step, "peak_first_step", &estimate::Memory::first_step_peak},
    Field{Peak::after_forward, "mem_after_fwd", &estimate::Memory::after_forward},
    Field{Peak::forward, "peak_fwd", &estimate::Memory::forward_peak},
    Field{Peak::backward, "peak_bwd", &estimate::Memory::backward_peak},
    Field{Peak::optimizer, "peak_opt", &estimate::Memory::optimizer_peak},
};

base::Bytes bytes_of(const Row& figure) { return base::Bytes(figure.get<std::int64_t>()); }

estimate::Memory memory_of(const job::Job& job, const estimate::Target& target) {
  return estimate::estimate(job, target, support::known()).value().memory;
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
  return std::ranges::any_of(network->nodes, [&](const graph::Node& node) {
    return std::holds_alternative<graph::Convolution>(node.kind) &&
           lowering::fft_workspace(convolution_of(node, job)) > 0;
  });
}

Step step_of(const Row& row, const estimate::Target& target) {
  Step step;
  step.label = support::label_of(row);
  step.job = support::job_of(row);
  step.free_choice = step.job.precision == job::Precision::fp32 || step.job.cudnn_benchmark;
  step.fft = step.free_choice && fft_possible(step.job);
  step.skips_at_random = step.job.precision == job::Precision::amp_fp16 && step.job.model.batch_norm;
  const estimate::Memory memory = memory_of(step.job, target);
  for (const Field& field : kFields) {
    if (row.contains(field.key)) {
      step.peaks[field.peak] = {bytes_of(row.at(field.key)), memory.*field.figure};
    }
  }
  return step;
}

BatchCell cell_of(const Row& row) {
  constexpr std::int64_t kMost = 24;
  BatchCell cell{support::label_of(row), row.at("cap_gib"), row.at("max_batch"), 0, 0};
  job::Job job = support::job_of(row);
  for (job.batch = 1; job.batch <= kMost; ++job.batch) {
    const auto answer = estimate::simulate_memory(job, target_under(row), support::known());
    if (!answer || answer->verdict == estimate::Verdict::does_not_fit) {
      continue;
    }
    cell.hard = job.batch;
    cell.steady = answer->verdict == estimate::Verdict::fits ? job.batch : cell.steady;
  }
  return cell;
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

}  // namespace

estimate::Target measured_target() { return support::target(kH200); }

estimate::Target target_under(const Row& row) {
  estimate::Target target = measured_target();
  target.usable = base::kGiB * row.at("cap_gib").get<std::int64_t>();
  return target;
}

memory::Simulation simulated_under_cap(const Row& row, std::size_t steps) {
  const lowering::Framework& framework = support::built_in_framework();
  const memory::Tape tape =
      support::tape_of(support::job_of(row), framework, estimate::device_of(measured_target().gpu, framework));
  memory::SimulationOptions options;
  options.allocator.capacity = target_under(row).usable;
  options.allocator.expandable_segments = row.value("expandable", false);
  options.steps = steps;
  return memory::simulate(tape, options);
}

Steps measured_steps(const std::vector<std::string>& files, const std::string& gpu) {
  const estimate::Target target = support::target(gpu);
  Steps steps;
  for (const std::string& file : files) {
    for (const Row& row : support::read_rows(file)) {
      if (row.contains("peak") && row.contains("reserved")) {
        steps.push_back(step_of(row, target));
      }
    }
  }
  return steps;
}

const Steps& fitted_peaks() {
  static const Steps kSteps = measured_steps({"single_gpu.jsonl"}, kH200);
  return kSteps;
}

const Steps& other_peaks() {
  static const Steps kSteps = measured_steps(
      {"held_out_steps.jsonl", "host_bound_steps.jsonl", "further_steps.jsonl", "random_steps.jsonl"}, kH200);
  return kSteps;
}

const Steps& drawn_peaks() {
  static const Steps kSteps = measured_steps(
      {"random_steps_4.jsonl", "random_steps_5.jsonl", "random_steps_6.jsonl", "random_steps_7.jsonl"}, kH200);
  return kSteps;
}

const Steps& earlier_peaks() {
  static const Steps kSteps = measured_steps({"random_steps_3.jsonl", "channel_steps_2.jsonl"}, kH200);
  return kSteps;
}

const Steps& h100_peaks() {
  static const Steps kSteps = measured_steps({"h100_steps.jsonl", "h100_random_steps.jsonl"}, kH100);
  return kSteps;
}

Errors errors_of(const std::vector<const Steps*>& lists, Peak peak, bool free_choice) {
  Errors errors;
  for (const Steps* steps : lists) {
    for (const Step& step : *steps) {
      const auto found = step.peaks.find(peak);
      // The third step, whose phases were measured, was skipped: its optimizer state was not there yet.
      const bool later = peak != Peak::allocated && peak != Peak::reserved && peak != Peak::first_step;
      if (step.free_choice == free_choice && !(step.skips_at_random && later) && found != step.peaks.end()) {
        errors.add(step.label, found->second);
      }
    }
  }
  return errors;
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
      peaks.push_back(
          {support::label_of(row), rank, fullest, {bytes_of(ranks[rank].at("peak")), memory.allocated_peak}});
    }
  }
  return peaks;
}

std::map<std::string, WorkspaceShare> workspace_shares() {
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
        lowering::workspace_plans(support::built_in_framework(), pass_of(row.at("op")), conv, device).front();
    const std::int64_t measured = row.at("workspace");
    WorkspaceShare& share = shares[row.at("precision").get<std::string>() + " " + row.at("layout").get<std::string>()];
    ++share.rows;
    share.equal += near(mine, measured, 0, kRound) ? 1U : 0U;
    share.close += near(mine, measured, 0.01, kMiB) ? 1U : 0U;
  }
  return shares;
}

std::optional<double> answer_of(const std::string& tool, const std::string& label, const char* key) {
  static const std::vector<Row> kAnswers = support::read_rows("other_estimators.jsonl");
  const auto found = std::ranges::find_if(kAnswers, [&](const Row& answer) {
    const std::string its = support::label_of(answer);
    const bool same = label == its || label == its + " momentum";  // which labels of times do not leave out
    return answer.at("tool") == tool && answer.contains(key) && same;
  });
  return found == kAnswers.end() ? std::nullopt : std::optional(found->at(key).get<double>());
}

}  // namespace vggplan::accuracy
