// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "accuracy/figures/document.hpp"
#include "accuracy/figures/network_figures.hpp"

namespace vggplan::accuracy {

namespace {

std::string line(const std::string& name, const std::vector<NetworkStep>& steps) {
  std::string text = fmt::format("| {} | {} |", name, steps.size());
  const auto add = [&](const Errors& errors, int digits) {
    text += errors.count() == 0 ? " - | - | - |"
                                : fmt::format(" {:.{}f} % | {:.{}f} % | {} of {} |", 100 * errors.median(), digits,
                                              100 * errors.worst(), digits, errors.inside(), errors.count());
  };
  add(errors_of(steps, Peak::allocated), 3);
  add(errors_of(steps, Peak::reserved), 2);
  add(time_errors_of(steps), 1);
  return text + "\n";
}

/// What a row of the table is about.
std::string network_of(const NetworkStep& step) {
  if (!step.is_vgg()) {
    return step.memory.job.model.name;
  }
  const bool image = step.memory.job.scope.trained == graph::Trained::image;
  return image ? "VGG, the image trained" : "VGG, layers frozen";
}

std::string table_by_network(const std::vector<NetworkStep>& steps) {
  std::string text =
      "| Network | Steps | Allocated: median | worst | in the range | Reserved: median | worst | in the range | Step: "
      "median | worst | in the range |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
  std::vector<std::string> names;
  for (const NetworkStep& step : steps) {
    names.push_back(network_of(step));
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const auto some = [&](const auto& holds) {
    std::vector<NetworkStep> chosen;
    std::ranges::copy_if(steps, std::back_inserter(chosen), holds);
    return chosen;
  };
  text += line("**VGG**", some([](const NetworkStep& step) { return step.is_vgg(); }));
  text += line("**other networks**", some([](const NetworkStep& step) { return !step.is_vgg(); }));
  for (const std::string& name : names) {
    text += line(name, some([&](const NetworkStep& step) { return network_of(step) == name; }));
  }
  return text;
}

std::string_view yes(bool inside) { return inside ? "yes" : "no"; }

std::string step_rows(const std::vector<NetworkStep>& steps) {
  std::string text =
      "| Step | Allocated | Reserved | in the range | Measured ms | Predicted ms | Error | in the range "
      "|\n|---|--:|--:|---|--:|--:|--:|---|\n";
  for (const NetworkStep& step : steps) {
    const MemoryCompared& reserved = step.memory.peaks.at(Peak::reserved);
    const TimeCompared& time = step.time.step;
    text += fmt::format("| {} | {:+.3f} % | {:+.2f} % | {} | {:.2f} | {:.2f} | {:+.1f} % | {} |\n", step.memory.label,
                        100 * step.memory.peaks.at(Peak::allocated).error(), 100 * reserved.error(),
                        yes(reserved.inside()), 1e3 * time.measured.count(), 1e3 * time.predicted.value.count(),
                        100 * time.error(), yes(time.inside()));
  }
  return text;
}

}  // namespace

std::string network_section() {
  std::string text =
      "\n## Frozen layers and other networks\n\nVGG with layers frozen, or cut at relu3_3 with the image trained, and "
      "the networks that ship beside it, on an H200.\n\n"
      "### Steps that nothing was fitted to\n\n`other_networks.jsonl`, 2026-11-29. One was read: U-Net's requests in "
      "tf32 nchw at 384x640.\n\n";
  text += table_by_network(network_steps("other_networks.jsonl"));
  text +=
      "\n### Steps that rules of memory were made with\n\n`scenarios.jsonl`: their requests were recorded. No time was "
      "fitted to them.\n\n";
  text += table_by_network(network_steps("scenarios.jsonl"));
  text +=
      "\n### Batch norms that keep their running statistics\n\n`eval_norms.jsonl`: their requests were recorded.\n\n";
  text += table_by_network(network_steps("eval_norms.jsonl"));
  text += "\n### Every step that nothing was fitted to\n\n" + step_rows(network_steps("other_networks.jsonl"));
  return text;
}

}  // namespace vggplan::accuracy
