// SPDX-License-Identifier: MIT
#include "vggplan/lowering/workspace.hpp"

#include <algorithm>
#include <bit>
#include <functional>

#include "vggplan/base/checked.hpp"

namespace vggplan::lowering {

namespace {

constexpr std::int64_t power_of_two_below(std::int64_t value) {
  return static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(std::max<std::int64_t>(value, 1))));
}

std::int64_t pixels_in(const Convolution& conv) { return conv.images * conv.height * conv.width; }

std::int64_t pixels_out(const Convolution& conv) {
  const timing::Filter& filter = conv.filter;
  return filter.out_height > 0 ? conv.images * filter.out_height * filter.out_width : pixels_in(conv);
}

std::int64_t weights(const Convolution& conv, std::int64_t in, std::int64_t out) {
  return in * out * conv.filter.taps() / conv.filter.groups;
}

/// Of the larger operand.
std::int64_t elements(const Convolution& conv) {
  return std::max(conv.in_channels * pixels_in(conv), conv.out_channels * pixels_out(conv));
}

/// Tensor cores take 16 bytes at a time.
std::int64_t vector_channels(const Convolution& conv) {
  constexpr std::int64_t kVector = 16;
  return conv.math == base::MathMode::fp32 ? 1 : kVector / conv.element_bytes;
}

/// Padded to what tensor cores take.
std::int64_t padded(const Convolution& conv, std::int64_t channels) {
  return base::round_up(channels, vector_channels(conv));
}

/// Copies of what does not lie as a kernel reads it: NCHW tensors, channels that need padding, and with either of
/// them the weight.
std::int64_t copied_bytes(const Convolution& conv) {
  constexpr std::int64_t kAlignment = 16;
  const std::int64_t in = padded(conv, conv.in_channels);
  const std::int64_t out = padded(conv, conv.out_channels);
  const bool nchw = conv.layout == base::Layout::nchw;
  const std::int64_t input = nchw || in != conv.in_channels ? in : 0;
  const std::int64_t output = nchw || out != conv.out_channels ? out : 0;
  if (input + output == 0) {
    return 0;
  }
  return (input * pixels_in(conv) + output * pixels_out(conv) + weights(conv, in, out)) * conv.element_bytes +
         kAlignment;
}

std::int64_t bytes_of(const WorkspaceSize& size, const Convolution& conv) {
  const std::int64_t align = size.align == 0 ? vector_channels(conv) : size.align;
  const std::int64_t in = base::round_up(conv.in_channels, align);
  const std::int64_t out = base::round_up(conv.out_channels, align);
  const auto operand = [&](double copies, std::int64_t elements) {
    return static_cast<std::int64_t>(copies * static_cast<double>(elements * conv.element_bytes));
  };
  return operand(size.input, in * pixels_in(conv)) + operand(size.output, out * pixels_out(conv)) +
         operand(size.weight, weights(conv, in, out)) + size.bytes;
}

/// Partial sums of the tiles that do not fill a wave.
std::int64_t stream_k_bytes(const StreamK& rule, ConvPass pass, const Convolution& conv, const Device& device) {
  constexpr std::int64_t kReferenceSms = 132;
  constexpr std::int64_t kProductsPerStep = 32;
  constexpr std::int64_t kSumBytes = 4;
  const bool forward = pass == ConvPass::forward;  // an input gradient is a convolution the other way
  const std::int64_t produced = padded(conv, forward ? conv.out_channels : conv.in_channels);
  const std::int64_t summed = padded(conv, forward ? conv.in_channels : conv.out_channels);
  const std::int64_t pixels = forward ? pixels_out(conv) : pixels_in(conv);
  const std::int64_t tiles = base::ceil_div(pixels, rule.tile_pixels) * base::ceil_div(produced, rule.tile_channels);
  const std::int64_t slots = std::max<std::int64_t>(1, rule.slots * device.sm_count / kReferenceSms);
  const std::int64_t partial = base::round_up(tiles, rule.cluster) % slots;
  if (partial == 0) {
    return 0;
  }
  const std::int64_t steps = conv.filter.taps() * summed / kProductsPerStep;
  const std::int64_t most = std::min(slots / partial, steps / rule.iterations);
  if (most <= 1) {
    return 0;
  }
  const std::int64_t parts = base::ceil_div(steps, base::ceil_div(steps, most));
  return partial * parts * rule.tile_pixels * rule.tile_channels * kSumBytes;
}

/// A 3x3 of stride 1, whatever its padding: what the rules that name no filter were read from.
bool is_plain(timing::Filter filter) {
  filter.out_height = filter.out_width = 0;
  return filter == timing::Filter{};
}

bool holds(const std::optional<FilterRange>& range, const Convolution& conv) {
  const timing::Filter& filter = conv.filter;
  if (!range || is_plain(filter)) {
    return !range && is_plain(filter);
  }
  return range->kernel.holds(std::max(filter.height, filter.width)) && range->stride.holds(filter.stride) &&
         range->groups.holds(filter.groups) && range->group_channels.holds(conv.in_channels / filter.groups);
}

