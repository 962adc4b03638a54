// SPDX-License-Identifier: MIT
#include "report/flatten.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace vggplan::report {

namespace {

void flatten(const std::string& prefix, const Document& value, Leaves& leaves) {
  if (value.is_object() && value.contains("value")) {
    leaves.emplace_back(prefix, value.at("value"));
  } else if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      // By layer it is as long as the network; by category it says enough.
      if (key != "breakdown_by_layer") {
        flatten(prefix.empty() ? key : prefix + "." + key, item, leaves);
      }
    }
  } else if (!value.is_array()) {
    leaves.emplace_back(prefix, value);
  }
}

void flatten_section(const Document& report, const std::string& section, const std::string& prefix, Leaves& leaves) {
  const auto found = report.find(section);
  if (found != report.end()) {
    flatten(prefix, *found, leaves);
  }
}

}  // namespace

Leaves inputs_of(const Document& report) {
  Leaves leaves;
  flatten_section(report, "job", "", leaves);
  Leaves machine;
  flatten_section(report, "machine", "machine", machine);
  // The job has these already.
  constexpr std::array<std::string_view, 3> kRepeated{"machine.gpu_count", "machine.nodes", "machine.gpu_title"};
  std::erase_if(machine, [&](const auto& leaf) {
    return std::find(kRepeated.begin(), kRepeated.end(), leaf.first) != kRepeated.end();
  });
  leaves.insert(leaves.end(), machine.begin(), machine.end());
  return leaves;
}

Leaves figures_of(const Document& report) {
  Leaves leaves;
  for (const char* section : {"model", "memory", "time", "input", "storage", "run"}) {
    flatten_section(report, section, section, leaves);
  }
  return leaves;
}

std::vector<std::string> differing(const Leaves& before, const Leaves& after) {
  std::vector<std::string> names;
  for (const auto& [name, value] : after) {
    const Document* old_value = find(before, name);
    if (old_value == nullptr || *old_value != value) {
      names.push_back(name);
    }
  }
  for (const auto& [name, value] : before) {
    if (find(after, name) == nullptr) {
      names.push_back(name);
    }
  }
  return names;
}

const Document* find(const Leaves& leaves, const std::string& name) {
  const auto found = std::find_if(leaves.begin(), leaves.end(), [&](const auto& leaf) { return leaf.first == name; });
  return found == leaves.end() ? nullptr : &found->second;
}

}  // namespace vggplan::report
