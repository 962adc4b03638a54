// SPDX-License-Identifier: MIT
// Archives of torch.export (PyTorch 2.5 or later: training operators are kept as they were called).
#include "importers/torch_export.hpp"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "importers/archive.hpp"
#include "importers/aten_call.hpp"
#include "vggplan/base/format.hpp"
#include "vggplan/base/json_text.hpp"

namespace vggplan::importers {
namespace aten {
namespace {

using graph::Function;
using graph::NodeId;
using graph::Pair;
using graph::Shape;
using nlohmann::json;

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
  call.emit(graph::Dropout{call.number("p", 0.5), whole_channels}, {call.map("input")});
}

/// Sums and products of two maps. Counters of batch norm are added to as well, which is no layer.
template <class Joined>
void join(Call& call) {
  if (call.is_buffer("self")) {
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

void concatenate(Call& call) {
  call.expect(call.integer("dim", 0) == 1, "a concatenation along anything but the channels");
  call.emit(graph::Concatenate{}, call.maps("tensors"));
}

void upsample(Call& call, bool bilinear) {
  const NodeId input_id = call.map(call.has("self") ? "self" : "input");
  const Shape input = call.shape(input_id);
  const auto factors = call.numbers("scale_factors");
  graph::Resize resize{call.pair("output_size", {0, 0}), bilinear};
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

void reshape(Call& call) {
  const NodeId input = call.map("self");
  const auto sizes = call.integers(call.has("size") ? "size" : "shape");
  call.expect(sizes.size() == 2, "a reshape to anything but one vector an image");
  if (!call.error() && sizes[1] && *sizes[1] != -1 && *sizes[1] != call.shape(input).elements()) {
    call.fail(
        fmt::format("the file fixes {} values an image, but there are {}", *sizes[1], call.shape(input).elements()),
        "give --size as the file was exported with, or use torch.flatten(x, 1)");
  }
  call.emit(graph::Flatten{}, {input});
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
      {"contiguous", [](Call& call) { call.alias("self"); }},
      {"conv2d", [](Call& call) { convolution(call, false); }},
      {"conv_transpose2d", [](Call& call) { convolution(call, true); }},
      {"convolution", [](Call& call) { convolution(call, call.flag("transposed", false)); }},
      {"dropout", [](Call& call) { dropout(call, false); }},
      {"feature_dropout", [](Call& call) { dropout(call, true); }},
      {"flatten", flatten},
      {"gelu", activation<Function::gelu>},
      {"hardsigmoid", activation<Function::hard_sigmoid>},
      {"hardswish", activation<Function::hard_swish>},
      {"hardtanh", hardtanh},
      {"linear", linear},
      {"max_pool2d", [](Call& call) { call.emit(graph::MaxPool{window(call)}, {call.map("self")}); }},
      {"mean", mean},
      {"mul", join<graph::Multiply>},
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

std::string supported() {
  std::string list;
  for (const auto& [name, maker] : makers()) {
    list += (list.empty() ? "" : ", ") + name;
  }
  return "supported of torch.ops.aten are " + list + "; export without run_decompositions()";
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

/// Whether a node makes a tensor; others reckon with sizes, and are no layers.
bool makes_tensor(const json& node) {
  const json& outputs = member(node, "outputs");
  return outputs.is_array() && !outputs.empty() &&
         (member(outputs.front(), "as_tensor").is_object() || member(outputs.front(), "as_tensors").is_array());
}

base::Status run_node(Walk& walk, const json& node, const std::string& shown, std::size_t index) {
  if (!makes_tensor(node)) {
    return std::nullopt;
  }
  const std::string target = text_of(node, "target");
  Call call(walk, node, fmt::format("{}: node {}, operator {}", shown, index, base::quoted(target)));
  const auto maker = makers().find(operator_of(target));
  if (maker == makers().end()) {
    call.fail("is not supported", supported());
  } else {
    maker->second(call);
  }
  return call.error();
}

/// Parameters and buffers with their sizes, and the one input that is none of them.
base::Status prepare(Walk& walk, const json& graph, const json& signature, const std::string& shown) {
  std::size_t images = 0;
  for (const json& spec : member(signature, "input_specs")) {
    const bool parameter = member(spec, "parameter").is_object();
    const json& other = member(spec, parameter ? "parameter" : "buffer");
    const std::string name = text_of(member(other, "arg"), "name");
    if (other.is_object()) {
      const json& meta = member(member(graph, "tensor_values"), name);
      const json& gradient = member(meta, "requires_grad");
      Weight weight{text_of(other, parameter ? "parameter_name" : "buffer_name"), {}, true, {}};
      weight.trained = !gradient.is_boolean() || gradient.get<bool>();
      for (const json& size : member(meta, "sizes")) {
        const json& number = member(size, "as_int");
        weight.dims.push_back(number.is_number_integer() ? number.get<std::int64_t>() : -1);
      }
      walk.values.insert_or_assign(name, std::move(weight));
    } else if (member(spec, "user_input").is_object()) {
      const std::string image = text_of(member(member(member(spec, "user_input"), "arg"), "as_tensor"), "name");
      walk.values.insert_or_assign(image, NodeId{0});
      ++images;
    }
  }
  return images == 1 ? std::nullopt
                     : base::Status(base::wrong(
                           shown, fmt::format("has {} inputs; networks of one batch of images are supported", images)));
}

base::Result<std::vector<NodeId>> outputs_of(const Walk& walk, const json& signature, const std::string& shown) {
  std::vector<NodeId> outputs;
  for (const json& spec : member(signature, "output_specs")) {
    if (!member(spec, "user_output").is_object()) {
      continue;  // buffers of batch norm
    }
    const std::string name = text_of(member(member(member(spec, "user_output"), "arg"), "as_tensor"), "name");
    const auto found = walk.values.find(name);
    const auto* id = found == walk.values.end() ? nullptr : std::get_if<NodeId>(&found->second);
    if (id == nullptr) {
      return base::wrong(shown, fmt::format("no node makes its output {}", base::quoted(name)));
    }
    outputs.push_back(*id);
  }
  return outputs;
}

void add_warnings(const Walk& walk, Imported& imported) {
  if (walk.training) {
    for (const NodeId norm : walk.fixed_norms) {
      std::get<graph::BatchNorm>(imported.network.nodes[norm].kind).frozen = true;
    }
  } else if (walk.lost_dropout || !walk.fixed_norms.empty()) {
    imported.warnings.push_back(
        "the file was exported for inference (model.eval()): its dropout and batch norm are taken as they are in "
        "training; export after model.train() to be sure");
  }
}

base::Result<Imported> network_of(const json& program, const std::string& shown, Shape image) {
  const json& module = member(program, "graph_module");
  const json& graph = member(module, "graph");
  const json& nodes = member(graph, "nodes");
  if (!nodes.is_array()) {
    return base::wrong(shown, "its graph has no nodes", "write it with torch.export.save()");
  }
  Walk walk{Assembly(shown, base::printable(shown), image)};
  if (auto error = prepare(walk, graph, member(module, "signature"), shown)) {
    return *error;
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (auto error = run_node(walk, nodes[i], shown, i)) {
      return *error;
    }
  }
  const auto outputs = outputs_of(walk, member(module, "signature"), shown);
  if (!outputs) {
    return outputs.error();
  }
  std::vector<Shape> shapes;
  for (const NodeId output : *outputs) {
    shapes.push_back(walk.assembly.shape(output));
  }
  auto network = std::move(walk.assembly).finish(usual_objective(shapes), *outputs);
  if (!network) {
    return network.error();
  }
  Imported imported{std::move(*network), {}};
  add_warnings(walk, imported);
  return imported;
}

class Archive final : public NetworkFile {
 public:
  Archive(json program, std::string shown) : program_(std::move(program)), shown_(std::move(shown)) {}
  [[nodiscard]] base::Result<Imported> read(Shape image) const override { return network_of(program_, shown_, image); }

 private:
  json program_;
  std::string shown_;
};

}  // namespace
}  // namespace aten

base::Result<std::shared_ptr<const NetworkFile>> open_torch_export(std::string_view zip, const std::string& shown) {
  const auto text = exported_program(zip, shown);
  if (!text) {
    return text.error();
  }
  auto program = base::parse_json<nlohmann::json>(*text, shown);
  if (!program) {
    return program.error();
  }
  return std::shared_ptr<const NetworkFile>(std::make_shared<aten::Archive>(std::move(*program), shown));
}

}  // namespace vggplan::importers
