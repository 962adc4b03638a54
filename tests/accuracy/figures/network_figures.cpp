// SPDX-License-Identifier: MIT
#include "accuracy/figures/network_figures.hpp"

#include <stdexcept>

#include "accuracy/figures/time_rows.hpp"

namespace vggplan::accuracy {
namespace {

std::vector<NetworkStep> network_steps(const std::string& file) {
  std::vector<Step> memory = measured_steps({file}, kH200);
  std::vector<TimedStep> time = timed_steps({file}, gpu_named(kH200), stored_calibration());
  if (memory.size() != time.size()) {
    throw std::runtime_error(file + ": a row lacks its peaks or its times");
  }
  std::vector<NetworkStep> steps;
  for (std::size_t i = 0; i < memory.size(); ++i) {
    steps.push_back({std::move(memory[i]), std::move(time[i])});
  }
  return steps;
}

}  // namespace

const std::vector<NetworkStep>& scenario_steps() {
  static const std::vector<NetworkStep> kSteps = network_steps("scenarios.jsonl");
  return kSteps;
}

const std::vector<NetworkStep>& other_network_steps() {
  static const std::vector<NetworkStep> kSteps = network_steps("other_networks.jsonl");
  return kSteps;
}

const std::vector<NetworkStep>& frozen_norm_steps() {
  static const std::vector<NetworkStep> kSteps = network_steps("eval_norms.jsonl");
  return kSteps;
}

const std::vector<NetworkStep>& compiled_steps() {
  static const std::vector<NetworkStep> kSteps = network_steps("compiled_steps.jsonl");
  return kSteps;
}

const std::vector<NetworkStep>& held_out_compiled_steps() {
  static const std::vector<NetworkStep> kSteps = network_steps("compiled_steps_held_out.jsonl");
  return kSteps;
}

Share share_of(const std::vector<NetworkStep>& steps, Peak peak) {
  Share share;
  for (const NetworkStep& step : steps) {
    const Compared& compared = step.memory.peaks.at(peak);
    share.errors.add(compared.error());
    share.inside += compared.inside() ? 1U : 0U;
  }
  return share;
}

Share time_share_of(const std::vector<NetworkStep>& steps, double least) {
  Share share;
  for (const NetworkStep& step : steps) {
    if (step.time.step.measured >= least) {
      share.errors.add(step.time.step.error());
      share.inside += step.time.step.inside() ? 1U : 0U;
    }
  }
  return share;
}

}  // namespace vggplan::accuracy
