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

struct Framework {
  std::string name{};
  std::string title{};
  std::string least_capability{};  ///< of a GPU that its builds run on
  Observed observed{};
  memory::AllocatorRules allocator{};
  std::vector<WorkspaceRule> workspace{};
  std::int64_t split_elements{2147483648};  ///< above this many elements cuDNN runs the batch in chunks
  std::vector<WorkspaceRule> benchmark{};   ///< largest workspace among the plans that cudnn.benchmark tries
  base::Bytes cublas_workspace{8519680};
  base::Bytes cublas_workspace_sm90{33554432};
  base::Bytes cublaslt_workspace{1048576};
  base::Bytes cublas_handle_driver{67108864};    ///< addresses that the driver takes with a thread's cuBLAS handle
  base::Bytes backward_thread_driver{10485760};  ///< and more with that of the backward thread
  std::int64_t scaler_pixels_with_batch_norm{
      220000000};                          ///< in a batch, times its images, from which on GradScaler skips no step
  base::Bytes first_bucket{1048576};       ///< DDP's first rebuilt bucket
  base::Bytes nccl{};                      ///< a communicator's buffers and kernels, on each GPU
  base::Bytes broadcast_chunk{262144000};  ///< DDP sends parameters from rank 0 in chunks of this
  bool operator==(const Framework&) const = default;
};

/// What of the GPU shapes allocations.
struct Device {
  std::int64_t sm_count{132};
  std::int64_t threads_per_sm{2048};
  base::Bytes cublas_workspace{33554432};
  bool tf32{true};  ///< has TF32 tensor cores; without them tf32 convolutions run in fp32
  bool fp16{true};  ///< the same of fp16
  bool operator==(const Device&) const = default;
};

}  // namespace vggplan::lowering
