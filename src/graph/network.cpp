// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "graph/counts.hpp"
#include "vggplan/base/checked.hpp"
#include "vggplan/base/range.hpp"

namespace vggplan::graph {

namespace {

using base::kLargestExact;

constexpr std::int64_t kMostPools = 20;  // halve kLargestSide to one pixel

Shape output_shape(const LayerKind& kind, const Shape& input) {
  if (const auto* conv = std::get_if<Conv2d>(&kind)) {
    return {conv->out_channels, input.height, input.width};
  }
  if (const auto* linear = std::get_if<Linear>(&kind)) {
    return {linear->out_features, 1, 1};
  }
  if (const auto* pool = std::get_if<AdaptiveAvgPool2d>(&kind)) {
    return {input.channels, pool->height, pool->width};
  }
  if (std::holds_alternative<MaxPool2d>(kind)) {
    return {input.channels, input.height / 2, input.width / 2};
  }
  if (std::holds_alternative<Flatten>(kind)) {
    return {input.elements(), 1, 1};
  }
  return input;
}

base::Status check_spec(const ModelSpec& spec) {
  const std::string place = fmt::format("model {}", spec.name);
  const auto wrong = [&](std::string rule, std::string remedy) {
    return base::wrong(place, std::move(rule), std::move(remedy));
  };
  if (spec.features.empty() || spec.features.front() == kPool || spec.features.size() > kMostFeatures) {
    return wrong(fmt::format("features must hold 1 to {} entries and begin with a convolution", kMostFeatures),
                 "list the widths of the convolutions, with pools between them");
  }
  if (std::count(spec.features.begin(), spec.features.end(), kPool) > kMostPools) {
    return wrong(fmt::format("has more than {} pools, which leave nothing of any image", kMostPools),
                 "take pools out of features");
  }
  const auto bad_width = [](std::int64_t width) { return width < 1 || width > kMostChannels; };
  for (const std::int64_t width : spec.features) {
    if (width != kPool && bad_width(width)) {
      return wrong(fmt::format("the width of a convolution must be 1 to {}, but is {}", kMostChannels, width), "");
    }
  }
  if (spec.hidden.size() > kMostHidden) {
    return wrong(fmt::format("has {} hidden layers, more than {}", spec.hidden.size(), kMostHidden),
                 "take widths out of hidden");
  }
  for (const std::int64_t width : spec.hidden) {
    if (bad_width(width)) {
      return wrong(fmt::format("the width of a hidden layer must be 1 to {}, but is {}", kMostChannels, width), "");
    }
  }
  if (!(spec.dropout >= 0 && spec.dropout < 1)) {
    return wrong(fmt::format("dropout must be at least 0 and below 1, but is {}", spec.dropout),
                 "give the probability of zeroing an element, for example 0.5");
  }
  return std::nullopt;
}

base::Status check_question(const ModelSpec& spec, const Shape& input, std::int64_t classes) {
  const auto pools = std::count(spec.features.begin(), spec.features.end(), kPool);
  const std::int64_t least = std::int64_t{1} << pools;
  const std::string why = pools == 0 ? "" : fmt::format(" for {}, which halves the image {} times", spec.name, pools);
  using base::Range;
  for (const Range& range :
       {Range{"--height", input.height, least, kLargestSide, why},
        Range{"--width", input.width, least, kLargestSide, why},
        Range{"--channels", input.channels, 1, kMostChannels, ""}, Range{"--classes", classes, 1, kMostClasses, ""}}) {
    if (auto problem = base::check_range(range)) {
      return problem;
    }
  }
  return std::nullopt;
}

/// Appends layers one behind the other. After the first count beyond 2^53 it appends no more.
class Builder {
 public:
  Builder(std::string name, Shape input, std::int64_t classes, Head head)
      : network_{std::move(name), input, classes, head, {}}, shape_(input) {
    if (!add_elements(input)) {
      fail("the bytes of its tensors", "the image");
    }
  }

  void append(std::string name, LayerKind kind) {
    if (overflow_.empty()) {
      Layer layer{std::move(name), kind, shape_, output_shape(kind, shape_)};
      add(layer);
      shape_ = layer.output;
      network_.layers.push_back(std::move(layer));
    }
  }

  [[nodiscard]] const Shape& shape() const { return shape_; }

