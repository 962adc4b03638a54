// SPDX-License-Identifier: MIT
// run.jsonl: a line for the environment, one for the settings, and one each some steps.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "runs/readers.hpp"
#include "vggplan/base/json_text.hpp"

namespace vggplan::runs {

namespace {

constexpr std::array kPeaks{"allocated_peak_bytes", "reserved_peak_bytes", "device_used_bytes", "allocation_retries"};
constexpr std::array kTimes{"step_seconds",      "data_wait_seconds",     "forward_seconds",  "backward_seconds",
                            "optimizer_seconds", "communication_seconds", "images_per_second"};

std::string written(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string kind_of(const Json& record) {
  const auto kind = record.find("kind");
  return kind != record.end() && kind->is_string() ? kind->get<std::string>() : "";
}

/// Python writes the loss of a run that diverged as NaN, which JSON does not have.
std::string without_nan(std::string_view line) {
  constexpr std::array<std::string_view, 3> kNot{": NaN", ": Infinity", ": -Infinity"};
  std::string text;
  while (!line.empty()) {
    const std::size_t colon = std::min(line.find(": "), line.size());
    text += line.substr(0, colon);
    line.remove_prefix(colon);
    const auto word = std::find_if(kNot.begin(), kNot.end(), [&](std::string_view w) { return line.starts_with(w); });
    text += word != kNot.end() ? ": null" : line.substr(0, 2);
    line.remove_prefix(word != kNot.end() ? word->size() : std::min<std::size_t>(2, line.size()));
  }
  return text;
}

constexpr std::size_t kMostSettings = 200;  // a plan has some forty

class Records {
 public:
  explicit Records(std::string_view place) : place_(place) { run_.format = Format::run_records; }

  base::Status add(const Json& record, const std::string& at) {
    const std::string kind = kind_of(record);
    if (kind == "environment") {
      begins_ = true;
      keep_settings(record, {"gpu", "gpu_memory_bytes"});
      run_.torch = record.contains("torch") ? written(record.at("torch")) : "";
    } else if (kind == "settings") {
      if (record.size() > kMostSettings) {
        return base::wrong(at, fmt::format("has more than {} settings", kMostSettings));
      }
      for (const auto& [key, value] : record.items()) {
        keep_settings(record, {key == "kind" ? std::string() : key});
      }
    } else if (kind == "step") {
      return add_step(record, at);
    } else if (kind.empty()) {
      return base::wrong(at, "has no \"kind\", which each line of a run names");
    }
    return std::nullopt;
  }

  base::Result<Run> finish() {
    if (steps_ == 0) {
      return base::wrong(place_, "tells of no step yet", "let the run go on for some more steps");
    }
    for (auto& [name, values] : times_) {
      run_.figures[name] = median(values.size() > 1 ? std::vector(values.begin() + 1, values.end()) : values);
    }
    return std::move(run_);
  }

 private:
  /// A run that was resumed says them again: the last ones hold.
  void keep_settings(const Json& record, const std::vector<std::string>& keys) {
    for (const std::string& key : keys) {
      const auto value = record.find(key);
      if (value != record.end() && !value->is_null() && run_.settings.size() < kMostSettings) {
        std::erase_if(run_.settings, [&](const auto& known) { return known.first == key; });
        run_.settings.emplace_back(key, written(*value));
      }
    }
  }
  base::Status add_step(const Json& record, const std::string& at) {
    for (const std::string name : kPeaks) {
      if (record.contains(name) && !record.at(name).is_null()) {
        const double value = TRY(figure_of(record.at(name), at, name));
        keep_largest(run_, name, value);
      }
    }
    for (const std::string name : kTimes) {
      if (record.contains(name) && !record.at(name).is_null()) {
        const double value = TRY(figure_of(record.at(name), at, name));
        times_[name].push_back(value);
      }
    }
    // The first window of train.py has the two steps in which memory reaches its peak.
    run_.resumed =
        run_.resumed || (begins_ && record.value("step", Json()).is_number_integer() && record.at("step") > 2);
    begins_ = false;
    ++steps_;
    return std::nullopt;
  }

  Run run_{};
  std::string_view place_{};
  std::map<std::string, std::vector<double>> times_{};
  std::size_t steps_{0};
  bool begins_{true};  ///< no step since the process began
};

}  // namespace

base::Result<Run> read_records(std::string_view text, std::string_view place) {
  Records records(place);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const Line line = next_line(text);
    if (trimmed(line.text).empty()) {
      continue;
    }
    const std::string at = fmt::format("{}:{}", place, number);
    const base::Result<Json> record = base::parse_json<Json>(without_nan(line.text), place, number);
    if (!record || !record->is_object()) {
      if (!line.whole) {
        break;  // the run was ended while it wrote this
      }
      return record ? base::wrong(at, "is not one JSON object, as each line of a run is") : record.error();
    }
    TRY(records.add(*record, at));
  }
  return records.finish();
}

}  // namespace vggplan::runs
