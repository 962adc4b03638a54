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

struct Options {
  // The job. What `plan` may choose is empty unless given.
  std::string model{"vgg16"};
  std::optional<std::int64_t> height{};
  std::optional<std::int64_t> width{};
  std::vector<std::pair<std::int64_t, std::int64_t>> sizes{};  ///< height and width of each, the smallest first
  std::int64_t channels{3};
  std::optional<std::int64_t> classes{};  ///< else those of the model
  graph::Head head{graph::Head::adaptive};
  std::string freeze{"none"};
  graph::FrozenNorm freeze_norm{graph::FrozenNorm::none};
  std::string until{};
  graph::Trained trained{graph::Trained::parameters};
  std::optional<graph::Objective> loss{};
  std::optional<std::int64_t> eval_batch{};
  std::int64_t forward_passes{1};
  job::Mode mode{job::Mode::train};
  std::optional<std::int64_t> batch{};
  std::optional<std::int64_t> global_batch{};
  std::optional<std::int64_t> accumulation{};
  std::optional<job::Precision> precision{};
  std::optional<base::Layout> layout{};
  job::Optimizer optimizer{job::Optimizer::momentum};
  job::OptimizerImpl optimizer_impl{job::OptimizerImpl::foreach};
  std::optional<std::int64_t> history_size{};
  std::optional<std::int64_t> max_iter{};
  std::optional<job::Checkpointing> checkpointing{};
  job::Compile compile{job::Compile::none};
  std::optional<job::Sharding> sharding{};
  bool data_parallel{false};  ///< --sharding dp: answered with ddp, and with what dp would take
  base::Bytes bucket{25 * base::kMiB};
  bool bucket_view{false};
  bool cudnn_benchmark{false};
  bool expandable_segments{false};
  std::string framework{"pytorch-2.11"};

  // What it runs on.
  std::optional<std::string> gpus{};  ///< "a100x4,h100x2"
  std::optional<std::int64_t> gpu_count{};
  std::optional<std::int64_t> nodes{};
  std::optional<std::string> machine{};
  std::optional<base::Bytes> usable_memory{};
  base::Bytes used{};  ///< of each card, by others
  std::optional<std::string> gpu_file{};
  std::optional<std::string> calibration{};
  std::optional<std::string> config_dir{};

  job::DataSet data{};

  // The goal.
  planner::Objective objective{planner::Objective::fastest};
  std::optional<base::Seconds> deadline{};
  std::optional<std::int64_t> max_gpus{};
  std::optional<base::Usd> max_cost{};
  std::map<std::string, base::Usd> prices{};
  std::optional<std::string> price_list{};
  std::string prices_date{};
  std::vector<std::string> regions{};  ///< that prices are taken from; empty: any
  std::string today{};
  bool spot{false};
  planner::Reserve reserve{};
  std::int64_t top{5};

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
struct NameTable<app::Command> {
  struct Row {
    app::Command value{};
    std::string_view name{};
    std::string_view help{};
  };
  static constexpr std::array<Row, 17> table{{
      {app::Command::plan, "plan", "recommend GPUs, batch and settings (the default command)"},
      {app::Command::estimate, "estimate", "memory and time of one job on one machine"},
      {app::Command::fit, "fit", "the largest batch and image that a card holds"},
      {app::Command::layers, "layers", "parameters, work, memory and time layer by layer"},
      {app::Command::sweep, "sweep", "one estimate for each combination of values"},
      {app::Command::gpus, "gpus", "the GPUs that are known, with sources"},
      {app::Command::machines, "machines", "the machines and cloud instances that are known"},
      {app::Command::models, "models", "the models that are known"},
      {app::Command::show, "show", "a saved report in another format"},
      {app::Command::diff, "diff", "what differs between two saved reports"},
      {app::Command::check, "check", "hold a saved report against a budget, for CI"},
      {app::Command::launch, "launch", "a folder that trains by a plan, on Slurm, Kubernetes and others"},
      {app::Command::verify, "verify", "hold a plan against a run of it"},
      {app::Command::calibrate, "calibrate", "fit the time model to measurements of a GPU"},
      {app::Command::schema, "schema", "the JSON Schema of the reports and of the data files"},
      {app::Command::completion, "completion", "completion for bash, zsh or fish"},
      {app::Command::man, "man", "the manual page"},
  }};
};
template <>
struct NameTable<app::Color> {
  static constexpr std::array<Named<app::Color>, 3> table{{
      {app::Color::automatic, "auto"},
      {app::Color::always, "always"},
      {app::Color::never, "never"},
  }};
};
}  // namespace vggplan::base
