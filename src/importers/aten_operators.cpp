// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "importers/aten_call.hpp"

namespace vggplan::importers::aten {
namespace {

using graph::Function;
using graph::NodeId;
using graph::Pair;
using graph::Shape;

/// The size of a weight times the groups, or what no limit allows.
std::int64_t times(std::int64_t channels, std::int64_t groups) {
  return channels >= 1 && channels <= graph::kMostChannels ? channels * groups : -1;
}

/// aten.convolution tells whether it is transposed, conv_transpose2d is.
void convolution(Call& call, bool transposed) {
  const Weight weight = call.weight("weight");
  call.expect(weight.dims.size() == 4, "a convolution that is not over two dimensions");
  if (call.error()) {
    return;
  }
  graph::Convolution conv;
  conv.transposed = transposed;
  conv.kernel = {weight.dims[2], weight.dims[3]};
  conv.stride = call.pair("stride", {1, 1});
  conv.dilation = call.pair("dilation", {1, 1});
  conv.padding = call.pair("padding", {0, 0});
  if (call.text("padding") == "same") {
    const bool even = conv.kernel.height % 2 == 1 && conv.kernel.width % 2 == 1 &&
                      conv.kernel.height <= graph::kLargestSide && conv.kernel.width <= graph::kLargestSide &&
                      conv.dilation == Pair{1, 1};
    call.expect(even, "padding='same' of even or dilated kernels");
    conv.padding = {conv.kernel.height / 2, conv.kernel.width / 2};
  }
  conv.groups = call.integer("groups", 1);
  conv.groups = conv.groups >= 1 && conv.groups <= graph::kMostChannels ? conv.groups : 0;
  conv.bias = call.has("bias");
  conv.in_channels = transposed ? weight.dims[0] : times(weight.dims[1], conv.groups);
  conv.out_channels = transposed ? times(weight.dims[1], conv.groups) : weight.dims[0];
  conv.output_padding = transposed ? call.pair("output_padding", {0, 0}) : Pair{0, 0};
  call.expect(conv.in_channels != 0, "a convolution of no channels");
  call.emit(conv, {call.map("input")});
}

void batch_norm(Call& call) {
  call.expect(call.has("weight"), "a batch norm without weights (affine=False)");
  static_cast<void>(call.weight("weight"));
  const bool training = call.flag("training", true);
  const NodeId id = call.emit(graph::BatchNorm{}, {call.map("input")});
  call.walk().training = call.walk().training || training;
  if (!training && !call.error()) {
    call.walk().fixed_norms.push_back(id);
  }
}

void linear(Call& call) {
  const Weight weight = call.weight("weight");
  call.expect(weight.dims.size() == 2, "a Linear layer whose weight is no matrix");
  if (!call.error()) {
    call.expect(weight.dims[1] != 0, "a Linear layer of no features");
    call.emit(graph::Linear{weight.dims[1], weight.dims[0], call.has("bias")}, {call.map("input")});
  }
}

template <Function kFunction>
void activation(Call& call) {
  const NodeId input = call.map("self");
  call.emit(graph::Activation{kFunction, call.in_place()}, {input});
}

/// nn.ReLU6 is a Hardtanh from 0 to 6.
void hardtanh(Call& call) {
  call.expect(call.number("min_val", -1) == 0 && call.number("max_val", 1) == 6, "a Hardtanh that is no ReLU6");
  activation<Function::relu6>(call);
}

graph::Window window(Call& call) {
  graph::Window window;
  window.kernel = call.pair("kernel_size", {0, 0});
  window.stride = call.pair("stride", window.kernel);
  window.padding = call.pair("padding", {0, 0});
  window.ceil = call.flag("ceil_mode", false);
  call.expect(call.pair("dilation", {1, 1}) == Pair{1, 1}, "a dilated pooling");
  return window;
}

void adaptive_pool(Call& call) {
  const Pair size = call.pair("output_size", {0, 0});
  call.emit(graph::AdaptiveAveragePool{size.height, size.width}, {call.map("self")});
}

/// The mean over height and width.
void mean(Call& call) {
  const auto dims = call.integers("dim");
  const auto over = [&](std::int64_t a, std::int64_t b) {
    return dims.size() == 2 && dims[0] == std::optional(a) && dims[1] == std::optional(b);
  };
  const bool both = over(2, 3) || over(-2, -1) || over(-1, -2);
  call.expect(both, "a mean over anything but height and width");
  call.emit(graph::AdaptiveAveragePool{1, 1}, {call.map("self")});
}

void dropout(Call& call, bool whole_channels) {
  const bool train = call.flag("train", true);
  call.walk().training = call.walk().training || train;
  call.walk().lost_dropout = call.walk().lost_dropout || !train;
  call.emit(graph::Dropout{call.number("p", 0.5), whole_channels}, {call.map(call.in_place() ? "self" : "input")});
}

/// Sums and products of two maps. Counters of batch norm are added to as well, which is no layer.
template <class Joined>
void join(Call& call) {
  if (call.find<Weight>("self") != nullptr) {
    return;
  }
  NodeId first = call.map("self");
  NodeId second = call.map("other");
  if (!call.error() && !call.in_place() && call.shape(first).elements() < call.shape(second).elements()) {
    std::swap(first, second);
  }
  Joined joined;
  if constexpr (std::is_same_v<Joined, graph::Add>) {
    joined.in_place = call.in_place();
  } else {
    call.expect(!call.in_place(), "a product in place");
  }
  call.emit(joined, {first, second});
}

/// One number an image, drawn: the beginning of stochastic depth (torchvision.ops), which is a dropout of whole images.
void empty(Call& call) {
  const auto sizes = call.integers("size");
  const bool each = !sizes.empty() && std::all_of(sizes.begin() + 1, sizes.end(), [](auto size) { return size == 1; });
  call.expect(each, "a tensor that forward() makes, but for one number an image");
  call.keep(Drawn{});
}

void bernoulli(Call& call) {
  call.expect(call.find<Drawn>("self") != nullptr, "drawing at random, but for one number an image");
  call.keep(Drawn{call.number("p", 0.5)});
}

/// What was drawn is scaled by how likely it was.
void divide(Call& call) {
  const auto* drawn = call.find<Drawn>("self");
  call.expect(drawn != nullptr, "a division");
  call.keep(drawn == nullptr ? Drawn{} : *drawn);
}

void multiply(Call& call) {
  const auto* drawn = call.find<Drawn>("other");
  if (drawn == nullptr) {
    return join<graph::Multiply>(call);
  }
  call.walk().training = true;
  call.emit(graph::Dropout{1 - drawn->kept, true}, {call.map("self")});
}

void concatenate(Call& call) {
  call.expect(call.integer("dim", 0) == 1, "a concatenation along anything but the channels");
  call.emit(graph::Concatenate{}, call.maps("tensors"));
}

void upsample(Call& call, bool bilinear) {
  const NodeId input_id = call.map(call.has("self") ? "self" : "input");
  const Shape input = call.shape(input_id);
  const auto factors = call.numbers("scale_factors");
  graph::Resize resize{call.pair("output_size", {0, 0}), bilinear};
  if (call.has("output_size")) {
    call.expect_exported(resize.size);
  }
  if (!call.has("output_size") && factors.size() == 2) {
    const auto scaled = [](std::int64_t side, double factor) {
      const double size = std::floor(static_cast<double>(side) * factor);
      return size >= 1 && size <= static_cast<double>(graph::kLargestSide) ? static_cast<std::int64_t>(size) : -1;
    };
    resize.size = {scaled(input.height, factors[0]), scaled(input.width, factors[1])};
  }
  call.emit(resize, {input_id});
}

void flatten(Call& call) {
  call.expect(call.integer("start_dim", 0) == 1 && call.integer("end_dim", -1) == -1,
              "a flatten that keeps more than the batch");
  call.emit(graph::Flatten{}, {call.map("self")});
}

/// Heads of detection turn the channels of a map to its end; a reshape makes rows of values of it.
void permute(Call& call) {
  const NodeId input = call.map("self");
  const std::vector<std::optional<std::int64_t>> channels_last{0, 2, 3, 1};
  call.expect(call.integers("dims") == channels_last, "permute but of (0, 2, 3, 1)");
  call.keep(Turned{input});
}

/// What has to be known of a size that the file may write as a number: it must be the image's.
void expect_size(Call& call, std::optional<std::int64_t> given, std::int64_t size, std::string_view what) {
  if (given && *given != -1 && *given != size) {
    call.fail(fmt::format("the file fixes {} {} an image, but there are {}", *given, what, size),
              "give --size as the file was exported with, or use torch.flatten(x, 1)");
  }
}

void reshape(Call& call) {
  const auto sizes = call.integers(call.has("size") ? "size" : "shape");
  if (const auto* turned = call.find<Turned>("self")) {
    const std::int64_t values = sizes.size() == 3 ? sizes[2].value_or(0) : 0;
    call.expect(values >= 1, "a reshape of a permuted map to anything but (batch, -1, values)");
    if (!call.error()) {
      expect_size(call, sizes[1], call.shape(turned->map).elements() / values, "rows");
      call.emit(graph::Flatten{values}, {turned->map});
    }
    return;
  }
  const NodeId input = call.map("self");
  call.expect(sizes.size() == 2, "a reshape to anything but one vector an image");
  if (!call.error()) {
    expect_size(call, sizes[1], call.shape(input).elements(), "values");
    call.emit(graph::Flatten{}, {input});
  }
}

/// Padding by nothing, as U-Nets write it for sides that fit.
void pad(Call& call) {
  const auto sides = call.integers("pad");
  const bool nothing = !sides.empty() && std::ranges::all_of(sides, [](auto side) { return side == 0; });
  call.expect(nothing, "padding on its own");
  call.alias("self");
}

/// CrossEntropyLoss begins with it.
void log_softmax(Call& call) {
  const NodeId input = call.map("self");
  call.expect(call.integer("dim", 0) == 1 || call.shape(input).height * call.shape(input).width == 1,
              "log_softmax over anything but the channels");
  call.keep(LogSoftmax{input});
}

void contiguous(Call& call) {
  if (const auto* turned = call.find<Turned>("self")) {
    return call.keep(*turned);
  }
  call.alias("self");
}

using Maker = void (*)(Call&);
/// Overloads and the forms in place (relu_) share a row.
const std::map<std::string, Maker, std::less<>>& makers() {
  static const std::map<std::string, Maker, std::less<>> kMakers{
      {"adaptive_avg_pool2d", adaptive_pool},
      {"add", join<graph::Add>},
      {"alias", [](Call& call) { call.alias("self"); }},
      {"avg_pool2d", [](Call& call) { call.emit(graph::AveragePool{window(call)}, {call.map("self")}); }},
      {"batch_norm", batch_norm},
      {"cat", concatenate},
      {"bernoulli", bernoulli},
      {"contiguous", contiguous},
      {"conv2d", [](Call& call) { convolution(call, false); }},
      {"conv_transpose2d", [](Call& call) { convolution(call, true); }},
      {"convolution", [](Call& call) { convolution(call, call.flag("transposed", false)); }},
      {"div", divide},
      {"dropout", [](Call& call) { dropout(call, false); }},
      {"empty", empty},
      {"feature_dropout", [](Call& call) { dropout(call, true); }},
      {"flatten", flatten},
      {"gelu", activation<Function::gelu>},
      {"hardsigmoid", activation<Function::hard_sigmoid>},
      {"hardswish", activation<Function::hard_swish>},
      {"hardtanh", hardtanh},
      {"linear", linear},
      {"leaky_relu", activation<Function::leaky_relu>},
      {"log_softmax", log_softmax},
      {"max_pool2d", [](Call& call) { call.emit(graph::MaxPool{window(call)}, {call.map("self")}); }},
      {"mean", mean},
      {"mul", multiply},
      {"pad", pad},
      {"permute", permute},
      {"relu", activation<Function::relu>},
      {"relu6", activation<Function::relu6>},
      {"reshape", reshape},
      {"sigmoid", activation<Function::sigmoid>},
      {"silu", activation<Function::silu>},
      {"softmax", [](Call& call) { call.emit(graph::Softmax{}, {call.map("self")}); }},
      {"tanh", activation<Function::tanh>},
      {"upsample_bilinear2d", [](Call& call) { upsample(call, true); }},
      {"upsample_nearest2d", [](Call& call) { upsample(call, false); }},
      {"view", reshape},
  };
  return kMakers;
}

/// "relu" of "torch.ops.aten.relu_.default"; empty for what is not of aten.
std::string operator_of(std::string_view target) {
  constexpr std::string_view kPrefix = "torch.ops.aten.";
  if (!target.starts_with(kPrefix)) {
    return "";
  }
  target.remove_prefix(kPrefix.size());
  target = target.substr(0, target.find('.'));
  return std::string(target.ends_with('_') ? target.substr(0, target.size() - 1) : target);
}

}  // namespace

void run_operator(Call& call, std::string_view target) {
  const auto maker = makers().find(operator_of(target));
  if (maker == makers().end()) {
    return call.fail(
        "is not supported",
        fmt::format("supported of torch.ops.aten are {}; export without run_decompositions()", names_in(makers())));
  }
  maker->second(call);
}

}  // namespace vggplan::importers::aten
