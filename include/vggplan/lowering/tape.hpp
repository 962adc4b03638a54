// SPDX-License-Identifier: MIT
// What PyTorch allocates and frees while a job runs: set-up, first step, later steps.
#pragma once

#include <span>
#include <vector>

#include "vggplan/graph/graph.hpp"
#include "vggplan/job/job.hpp"
#include "vggplan/lowering/framework.hpp"
#include "vggplan/lowering/schedule.hpp"
#include "vggplan/memory/tape.hpp"

namespace vggplan::lowering {

/// Where the framework's or the library's choice cannot be derived, the ends of what it may be.
enum class Workspaces {
  none,     ///< no convolution takes a workspace
  derived,  ///< by the rules of the framework profile
  largest,  ///< where cuDNN is free (true fp32, cudnn.benchmark): FFT wherever it can run
};

/// Which steps GradScaler skips.
enum class Skips {
  derived,  ///< as many first ones as skipped_steps() says
  none,
  all,  ///< the optimizer never comes to make its state
};

struct Variation {
  Workspaces workspaces{Workspaces::derived};
  bool both_bucket_sets{true};  ///< DDP: the first bucket still lives when the rebuilt ones are made (a race)
  Skips skips{Skips::derived};
  bool emptiest_rank{false};  ///< ZeRO-1: the rank that owns least, instead of rank 0
  bool buffers{true};         ///< sums of kernels, which are taken and freed at once
};

/// First steps of amp-fp16 that GradScaler skips, up to two: further ones change no figure. Its scale starts at 65536
/// and is halved until the gradients fit float16. For one image the gradient of the scaled loss is 65536 itself, which
/// does not. With batch norm the gradients of a fresh network are large. They are means over the pixels of a batch,
/// so that with four times the pixels they are half as large.
inline constexpr std::size_t kMostSkips = 2;
std::size_t skipped_steps(const job::Job& job, const Framework& framework);

/// Whether that depends on the weights as well, or on more than is known of a single image.
bool skips_uncertain(const job::Job& job);

/// The tape of one process (the one with the most memory, under sharding). Layer ids are node ids.
memory::Tape lower_tape(const graph::Network& network, const job::Job& job, const std::vector<Segment>& segments,
                        const Framework& framework, const Device& device, const Variation& variation = {});

/// Of one that trains on images of several sizes: the network for each, and which of them the steps draw, one after the
/// other. The last draw stays.
memory::Tape lower_tape(std::span<const graph::Network> sizes, std::span<const std::size_t> draws, const job::Job& job,
                        const std::vector<Segment>& segments, const Framework& framework, const Device& device,
                        const Variation& variation = {});

}  // namespace vggplan::lowering