const WorkspaceRule* matching(const std::vector<WorkspaceRule>& rules, ConvPass pass, const Convolution& conv) {
  const std::int64_t pixels = pixels_in(conv);
  const std::int64_t map = conv.height * conv.width;
  const auto rule = std::find_if(rules.begin(), rules.end(), [&](const WorkspaceRule& candidate) {
    return candidate.pass == pass && candidate.layout.value_or(conv.layout) == conv.layout &&
           std::find(candidate.math.begin(), candidate.math.end(), conv.math) != candidate.math.end() &&
           candidate.in_channels.holds(conv.in_channels) && candidate.out_channels.holds(conv.out_channels) &&
           candidate.pixels.holds(pixels) && candidate.elements.holds(elements(conv)) &&
           candidate.images.holds(conv.images) && candidate.map.holds(map) && map % candidate.map_multiple == 0 &&
           holds(candidate.filter, conv) && (candidate.ragged == 0 || pixels % candidate.ragged != 0);
  });
  return rule == rules.end() ? nullptr : &*rule;
}

/// cuDNN runs a batch whose larger operand passes 2^31 elements in chunks that do not.
Convolution first_chunk(const Framework& framework, Convolution conv) {
  const std::int64_t per_image = elements(conv) / conv.images;
  if (per_image * conv.images > framework.split_elements && per_image <= framework.split_elements) {
    conv.images = framework.split_elements / per_image;
  }
  return conv;
}

}  // namespace

std::vector<std::int64_t> workspace_plans(const Framework& framework, ConvPass pass, const Convolution& convolution,
                                          const Device& device) {
  const Convolution chunk = first_chunk(framework, convolution);
  const WorkspaceRule* rule = matching(framework.workspace, pass, chunk);
  std::vector<std::int64_t> plans;
  if (rule != nullptr) {
    const std::int64_t partial_sums = rule->stream_k ? stream_k_bytes(*rule->stream_k, pass, chunk, device) : 0;
    plans.push_back(bytes_of(rule->size, chunk) + (rule->copies ? copied_bytes(chunk) : 0) + partial_sums);
    for (const WorkspaceSize& fallback : rule->fallbacks) {
      if (const std::int64_t bytes = bytes_of(fallback, chunk); bytes < plans.back()) {
        plans.push_back(bytes);
      }
    }
  }
  plans.push_back(0);
  return plans;
}

std::int64_t operand_copies(const Convolution& conv) { return bytes_of({.input = 1, .output = 1, .weight = 1}, conv); }

std::int64_t fft_workspace(const Convolution& conv) {
  constexpr std::int64_t kSmallestSide = 16;
  constexpr std::int64_t kLargestSide = 256;
  constexpr std::int64_t kComplex = 8;
  const std::int64_t padded = std::max({conv.height + 2, conv.width + 2, kSmallestSide});
  const bool on_tensor_cores = conv.element_bytes != 4 && conv.math != base::MathMode::fp32;
  if (on_tensor_cores || padded > kLargestSide || !is_plain(conv.filter)) {
    return 0;
  }
  const auto side = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(padded)));
  const std::int64_t frequencies = side * (side / 2 + 1);
  const std::int64_t filters = 2 * conv.in_channels * conv.out_channels;
  const std::int64_t maps = conv.images * (conv.in_channels + conv.out_channels);
  return kComplex * frequencies * (filters + maps) + (conv.layout == base::Layout::nhwc ? operand_copies(conv) : 0);
}

std::vector<std::int64_t> benchmark_plans(const Framework& framework, ConvPass pass, const Convolution& convolution) {
  const Convolution chunk = first_chunk(framework, convolution);
  const WorkspaceRule* rule = matching(framework.benchmark, pass, chunk);
  std::vector<std::int64_t> plans{fft_workspace(chunk), rule == nullptr ? 0 : bytes_of(rule->size, chunk), 0};
  std::sort(plans.begin(), plans.end(), std::greater<>());
  return plans;
}

