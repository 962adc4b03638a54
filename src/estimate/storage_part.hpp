// SPDX-License-Identifier: MIT
// Storage, the length of the run and its price.
#pragma once

#include <optional>

#include "vggplan/estimate/estimate.hpp"
#include "vggplan/estimate/run.hpp"

namespace vggplan::estimate {

/// `images_per_second`: what the GPUs of all machines take.
StorageNeed storage_part(const graph::Network& network, const job::Job& job, double images_per_second);

/// The user's price of the machine takes the place of the catalogue's.
Target priced(Target target, const Knowledge& knowledge);

/// What the job costs an hour: by the machine's price, the user's for the GPU or, where no machine is named, that of
/// the cheapest that holds as many of the GPU as a node has. One machine a node, since that is what is timed.
std::optional<Quote> quote(const job::Job& job, const Target& target, const Knowledge& knowledge);
std::optional<base::Usd> usd_per_hour(const job::Job& job, const Target& target, const Knowledge& knowledge);

/// Nothing where the number of images is unknown.
std::optional<Run> run_part(const job::Job& job, const Time& time, std::optional<base::Usd> per_hour);

}  // namespace vggplan::estimate
