// SPDX-License-Identifier: MIT
#include "importers/onnx_file.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>
#include <protozero/pbf_reader.hpp>
#include <stdexcept>

#include "importers/assembly.hpp"

namespace vggplan::importers::onnx {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

constexpr std::size_t kMostTensors = 100'000;
constexpr std::size_t kMostAttributes = 100;
constexpr std::size_t kLongestName = 1'000;

// Fields that have another type than onnx.proto gives them are passed over: protozero does not check.
constexpr std::uint32_t bytes(std::uint32_t field) {
  return protozero::tag_and_type(field, pbf_wire_type::length_delimited);
}
constexpr std::uint32_t varint(std::uint32_t field) { return protozero::tag_and_type(field, pbf_wire_type::varint); }
constexpr std::uint32_t fixed32(std::uint32_t field) { return protozero::tag_and_type(field, pbf_wire_type::fixed32); }

/// A limit of the file's parts was passed; left to decode() to tell.
struct TooMuch : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T>
void push(std::vector<T>& list, T value, std::size_t most, const char* what) {
  if (list.size() >= most) {
    throw TooMuch(fmt::format("has more than {} {}", most, what));
  }
  list.push_back(std::move(value));
}

std::string short_text(pbf_reader& reader) {
  const protozero::data_view view = reader.get_view();
  if (view.size() > kLongestName) {
    throw TooMuch(fmt::format("has a name of more than {} bytes", kLongestName));
  }
  return {view.data(), view.size()};
}

/// A repeated number, packed or not: both are valid.
template <class T, class One, class Packed>
void numbers(pbf_reader& reader, std::vector<T>& list, One one, Packed packed) {
  if (reader.wire_type() == pbf_wire_type::length_delimited) {
    for (const auto value : (reader.*packed)()) {
      push(list, static_cast<T>(value), kMostValues, "numbers in one list");
    }
  } else {
    push(list, static_cast<T>((reader.*one)()), kMostValues, "numbers in one list");
  }
}

void int64s(pbf_reader& reader, std::vector<std::int64_t>& list) {
  numbers(reader, list, &pbf_reader::get_int64, &pbf_reader::get_packed_int64);
}
void floats(pbf_reader& reader, std::vector<double>& list) {
  numbers(reader, list, &pbf_reader::get_float, &pbf_reader::get_packed_float);
}

// TensorProto.DataType
constexpr std::int32_t kFloat = 1;
constexpr std::int32_t kInt32 = 6;
constexpr std::int32_t kInt64 = 7;
constexpr std::int32_t kBool = 9;

template <class T>
std::vector<double> raw_values(protozero::data_view raw) {
  std::vector<double> values;
  for (std::size_t at = 0; at + sizeof(T) <= raw.size(); at += sizeof(T)) {
    T value{};
    std::memcpy(&value, raw.data() + at, sizeof(T));  // little endian, as ONNX has it and the hosts that we know
    values.push_back(static_cast<double>(value));
  }
  return values;
}

Tensor tensor_of(pbf_reader reader) {
  static_assert(std::endian::native == std::endian::little);
  Tensor tensor;
  std::int32_t type = 0;
  protozero::data_view raw{};
  pbf_reader copy = reader;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1):
      case varint(1): int64s(reader, tensor.dims); break;
      case varint(2): type = reader.get_int32(); break;
      case bytes(8): tensor.name = short_text(reader); break;
      case bytes(9): raw = reader.get_view(); break;
      default: reader.skip(); break;
    }
  }
  // Lists of values are as long as weights are: only those of small tensors are read.
  const auto most = static_cast<std::int64_t>(kMostValues);
  std::int64_t elements = 1;
  for (const std::int64_t dim : tensor.dims) {
    elements = dim >= 0 && dim <= most ? elements * dim : most + 1;
    elements = std::min(elements, most + 1);
  }
  if (elements > most || raw.size() > kMostValues * sizeof(std::int64_t)) {
    return tensor;
  }
  tensor.values = type == kFloat   ? raw_values<float>(raw)
                  : type == kInt64 ? raw_values<std::int64_t>(raw)
                  : type == kInt32 ? raw_values<std::int32_t>(raw)
                  : type == kBool  ? raw_values<std::uint8_t>(raw)
                                   : std::vector<double>{};
  std::vector<std::int64_t> integers;
  while (copy.next()) {
    switch (copy.tag_and_type()) {
      case bytes(4):
      case fixed32(4): floats(copy, tensor.values); break;
      case bytes(5):
      case varint(5):
      case bytes(7):
      case varint(7): int64s(copy, integers); break;
      default: copy.skip(); break;
    }
  }
  tensor.values.insert(tensor.values.end(), integers.begin(), integers.end());
  return tensor;
}

