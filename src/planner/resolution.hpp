// SPDX-License-Identifier: MIT
// The largest image of the same aspect that fits, and the largest tile.
#pragma once

#include "fit.hpp"

namespace vggplan::planner {

/// Largest side length looked at.
inline constexpr std::int64_t kLargestSide = 65'536;

/// The image scaled so that its longer side is `longest` pixels; the shorter one rounded to the nearest pixel.
graph::Shape scaled(const graph::Shape& image, std::int64_t longest);

/// Largest image of the job's aspect that fits at the job's other settings, its longer side at most `longest`, by some
/// tens of simulations: see `MaxResolution`. Height and width 0 where not even the smallest does.
MaxResolution largest_resolution(const job::Job& job, const estimate::Target& target, const Fit& fit,
                                 std::int64_t longest = kLargestSide);

/// A square cut of the image, on the grid of the last pooling. Of its outputs, those near its border see the
/// padding instead of the image; neighbouring tiles share `overlap` pixels to make up for that.
struct Tiling {
  std::int64_t side{};
  std::int64_t overlap{};
  std::int64_t tiles{};  ///< to cover the image
  std::int64_t field{};  ///< pixels that an output sees
};

/// How many tiles of `side` cover the image. 0 where a tile is too small to hold one clean output.
Tiling tiling(const graph::Shape& image, const estimate::ReceptiveField& field, std::int64_t side);

/// The largest tile that fits.
Tiling largest_tile(const job::Job& job, const estimate::Target& target, const Fit& fit);

/// The job on one tile instead of the whole image.
job::Job on_tile(job::Job job, std::int64_t side);

}  // namespace vggplan::planner
