// SPDX-License-Identifier: MIT
#include "app/attribution.hpp"

#include <algorithm>

#include "app/knowledge.hpp"
#include "app/question.hpp"
#include "app/settings.hpp"
#include "vggplan/report/build.hpp"
#include "vggplan/report/compare.hpp"

namespace vggplan::app {

namespace {

using report::Document;

/// Flags as they would be written to get a report again.
using Values = std::map<std::string, std::string, std::less<>>;

std::string written(const Document& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void add_job(const Document& part, Values& values) {
  for (const auto& [key, value] : part.items()) {
    if (value.is_object()) {
      add_job(value, values);
    } else if (key == "bucket_bytes") {
      values["bucket-mb"] = Document(value.get<double>() / static_cast<double>(base::kMiB.count())).dump();
    } else if (key == "ram_bytes") {
      values["ram"] = written(value);
    } else if (key != "global_batch") {  // follows from the others
      values[base::with_dashes(key)] = written(value);
    }
  }
}

Values values_of(const Document& report) {
  Values values;
  add_job(report.at("job"), values);
  const Document& machine = report.at("machine");
  values["gpus"] = written(machine.at("gpu"));
  values["usable-memory"] = written(machine.at("usable_bytes"));
  if (machine.contains("name")) {
    values["machine"] = written(machine.at("name"));
  }
  return values;
}

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
      if (!same && std::find(inputs.begin(), inputs.end(), input_of(flag)) == inputs.end()) {
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

base::Result<Document> answer(const Values& values, const catalog::Catalog& catalog, World& world) {
  std::vector<Setting> settings;
  for (const auto& [name, value] : values) {
    const Flag* flag = find_flag(name);
    if (flag == nullptr) {
      return base::wrong(name, "is no flag of this version");
    }
    settings.push_back({flag, value, "--" + name, "report", Origin::flag});
  }
  const base::Result<Settled> settled = settle(settings, Command::estimate);
  const base::Result<Options> options = settled ? make_options(*settled) : settled.error();
  if (!options) {
    return options.error();
  }
  Questions questions(catalog, world);
  const base::Result<EstimateQuestion> question = questions.estimate(*options, Command::estimate);
  if (!question) {
    return question.error();
  }
  const base::Result<estimate::Knowledge> knowledge = load_knowledge(catalog, *options, {question->target.gpu.name});
  if (!knowledge) {
    return knowledge.error();
  }
  const base::Result<estimate::Estimate> estimate = estimate::estimate(question->job, question->target, *knowledge, {});
  return estimate ? base::Result<Document>(report::build_estimate(*estimate)) : estimate.error();
}

}  // namespace

base::Result<Document> attribute(const Document& before, const Document& after, World& world) {
  const Values old_values = values_of(before);
  const Values new_values = values_of(after);
  const std::vector<std::string> inputs = changed_inputs(old_values, new_values);
  Document rows = Document::array();
  if (inputs.size() < 2) {
    return rows;
  }
  const catalog::Catalog catalog = catalog::Catalog::built_in();
  Values values = old_values;
  base::Result<Document> last = answer(values, catalog, world);
  const base::Diagnostic other = base::wrong("the figures", "were written by another version, or with other data");
  if (last && !report::same_figures(*last, before)) {
    return other;
  }
  for (const std::string& input : inputs) {
    values = stepped(values, new_values, input);
    base::Result<Document> next = last ? answer(values, catalog, world) : last.error();
    if (!next) {
      return next.error();
    }
    rows.push_back(report::attribution_row(base::with_underscores(input), *last, *next));
    last = std::move(next);
  }
  if (!report::same_figures(*last, after)) {
    return other;
  }
  return rows;
}

}  // namespace vggplan::app
