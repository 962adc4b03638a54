// SPDX-License-Identifier: MIT
// What the user asked for, typed, before the catalogue is looked into.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vggplan/base/names.hpp"
#include "vggplan/base/units.hpp"
#include "vggplan/job/job.hpp"
#include "vggplan/launch/launch.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::app {

enum class Command {
  plan,
  estimate,
  fit,
  layers,
  sweep,
  gpus,
  machines,
  models,
  show,
  diff,
  check,
  launch,
  verify,
  calibrate,
  schema,
  completion,
  man
};
enum class Format { text, json, csv, markdown, html };
enum class Color { automatic, always, never };

struct Export {
  Format format{};
  std::string path{};
};

/// One --sweep: the flag that varies and its values, as they would be written.
struct Axis {
  std::string flag{};
  std::vector<std::string> values{};
};

/// What a plan is asked as well; its `job` has what is not settled from several flags.
struct Options : planner::PlanRequest {
  std::string model{"vgg16"};
  std::optional<std::int64_t> height{};
  std::optional<std::int64_t> width{};
  std::vector<std::pair<std::int64_t, std::int64_t>> sizes{};  ///< height and width of each, the smallest first
  std::int64_t channels{3};
  std::optional<std::int64_t> classes{};  ///< else those of the model
  std::optional<std::int64_t> eval_batch{};
  std::optional<std::int64_t> history_size{};
  std::optional<std::int64_t> max_iter{};

  // What it runs on.
  std::optional<std::string> gpus{};  ///< "a100x4,h100x2"
  std::optional<std::int64_t> gpu_count{};
  std::optional<std::string> machine{};
  std::optional<base::Bytes> usable_memory{};
  base::Bytes used{};  ///< of each card, by others
  std::optional<std::string> gpu_file{};
  std::optional<std::string> calibration{};
  std::optional<std::string> config_dir{};

  // Prices.
  std::map<std::string, base::Usd> prices{};
  std::optional<std::string> price_list{};
  std::string prices_date{};
  std::vector<std::string> regions{};  ///< that prices are taken from; empty: any
  std::string today{};
  bool spot{false};

  // The output.
  Format format{Format::text};
  std::optional<std::string> output{};
  std::vector<Export> exports{};
  Color color{Color::automatic};
  bool quiet{false};
  bool verbose{false};
  bool timeline{false};

  std::vector<Axis> sweep{};
  std::optional<std::string> against{};
  std::optional<std::string> budget{};
  std::optional<std::string> calibrate{};

  std::optional<launch::Engine> engine{};  ///< else all
  bool force{false};

  std::map<std::string, std::string, std::less<>> places{};  ///< by flag: what errors call the origin of its value

  [[nodiscard]] std::string place(std::string_view flag) const {
    const auto found = places.find(flag);
    return found == places.end() ? "--" + std::string(flag) : found->second;
  }
};

}  // namespace vggplan::app

namespace vggplan::base {
template <>
struct NameTable<app::Color> {
  static constexpr std::array<Named<app::Color>, 3> table{{
      {app::Color::automatic, "auto"},
      {app::Color::always, "always"},
      {app::Color::never, "never"},
  }};
};
}  // namespace vggplan::base
