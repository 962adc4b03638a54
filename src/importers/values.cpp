// SPDX-License-Identifier: MIT
#include "importers/values.hpp"

#include <fmt/format.h>

#include "vggplan/base/format.hpp"

namespace vggplan::importers {

std::optional<graph::NodeId> output_node(const Values& values, std::string_view name) {
  const auto found = values.find(name);
  if (found == values.end()) {
    return std::nullopt;
  }
  if (const auto* scores = std::get_if<LogSoftmax>(&found->second)) {
    return scores->map;
  }
  const auto* id = std::get_if<graph::NodeId>(&found->second);
  return id == nullptr ? std::nullopt : std::optional(*id);
}

std::string module_of(std::string_view parameter) {
  const std::size_t dot = parameter.rfind('.');
  return dot == std::string_view::npos ? "" : std::string(parameter.substr(0, dot));
}

std::string Names::unique(std::string name) {
  name = base::printable(name);
  for (;;) {
    const std::size_t times = ++used_[name];
    if (times == 1 && name != "image" && name != "loss") {
      return name;
    }
    std::string next = fmt::format("{}_{}", name, times);
    if (++used_[next] == 1) {
      return next;
    }
  }
}

}  // namespace vggplan::importers
