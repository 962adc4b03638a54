// SPDX-License-Identifier: MIT
// How far measured peaks of memory lie from what is simulated.
#pragma once

#include <optional>

#include "vggplan/estimate/estimate.hpp"
#include "vggplan/hardware/hardware.hpp"
#include "vggplan/job/job.hpp"
#include "vggplan/lowering/framework.hpp"
#include "vggplan/memory/simulate.hpp"

namespace vggplan::estimate {

/// Ends of a range as shares of what is simulated.
struct Width {
  double low{1};
  double high{1};
};

struct Widths {
  Width allocated{};
  Width reserved{};
  base::Basis basis{base::Basis::simulated};
};
/// Whether the rules of workspaces were measured on the GPU's architecture, and with this version.
bool has_measured_rules(const hardware::Gpu& gpu, const lowering::Framework& framework);

/// `measured_rules`: as above.
Widths widths_of(const job::Job& job, const graph::Network& network, const hardware::Gpu& gpu, bool measured_rules);

/// Device memory that one process holds beside the allocator: context, kernels and handles, NCCL. The value is that of
/// jobs with Linear layers in forward and backward, which search and limits go by; the low end that of this network.
base::Estimated<Bytes> outside_allocator(const job::Job& job, const graph::Network& network, const hardware::Gpu& gpu,
                                         const lowering::Framework& framework);
Bytes outside_allocator(const job::Job& job, const hardware::Gpu& gpu, const lowering::Framework& framework);

/// True fp32 and cudnn.benchmark: cuDNN chooses among workspaces of any size, by what is free.
bool cudnn_is_free(const job::Job& job, const hardware::Gpu& gpu);

/// Elements of one image's largest tensor.
std::int64_t largest_output(const graph::Network& network);

/// Several passes under one autocast context were not measured.
bool measured_way(const job::Job& job);

/// What true fp32 may reserve beside what the upper simulation reserves. Where not all passes take FFT, an activation
/// may be cut from the cached segment of a workspace, and the next workspace of that size needs another: measured twice
/// 33 GiB beside each other (512x512, batch 8). A cache gives way before memory runs out.
Bytes stranded_workspace(const memory::Simulation& high, std::optional<Bytes> capacity);

/// DDP and ZeRO-1: whether two sets of gradients live at a time is a race between threads.
bool races(const job::Job& job);

}  // namespace vggplan::estimate
