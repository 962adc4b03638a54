// SPDX-License-Identifier: MIT
// Rows of tests/data/measurements, and the jobs that they were measured with.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/catalog/catalog.hpp"
#include "vggplan/graph/architectures.hpp"
#include "vggplan/job/job.hpp"

namespace vggplan::support {

using Row = nlohmann::json;

/// One row a line of tests/data/<file>.
inline std::vector<Row> rows_of(const std::string& file) {
  std::ifstream stream(std::string(VGGPLAN_SOURCE_DIR) + "/tests/data/" + file);
  std::vector<Row> rows;
  for (std::string line; std::getline(stream, line);) {
    rows.push_back(Row::parse(line));
  }
  if (rows.empty()) {
    throw std::runtime_error("no rows in " + file);
  }
  return rows;
}
inline std::vector<Row> read_rows(const std::string& file) { return rows_of("measurements/" + file); }

inline std::string text_of(const Row& row, const char* key, const char* otherwise) {
  return row.value(key, std::string(otherwise));
}

template <class Enum>
Enum named(std::string_view name) {
  const auto value = base::parse_enum<Enum>(name);
  if (!value) {
    throw std::invalid_argument("unknown name in a measurement: " + std::string(name));
  }
  return *value;
}

/// A model of the catalogue, or one whose "features" the row lists.
inline graph::ModelSpec model_of(const Row& row, const catalog::Catalog& catalog) {
  const std::string name = text_of(row, "arch", "vgg16");
  if (!row.contains("features")) {
    return catalog.model(name).value();
  }
  graph::ModelSpec model{name, {}, row.value("batch_norm", false)};
  for (const Row& entry : row.at("features")) {
    model.features.push_back(entry == "M" ? graph::kPool : entry.get<std::int64_t>());
  }
  return model;
}

/// The measurements' words: README.md of tests/data/measurements. `seq4` is the interface's seq:4,
/// `adamw-loop` an optimizer and its implementation, `how` and `kw` the arguments of DDP and the like.
inline job::Job job_of(const Row& row) {
  static const catalog::Catalog catalog = catalog::Catalog::built_in();
  job::Job job;
  job.model = model_of(row, catalog);
  job.image = {row.value("in_channels", std::int64_t{3}), row.at("h"), row.at("w")};
  job.classes = row.value("num_classes", graph::architecture_of(job.model.architecture).classes);
  job.scope.freeze = text_of(row, "frozen", "none");
  job.scope.norm = named<graph::FrozenNorm>(text_of(row, "frozen_norm", "none"));
  job.scope.until = text_of(row, "until", "");
  job.scope.trained = named<graph::Trained>(text_of(row, "train", "parameters"));
  job.head = named<graph::Head>(text_of(row, "head", "adaptive"));
  job.mode = named<job::Mode>(text_of(row, "mode", "train"));
  job.batch = row.value("batch", std::int64_t{1});
  job.accumulation = row.value("accum", std::int64_t{1});
  job.precision = named<job::Precision>(text_of(row, "precision", "tf32"));
  job.layout = named<base::Layout>(text_of(row, "layout", "nchw"));
  const std::string optimizer = text_of(row, "optimizer", "momentum");
  const std::size_t dash = optimizer.find('-');
  job.optimizer = named<job::Optimizer>(optimizer.substr(0, dash));
  if (dash != std::string::npos) {
    job.optimizer_impl = named<job::OptimizerImpl>(optimizer.substr(dash + 1));
  }
  job.forward_passes = row.value("forward_passes", job.forward_passes);
  job.lbfgs.history_size = row.value("history_size", job.lbfgs.history_size);
  job.lbfgs.max_iter = row.value("max_iter", job.lbfgs.max_iter);
  std::string checkpoint = text_of(row, "checkpoint", "none");
  if (checkpoint.starts_with("seq")) {
    checkpoint.insert(3, ":");
  }
  job.checkpointing = job::parse_checkpointing(checkpoint, "").value();
  job.compile = named<job::Compile>(text_of(row, "compile", "none"));
  job.cudnn_benchmark = row.value("benchmark", false);
  job.expandable_segments = row.value("expandable", false);
  const std::string how = text_of(row, "how", "single");
  if (how != "single") {
    job.parallel.gpus = row.value("world", std::int64_t{2});
    job.parallel.sharding = named<job::Sharding>(how);
    const Row arguments = row.value("kw", Row::object());
    job.parallel.bucket_view = arguments.value("gradient_as_bucket_view", false);
    job.parallel.bucket = base::kMiB * arguments.value("bucket_cap_mb", std::int64_t{25});
  }
  return job;
}

/// "vgg16 224x224 b32 tf32 nchw momentum", and what is not the default.
inline std::string label_of(const Row& row) {
  std::string label = text_of(row, "arch", "vgg16") + " " + std::to_string(row.at("h").get<int>()) + "x" +
                      std::to_string(row.at("w").get<int>());
  if (row.contains("batch")) {
    label += " b" + std::to_string(row.at("batch").get<int>());
  }
  label += " " + text_of(row, "precision", "tf32") + " " + text_of(row, "layout", "nchw");
  const auto unless = [&](const std::string& value, std::string_view usual) {
    label += value == usual ? "" : " " + value;
  };
  unless(text_of(row, "optimizer", "momentum"), "momentum");
  unless(text_of(row, "checkpoint", "none"), "none");
  unless(text_of(row, "head", "adaptive"), "adaptive");
  unless(text_of(row, "mode", "train"), "train");
  unless(text_of(row, "how", "single"), "single");
  const auto words = [&](const char* key, const char* word, std::string_view usual) {
    const std::string value = text_of(row, key, "");
    label += value.empty() || value == usual ? "" : " " + std::string(word) + " " + value;
  };
  words("frozen", "frozen", "none");
  words("frozen_norm", "norm", "none");
  words("until", "until", "");
  words("train", "train", "parameters");
  unless(row.contains("kw") ? row.at("kw").dump() : "{}", "{}");
  const auto number = [&](const char* key, int usual, const char* word) {
    if (row.value(key, usual) != usual) {
      label += " " + std::to_string(row.value(key, usual)) + " " + word;
    }
  };
  number("in_channels", 3, "channels");
  number("num_classes", 1000, "classes");
  number("accum", 1, "micro-batches");
  label += row.value("benchmark", false) ? " benchmark" : "";
  label += row.value("expandable", false) ? " expandable" : "";
  return label;
}

}  // namespace vggplan::support
