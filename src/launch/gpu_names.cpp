// SPDX-License-Identifier: MIT
// table
#include "launch/gpu_names.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace vggplan::launch {

namespace {

struct Names {
  std::string_view gpu{};
  std::string_view skypilot{};  ///< docs.skypilot.co/en/stable/compute/gpus.html and sky/utils/gpu_names.py, 2026-11
  std::string_view dstack{};    ///< KNOWN_NVIDIA_GPUS of dstackai/gpuhunt, 2026-11
};

// Those whose names are not their own in capitals without dashes and memory.
constexpr std::array kNames = std::to_array<Names>({
    {"a100-sxm4-40gb", "A100", "A100"},
    {"a100-sxm4-80gb", "A100-80GB", "A100"},
    {"a100-pcie-40gb", "A100", "A100"},
    {"a100-pcie-80gb", "A100-80GB", "A100"},
    {"h100-sxm5-80gb", "H100", "H100"},
    {"h100-pcie-80gb", "H100", "H100"},
    {"h100-nvl-94gb", "H100-NVL", "H100NVL"},
    {"h200-sxm-141gb", "H200", "H200"},
    {"h200-nvl-141gb", "H200", "H200"},
    {"b200-sxm-180gb", "B200", "B200"},
    {"b300-sxm-288gb", "B300", "B300"},
    {"v100-sxm2-16gb", "V100", "V100"},
    {"v100-sxm2-32gb", "V100-32GB", "V100"},
    {"v100-pcie-16gb", "V100", "V100"},
    {"v100-pcie-32gb", "V100-32GB", "V100"},
    {"p100-sxm2-16gb", "P100", "P100"},
    {"p100-pcie-16gb", "P100", "P100"},
    {"rtx-6000-ada", "RTX6000-Ada", "RTX6000Ada"},
    {"rtx-5000-ada", "RTX5000-Ada", "RTX5000Ada"},
    {"rtx-4000-ada", "RTX4000-Ada", "RTX4000Ada"},
    {"rtx-a6000", "A6000", "A6000"},
    {"rtx-a5000", "A5000", "A5000"},
    {"rtx-a4500", "A4500", "A4500"},
    {"rtx-a4000", "A4000", "A4000"},
    {"quadro-rtx-6000", "RTX6000", "RTX6000"},
});

std::string in_capitals(std::string_view gpu) {
  std::string name;
  gpu = gpu.ends_with("gb") ? gpu.substr(0, gpu.rfind('-')) : gpu;
  for (const char c : gpu) {
    name += c == '-' ? "" : std::string(1, static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return name;
}

std::string known_as(std::string_view gpu, std::string_view Names::*cloud) {
  const auto* found = std::find_if(kNames.begin(), kNames.end(), [&](const Names& row) { return row.gpu == gpu; });
  return found == kNames.end() ? in_capitals(gpu) : std::string((*found).*cloud);
}

}  // namespace

std::string skypilot_name(std::string_view gpu) { return known_as(gpu, &Names::skypilot); }

std::string dstack_name(std::string_view gpu) { return known_as(gpu, &Names::dstack); }

}  // namespace vggplan::launch
