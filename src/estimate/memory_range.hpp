// SPDX-License-Identifier: MIT
// How far measured peaks of memory lie from what is simulated.
#pragma once

#include "vggplan/base/estimated.hpp"
#include "vggplan/hardware/hardware.hpp"
#include "vggplan/job/job.hpp"

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
Widths widths_of(const job::Job& job, const hardware::Gpu& gpu);

/// The architecture that the rules of workspaces were measured on.
bool is_hopper(const hardware::Gpu& gpu);

/// True fp32 and cudnn.benchmark: cuDNN chooses among workspaces of any size, by what is free.
bool cudnn_is_free(const job::Job& job, const hardware::Gpu& gpu);

/// DDP and ZeRO-1: whether two sets of gradients live at a time is a race between threads.
bool races(const job::Job& job);

}  // namespace vggplan::estimate
