// SPDX-License-Identifier: MIT
#include "graph/shapes.hpp"

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
  Shape operator()(const Flatten& flatten) const { return flatten.channels_last ? in_ : Shape{in_.elements(), 1, 1}; }
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

}  // namespace

Shape output_shape(const Kind& kind, std::span<const Shape> inputs) { return std::visit(Inference(inputs), kind); }

}  // namespace vggplan::graph