namespace {

/// The launch shape of one reduction: names and arithmetic as in Reduce.cuh.
struct ReductionShape {
  std::int64_t outputs{};
  std::int64_t inputs{};   ///< per output
  bool along_input{};      ///< the fastest dimension is reduced (NCHW); else outputs lie side by side (NHWC)
  std::int64_t vector{1};  ///< outputs per thread (NHWC)
  std::int64_t input_vector{1};
};

/// Outputs that lie side by side: a thread takes up to four of them.
ReductionShape side_by_side(std::int64_t outputs, std::int64_t inputs) {
  const std::int64_t vector = outputs % 4 == 0 ? 4 : outputs % 2 == 0 ? 2 : 1;
  return {outputs, inputs, false, vector, 1};
}

constexpr std::int64_t kMaxThreads = 512;
constexpr std::int64_t kWarp = 32;
constexpr std::int64_t kMinValues = 16;
constexpr std::int64_t kMaxValues = 256;
constexpr std::int64_t kAccumulator = 4;  // sums are kept in fp32

ReductionBuffers buffers_of(const ReductionShape& shape, const Device& device) {
  const std::int64_t dim0 = shape.along_input ? shape.inputs / shape.input_vector : shape.outputs / shape.vector;
  const std::int64_t dim1 = shape.along_input ? shape.outputs : shape.inputs;
  const std::int64_t most = kMaxThreads / shape.vector;
  const std::int64_t d0 = std::min(power_of_two_below(dim0), most);
  const std::int64_t d1 = std::min(power_of_two_below(dim1), most);
  const std::int64_t narrow = std::min(d0, kWarp);
  const std::int64_t height = std::min(d1, most / narrow);
  const std::int64_t width = std::min(d0, most / height);
  std::int64_t step_in = shape.along_input ? width : 1;
  std::int64_t step_out = shape.along_input ? 1 : width;
  const std::int64_t values = base::ceil_div(shape.inputs, step_in);
  const bool across_warps = values >= std::min(kMinValues * height, kMaxValues);
  (across_warps ? step_in : step_out) *= height;
  const std::int64_t grid = base::ceil_div(shape.outputs / shape.vector, step_out);
  const std::int64_t target = device.sm_count * (device.threads_per_sm / (width * height));
  const std::int64_t per_thread = base::ceil_div(shape.inputs, step_in);
  if (!across_warps || per_thread < kMaxValues || grid > target) {
    return {};
  }
  const std::int64_t blocks = std::max(std::min(base::ceil_div(target, grid), base::ceil_div(per_thread, kMinValues)),
                                       base::ceil_div(per_thread, kMaxValues));
  if (blocks <= 1) {
    return {};
  }
  const std::int64_t lanes = shape.along_input ? 1 : width * shape.vector;
  return {kAccumulator * shape.outputs * blocks * lanes, kAccumulator * grid, 1};
}

}  // namespace

ReductionBuffers bias_reduction(const Convolution& conv, const Device& device) {
  constexpr std::int64_t kOffsetLimit = base::kLargestInt32;  // TensorIterator: byte offsets fit, or it splits
  ReductionShape shape{conv.out_channels, pixels_out(conv), true, 1, 1};
  const bool nhwc = conv.layout == base::Layout::nhwc && pixels_out(conv) > conv.images;
  if (nhwc) {
    shape = side_by_side(shape.outputs, shape.inputs);
  } else if (conv.images == 1 && shape.inputs >= 128) {
    shape.input_vector = 4;  // one contiguous run per output: vector loads
  }
  // The dimension with the largest stride is halved until offsets fit: channels (N = 1, NCHW), else images or rows.
  std::int64_t pieces = 1;
  std::int64_t bytes = conv.out_channels * pixels_out(conv) * conv.element_bytes;
  std::int64_t& halved = !nhwc && conv.images == 1 ? shape.outputs : shape.inputs;
  while (bytes > kOffsetLimit && halved > 1) {
    halved = base::ceil_div(halved, 2);
    bytes = base::ceil_div(bytes, 2);
    pieces *= 2;
  }
  ReductionBuffers buffers = buffers_of(shape, device);
  buffers.pieces = pieces;
  buffers.between = pieces > 1 && conv.element_bytes < kAccumulator ? kAccumulator * conv.out_channels : 0;
  return buffers;
}

ReductionBuffers mean_reduction(std::int64_t channels, std::int64_t pixels, base::Layout layout, const Device& device) {
  if (layout == base::Layout::nhwc) {
    return buffers_of(side_by_side(channels, pixels), device);
  }
  return buffers_of({channels, pixels, true, 1, pixels >= 128 ? 4 : 1}, device);
}

ReductionBuffers linear_bias_reduction(std::int64_t features, std::int64_t images, const Device& device) {
  return buffers_of(side_by_side(features, images), device);
}

NormBuffers batch_norm_staging(std::int64_t channels, std::int64_t pixels) {
  constexpr std::int64_t kPerThread = 16;
  constexpr std::int64_t kTile = 32;
  constexpr std::int64_t kMostRows = 128;
  constexpr std::int64_t kFewestRows = 8;
  const std::int64_t narrow = std::min(power_of_two_below(channels), kTile);
  const std::int64_t height = std::min(power_of_two_below(base::ceil_div(pixels, kPerThread)), kMaxThreads / narrow);
  const std::int64_t width = std::min(power_of_two_below(channels), kMaxThreads / height);
  const std::int64_t rows = std::min(base::ceil_div(pixels, height * kPerThread), kMostRows);
  if (rows < kFewestRows) {
    return {};
  }
  return {4 * channels * rows * kAccumulator, 2 * channels * rows * kAccumulator,
          base::ceil_div(channels, width) * kAccumulator};
}

base::Bytes cublas_workspace(const Framework& framework, std::int64_t major) {
  const auto at = std::ranges::find_if(framework.cublas_workspaces, [major](const CublasWorkspace& workspace) {
    return workspace.majors.empty() || std::ranges::find(workspace.majors, major) != workspace.majors.end();
  });
  return at == framework.cublas_workspaces.end() ? base::Bytes(0) : at->bytes;
}

}  // namespace vggplan::lowering
