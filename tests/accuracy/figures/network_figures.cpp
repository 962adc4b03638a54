// SPDX-License-Identifier: MIT
#include "accuracy/figures/network_figures.hpp"

#include <stdexcept>

namespace vggplan::accuracy {
namespace {

std::vector<NetworkStep> read(const std::string& file) {
  Steps memory = measured_steps({file}, kH200);
  std::vector<TimedStep> time = timed_steps({file});
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

const std::vector<NetworkStep>& network_steps(const std::string& file) {
  static std::map<std::string, std::vector<NetworkStep>> known;
  const auto found = known.find(file);
  return found != known.end() ? found->second : known.emplace(file, read(file)).first->second;
}

Errors errors_of(const std::vector<NetworkStep>& steps, Peak peak) {
  Errors errors;
  for (const NetworkStep& step : steps) {
    errors.add(step.memory.label, step.memory.peaks.at(peak));
  }
  return errors;
}

Errors time_errors_of(const std::vector<NetworkStep>& steps, double least) {
  Errors errors;
  for (const NetworkStep& step : steps) {
    if (step.time.step.measured.count() >= least) {
      errors.add(step.time.label, step.time.step);
    }
  }
  return errors;
}

}  // namespace vggplan::accuracy
