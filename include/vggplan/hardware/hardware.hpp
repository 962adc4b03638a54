// SPDX-License-Identifier: MIT
// What is known of GPUs, links, machines and storage: plain data, each figure with its source.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/dtype.hpp"
#include "vggplan/base/names.hpp"
#include "vggplan/base/units.hpp"

namespace vggplan::hardware {

/// No cluster that trains one VGG is larger; a larger count is a slip of the keyboard.
inline constexpr std::int64_t kMostGpus = 4096;

/// Where figures come from. `fields` are keys of the file; empty: the source covers the whole record.
struct Source {
  std::vector<std::string> fields{};
  std::string reference{};
  std::string date{};  ///< ISO date where known
  std::string note{};
  bool operator==(const Source&) const = default;
};

/// How GPUs of one machine reach each other.
enum class Topology {
  none,           ///< one GPU
  pcie,           ///< through the host's lanes
  nvlink_bridge,  ///< pairs of cards
  nvlink_mesh,    ///< direct NVLinks between neighbours (SXM2 boards)
  nvswitch,       ///< every GPU to every GPU at full NVLink rate
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
  base::Bytes l2_reported{};  ///< what CUDA says of it, and programs that fill it go by
  base::BytesPerSecond memory_bandwidth{};
  std::optional<base::FlopsPerSecond> fp32{};         ///< outside tensor cores
  std::optional<base::FlopsPerSecond> tf32_tensor{};  ///< dense, no sparsity, like the next two
  std::optional<base::FlopsPerSecond> fp16_tensor{};
  std::optional<base::FlopsPerSecond> bf16_tensor{};
  std::optional<std::string> nvlink{};       ///< name of a Link
  Topology nvlink_topology{Topology::none};  ///< what NVLink can join this form of the GPU to
  std::string pcie{};                        ///< name of the Link to the host
  std::vector<std::string> unverified{};
  std::vector<Source> sources{};
  std::string like{};  ///< title of the card whose figures it has, where only its size is known
  bool operator==(const Gpu&) const = default;

  /// Bytes that the caching allocator may reserve.
  [[nodiscard]] base::Bytes usable_memory() const { return memory_total - context_memory; }
};

/// What is printed on the box: the driver reports a little less. CUDA's GiB are the shop's GB.
std::int64_t gigabytes_as_sold(const Gpu& gpu);

/// A GPU that is not modelled, with what tells which of those that are come near.
struct OtherGpu {
  std::string name{};
  std::string title{};
  double gigabytes{};  ///< as sold
  base::FlopsPerSecond fp32{};
};

/// 75 for "7.5", 120 for "12.0"; 0 for what is no version.
std::int64_t capability_number(std::string_view text);

/// Dense peak of the unit that runs `mode`; absent where the GPU lacks it (bf16 on a V100).
/// TF32 falls back to fp32 on GPUs before Ampere, as PyTorch does.
/// So does fp16 on GPUs without tensor cores: cuDNN then computes in fp32 on half-size data.
std::optional<base::FlopsPerSecond> peak_rate(const Gpu& gpu, base::MathMode mode);
/// What a GPU really computes in where `mode` is asked for: fp32 for tf32 and fp16 without units for them.
base::MathMode arithmetic(const Gpu& gpu, base::MathMode mode);

/// What joins `count` GPUs of one machine of which nothing else is known. NVLink bridges are sold
/// apart and join two cards, so cards that take them are assumed to be on PCIe alone.
Topology default_topology(const Gpu& gpu, std::int64_t count);

/// What a ring of `count` GPUs of one machine goes over: bridges join pairs, so one of more crosses PCIe.
Topology ring_topology(Topology machine, std::int64_t count);

/// Name of the Link that data between GPUs goes over; nothing for a GPU alone.
std::optional<std::string> peer_link(const Gpu& gpu, Topology topology);

struct Link {
  std::string name{};
  std::string title{};
  base::BytesPerSecond per_direction{};
  std::vector<std::string> unverified{};
  std::vector<Source> sources{};
  bool operator==(const Link&) const = default;
};

/// How old a price is: by as many days where its date is no more than an interval.
struct PriceAge {
  std::string today{};  ///< the day that it is told of
  std::int64_t least{};
  std::int64_t most{};
  bool operator==(const PriceAge&) const = default;
};

/// What a machine costs, whole.
struct Price {
  base::Usd per_hour{};
  std::string reference{};
  std::string date{};    ///< an ISO date, or an interval "2026-01-01/2026-06-30"; empty: not told
  std::string region{};  ///< empty: not told
  bool spot{false};      ///< of a machine that its owner may take back at any time
  std::optional<PriceAge> age{};
  bool operator==(const Price&) const = default;
};

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
  std::optional<Price> spot_price{};
  std::vector<std::string> unverified{};
  std::vector<Source> sources{};
  bool operator==(const Machine&) const = default;
};

struct Storage {
  std::string name{};  ///< nvme, sata-ssd, hdd, nfs, object-store
  std::string title{};
  base::BytesPerSecond sequential_read{};
  base::Seconds latency{};                       ///< per read of one file
  std::optional<std::int64_t> parallel_reads{};  ///< files read at once; nothing: as many as ask
  std::vector<std::string> unverified{};
  std::vector<Source> sources{};
  bool operator==(const Storage&) const = default;
};

}  // namespace vggplan::hardware
