// SPDX-License-Identifier: MIT
// Measured steps of frozen layers, trained images and other networks than VGG, and the program's answers.
#pragma once

#include <string>
#include <vector>

#include "accuracy/figures/memory_figures.hpp"
#include "accuracy/figures/time_figures.hpp"

namespace vggplan::accuracy {

struct NetworkStep {
  Step memory{};
  TimedStep time{};
  [[nodiscard]] bool is_vgg() const { return memory.job.model.architecture == graph::kVgg; }
};
/// Every row of a file, read once.
const std::vector<NetworkStep>& network_steps(const std::string& file);

Errors errors_of(const std::vector<NetworkStep>& steps, Peak peak);
/// Of steps that took at least `least` seconds.
Errors time_errors_of(const std::vector<NetworkStep>& steps, double least = 0);

}  // namespace vggplan::accuracy
