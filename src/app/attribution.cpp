// SPDX-License-Identifier: MIT
// Which of several changed inputs does what.
#include <algorithm>

#include "app/reports.hpp"
#include "vggplan/report/build.hpp"
#include "vggplan/report/compare.hpp"

namespace vggplan::app {

namespace {

using report::Document;

/// What changes together: a GPU brings its memory and its machine along.
std::string input_of(const std::string& flag) {
  return flag == "gpus" || flag == "usable-memory" || flag == "machine" ? "machine" : flag;
}

std::vector<std::string> changed_inputs(const Values& before, const Values& after) {
  std::vector<std::string> inputs;
  const auto compare = [&](const Values& some, const Values& others) {
    for (const auto& [flag, value] : some) {
      const auto other = others.find(flag);
      const bool same = other != others.end() && other->second == value;
      if (!same && std::ranges::find(inputs, input_of(flag)) == inputs.end()) {
        inputs.push_back(input_of(flag));
      }
    }
  };
  compare(before, after);
  compare(after, before);
  return inputs;
}

/// `values` with all that belongs to `input` as in `after`.
Values stepped(Values values, const Values& after, const std::string& input) {
  std::erase_if(values, [&](const auto& item) { return input_of(item.first) == input; });
  for (const auto& [flag, value] : after) {
    if (input_of(flag) == input) {
      values[flag] = value;
    }
  }
  return values;
}

base::Result<Document> answer(const Values& values, World& world) {
  const Asked asked = TRY(ask_again(values, world));
  return report::build_estimate(
      TRY(estimate::estimate(asked.question.job, asked.question.target, asked.knowledge, {})));
}

}  // namespace

base::Result<Document> attribute(const Document& before, const Document& after, World& world) {
  const Values old_values = flags_of(before);
  const Values new_values = flags_of(after);
  const std::vector<std::string> inputs = changed_inputs(old_values, new_values);
  Document rows = Document::array();
  if (inputs.size() < 2) {
    return rows;
  }
  Values values = old_values;
  base::Result<Document> last = answer(values, world);
  const base::Diagnostic other = base::wrong("the figures", "were written by another version, or with other data");
  if (last && !report::same_figures(*last, before)) {
    return other;
  }
  for (const std::string& input : inputs) {
    values = stepped(values, new_values, input);
    Document next = TRY(last ? answer(values, world) : last.error());
    rows.push_back(report::attribution_row(base::with_underscores(input), *last, next));
    last = std::move(next);
  }
  if (!report::same_figures(*last, after)) {
    return other;
  }
  return rows;
}

}  // namespace vggplan::app
