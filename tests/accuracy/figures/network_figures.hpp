// SPDX-License-Identifier: MIT
// Measured steps of frozen layers, trained images and other networks than VGG, and the program's answers.
#pragma once

#include <vector>

#include "accuracy/figures/memory_figures.hpp"
#include "accuracy/figures/time_figures.hpp"

namespace vggplan::accuracy {

struct NetworkStep {
  Step memory{};
  TimedStep time{};
  [[nodiscard]] bool is_vgg() const { return memory.job.model.architecture == graph::kVgg; }
};
/// Rows that rules of memory were made with, and rows that nothing was fitted to.
const std::vector<NetworkStep>& scenario_steps();
const std::vector<NetworkStep>& other_network_steps();
/// Rows of batch norms that keep their running statistics: their requests were read.
const std::vector<NetworkStep>& frozen_norm_steps();
const std::vector<NetworkStep>& compiled_steps();
const std::vector<NetworkStep>& held_out_compiled_steps();

/// Errors and how many were inside of their ranges.
struct Share {
  Spread errors{};
  std::size_t inside{};
};
Share share_of(const std::vector<NetworkStep>& steps, Peak peak);
/// Of steps that took at least `least` seconds.
Share time_share_of(const std::vector<NetworkStep>& steps, double least = 0);

}  // namespace vggplan::accuracy
