// SPDX-License-Identifier: MIT
#include "importers/onnx_sizes.hpp"

#include <algorithm>
#include <limits>

namespace vggplan::importers::onnx {
namespace {

/// Where a list of so many begins to be cut: negative numbers count from its end.
std::size_t position(double index, std::size_t size) {
  const auto most = static_cast<double>(size);
  const double from_start = index < 0 ? index + most : index;
  return from_start >= 0 ? static_cast<std::size_t>(std::min(from_start, most)) : 0;  // NaN is no position
}

}  // namespace

void constant(Call& call) {
  const auto find = [&](std::string_view name) { return call.node().attributes.find(name); };
  const auto none = call.node().attributes.end();
  if (const auto value = find("value"); value != none) {
    const Tensor& tensor = value->second.tensor;
    return call.keep(tensor.values);
  }
  for (const std::string_view name : {"value_int", "value_float"}) {
    if (find(name) != none) {
      return call.keep(Numbers{find(name)->second.number + static_cast<double>(find(name)->second.integer)});
    }
  }
  call.keep(call.constant_or_attribute(0, "value_ints").value_or(Numbers{}));
}

void shape(Call& call) {
  const graph::Shape map = call.shape(call.map(0));
  constexpr double kBatch = std::numeric_limits<double>::quiet_NaN();
  call.keep(Numbers{kBatch, static_cast<double>(map.channels), static_cast<double>(map.height),
                    static_cast<double>(map.width)});
}

void gather(Call& call) {
  const auto sizes = call.constant(0);
  const auto indices = call.constant(1);
  if (!sizes || !indices) {
    return call.fail("picks from what is computed from the image, which is not supported");
  }
  Numbers picked;
  for (const double index : *indices) {
    const std::size_t at = position(index, sizes->size());
    if (at >= sizes->size()) {
      return call.fail("picks what is not there");
    }
    picked.push_back((*sizes)[at]);
  }
  call.keep(std::move(picked));
}

void slice(Call& call) {
  const auto sizes = call.constant(0);
  const auto starts = call.constant_or_attribute(1, "starts");
  const auto ends = call.constant_or_attribute(2, "ends");
  const auto steps = call.constant(4);
  const bool plain =
      sizes && starts && ends && starts->size() == 1 && ends->size() == 1 && (!steps || *steps == Numbers{1});
  if (!plain) {
    return call.fail("a slice of anything but a list of sizes is not supported");
  }
  const std::size_t first = position(starts->front(), sizes->size());
  const std::size_t last = std::max(first, position(ends->front(), sizes->size()));
  call.keep(
      Numbers(sizes->begin() + static_cast<std::ptrdiff_t>(first), sizes->begin() + static_cast<std::ptrdiff_t>(last)));
}

std::optional<Numbers> reckoned(const Call& call, bool sum) {
  const auto first = call.constant(0);
  const auto second = call.constant(1);
  if (!first || !second || first->empty() || (second->size() != 1 && second->size() != first->size())) {
    return std::nullopt;
  }
  Numbers result = *first;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const double other = (*second)[second->size() == 1 ? 0 : i];
    result[i] = sum ? result[i] + other : result[i] * other;
  }
  return result;
}

}  // namespace vggplan::importers::onnx
