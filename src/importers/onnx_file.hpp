// SPDX-License-Identifier: MIT
// What of an ONNX file (onnx.proto, IR versions 3 to 10) tells the network. Weights stay where they are.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/result.hpp"

namespace vggplan::importers::onnx {

inline constexpr std::size_t kMostValues = 64;  ///< of a tensor or list that is read: sizes, pads, scales

struct Tensor {
  std::string name{};
  std::vector<std::int64_t> dims{};
  std::vector<double> values{};  ///< empty of larger tensors, and of types other than float, int32 and int64
};

struct Attribute {
  std::int64_t integer{};
  double number{};
  std::string text{};
  std::vector<std::int64_t> integers{};
  std::vector<double> numbers{};
  Tensor tensor{};
};

struct Node {
  std::string name{};
  std::string op{};
  std::string domain{};
  std::vector<std::string> inputs{};  ///< an empty name stands for an input left out
  std::vector<std::string> outputs{};
  std::map<std::string, Attribute, std::less<>> attributes{};
};

struct Graph {
  std::string name{};
  std::vector<Node> nodes{};
  std::vector<Tensor> initializers{};
  std::vector<Tensor> inputs{};  ///< sizes that are left open are -1
  std::vector<std::string> outputs{};
};

/// Error (Fault::file) where the bytes are no ONNX file, are cut short, or hold more than any network does.
base::Result<Graph> decode(std::string_view text, const std::string& shown);

}  // namespace vggplan::importers::onnx
