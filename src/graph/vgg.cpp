// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "graph/networks/networks.hpp"
#include "vggplan/graph/builder.hpp"

namespace vggplan::graph {

namespace {

constexpr std::int64_t kMostPools = 20;  // halve kLargestSide to one pixel

/// Widths and dropout are as whoever read them has checked.
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
  return std::nullopt;
}

base::Status check_question(const ModelSpec& spec, const Shape& input, std::int64_t classes) {
  const auto pools = std::count(spec.features.begin(), spec.features.end(), kPool);
  const std::string why = pools == 0 ? "" : fmt::format(" for {}, which halves the image {} times", spec.name, pools);
  return check_sizes(input, classes, std::int64_t{1} << pools, why);
}

void append_features(Builder& builder, const ModelSpec& spec) {
  std::int64_t block = 1;
  std::int64_t position = 1;
  for (const std::int64_t width : spec.features) {
    if (width == kPool) {
      builder.append(fmt::format("pool{}", block), MaxPool{});
      ++block;
      position = 1;
      continue;
    }
    append_unit(builder, block, position, width, spec.batch_norm);
    ++position;
  }
}

void append_head(Builder& builder, const ModelSpec& spec, std::int64_t classes, Head head) {
  switch (head) {
    case Head::none: return;
    case Head::linear:
    case Head::adaptive: builder.append("avgpool", AdaptiveAveragePool{7, 7}); break;
    case Head::gap: builder.append("avgpool", AdaptiveAveragePool{1, 1}); break;
    case Head::flatten: break;
  }
  const NodeId flatten = builder.append("flatten", Flatten{});
  std::int64_t index = 1;
  if (head != Head::gap && head != Head::linear) {
    for (const std::int64_t width : spec.hidden) {
      builder.append(fmt::format("fc{}", index), Linear{builder.shape().channels, width});
      builder.append(fmt::format("relu_fc{}", index), Activation{});
      builder.append(fmt::format("dropout{}", index), Dropout{spec.dropout});
      ++index;
    }
  }
  builder.append(fmt::format("fc{}", index), Linear{builder.shape().channels, classes});
  builder.hold(flatten, builder.last());  // VGG.forward's own x, until the classifier returns
}

}  // namespace

void append_unit(Builder& builder, std::int64_t block, std::int64_t position, std::int64_t width, bool batch_norm) {
  builder.append(fmt::format("conv{}_{}", block, position), Convolution{builder.shape().channels, width});
  if (batch_norm) {
    builder.append(fmt::format("bn{}_{}", block, position), BatchNorm{width});
  }
  builder.append(fmt::format("relu{}_{}", block, position), Activation{});
}

base::Result<Network> build_network(const ModelSpec& spec, Shape input, std::int64_t classes, Head head) {
  if (spec.architecture != kVgg) {
    return build_architecture(spec, input, classes, head);
  }
  TRY(spec.own ? std::nullopt : check_spec(spec));
  TRY(check_question(spec, input, classes));
  if (spec.own) {
    return spec.own->network(input);
  }
  Builder builder(spec.name, input, classes);
  append_features(builder, spec);
  builder.end_features();
  append_head(builder, spec, classes, head);
  return std::move(builder).finish(head == Head::none ? Objective::mse : Objective::cross_entropy);
}

}  // namespace vggplan::graph
