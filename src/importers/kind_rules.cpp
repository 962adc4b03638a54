// SPDX-License-Identifier: MIT
#include "importers/kind_rules.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "importers/assembly.hpp"

namespace vggplan::importers {
namespace {

using base::Status;
using graph::Pair;
using graph::Shape;

std::string shown(const Shape& shape) { return fmt::format("{}x{}x{}", shape.channels, shape.height, shape.width); }

class Rules {
 public:
  Rules(std::span<const Shape> inputs, const std::string& place)
      : inputs_(inputs), in_(inputs.empty() ? Shape{} : inputs.front()), place_(place) {}

  Status operator()(graph::Convolution& conv) const {
    TRY(one_input());
    TRY(filled(conv.in_channels, in_.channels, "channels"));
    for (const auto& [what, value, least] :
         {std::tuple{"kernel_size", conv.kernel, 1}, std::tuple{"stride", conv.stride, 1},
          std::tuple{"padding", conv.padding, 0}, std::tuple{"dilation", conv.dilation, 1},
          std::tuple{"output_padding", conv.output_padding, 0}}) {
      TRY(within(what, value, least));
    }
    TRY(width("out_channels", conv.out_channels));
    const bool divides =
        conv.groups >= 1 && conv.in_channels % conv.groups == 0 && conv.out_channels % conv.groups == 0;
    return divides ? std::nullopt
                   : wrong(fmt::format("groups of {} divide {} and {} channels unevenly", conv.groups, conv.in_channels,
                                       conv.out_channels));
  }
  Status operator()(graph::BatchNorm& norm) const {
    auto error = one_input();
    return error ? error : filled(norm.channels, in_.channels, "channels");
  }
  Status operator()(graph::MaxPool& pool) const { return window(pool.window); }
  Status operator()(graph::AveragePool& pool) const { return window(pool.window); }
  Status operator()(graph::AdaptiveAveragePool& pool) const {
    auto error = one_input();
    return error ? error : within("output_size", {pool.height, pool.width}, 1);
  }
  Status operator()(graph::Linear& linear) const {
    TRY(one_input());
    TRY(filled(linear.in_features, in_.channels, "features"));
    const bool fits = linear.out_features >= 1 && linear.out_features <= graph::kMostClasses;
    return fits ? std::nullopt
                : wrong(fmt::format("out_features must be from 1 to {}, not {}", graph::kMostClasses,
                                    linear.out_features));
  }
  Status operator()(graph::Dropout& dropout) const {
    if (!(dropout.probability >= 0 && dropout.probability < 1)) {
      return wrong(fmt::format("p must be at least 0 and below 1, not {}", dropout.probability));
    }
    return one_input();
  }
  Status operator()(graph::Add&) const { return same_shapes(); }
  Status operator()(graph::Multiply&) const {
    const bool scales = inputs_.size() == 2 && inputs_[1] == Shape{in_.channels, 1, 1};  // squeeze and excitation
    return scales ? std::nullopt : same_shapes();
  }
  Status operator()(graph::Concatenate&) const {
    for (const Shape& other : inputs_) {
      if (other.height != in_.height || other.width != in_.width) {
        return wrong(
            fmt::format("joins maps of {} and {}, which differ in more than channels", shown(in_), shown(other)));
      }
    }
    return std::nullopt;
  }
  Status operator()(graph::Resize& resize) const {
    auto error = one_input();
    return error ? error : within("size", resize.size, 1);
  }
  Status operator()(auto&) const { return one_input(); }

 private:
  [[nodiscard]] Status wrong(std::string rule, std::string remedy = "") const {
    return base::wrong(place_, std::move(rule), std::move(remedy));
  }
  [[nodiscard]] Status one_input() const {
    return inputs_.size() == 1 ? std::nullopt : wrong(fmt::format("takes one input, not {}", inputs_.size()));
  }
  [[nodiscard]] Status same_shapes() const {
    if (inputs_.size() != 2) {
      return wrong(fmt::format("takes two inputs, not {}", inputs_.size()));
    }
    return inputs_[1] == in_
               ? std::nullopt
               : wrong(fmt::format("its inputs differ: {} and {}", shown(in_), shown(inputs_[1])),
                       "sides that differ by one often come from an image that the strides do not divide");
  }
  [[nodiscard]] Status filled(std::int64_t& value, std::int64_t given, std::string_view what) const {
    value = value == 0 ? given : value;
    return value == given ? std::nullopt
                          : wrong(fmt::format("takes {} {}, but gets {}", value, what, given),
                                  "where the file fixes a size, give --size and --channels as it was written for");
  }
  [[nodiscard]] Status width(std::string_view what, std::int64_t value) const {
    return value >= 1 && value <= graph::kMostChannels
               ? std::nullopt
               : wrong(fmt::format("{} must be from 1 to {}, not {}", what, graph::kMostChannels, value));
  }
  [[nodiscard]] Status within(std::string_view what, const Pair& pair, std::int64_t least) const {
    const auto [low, high] = std::minmax(pair.height, pair.width);
    return low >= least && high <= graph::kLargestSide
               ? std::nullopt
               : wrong(fmt::format("{} must be from {} to {}, not {}", what, least, graph::kLargestSide,
                                   low < least ? low : high));
  }
  [[nodiscard]] Status window(const graph::Window& window) const {
    TRY(one_input());
    for (const auto& [what, value, least] :
         {std::tuple{"kernel_size", window.kernel, 1}, std::tuple{"stride", window.stride, 1},
          std::tuple{"padding", window.padding, 0}}) {
      TRY(within(what, value, least));
    }
    const bool half =
        window.padding.height * 2 <= window.kernel.height && window.padding.width * 2 <= window.kernel.width;
    return half ? std::nullopt : wrong("padding must be at most half of kernel_size");
  }

  std::span<const Shape> inputs_;
  Shape in_{};
  const std::string& place_;
};

}  // namespace

Status complete(graph::Kind& kind, std::span<const Shape> inputs, const std::string& place) {
  if (inputs.empty() || inputs.size() > kMostInputs) {
    return base::wrong(place, fmt::format("must have from 1 to {} inputs, not {}", kMostInputs, inputs.size()));
  }
  return std::visit(Rules(inputs, place), kind);
}

}  // namespace vggplan::importers