void read_attribute(pbf_reader reader, Node& node) {
  std::string name;
  Attribute attribute;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): name = short_text(reader); break;
      case fixed32(2): attribute.number = static_cast<double>(reader.get_float()); break;
      case varint(3): attribute.integer = reader.get_int64(); break;
      case bytes(4): attribute.text = short_text(reader); break;
      case bytes(5): attribute.tensor = tensor_of(reader.get_message()); break;
      case bytes(7):
      case fixed32(7): floats(reader, attribute.numbers); break;
      case bytes(8):
      case varint(8): int64s(reader, attribute.integers); break;
      default: reader.skip(); break;
    }
  }
  if (node.attributes.size() >= kMostAttributes) {
    throw TooMuch(fmt::format("has a node of more than {} attributes", kMostAttributes));
  }
  node.attributes.insert_or_assign(std::move(name), std::move(attribute));
}

Node node_of(pbf_reader reader) {
  Node node;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): push(node.inputs, short_text(reader), kMostInputs, "inputs of one node"); break;
      case bytes(2): push(node.outputs, short_text(reader), kMostInputs, "outputs of one node"); break;
      case bytes(3): node.name = short_text(reader); break;
      case bytes(4): node.op = short_text(reader); break;
      case bytes(5): read_attribute(reader.get_message(), node); break;
      case bytes(7): node.domain = short_text(reader); break;
      default: reader.skip(); break;
    }
  }
  return node;
}

/// TensorShapeProto.Dimension: a number, or a name.
std::int64_t dim_of(pbf_reader reader) {
  std::int64_t dim = -1;
  while (reader.next()) {
    if (reader.tag_and_type() == varint(1)) {
      dim = reader.get_int64();
    } else {
      reader.skip();
    }
  }
  return dim;
}

/// The sizes in a TypeProto: its tensor, the shape of that, and the dimensions, one in the other.
void read_sizes(pbf_reader reader, const int depth, std::vector<std::int64_t>& dims) {
  constexpr std::array<std::uint32_t, 2> kFields{1, 2};  // TypeProto.tensor_type, Tensor.shape
  constexpr std::size_t kMostDims = 8;
  while (reader.next()) {
    if (depth == 2 && reader.tag_and_type() == bytes(1)) {
      push(dims, dim_of(reader.get_message()), kMostDims, "sizes of one input");
    } else if (depth < 2 && reader.tag_and_type() == bytes(kFields.at(static_cast<std::size_t>(depth)))) {
      read_sizes(reader.get_message(), depth + 1, dims);
    } else {
      reader.skip();
    }
  }
}

/// ValueInfoProto.
Tensor input_of(pbf_reader reader) {
  Tensor input;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): input.name = short_text(reader); break;
      case bytes(2): read_sizes(reader.get_message(), 0, input.dims); break;
      default: reader.skip(); break;
    }
  }
  return input;
}

Graph graph_of(pbf_reader reader) {
  Graph graph;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1): push(graph.nodes, node_of(reader.get_message()), 2 * kMostNodes, "nodes"); break;
      case bytes(2): graph.name = short_text(reader); break;
      case bytes(5): push(graph.initializers, tensor_of(reader.get_message()), kMostTensors, "weights"); break;
      case bytes(11): push(graph.inputs, input_of(reader.get_message()), kMostTensors, "inputs"); break;
      case bytes(12): push(graph.outputs, input_of(reader.get_message()).name, kMostInputs, "outputs"); break;
      default: reader.skip(); break;
    }
  }
  return graph;
}

base::Diagnostic unreadable(const std::string& shown, std::string rule) {
  return {base::Fault::file, shown, std::move(rule),
          "give an ONNX file, a .pt2 archive of torch.export or a JSON graph"};
}

}  // namespace

base::Result<Graph> decode(std::string_view text, const std::string& shown) {
  try {
    pbf_reader reader(text.data(), text.size());
    Graph graph;
    while (reader.next()) {
      if (reader.tag_and_type() == bytes(7)) {
        graph = graph_of(reader.get_message());
      } else {
        reader.skip();
      }
    }
    if (graph.nodes.empty()) {
      return unreadable(shown, "holds no network: it is no ONNX file, no .pt2 archive and no JSON");
    }
    return graph;
  } catch (const TooMuch& error) {
    return unreadable(shown, error.what());
  } catch (const protozero::exception&) {
    return unreadable(shown, "cannot be decoded: it is no ONNX file, or was cut short");
  }
}

}  // namespace vggplan::importers::onnx