  base::Result<Network> finish() && {
    if (overflow_.empty()) {
      return std::move(network_);
    }
    const Shape& image = network_.input;
    return base::wrong(
        "--height, --width",
        fmt::format("{}x{} with {} channels is too large: at {}, {} pass {}, the largest number that is "
                    "counted exactly",
                    image.height, image.width, image.channels, overflow_layer_, overflow_, kLargestExact),
        "give a smaller image, or fewer channels or classes");
  }

 private:
  void fail(std::string_view what, std::string_view where) {
    overflow_ = what;
    overflow_layer_ = where;
  }

  bool add_to(std::int64_t& total, std::optional<std::int64_t> amount) {
    const auto sum = amount ? base::checked_add(total, *amount) : std::nullopt;
    total = sum.value_or(total);
    return sum && *sum <= kLargestExact;
  }

  bool add_elements(const Shape& shape) {
    return add_to(bytes_, base::checked_product(kBytesPerElement, shape.channels, shape.height, shape.width));
  }

  void add(const Layer& layer) {
    if (!add_elements(layer.output)) {
      return fail("the bytes of its tensors", layer.name);
    }
    const auto counts = counts_of(layer.kind, layer.output, trained_before_);
    if (!counts || !add_to(parameter_bytes_, base::checked_mul(counts->parameters, kBytesPerElement))) {
      return fail("the bytes of the parameters", layer.name);
    }
    if (!add_to(flops_, counts->flops_forward.count()) || !add_to(flops_, counts->flops_backward.count())) {
      return fail("the FLOPs of a training step", layer.name);
    }
    trained_before_ = trained_before_ || is_trained_matrix(layer.kind);
  }

  Network network_{};
  Shape shape_{};
  std::string overflow_{};
  std::string overflow_layer_{};
  std::int64_t bytes_{};
  std::int64_t parameter_bytes_{};
  std::int64_t flops_{};
  bool trained_before_{false};
};

void append_features(Builder& builder, const ModelSpec& spec) {
  std::int64_t block = 1;
  std::int64_t position = 1;
  for (const std::int64_t width : spec.features) {
    if (width == kPool) {
      builder.append(fmt::format("pool{}", block), MaxPool2d{});
      ++block;
      position = 1;
      continue;
    }
    builder.append(fmt::format("conv{}_{}", block, position), Conv2d{builder.shape().channels, width});
    if (spec.batch_norm) {
      builder.append(fmt::format("bn{}_{}", block, position), BatchNorm2d{width});
    }
    builder.append(fmt::format("relu{}_{}", block, position), Relu{});
    ++position;
  }
}

void append_head(Builder& builder, const ModelSpec& spec, std::int64_t classes, Head head) {
  switch (head) {
    case Head::adaptive: builder.append("avgpool", AdaptiveAvgPool2d{7, 7}); break;
    case Head::gap: builder.append("avgpool", AdaptiveAvgPool2d{1, 1}); break;
    case Head::flatten: break;
  }
  builder.append("flatten", Flatten{});
  std::int64_t index = 1;
  if (head != Head::gap) {
    for (const std::int64_t width : spec.hidden) {
      builder.append(fmt::format("fc{}", index), Linear{builder.shape().channels, width});
      builder.append(fmt::format("relu_fc{}", index), Relu{});
      builder.append(fmt::format("dropout{}", index), Dropout{spec.dropout});
      ++index;
    }
  }
  builder.append(fmt::format("fc{}", index), Linear{builder.shape().channels, classes});
}

}  // namespace

base::Result<Network> build_network(const ModelSpec& spec, Shape input, std::int64_t classes, Head head) {
  if (auto problem = check_spec(spec)) {
    return *std::move(problem);
  }
  if (auto problem = check_question(spec, input, classes)) {
    return *std::move(problem);
  }
  Builder builder(spec.name, input, classes, head);
  append_features(builder, spec);
  append_head(builder, spec, classes, head);
  return std::move(builder).finish();
}

std::size_t feature_count(const Network& network) {
  const auto is_feature = [](const Layer& layer) {
    return !std::holds_alternative<AdaptiveAvgPool2d>(layer.kind) && !std::holds_alternative<Flatten>(layer.kind);
  };
  const auto end = std::find_if_not(network.layers.begin(), network.layers.end(), is_feature);
  return static_cast<std::size_t>(end - network.layers.begin());
}

std::string_view kind_name(const LayerKind& kind) {
  // In the order of the variant.
  constexpr std::array<std::string_view, std::variant_size_v<LayerKind>> kNames{
      "Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "AdaptiveAvgPool2d", "Flatten", "Linear", "Dropout"};
  return kNames.at(kind.index());
}

}  // namespace vggplan::graph
