// SPDX-License-Identifier: MIT
// Convolutions as products of matrices on tensor cores: what their work is beyond that of their tensors.
#pragma once

#include <cstdint>

#include "vggplan/timing/op.hpp"

namespace vggplan::timing {

/// Channels of the tensors that such kernels read: those of whole vectors of 16 bytes.
std::int64_t whole_vectors(std::int64_t channels, std::int64_t element_bytes);

/// FLOPs and bytes of a convolution that runs in tiles: tiles that are begun cost as much as full ones.
struct Product {
  double flops{};
  double bytes{};
};
Product tiled_product(const Op& op);

/// The same of any convolution but true fp32's. Groups have no tiles; of one channel each, a thread takes an output and
/// reads its taps, which caches serve: those bytes say how long it takes.
Product product_of(const Op& op);

/// Copies before and after the kernel: contiguous tensors are turned, those of other channels padded. Bytes read and
/// written, as many as turning moves in their time, and how many kernels more than none start for them.
struct Copies {
  double bytes{};
  double starts{};
};
Copies copies_of(const Op& op);

}  // namespace vggplan::timing
