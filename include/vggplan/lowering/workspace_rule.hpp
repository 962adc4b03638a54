// SPDX-License-Identifier: MIT
// What a convolution takes beside its operands: rules that are data of configs/frameworks.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "vggplan/base/dtype.hpp"

namespace vggplan::lowering {

enum class ConvPass { forward, input_gradient, weight_gradient };

/// Closed below, open above.
struct Range {
  std::int64_t first{0};
  std::int64_t end{std::numeric_limits<std::int64_t>::max()};
  [[nodiscard]] constexpr bool holds(std::int64_t value) const { return first <= value && value < end; }
  bool operator==(const Range&) const = default;
};

/// cuDNN's workspace as copies of a convolution's operands: with NCHW tensors the tensor-core kernels
/// work on NHWC copies of input and output; weight gradients add split-K partial sums, which are
/// multiples of the weight. `align`: channels of the copied input are padded to a multiple of this.
struct WorkspaceSize {
  double input{0};
  double output{0};
  double weight{0};
  std::int64_t bytes{0};
  std::int64_t align{0};  ///< channels of the copies are padded to this; 0: to 16 bytes
  bool operator==(const WorkspaceSize&) const = default;
};

/// A pass is a product of matrices, whose tiles run in waves. The tiles of the last, partial wave are split along the
/// sum as often as the wave has room, and the parts meet in the workspace, added two by two with a counter for each
/// addition. Rows and columns are pixels and channels that come out; of a weight gradient they are channels that come
/// out and those that go in, once a tap.
struct SplitTiles {
  std::array<std::int64_t, 2> tile{1, 1};     ///< rows and columns
  std::array<std::int64_t, 2> cluster{1, 1};  ///< tiles that run together, in either direction
  std::int64_t slots{132};                    ///< tiles in a wave, on a GPU of 132 SMs
  std::int64_t steps{1};                      ///< of 128 bytes of either operand, that a part keeps at least
  bool operator==(const SplitTiles&) const = default;
};

/// What one kernel takes. `copies`: it reads NHWC tensors of aligned channels only, others are copied. `winograd`: it
/// works on transforms F(4x4, 3x3) of maps and weight in fp32.
struct WorkspaceKernel {
  bool copies{false};
  bool winograd{false};
  WorkspaceSize size{};
  std::optional<SplitTiles> split{};
  bool operator==(const WorkspaceKernel&) const = default;
};

/// Filters that a rule holds for, by the side of the kernel and by channels of each group.
struct FilterRange {
  Range kernel{};
  Range stride{};
  Range groups{1, 2};
  Range group_channels{};
  bool operator==(const FilterRange&) const = default;
};

/// What a tree asks of a convolution. An alignment is the largest power of two, up to 64, that divides.
enum class SizeAxis {
  pixels,  ///< of all images
  images,
  map,  ///< pixels of one image
  height,
  width,
  in_channels,
  out_channels,
  nchw,  ///< 1, or 0 for NHWC
  pixels_alignment,
  map_alignment,
  channels_alignment,  ///< of both
};

/// A node of a decision tree: sizes below `from` go to `below`, others to `above`. Those are indices, of a kernel where
/// `..._is_kernel`, else of a later node.
struct SizeChoice {
  SizeAxis axis{SizeAxis::pixels};
  std::int64_t from{0};
  std::size_t below{0};
  std::size_t above{0};
  bool below_is_kernel{true};
  bool above_is_kernel{true};
  bool operator==(const SizeChoice&) const = default;
};

/// The first rule that holds for a convolution gives its workspace: what its kernel takes. Bounds on channels, on
/// pixels (images x height x width) and on elements of the larger operand. Of several kernels the tree picks one.
struct WorkspaceRule {
  std::vector<base::MathMode> math{};
  std::optional<base::Layout> layout{};  ///< none: both
  ConvPass pass{ConvPass::forward};
  Range in_channels{};
  Range out_channels{};
  Range pixels{};
  Range elements{};
  std::optional<FilterRange> filter{};  ///< none: 3x3 of stride 1 alone
  std::vector<WorkspaceKernel> kernels{WorkspaceKernel{}};
  std::vector<SizeChoice> tree{};          ///< none: the first kernel
  std::vector<WorkspaceSize> fallbacks{};  ///< plans that are tried where memory is short; none at all comes last
  bool operator==(const WorkspaceRule&) const = default;
};

}  // namespace vggplan::lowering
