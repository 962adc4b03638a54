// SPDX-License-Identifier: MIT
#include <algorithm>
#include <string>
#include <vector>

#include "report/flatten.hpp"
#include "report/values.hpp"
#include "vggplan/report/build.hpp"

namespace vggplan::report {

namespace {

std::vector<std::string> keys_of_point(const Document& estimate) {
  std::vector<std::string> keys;
  if (const auto point = estimate.find("point"); point != estimate.end()) {
    for (const auto& [key, value] : point->items()) {
      keys.push_back(key);
    }
  }
  return keys;
}

/// Whether the estimates are points of one sweep: the same flags vary in all.
bool of_one_sweep(const std::vector<Document>& estimates) {
  const std::vector<std::string> keys = estimates.empty() ? std::vector<std::string>() : keys_of_point(estimates[0]);
  return !keys.empty() && std::all_of(estimates.begin(), estimates.end(),
                                      [&](const Document& estimate) { return keys_of_point(estimate) == keys; });
}

/// The inputs that are not the same in all estimates; the number of the line where all are.
std::vector<std::string> varying_inputs(const std::vector<Leaves>& inputs) {
  std::vector<std::string> names;
  for (const Leaves& leaves : inputs) {
    for (const auto& [name, value] : leaves) {
      const bool known = std::find(names.begin(), names.end(), name) != names.end();
      const auto same = [&key = name, &wanted = value](const Leaves& other) {
        const Document* found = find(other, key);
        return found != nullptr && *found == wanted;
      };
      if (!known && !std::all_of(inputs.begin(), inputs.end(), same)) {
        names.push_back(name);
      }
    }
  }
  return names;
}

Document shown(const Document* value) {
  return value == nullptr ? Document("-") : value->is_boolean() ? Document(value->dump()) : *value;
}

/// Estimates from here and there are told apart by the inputs in which they differ.
void name_points(std::vector<Document>& estimates) {
  std::vector<Leaves> inputs;
  for (const Document& estimate : estimates) {
    inputs.push_back(inputs_of(estimate));
  }
  const std::vector<std::string> names = varying_inputs(inputs);
  for (std::size_t i = 0; i < estimates.size(); ++i) {
    Document point = Document::object();
    for (const std::string& name : names) {
      point[name] = shown(find(inputs[i], name));
    }
    if (names.empty()) {
      point["line"] = i + 1;
    }
    estimates[i]["point"] = std::move(point);
  }
}

}  // namespace

Document build_sweep(std::vector<Document> estimates) {
  if (!of_one_sweep(estimates)) {
    name_points(estimates);
  }
  Document report = start(Kind::sweep);
  report["points"] = std::move(estimates);
  return report;
}

}  // namespace vggplan::report
