// SPDX-License-Identifier: MIT
#include "vggplan/lowering/workspace.hpp"

#include <algorithm>
#include <bit>
#include <functional>

#include "vggplan/base/checked.hpp"

namespace vggplan::lowering {

namespace {

std::int64_t weights(const Convolution& conv, std::int64_t in, std::int64_t out) {
  return in * out * conv.filter.taps() / conv.filter.groups;
}

/// Of the larger operand.
std::int64_t elements(const Convolution& conv) {
  return std::max(conv.in_channels * conv.pixels_in(), conv.out_channels * conv.pixels_out());
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
  return (input * conv.pixels_in() + output * conv.pixels_out() + weights(conv, in, out)) * conv.element_bytes +
         kAlignment;
}

std::int64_t bytes_of(const WorkspaceSize& size, const Convolution& conv) {
  const std::int64_t align = size.align == 0 ? vector_channels(conv) : size.align;
  const std::int64_t in = base::round_up(conv.in_channels, align);
  const std::int64_t out = base::round_up(conv.out_channels, align);
  const auto operand = [&](double copies, std::int64_t elements) {
    return static_cast<std::int64_t>(copies * static_cast<double>(elements * conv.element_bytes));
  };
  return operand(size.input, in * conv.pixels_in()) + operand(size.output, out * conv.pixels_out()) +
         operand(size.weight, weights(conv, in, out)) + size.bytes;
}

/// Winograd F(4x4, 3x3): 36 numbers for 16 pixels of either map, and for the 9 taps of each pair of channels. It reads
/// and writes NCHW. But for weight gradients images are taken 16 at a time.
std::int64_t winograd_bytes(ConvPass pass, const Convolution& conv) {
  constexpr std::int64_t kSide = 4;
  constexpr std::int64_t kImages = 16;
  constexpr std::int64_t kNumbers = 36;
  constexpr std::int64_t kNumberBytes = 4;
  constexpr WorkspaceSize kCopies{.input = 1, .output = 1, .weight = 1, .bytes = 16, .align = 1};
  const std::int64_t images = pass == ConvPass::weight_gradient ? conv.images : base::round_up(conv.images, kImages);
  const std::int64_t tiles = images * base::ceil_div(conv.height, kSide) * base::ceil_div(conv.width, kSide);
  return kNumbers * kNumberBytes *
             (tiles * (conv.in_channels + conv.out_channels) + conv.in_channels * conv.out_channels) +
         (conv.layout == base::Layout::nhwc ? bytes_of(kCopies, conv) : 0);
}

/// The product that a pass is: its tiles are those of rows and of columns, `times` over, and its sums take `steps`.
struct Product {
  std::int64_t rows{};
  std::int64_t columns{};
  std::int64_t times{1};
  std::int64_t steps{};
};

Product product_of(ConvPass pass, const Convolution& conv) {
  constexpr std::int64_t kStepBytes = 128;
  const std::int64_t step = kStepBytes / conv.element_bytes;
  const std::int64_t in = padded(conv, conv.in_channels);
  const std::int64_t out = padded(conv, conv.out_channels);
  const std::int64_t taps = conv.filter.taps();
  switch (pass) {
    case ConvPass::forward: return {conv.pixels_out(), out, 1, base::ceil_div(taps * in, step)};
    case ConvPass::input_gradient:  // a convolution the other way
      return {conv.pixels_in(), in, 1, base::ceil_div(taps * out, step)};
    case ConvPass::weight_gradient: break;
  }
  return {out, in, taps, base::ceil_div(conv.pixels_out(), step)};
}

/// Additions that make one of so many parts, two by two.
std::int64_t additions(std::int64_t parts) {
  std::int64_t total = 0;
  while (parts > 1) {
    parts = base::ceil_div(parts, 2);
    total += parts;
  }
  return total;
}

/// Partial sums of the tiles that do not fill a wave, and their counters.
std::int64_t split_bytes(const SplitTiles& split, const Product& product, const Device& device) {
  constexpr std::int64_t kReferenceSms = 132;
  constexpr std::int64_t kSumBytes = 4;
  constexpr std::int64_t kHeader = 32;
  const std::int64_t rows = base::round_up(base::ceil_div(product.rows, split.tile[0]), split.cluster[0]);
  const std::int64_t columns =
      base::round_up(product.times * base::ceil_div(product.columns, split.tile[1]), split.cluster[1]);
  const std::int64_t slots = std::max<std::int64_t>(1, split.slots * device.sm_count / kReferenceSms);
  const std::int64_t partial = rows * columns % slots;
  const std::int64_t most = partial == 0 ? 0 : std::min(slots / partial, product.steps / split.steps);
  if (most <= 1) {
    return 0;
  }
  const std::int64_t parts = base::ceil_div(product.steps, base::ceil_div(product.steps, most));
  return partial * (parts * split.tile[0] * split.tile[1] + additions(parts)) * kSumBytes + kHeader;
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
  const std::int64_t pixels = conv.pixels_in();
  const auto rule = std::find_if(rules.begin(), rules.end(), [&](const WorkspaceRule& candidate) {
    return candidate.pass == pass && candidate.layout.value_or(conv.layout) == conv.layout &&
           std::find(candidate.math.begin(), candidate.math.end(), conv.math) != candidate.math.end() &&
           candidate.in_channels.holds(conv.in_channels) && candidate.out_channels.holds(conv.out_channels) &&
           candidate.pixels.holds(pixels) && candidate.elements.holds(elements(conv)) && holds(candidate.filter, conv);
  });
  return rule == rules.end() ? nullptr : &*rule;
}

/// The largest power of two that divides, up to 64.
std::int64_t alignment(std::int64_t value) {
  constexpr std::int64_t kLargest = 64;
  return std::min(kLargest, value & -value);
}

std::int64_t size_along(SizeAxis axis, const Convolution& conv) {
  switch (axis) {
    case SizeAxis::pixels: return conv.pixels_in();
    case SizeAxis::images: return conv.images;
    case SizeAxis::map: return conv.height * conv.width;
    case SizeAxis::height: return conv.height;
    case SizeAxis::width: return conv.width;
    case SizeAxis::in_channels: return conv.in_channels;
    case SizeAxis::out_channels: return conv.out_channels;
    case SizeAxis::nchw: return conv.layout == base::Layout::nchw ? 1 : 0;
    case SizeAxis::pixels_alignment: return alignment(conv.pixels_in());
    case SizeAxis::map_alignment: return alignment(conv.height * conv.width);
    case SizeAxis::channels_alignment: return std::min(alignment(conv.in_channels), alignment(conv.out_channels));
  }
  return 0;
}

const WorkspaceKernel& picked(const WorkspaceRule& rule, const Convolution& conv) {
  std::size_t at = 0;
  bool is_kernel = rule.tree.empty();
  while (!is_kernel) {
    const SizeChoice& choice = rule.tree[at];
    const bool above = size_along(choice.axis, conv) >= choice.from;
    at = above ? choice.above : choice.below;
    is_kernel = above ? choice.above_is_kernel : choice.below_is_kernel;
  }
  return rule.kernels[at];
}

std::int64_t bytes_of(const WorkspaceKernel& kernel, ConvPass pass, const Convolution& conv, const Device& device) {
  return bytes_of(kernel.size, conv) + (kernel.copies ? copied_bytes(conv) : 0) +
         (kernel.winograd ? winograd_bytes(pass, conv) : 0) +
         (kernel.split ? split_bytes(*kernel.split, product_of(pass, conv), device) : 0);
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
    plans.push_back(bytes_of(picked(*rule, chunk), pass, chunk, device));
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
  std::vector<std::int64_t> plans{fft_workspace(chunk),
                                  rule == nullptr ? 0 : bytes_of(rule->kernels.front().size, chunk), 0};
  std::sort(plans.begin(), plans.end(), std::greater<>());
  return plans;
}

base::Bytes cublas_workspace(const Framework& framework, std::int64_t major) {
  const auto at = std::ranges::find_if(framework.cublas_workspaces, [major](const CublasWorkspace& workspace) {
    return workspace.majors.empty() || std::ranges::find(workspace.majors, major) != workspace.majors.end();
  });
  return at == framework.cublas_workspaces.end() ? base::Bytes(0) : at->bytes;
}

}  // namespace vggplan::lowering
