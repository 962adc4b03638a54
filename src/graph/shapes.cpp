// SPDX-License-Identifier: MIT
#include "graph/shapes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "vggplan/base/checked.hpp"

namespace vggplan::graph {
namespace {

struct Side {
  std::int64_t kernel{};
  std::int64_t stride{};
  std::int64_t padding{};
  std::int64_t dilation{1};
};

/// torch.nn.Conv2d and MaxPool2d: how many windows fit a side. 0 where none does.
std::int64_t windows(std::int64_t size, const Side& side, bool ceil = false) {
  const std::int64_t room = size + 2 * side.padding - side.dilation * (side.kernel - 1) - 1;
  if (room < 0) {
    return 0;
  }
  const std::int64_t count = (ceil ? base::ceil_div(room, side.stride) : room / side.stride) + 1;
  // A window that begins in the padding after the map does not count.
  const bool outside = ceil && (count - 1) * side.stride >= size + side.padding;
  return outside ? count - 1 : count;
}

class Inference {
 public:
  explicit Inference(std::span<const Shape> inputs) : inputs_(inputs), in_(inputs.empty() ? Shape{} : inputs.front()) {}

  Shape operator()(const Convolution& conv) const {
    const auto side = [&](std::int64_t size, auto of) {
      const Side s{of(conv.kernel), of(conv.stride), of(conv.padding), of(conv.dilation)};
      return conv.transposed
                 ? (size - 1) * s.stride - 2 * s.padding + s.dilation * (s.kernel - 1) + 1 + of(conv.output_padding)
                 : windows(size, s);
    };
    return {conv.out_channels, side(in_.height, [](const Pair& p) { return p.height; }),
            side(in_.width, [](const Pair& p) { return p.width; })};
  }
  Shape operator()(const MaxPool& pool) const { return pooled(pool.window); }
  Shape operator()(const AveragePool& pool) const { return pooled(pool.window); }
  Shape operator()(const AdaptiveAveragePool& pool) const { return {in_.channels, pool.height, pool.width}; }
  Shape operator()(const Linear& linear) const { return {linear.out_features, in_.height, in_.width}; }
  Shape operator()(const Concatenate&) const {
    Shape sum = in_;
    for (const Shape& other : inputs_.subspan(1)) {
      sum.channels += other.channels;
    }
    return sum;
  }
  Shape operator()(const Resize& resize) const { return {in_.channels, resize.size.height, resize.size.width}; }
  Shape operator()(const Flatten& flatten) const {
    const std::int64_t elements = in_.elements();
    return flatten.values == 0 ? Shape{elements, 1, 1} : Shape{elements / flatten.values, flatten.values, 1};
  }
  Shape operator()(const Multiply&) const {  // a value for each channel meets a map
    Shape largest = in_;
    for (const Shape& other : inputs_) {
      largest = {std::max(largest.channels, other.channels), std::max(largest.height, other.height),
                 std::max(largest.width, other.width)};
    }
    return largest;
  }
  Shape operator()(const Loss&) const { return {1, 1, 1}; }
  Shape operator()(const auto&) const { return in_; }

 private:
  [[nodiscard]] Shape pooled(const Window& window) const {
    return {in_.channels,
            windows(in_.height, {window.kernel.height, window.stride.height, window.padding.height}, window.ceil),
            windows(in_.width, {window.kernel.width, window.stride.width, window.padding.width}, window.ceil)};
  }

  std::span<const Shape> inputs_;
  Shape in_{};
};

bool same_map(const Shape& a, const Shape& b) { return a.height == b.height && a.width == b.width; }

class Misfit {
 public:
  explicit Misfit(std::span<const Shape> inputs) : inputs_(inputs) {}

  std::string operator()(const Convolution& conv) const {
    if (conv.groups < 1 || conv.in_channels % conv.groups != 0 || conv.out_channels % conv.groups != 0) {
      return fmt::format("cannot cut {} into {} channels in {} groups", conv.in_channels, conv.out_channels,
                         conv.groups);
    }
    return channels(conv.in_channels);
  }
  std::string operator()(const BatchNorm& norm) const { return channels(norm.channels); }
  std::string operator()(const Linear& linear) const { return channels(linear.in_features); }
  std::string operator()(const Flatten& flatten) const {
    const bool fits = flatten.values == 0 || inputs_.front().channels % flatten.values == 0;
    return fits ? "" : fmt::format("cannot cut {} channels into {} values", inputs_.front().channels, flatten.values);
  }
  std::string operator()(const Concatenate&) const { return unequal(same_map); }
  std::string operator()(const Add&) const { return unequal(std::equal_to<>()); }
  std::string operator()(const Multiply&) const {
    return unequal([](const Shape& a, const Shape& b) {
      const auto one = [](const Shape& shape) { return shape.height == 1 && shape.width == 1; };
      return a.channels == b.channels && (same_map(a, b) || one(a) || one(b));
    });
  }
  std::string operator()(const auto&) const { return ""; }

 private:
  [[nodiscard]] std::string channels(std::int64_t expected) const {
    const std::int64_t found = inputs_.front().channels;
    return found == expected ? "" : fmt::format("takes {} channels, but its input has {}", expected, found);
  }
  [[nodiscard]] std::string unequal(auto equal) const {
    const auto text = [](const Shape& shape) {
      return fmt::format("{}x{}x{}", shape.channels, shape.height, shape.width);
    };
    const Shape& first = inputs_.front();
    const auto other = std::ranges::find_if(inputs_, [&](const Shape& shape) { return !equal(first, shape); });
    return other == inputs_.end() ? "" : fmt::format("meets maps of {} and {}", text(first), text(*other));
  }

  std::span<const Shape> inputs_;
};

}  // namespace

std::string misfit(const Kind& kind, std::span<const Shape> inputs) { return std::visit(Misfit(inputs), kind); }

Shape output_shape(const Kind& kind, std::span<const Shape> inputs) { return std::visit(Inference(inputs), kind); }

}  // namespace vggplan::graph
