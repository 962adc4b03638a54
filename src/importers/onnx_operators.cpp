// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "importers/onnx_call.hpp"
#include "importers/onnx_sizes.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::importers::onnx {
namespace {

using graph::Function;
using graph::NodeId;
using graph::Pair;
using graph::Shape;

/// Sizes that are beyond all limits become one that is, too.
std::int64_t whole(double value) {
  constexpr double kMost = 1e15;
  return value >= -kMost && value <= kMost ? static_cast<std::int64_t>(value) : -1;
}

void convolution(Call& call) {
  const Weight& weight = call.weight(1);
  call.expect(weight.dims.size() == 4, "a convolution that is not over two dimensions");
  if (call.error()) {
    return;
  }
  graph::Convolution conv;
  conv.transposed = call.node().op == "ConvTranspose";
  conv.kernel = {weight.dims[2], weight.dims[3]};
  conv.stride = call.pair("strides", 1);
  conv.padding = call.pads();
  conv.dilation = call.pair("dilations", 1);
  conv.groups = std::clamp<std::int64_t>(call.integer("group", 1), 0, graph::kMostChannels);
  conv.bias = call.has(2);
  const auto times = [&](std::int64_t channels) {  // weights list the channels of one group
    return channels >= 1 && channels <= graph::kMostChannels ? channels * conv.groups : -1;
  };
  conv.in_channels = conv.transposed ? weight.dims[0] : times(weight.dims[1]);
  conv.out_channels = conv.transposed ? times(weight.dims[1]) : weight.dims[0];
  if (conv.transposed) {
    conv.output_padding = call.pair("output_padding", 0);
    call.expect(!call.node().attributes.contains("output_shape"), "output_shape");
  }
  call.expect(conv.in_channels != 0, "a convolution of no channels");
  call.emit(conv);
}

void batch_norm(Call& call) {
  call.walk().training = call.walk().training || call.integer("training_mode", 0) == 1;
  call.emit(graph::BatchNorm{});
}

/// Gemm and MatMul with a weight: Linear.
void linear(Call& call) {
  const Weight& weight = call.weight(1);
  call.expect(weight.dims.size() == 2 && call.integer("transA", 0) == 0, "a product that is no Linear layer");
  if (call.error()) {
    return;
  }
  const bool rows_are_outputs = call.integer("transB", 0) == 1;
  graph::Linear linear;
  linear.in_features = weight.dims[rows_are_outputs ? 1 : 0];
  linear.out_features = weight.dims[rows_are_outputs ? 0 : 1];
  linear.bias = call.has(2);
  if (const Node* add = call.node().op == "MatMul" ? call.only_reader("Add") : nullptr) {
    linear.bias = std::ranges::any_of(add->inputs, [&](const std::string& name) {
      const auto found = call.walk().values.find(name);
      return found != call.walk().values.end() && std::holds_alternative<Weight>(found->second);
    });
    if (linear.bias) {
      call.fuse_reader();
    }
  }
  call.expect(linear.in_features != 0, "a Linear layer of no features");
  call.emit(linear);
}

template <Function kFunction>
void activation(Call& call) {
  constexpr bool kHasForm = kFunction == Function::relu || kFunction == Function::relu6 ||
                            kFunction == Function::hard_swish || kFunction == Function::silu;
  call.emit(graph::Activation{kFunction, kHasForm && call.may_work_in_place()});
}

/// Clip from 0 to 6 is ReLU6.
void clip(Call& call) {
  const auto bound = [&](std::size_t input, std::string_view name) {
    const auto numbers = call.constant(input);
    return numbers && numbers->size() == 1 ? numbers->front() : call.number(name, -1);
  };
  call.expect(bound(1, "min") == 0 && bound(2, "max") == 6, "a Clip that is no ReLU6 (from 0 to 6)");
  activation<Function::relu6>(call);
}

/// x * sigmoid(x) is SiLU.
void sigmoid(Call& call) {
  const Node* product = call.only_reader("Mul");
  const bool silu = product != nullptr && product->inputs.size() == 2 && !call.node().inputs.empty() &&
                    std::count(product->inputs.begin(), product->inputs.end(), call.node().inputs.front()) == 1;
  if (!silu) {
    return call.emit(graph::Activation{Function::sigmoid, false});
  }
  call.fuse_reader();
  call.emit(graph::Activation{Function::silu, call.may_work_in_place(2)});
}

graph::Window window(Call& call) {
  graph::Window window;
  window.kernel = call.pair("kernel_shape", 0);
  window.stride = call.pair("strides", 1);
  window.padding = call.pads();
  window.ceil = call.integer("ceil_mode", 0) == 1;
  call.expect(call.pair("dilations", 1) == Pair{1, 1}, "a dilated pooling");
  return window;
}

void dropout(Call& call) {
  const auto ratio = call.constant(1);
  const double probability = ratio && !ratio->empty() ? ratio->front() : call.number("ratio", 0.5);
  const auto mode = call.constant(2);
  call.walk().training = call.walk().training || (mode && !mode->empty() && mode->front() != 0);
  // The ratio is a float; 0.2 is meant where it says 0.200000003.
  call.emit(graph::Dropout{std::round(probability * 1e6) / 1e6, false});
}

/// Sums and products of two maps; the smaller one, which is spread over the other, second.
template <class Joined>
void join(Call& call) {
  if (auto numbers = reckoned(call, std::is_same_v<Joined, graph::Add>)) {
    return call.keep(*std::move(numbers));
  }
  NodeId first = call.map(0);
  NodeId second = call.map(1);
  if (!call.error() && call.shape(first).elements() < call.shape(second).elements()) {
    std::swap(first, second);
  }
  call.emit(Joined{}, {first, second});
}

void concatenate(Call& call) {
  if (call.find<NodeId>(0) != nullptr) {
    call.expect(call.integer("axis", 1) == 1, "a concatenation along anything but the channels");
    std::vector<NodeId> inputs;
    for (std::size_t i = 0; i < call.node().inputs.size(); ++i) {
      inputs.push_back(call.map(i));
    }
    return call.emit(graph::Concatenate{}, inputs);
  }
  Numbers joined;  // of sizes
  for (std::size_t i = 0; i < call.node().inputs.size(); ++i) {
    const auto numbers = call.constant(i);
    if (!numbers || joined.size() + numbers->size() > kMostValues) {
      return call.fail("sizes that are computed from the image are not supported", "export with sizes as numbers");
    }
    joined.insert(joined.end(), numbers->begin(), numbers->end());
  }
  call.keep(std::move(joined));
}

/// Resize has roi, scales and sizes behind its map, Upsample scales alone.
void resize(Call& call) {
  const bool upsample = call.node().op == "Upsample";
  const std::string mode = call.text("mode", "nearest");
  call.expect(mode == "nearest" || mode == "linear", "mode " + base::quoted(mode));
  const Shape input = call.shape(call.map(0));
  const auto scales = call.constant(upsample ? 1 : 2);
  const auto sizes = upsample ? std::nullopt : call.constant(3);
  graph::Resize resize{{}, mode == "linear"};
  if (sizes && sizes->size() == 4) {
    resize.size = {whole((*sizes)[2]), whole((*sizes)[3])};
    call.expect_exported(resize.size);
  } else if (scales && scales->size() == 4) {
    const auto scaled = [](std::int64_t side, double scale) {
      return whole(std::floor(static_cast<double>(side) * scale));
    };
    resize.size = {scaled(input.height, (*scales)[2]), scaled(input.width, (*scales)[3])};
  } else {
    call.fail("its size is computed from the image, which is not supported", "export with sizes or scales as numbers");
  }
  call.emit(resize);
}

void pad(Call& call) {
  const auto pads = call.constant_or_attribute(1, "pads");
  const bool nothing = pads && std::all_of(pads->begin(), pads->end(), [](double pad) { return pad == 0; });
  call.expect(nothing, "padding on its own");
  call.alias(0);
}

void flatten(Call& call) {
  call.expect(call.integer("axis", 1) == 1, "a Flatten that keeps more than the batch");
  call.emit(graph::Flatten{});
}

/// Heads of detection turn the channels of a map to its end; a reshape makes rows of values of it.
void transpose(Call& call) {
  const NodeId input = call.map(0);
  call.expect(call.integers("perm", {}) == std::vector<std::int64_t>{0, 2, 3, 1}, "a transpose but of (0, 2, 3, 1)");
  call.keep(Turned{input});
}

void rows(Call& call, NodeId map, const Numbers& shape) {
  const std::int64_t values = shape.size() == 3 ? whole(shape[2]) : 0;
  call.expect(values >= 1 && (shape[1] == -1 || whole(shape[1]) == call.shape(map).elements() / values),
              "a reshape of a permuted map to anything but (batch, -1, values)");
  call.emit(graph::Flatten{values}, {map});
}

/// CrossEntropyLoss begins with it.
void log_softmax(Call& call) {
  const NodeId input = call.map(0);
  const Shape& shape = call.shape(input);
  call.expect(call.integer("axis", -1) == 1 || shape.height * shape.width == 1,
              "LogSoftmax over anything but the channels");
  call.keep(LogSoftmax{input});
}

/// To one vector an image, or to the shape that is there.
void reshape(Call& call) {
  if (const auto* turned = call.find<Turned>(0)) {
    return rows(call, turned->map, call.constant_or_attribute(1, "shape").value_or(Numbers{}));
  }
  const Shape input = call.shape(call.map(0));
  const auto shape = call.constant_or_attribute(1, "shape");
  if (!shape) {
    return call.fail("its shape is computed from the image, which is not supported", "use torch.flatten(x, 1)");
  }
  const std::vector<std::int64_t> same{input.channels, input.height, input.width};
  const bool same_map = shape->size() == 4 && std::equal(same.begin(), same.end(), shape->begin() + 1,
                                                         [](std::int64_t a, double b) { return whole(b) == a; });
  if (same_map) {
    return call.alias(0);
  }
  call.expect(shape->size() == 2, "a reshape to anything but one vector an image");
  if (!call.error() && (*shape)[1] != -1 && whole((*shape)[1]) != input.elements()) {
    call.fail(fmt::format("the file fixes {} values an image, but there are {}", whole((*shape)[1]), input.elements()),
              "give --size as the file was exported with");
  }
  call.emit(graph::Flatten{});
}

/// The mean over height and width.
void mean(Call& call) {
  const auto axes = call.constant_or_attribute(1, "axes");
  const bool both = axes && (*axes == Numbers{2, 3} || *axes == Numbers{-2, -1} || *axes == Numbers{-1, -2});
  call.expect(both, "a mean over anything but height and width");
  call.emit(graph::AdaptiveAveragePool{1, 1});
}

void squeeze(Call& call) {
  if (call.find<NodeId>(0) != nullptr) {
    const Shape input = call.shape(call.map(0));
    call.expect(input.height == 1 && input.width == 1, "a squeeze of maps");
    return call.emit(graph::Flatten{});
  }
  call.alias(0);
}

using Maker = void (*)(Call&);
const std::map<std::string, Maker, std::less<>>& makers() {
  static const std::map<std::string, Maker, std::less<>> kMakers{
      {"Add", join<graph::Add>},
      {"AveragePool", [](Call& call) { call.emit(graph::AveragePool{window(call)}); }},
      {"BatchNormalization", batch_norm},
      {"Cast", [](Call& call) { call.alias(0); }},
      {"Clip", clip},
      {"Concat", concatenate},
      {"Constant", constant},
      {"Conv", convolution},
      {"ConvTranspose", convolution},
      {"Dropout", dropout},
      {"Flatten", flatten},
      {"Gelu", activation<Function::gelu>},
      {"Gather", gather},
      {"Gemm", linear},
      {"GlobalAveragePool",
       [](Call& call) {
         call.emit(graph::AdaptiveAveragePool{1, 1});
       }},
      {"HardSigmoid", activation<Function::hard_sigmoid>},
      {"HardSwish", activation<Function::hard_swish>},
      {"Identity", [](Call& call) { call.alias(0); }},
      {"LeakyRelu", activation<Function::leaky_relu>},
      {"LogSoftmax", log_softmax},
      {"MatMul", linear},
      {"MaxPool", [](Call& call) { call.emit(graph::MaxPool{window(call)}); }},
      {"Mul", join<graph::Multiply>},
      {"Pad", pad},
      {"ReduceMean", mean},
      {"Relu", activation<Function::relu>},
      {"Reshape", reshape},
      {"Resize", resize},
      {"Shape", shape},
      {"Sigmoid", sigmoid},
      {"Slice", slice},
      {"Softmax", [](Call& call) { call.emit(graph::Softmax{}); }},
      {"Squeeze", squeeze},
      {"Tanh", activation<Function::tanh>},
      {"Transpose", transpose},
      {"Unsqueeze",
       [](Call& call) {
         call.find<NodeId>(0) != nullptr ? call.expect(false, "an Unsqueeze of maps") : call.alias(0);
       }},
      {"Upsample", resize},
  };
  return kMakers;
}

}  // namespace

void run_operator(Call& call) {
  const Node& node = call.node();
  const auto maker = makers().find(node.op);
  if (maker == makers().end() || (!node.domain.empty() && node.domain != "ai.onnx")) {
    return call.fail("is not supported", "supported are " + names_in(makers()));
  }
  maker->second(call);
}

}  // namespace vggplan::importers::onnx
