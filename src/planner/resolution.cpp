// SPDX-License-Identifier: MIT
#include "resolution.hpp"

#include <algorithm>

#include "limits.hpp"

namespace vggplan::planner {
namespace {

std::int64_t rounded_ratio(std::int64_t a, std::int64_t b, std::int64_t c) {
  return std::max<std::int64_t>(1, (2 * a * b + c) / (2 * c));
}

/// Of the jobs from 1 to `most`, growing, the largest that fits.
template <class JobOf>
std::int64_t largest_that_fits(std::int64_t most, JobOf job_of, const estimate::Target& target, const Fit& fit) {
  const std::int64_t ceiling =
      last_true(most, [&](std::int64_t n) { return fit.floor_excess(job_of(n), target) <= base::Bytes(0); });
  return largest_below(
      ceiling, [&](std::int64_t n) { return fit.fits(job_of(n), target); }, 3 * kFewTried);
}

}  // namespace

graph::Shape scaled(const graph::Shape& image, std::int64_t longest) {
  graph::Shape result = image;
  if (image.height >= image.width) {
    result.height = longest;
    result.width = rounded_ratio(image.width, longest, image.height);
  } else {
    result.width = longest;
    result.height = rounded_ratio(image.height, longest, image.width);
  }
  return result;
}

namespace {

/// With sides that the network takes.
graph::Shape scaled_for(const job::Job& job, std::int64_t longest) {
  const std::int64_t multiple = job::side_multiple(job);
  graph::Shape image = scaled(job.image, longest);
  for (std::int64_t* side : {&image.height, &image.width}) {
    *side = std::max(multiple, *side / multiple * multiple);
  }
  return image;
}

}  // namespace

MaxResolution largest_resolution(const job::Job& job, const estimate::Target& target, const Fit& fit,
                                 std::int64_t longest) {
  const auto with_side = [&](std::int64_t side) { return job::of_size(job, scaled_for(job, side)); };
  const std::int64_t side = largest_that_fits(longest, with_side, target, fit);
  MaxResolution result;
  result.gpu = target.gpu.name;
  result.batch = job.batch;
  result.job = job;
  if (side > 0) {
    const graph::Shape image = scaled_for(job, side);
    result.height = image.height;
    result.width = image.width;
    result.limited_by_search = side == kLargestSide;
  }
  return result;
}

Tiling tiling(const graph::Shape& image, const estimate::ReceptiveField& field, std::int64_t side) {
  // A window reaches (size - stride) / 2 pixels beyond the stride x stride pixels that its output stands for,
  // on either side. Tiles lie on the grid of the stride, so whole outputs are dropped.
  const std::int64_t reach = (field.size - field.stride + 1) / 2;
  const std::int64_t margin = base::round_up(reach, field.stride);
  Tiling result{side, 2 * margin, 0, field.size};
  const auto along = [&](std::int64_t length) -> std::int64_t {
    if (side >= length) {
      return 1;
    }
    const std::int64_t advance = side - result.overlap;
    return advance <= 0 ? 0 : base::ceil_div(length - result.overlap, advance);
  };
  result.tiles = along(image.height) * along(image.width);
  return result;
}

job::Job on_tile(job::Job job, std::int64_t side) {
  job.image.height = std::min(job.image.height, side);
  job.image.width = std::min(job.image.width, side);
  job.sizes.clear();
  return job;
}

Tiling largest_tile(const job::Job& job, const estimate::Target& target, const Fit& fit) {
  const auto field = estimate::receptive_field(job::network_of(job).value());
  const std::int64_t longest = std::max(job.image.height, job.image.width);
  const std::int64_t whole = base::ceil_div(longest, field.stride);
  const std::int64_t steps = largest_that_fits(
      whole, [&](std::int64_t n) { return on_tile(job, n * field.stride); }, target, fit);
  return tiling(job.image, field, steps * field.stride);
}

}  // namespace vggplan::planner
