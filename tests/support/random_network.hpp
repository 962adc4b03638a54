// SPDX-License-Identifier: MIT
// Networks whose paths fork and meet at random, as residual, dense, squeezing and U-shaped ones do.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "support/random_job.hpp"
#include "vggplan/graph/builder.hpp"

namespace vggplan::support {

class RandomNetwork {
 public:
  /// Convolutions of `least` to `most` channels.
  explicit RandomNetwork(std::mt19937& random, std::int64_t least = 1, std::int64_t most = 6)
      : random_(random), least_(least), most_(most), b_("random", {3, side(), side()}, kClasses) {}

  static constexpr std::int64_t kClasses = 5;

  graph::Network build() {
    unit();
    for (std::int64_t parts = pick(random_, 1, 7); parts > 0; --parts) {
      switch (random_() % 7) {
        case 0: unit(); break;
        case 1: pool(); break;
        case 2: dense_block(); break;
        case 3: squeeze(); break;
        case 4: detour(); break;
        case 5: gate(); break;
        default: residual(); break;
      }
    }
    b_.end_features();
    if (random_() % 4 == 0) {
      activate();
    }
    add(graph::AdaptiveAveragePool{1, 1}, {b_.last()});
    add(graph::Flatten{}, {b_.last()});
    add(graph::Linear{b_.shape().channels, kClasses}, {b_.last()});
    return std::move(b_).finish(graph::Objective::cross_entropy).value();
  }

 private:
  using NodeId = graph::NodeId;

  [[nodiscard]] std::int64_t side() { return pick(random_, 8, 20); }
  bool coin() { return random_() % 2 == 0; }

  NodeId add(const graph::Kind& kind, const std::vector<NodeId>& inputs) {
    return b_.add("n" + std::to_string(++count_), kind, inputs);
  }
  NodeId append(const graph::Kind& kind) { return add(kind, {b_.last()}); }

  /// Keeps the map's size.
  NodeId convolve(std::int64_t channels) {
    if (random_() % 8 == 0) {
      return append(graph::Linear{b_.shape().channels, channels, coin()});
    }
    const bool wide = coin();
    graph::Convolution conv{b_.shape().channels, channels};
    conv.kernel = wide ? graph::Pair{3, 3} : graph::Pair{1, 1};
    conv.padding = wide ? graph::Pair{1, 1} : graph::Pair{0, 0};
    conv.bias = coin();
    append(conv);
    return coin() ? append(graph::BatchNorm{channels}) : b_.last();
  }

  /// Behind what nobody else reads, it may work in place.
  NodeId activate() {
    constexpr std::array<graph::Function, 5> kFunctions{graph::Function::relu, graph::Function::relu6,
                                                        graph::Function::silu, graph::Function::sigmoid,
                                                        graph::Function::leaky_relu};
    const graph::Function function = kFunctions.at(random_() % kFunctions.size());
    return append(graph::Activation{function, function != graph::Function::sigmoid && coin()});
  }

  NodeId unit() {
    convolve(pick(random_, least_, most_));
    if (coin()) {
      activate();
    }
    return random_() % 4 == 0 ? append(graph::Dropout{}) : b_.last();
  }

  void pool() {
    if (random_() % 4 == 0) {  // as VGG's pool of 7x7, which does nothing at 224x224
      append(graph::AdaptiveAveragePool{b_.shape().height, b_.shape().width});
    }
    if (std::min(b_.shape().height, b_.shape().width) >= 4) {
      const graph::Window overlapping{{3, 3}, {2, 2}, {1, 1}};
      const graph::Window window = random_() % 3 == 0 ? overlapping : graph::Window{};
      append(coin() ? graph::Kind(graph::MaxPool{window}) : graph::Kind(graph::AveragePool{window}));
    }
  }

  void residual() {
    const NodeId input = b_.last();
    const std::int64_t channels = b_.shape().channels;
    for (std::int64_t units = pick(random_, 0, 2); units > 0; --units) {
      unit();
    }
    const NodeId branch = convolve(channels);
    add(graph::Add{.in_place = coin()}, {branch, input});
    if (coin()) {
      activate();
    }
    if (coin()) {
      b_.hold(input, b_.last());
    }
  }

  void dense_block() {
    std::vector<NodeId> maps{b_.last()};
    for (std::int64_t layers = pick(random_, 1, 3); layers > 0; --layers) {
      add(graph::Concatenate{}, maps);
      maps.push_back(unit());
    }
    add(graph::Concatenate{}, maps);
    for (const NodeId map : maps) {
      b_.hold(map, b_.last());
    }
  }

  void squeeze() {
    const NodeId input = b_.last();
    const std::int64_t channels = b_.shape().channels;
    append(graph::AdaptiveAveragePool{1, 1});
    if (coin()) {
      append(graph::Convolution{channels, channels, {1, 1}, {1, 1}, {0, 0}});
    } else {
      append(graph::Linear{channels, channels});
    }
    const NodeId scale = append(graph::Activation{graph::Function::sigmoid, false});
    add(graph::Multiply{}, {input, scale});
  }

  void gate() {
    const NodeId input = b_.last();
    const NodeId scale = append(graph::Activation{graph::Function::sigmoid, false});
    add(graph::Multiply{}, {input, scale});
  }

  /// Skips over pools, as U-Net's.
  void detour() {
    const NodeId skip = b_.last();
    const graph::Shape shape = b_.shape();
    pool();
    unit();
    unit();
    const NodeId resized = append(graph::Resize{{shape.height, shape.width}});
    add(graph::Concatenate{}, {resized, skip});
    unit();
  }

  std::mt19937& random_;
  std::int64_t least_;
  std::int64_t most_;
  graph::Builder b_;
  int count_{0};
};

}  // namespace vggplan::support
