// SPDX-License-Identifier: MIT
// What is known of GPUs, links, machines and storage: plain data, each figure with its source.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vggplan/base/dtype.hpp"
#include "vggplan/base/units.hpp"

namespace vggplan::hardware {

/// Where figures come from. `fields` empty: the source covers the whole record.
struct Source {
  std::vector<std::string> fields{};
  std::string reference{};
  std::string date{};  ///< ISO date where known
  std::string note{};
  bool operator==(const Source&) const = default;
};

struct Gpu {
  std::string name{};   ///< a100-sxm4-80gb
  std::string title{};  ///< NVIDIA A100 SXM4 80 GB
  std::string architecture{};
  std::string compute_capability{};
  std::int64_t sm_count{};
  double boost_clock_mhz{};
  base::Bytes memory_total{};    ///< what the driver reports, not what is printed on the box
  base::Bytes context_memory{};  ///< CUDA context and loaded modules of one training process
  base::Bytes l2_cache{};
  base::BytesPerSecond memory_bandwidth{};
  std::optional<base::FlopsPerSecond> fp32{};         ///< outside tensor cores
  std::optional<base::FlopsPerSecond> tf32_tensor{};  ///< dense, no sparsity, like the next two
  std::optional<base::FlopsPerSecond> fp16_tensor{};
  std::optional<base::FlopsPerSecond> bf16_tensor{};
  std::optional<std::string> nvlink{};  ///< name of a Link
  std::string pcie{};                   ///< name of a Link
  std::vector<std::string> unverified{};
  std::vector<Source> sources{};
  bool operator==(const Gpu&) const = default;

  /// Bytes that the caching allocator may reserve.
  [[nodiscard]] base::Bytes usable_memory() const { return memory_total - context_memory; }
};

/// Dense peak of the unit that runs `mode`; absent where the GPU lacks it (bf16 on a V100).
/// TF32 falls back to fp32 on GPUs before Ampere, as PyTorch does.
std::optional<base::FlopsPerSecond> peak_rate(const Gpu& gpu, base::MathMode mode);

struct Link {
  std::string name{};
  std::string title{};
  base::BytesPerSecond per_direction{};
  std::optional<base::Seconds> latency{};
  std::vector<Source> sources{};
  bool operator==(const Link&) const = default;
};

struct Price {
  base::Usd per_hour{};
  std::string reference{};
  std::string date{};
  bool operator==(const Price&) const = default;
};

/// How GPUs of one machine reach each other.
enum class Topology { none, pcie, nvlink_bridge, nvlink_mesh, nvswitch };

/// A server or a cloud instance.
struct Machine {
  std::string name{};  ///< p4d.24xlarge
  std::string provider{};
  std::string gpu{};  ///< name of a Gpu
  std::int64_t gpu_count{1};
  Topology topology{Topology::pcie};
  std::optional<std::int64_t> vcpus{};
  std::optional<base::Bytes> ram{};
  std::optional<base::Bytes> local_storage{};
  std::optional<base::BytesPerSecond> network{};
  std::optional<Price> price{};
  std::vector<std::string> unverified{};
  std::vector<Source> sources{};
  bool operator==(const Machine&) const = default;
};

struct Storage {
  std::string name{};  ///< nvme, sata-ssd, hdd, nfs, object-store
  std::string title{};
  base::BytesPerSecond sequential_read{};
  base::Seconds latency{};  ///< per read of one file
  std::vector<Source> sources{};
  bool operator==(const Storage&) const = default;
};

}  // namespace vggplan::hardware
