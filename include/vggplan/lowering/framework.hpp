// SPDX-License-Identifier: MIT
// What is known of a framework version and of the libraries under it: data of configs/frameworks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vggplan/base/units.hpp"
#include "vggplan/lowering/workspace_rule.hpp"
#include "vggplan/memory/allocator.hpp"

namespace vggplan::lowering {

/// Extremes that were measured, for warnings to quote.
struct Observed {
  std::optional<base::Bytes> fp32_step{};       ///< memory of a step in true fp32
  std::optional<base::Bytes> benchmark_step{};  ///< memory of a step under cudnn.benchmark
  std::optional<double> flush_slowdown{};       ///< of steps that flush the allocator's cache
  bool operator==(const Observed&) const = default;
};

/// How long a workspace of cuBLAS or cuBLASLt lives: from its first use to the end of the process, or while a product
/// is computed (PyTorch 2.15, and cuBLASLt's up to 2.8).
enum class Lifetime { process, call };

/// What PyTorch hands to cuBLAS on GPUs of these architectures, by the whole part of their compute capability; on all
/// others where none is named.
struct CublasWorkspace {
  std::vector<std::int64_t> majors{};
  base::Bytes bytes{};
  bool operator==(const CublasWorkspace&) const = default;
};

/// Device memory beside the allocator, of one process: the bare context, by multiprocessor, and what is loaded and
/// made when work begins (kernels, handles of libraries). Where nobody measured a GPU both may lie anywhere between.
struct Outside {
  base::Bytes bare_low{};  ///< for each multiprocessor
  base::Bytes bare_high{};
  base::Bytes loaded_low{};
  base::Bytes loaded_high{};
  base::Bytes measured_more{};  ///< than what was measured: from run to run
  bool operator==(const Outside&) const = default;
};

struct Framework {
  std::string name{};
  std::string title{};
  std::string rules_of{};  ///< title of the version whose rules these are; empty: measured with this one
  std::string allocator_variable{"PYTORCH_ALLOC_CONF"};  ///< of the environment; it holds the allocator's settings
  std::string least_capability{};                        ///< of a GPU that its builds run on
  std::string most_capability{};                         ///< of these; empty: all that there are
  Observed observed{};
  memory::AllocatorRules allocator{};
  std::vector<WorkspaceRule> workspace{};
  std::int64_t split_elements{2147483648};  ///< above this many elements cuDNN runs the batch in chunks
  std::vector<WorkspaceRule> benchmark{};   ///< largest workspace among the plans that cudnn.benchmark tries
  std::vector<CublasWorkspace> cublas_workspaces{{{9}, base::Bytes(33554432)}, {{}, base::Bytes(8519680)}};
  Lifetime cublas_lifetime{Lifetime::process};
  base::Bytes cublaslt_workspace{1048576};  ///< none where it uses that of cuBLAS
  Lifetime cublaslt_lifetime{Lifetime::process};
  base::Bytes cublas_handle_driver{67108864};    ///< addresses that the driver takes with a thread's cuBLAS handle
  base::Bytes backward_thread_driver{10485760};  ///< and more with that of the backward thread
  std::int64_t scaler_pixels_with_batch_norm{
      220000000};                     ///< in a batch, times its images, from which on GradScaler skips no step
  base::Bytes first_bucket{1048576};  ///< DDP's first rebuilt bucket
  Outside outside{};
  base::Bytes nccl{};                      ///< a communicator's buffers and kernels, on each GPU
  base::Bytes broadcast_chunk{262144000};  ///< DDP sends parameters from rank 0 in chunks of this
  bool operator==(const Framework&) const = default;
};

/// Of the first that names the architecture, or none.
base::Bytes cublas_workspace(const Framework& framework, std::int64_t major);

/// What of the GPU shapes allocations.
struct Device {
  std::int64_t sm_count{132};
  std::int64_t threads_per_sm{2048};
  base::Bytes cublas_workspace{33554432};
  base::Bytes l2_cache{52428800};
  bool tf32{true};  ///< has TF32 tensor cores; without them tf32 convolutions run in fp32
  bool fp16{true};  ///< the same of fp16
  bool operator==(const Device&) const = default;
};

}  // namespace vggplan::lowering
