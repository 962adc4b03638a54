// SPDX-License-Identifier: MIT
#include "vggplan/graph/kinds.hpp"

#include <array>

namespace vggplan::graph {
namespace {

struct Namer {
  std::string_view operator()(const Image&) const { return "Image"; }
  std::string_view operator()(const Convolution& conv) const { return conv.transposed ? "ConvTranspose2d" : "Conv2d"; }
  std::string_view operator()(const BatchNorm&) const { return "BatchNorm2d"; }
  std::string_view operator()(const Activation& activation) const {
    // In the order of Function.
    constexpr std::array<std::string_view, 9> kNames{"ReLU",    "ReLU6",     "LeakyReLU",   "SiLU", "GELU",
                                                     "Sigmoid", "Hardswish", "Hardsigmoid", "Tanh"};
    return kNames.at(static_cast<std::size_t>(activation.function));
  }
  std::string_view operator()(const MaxPool&) const { return "MaxPool2d"; }
  std::string_view operator()(const AveragePool&) const { return "AvgPool2d"; }
  std::string_view operator()(const AdaptiveAveragePool&) const { return "AdaptiveAvgPool2d"; }
  std::string_view operator()(const Linear&) const { return "Linear"; }
  std::string_view operator()(const Dropout& dropout) const { return dropout.whole_channels ? "Dropout2d" : "Dropout"; }
  std::string_view operator()(const Add&) const { return "Add"; }
  std::string_view operator()(const Multiply&) const { return "Multiply"; }
  std::string_view operator()(const Concatenate&) const { return "Concatenate"; }
  std::string_view operator()(const Resize&) const { return "Resize"; }
  std::string_view operator()(const Flatten&) const { return "Flatten"; }
  std::string_view operator()(const LayerNorm&) const { return "LayerNorm"; }
  std::string_view operator()(const Softmax&) const { return "Softmax"; }
  std::string_view operator()(const Loss& loss) const {
    switch (loss.objective) {
      case Objective::cross_entropy:
      case Objective::pixel_cross_entropy: return "CrossEntropyLoss";
      case Objective::mse: return "MSELoss";
      case Objective::ssd: return "SmoothL1Loss and CrossEntropyLoss";
    }
    return "";
  }
};

}  // namespace

bool works_in_place(const Kind& kind) {
  const auto* activation = std::get_if<Activation>(&kind);
  const auto* add = std::get_if<Add>(&kind);
  return (activation != nullptr && activation->in_place) || (add != nullptr && add->in_place);
}

std::string_view kind_name(const Kind& kind) { return std::visit(Namer{}, kind); }

}  // namespace vggplan::graph
