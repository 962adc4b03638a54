// SPDX-License-Identifier: MIT
// The data set of a job, and what a run writes down.
#pragma once

#include <cstdint>
#include <optional>

#include "vggplan/base/units.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/job/job.hpp"

namespace vggplan::estimate {

using base::Bytes;

/// Images that one epoch computes: its last batch may be short and counts whole. Nothing where the number of
/// images is unknown.
std::optional<double> images_of_epoch(const job::Job& job);
/// Inference goes through the data set once.
std::int64_t epochs_of(const job::Job& job);

/// Bytes of one image file: the user's figure, or measured bytes per pixel of the format.
Bytes bytes_per_image(const job::Job& job);

/// Bytes that are read of one image: its file, or its pixels from a decoded cache.
Bytes bytes_read_per_image(const job::Job& job);

/// torch.save of a state_dict: `with_optimizer` adds the optimizer's.
Bytes checkpoint_bytes(const graph::Network& network, const job::Job& job, bool with_optimizer);

}  // namespace vggplan::estimate
