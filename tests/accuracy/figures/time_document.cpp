// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "accuracy/figures/document.hpp"
#include "accuracy/figures/time_figures.hpp"

namespace vggplan::accuracy {

namespace {

std::string share(double value) { return fmt::format("{:.1f} %", 100 * value); }

template <class Holds>
std::string line(const std::string& name, const TimedSteps& steps, Holds holds) {
  const Errors step = errors_of(steps, holds);
  if (step.count() == 0) {
    return "";
  }
  std::string text = fmt::format("| {} | {} | {} | {} | {} |", name, step.count(), share(step.median()),
                                 share(step.worst()), step.inside());
  for (const auto phase : {&TimedStep::forward, &TimedStep::backward, &TimedStep::optimizer}) {
    const Errors errors = errors_of(steps, holds, phase);
    text += errors.count() == 0 ? " - |" : " " + share(errors.median()) + " |";
  }
  return text + "\n";
}

std::string table_by_setting(const TimedSteps& steps) {
  std::string text =
      "| Setting | Steps | Step: median | worst | in the range | Forward: median | Backward: median | Optimizer: "
      "median "
      "|\n|---|--:|--:|--:|--:|--:|--:|--:|\n";
  text += line("all that the GPU bounds", steps, gpu_bound);
  std::set<std::string> settings;
  for (const TimedStep& step : steps) {
    settings.insert(step.setting);
  }
  for (const std::string& name : settings) {
    text += line(name, steps, [&](const TimedStep& step) { return gpu_bound(step) && step.setting == name; });
  }
  return text + line("the GPU waits for the host", steps, waits_for_host);
}

template <class Row, class Of>
std::string worst_rows(std::vector<Row> rows, std::size_t most, Of time_of) {
  std::ranges::stable_sort(
      rows, [&](const Row& a, const Row& b) { return std::abs(time_of(a).error()) > std::abs(time_of(b).error()); });
  rows.resize(std::min(rows.size(), most));
  std::string text = "| Row | Measured ms | Predicted ms | Error | In the range |\n|---|--:|--:|--:|---|\n";
  for (const Row& row : rows) {
    const TimeCompared& time = time_of(row);
    text += fmt::format("| {} | {:.2f} | {:.2f} | {:+.1f} % | {} |\n", row.label, 1e3 * time.measured.count(),
                        1e3 * time.predicted.value.count(), 100 * time.error(), time.inside() ? "yes" : "no");
  }
  return text;
}

std::string worst_steps(std::size_t most) {
  TimedSteps rows;
  for (const TimedSteps* steps : {&fitted_steps(), &unseen_steps()}) {
    std::ranges::copy_if(*steps, std::back_inserter(rows), [](const TimedStep& step) { return !step.free_choice; });
  }
  return worst_rows(rows, most, [](const TimedStep& step) -> const TimeCompared& { return step.step; });
}

std::string free_choice_share() {
  const Errors fitted = errors_of(fitted_steps(), chosen_freely);
  const Errors unseen = errors_of(unseen_steps(), chosen_freely);
  return fmt::format("{} of {}", fitted.inside() + unseen.inside(), fitted.count() + unseen.count());
}

std::string summary_row(const std::string& name, const std::vector<TimedRow>& rows) {
  const Errors errors = errors_of(rows);
  return fmt::format("| {} | {} | {} | {} |\n", name, errors.count(), share(errors.median()), share(errors.worst()));
}

/// "a100-sxm4-80gb tf32 nchw train" of "a100-sxm4-80gb vgg16 b32 tf32 nchw train, SuperBench".
std::string kind_of(const std::string& label) {
  std::istringstream words(label.substr(0, label.find(',')));
  std::string gpu;
  std::string model;
  std::string batch;
  std::string rest;
  words >> gpu >> model >> batch;
  std::getline(words, rest);
  return gpu + rest;
}

std::string published_line(const std::string& name, const std::vector<TimedRow>& rows) {
  const Errors errors = errors_of(rows);
  return fmt::format("| {} | {} | {} | {} | {:+.1f} % | {} |\n", name, errors.count(), share(errors.median()),
                     share(errors.worst()), 100 * errors.bias(), errors.inside());
}

std::string published_table() {
  std::string text = "| Source, GPU | Rows | Median | Worst | Bias | In the range |\n|---|--:|--:|--:|--:|--:|\n";
  const std::vector<TimedRow> held_out = published_steps("held out");
  text += published_line("**held out**", held_out);
  std::map<std::string, std::vector<TimedRow>> kinds;
  for (const TimedRow& row : held_out) {
    kinds[kind_of(row.label)].push_back(row);
  }
  for (const auto& [kind, rows] : kinds) {
    text += published_line(kind, rows);
  }
  text += published_line("fitted", published_steps("fitted"));
  text += "\nWorst of those held out:\n\n";
  return text + worst_rows(held_out, 6, [](const TimedRow& row) -> const TimeCompared& { return row.time; });
}

std::string other_tools_of_time() {
  std::string text =
      "| Step | Measured ms | RuntimeEstimator, roofline | RuntimeEstimator, on the GPU | vggplan |\n"
      "|---|--:|--:|--:|--:|\n";
  for (const TimedSteps* steps : {&fitted_steps(), &unseen_steps()}) {
    for (const TimedStep& step : *steps) {
      const auto roofline = answer_of("runtime-roofline", step.label, "ms");
      const auto benchmark = answer_of("runtime-benchmark", step.label, "ms");
      const double measured = 1e3 * step.step.measured.count();
      const auto error = [&](const std::optional<double>& answer) {
        return answer ? fmt::format("{:+.0f} %", 100 * (*answer / measured - 1)) : std::string("-");
      };
      if (roofline || benchmark) {
        text += fmt::format("| {} | {:.1f} | {} | {} | {:+.1f} % |\n", step.label, measured, error(roofline),
                            error(benchmark), 100 * step.step.error());
      }
    }
  }
  return text;
}

}  // namespace

std::string time_section() {
  std::string text =
      "\n## Time of one step\n\nBack to back, as a training loop sees it; phases on an idle GPU. Without true fp32 and "
      "cudnn.benchmark.\n\n### Steps drawn at random over the whole interface, that nothing was fitted to\n\n";
  text += table_by_setting(drawn_steps());
  text += "\n### An earlier draw and networks of other channels: nothing was fitted to them, but they were read\n\n";
  text += table_by_setting(earlier_steps());
  text += "\n### Steps that the calibration was fitted to\n\n";
  text += table_by_setting(fitted_steps());
  text += "\n### Steps that it never saw\n\n";
  text += table_by_setting(unseen_steps());
  text += "\n### An H100, calibrated by scripts/measure.py: steps that its calibration never saw\n\n";
  text += table_by_setting(timed_steps({"h100_random_steps.jsonl"}, kH100));
  text += "\n### The same H100 as if nobody had measured it: carried over from the H200\n\n";
  text += table_by_setting(h100_carried_steps());
  text +=
      "\nWhere the GPU waits for the host, the same step differs by up to a quarter from run to run and from host to "
      "host.\n\n### Worst steps\n\n";
  text += worst_steps(12);
  text += fmt::format("\nTrue fp32 and cudnn.benchmark: {} steps are inside the range.\n", free_choice_share());
  text += "\n### Other times\n\n| | Rows | Median | Worst |\n|---|--:|--:|--:|\n";
  text += summary_row("steps on two H200: DDP, ZeRO-1, FSDP2", parallel_steps("two_gpus.jsonl"));
  text += summary_row("steps on four H200, never fitted to", parallel_steps("four_gpus.jsonl"));
  text += summary_row("collectives on two H200", collectives("two_gpus.jsonl"));
  text += summary_row("collectives on four H200, never fitted to", collectives("four_gpus.jsonl"));
  text += summary_row("training loops with a DataLoader", loader_loops());
  text +=
      "\n### GPUs that nobody measured, against what others published\n\nThe factors of carrying over were set by some "
      "sources and held against the others. *Bias* is the median error with its sign.\n\n";
  text += published_table();
  text += "\n### Time next to PyTorch's RuntimeEstimator\n\n" + other_tools_of_time();
  return text;
}

}  // namespace vggplan::accuracy
