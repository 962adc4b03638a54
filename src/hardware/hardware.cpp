// SPDX-License-Identifier: MIT
#include "vggplan/hardware/hardware.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace vggplan::hardware {

std::int64_t gigabytes_as_sold(const Gpu& gpu) {
  constexpr auto kSizes = std::to_array<std::int64_t>(
      {1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 16, 20, 24, 32, 40, 48, 64, 72, 80, 94, 96, 128, 141, 144, 180, 192, 288});
  const std::int64_t least = base::ceil_div(gpu.memory_total.count(), base::kGiB.count());
  const auto* const size = std::lower_bound(kSizes.begin(), kSizes.end(), least);
  return size == kSizes.end() ? least : *size;
}

std::int64_t capability_number(std::string_view text) {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  const char* const end = text.data() + text.size();
  const char* const dot = std::from_chars(text.data(), end, major).ptr;
  if (dot != end) {
    std::from_chars(dot + 1, end, minor);
  }
  return 10 * major + minor;
}

std::optional<base::FlopsPerSecond> peak_rate(const Gpu& gpu, base::MathMode mode) {
  switch (mode) {
    case base::MathMode::fp32: return gpu.fp32;
    case base::MathMode::tf32: return gpu.tf32_tensor ? gpu.tf32_tensor : gpu.fp32;
    case base::MathMode::fp16: return gpu.fp16_tensor ? gpu.fp16_tensor : gpu.fp32;
    case base::MathMode::bf16: return gpu.bf16_tensor;
  }
  return std::nullopt;
}

base::MathMode arithmetic(const Gpu& gpu, base::MathMode mode) {
  const bool falls_back =
      (mode == base::MathMode::tf32 && !gpu.tf32_tensor) || (mode == base::MathMode::fp16 && !gpu.fp16_tensor);
  return falls_back ? base::MathMode::fp32 : mode;
}

Topology default_topology(const Gpu& gpu, std::int64_t count) {
  if (count <= 1) {
    return Topology::none;
  }
  const bool on_board = gpu.nvlink && gpu.nvlink_topology != Topology::nvlink_bridge;
  return on_board && gpu.nvlink_topology != Topology::none ? gpu.nvlink_topology : Topology::pcie;
}

Topology ring_topology(Topology machine, std::int64_t count) {
  return machine == Topology::nvlink_bridge && count > 2 ? Topology::pcie : machine;
}

std::optional<std::string> peer_link(const Gpu& gpu, Topology topology) {
  switch (topology) {
    case Topology::none: return std::nullopt;
    case Topology::pcie: return gpu.pcie;
    case Topology::nvlink_bridge:
    case Topology::nvlink_mesh:
    case Topology::nvswitch: return gpu.nvlink ? gpu.nvlink : gpu.pcie;
  }
  return std::nullopt;
}

}  // namespace vggplan::hardware
