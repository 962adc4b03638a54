// SPDX-License-Identifier: MIT
#include "timing/kernel_work.hpp"

#include <algorithm>

#include "vggplan/base/checked.hpp"

namespace vggplan::timing {
namespace {

/// Input pixels that the windows of an adaptive pool cover on one side, those in two windows twice.
std::int64_t covered(std::int64_t in, std::int64_t out) {
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < out; ++i) {
    sum += base::ceil_div((i + 1) * in, out) - i * in / out;
  }
  return sum;
}

/// A thread takes one output of a contiguous adaptive pool, and walks its window; backward it adds to each pixel. Where
/// windows overlap it adds atomically, in 16 bits by compare and swap: who loses tries again, so that the time of an
/// addition grows with the square of those that meet. tests/data/measurements/small_maps.jsonl
/// shows both.
double contiguous_pool(const Op& op) {
  constexpr double kWindowShare = 0.02;  // of an output's time, for each pixel of the map
  constexpr double kRetry = 0.035;       // of an output's time, for each addition and square of those that meet
  const Extent& e = op.extent;
  const auto outputs = static_cast<double>(e.k * e.k);
  const auto pixels = static_cast<double>(e.h * e.w);
  double work = outputs + kWindowShare * pixels;
  const bool overlap = e.h % e.k != 0 || e.w % e.k != 0;
  if (op.kind == OpKind::avg_pool_backward && overlap && base::size_of(op.type) == 2) {
    const auto additions = static_cast<double>(covered(e.h, e.k) * covered(e.w, e.k));
    const double meeting = additions / pixels;
    work += kRetry * additions * meeting * meeting;
  }
  return static_cast<double>(e.n * e.c * base::size_of(op.type)) * work;
}

/// One row of a contiguous map, the pixels of a channel of an image, keeps a block of threads busy however short it is.
std::int64_t shortest_row(const Op& op) {
  constexpr std::int64_t kWarps = 64;
  constexpr std::int64_t kBlock = 224;  // of cuDNN, which bfloat16 does not go to
  const bool own = op.type == base::DType::bf16;
  if (op.layout != base::Layout::nchw) {
    return 0;
  }
  if (op.kind == OpKind::batch_norm_inference) {
    return own ? kWarps : kBlock;
  }
  return op.kind == OpKind::max_pool_backward || (op.kind == OpKind::batch_norm_forward && own) ? kWarps : 0;
}

/// Inference of a contiguous batch norm gives a row to a block: few rows leave SMs idle. Above 2^31 elements other
/// kernels do without.
double idle_factor(const Op& op) {
  constexpr double kRows = 330.0;  // that fill the GPU
  const Extent& e = op.extent;
  const bool by_rows = op.kind == OpKind::batch_norm_inference && op.layout == base::Layout::nchw &&
                       e.n * e.c * e.h * e.w <= base::kLargestInt32;
  return by_rows ? std::max(1.0, kRows / static_cast<double>(e.n * e.c)) : 1.0;
}

}  // namespace

double kernel_bytes(const Op& op) {
  const bool pool = op.kind == OpKind::avg_pool_forward || op.kind == OpKind::avg_pool_backward;
  if (pool && op.extent.k > 1 && op.layout == base::Layout::nchw) {
    return contiguous_pool(op);
  }
  const std::int64_t pixels = op.extent.h * op.extent.w;
  return op.bytes().as_double() * idle_factor(op) *
         std::max(1.0, static_cast<double>(shortest_row(op)) / static_cast<double>(pixels));
}

double images_side_by_side(const Op& op) {
  constexpr double kMaps = 32768.0;  // maps of one channel that fill the GPU, a thread each
  return std::max(1.0, std::min(static_cast<double>(op.extent.n), kMaps / static_cast<double>(op.extent.c)));
}

}  // namespace vggplan::timing
