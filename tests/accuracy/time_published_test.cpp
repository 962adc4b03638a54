// SPDX-License-Identifier: MIT
// GPUs that were not measured, against what others published.
#include <cmath>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "accuracy/figures/time_rows.hpp"
#include "support/catch.hpp"
#include "vggplan/graph/graph.hpp"
#include "vggplan/lowering/ops.hpp"
#include "vggplan/timing/carry_over.hpp"
#include "vggplan/timing/parallel.hpp"

namespace {

using namespace vggplan;
using accuracy::Errors;
using nlohmann::json;

std::vector<json> rows(const std::string& name) {
  std::vector<json> all;
  std::istringstream lines(accuracy::read_data("published/" + name));
  for (std::string line; std::getline(lines, line);) {
    all.push_back(json::parse(line));
  }
  return all;
}

hardware::Gpu gpu_of(const json& row) {
  const auto gpu = accuracy::catalogue().gpu(row.at("gpu").get<std::string>());
  REQUIRE(gpu);
  return *gpu;
}

/// The half-precision rows hold weights in fp16 as well, which no setting of ours does: as bf16 does.
job::Job job_of(const json& row, const hardware::Gpu& gpu) {
  job::Job job;
  const auto model = accuracy::catalogue().model(row.at("model").get<std::string>());
  REQUIRE(model);
  job.model = *model;
  job.image = {3, row.value("height", std::int64_t{224}), row.value("width", std::int64_t{224})};
  job.batch = row.at("batch").get<std::int64_t>();
  job.mode = row.at("mode") == "infer" ? job::Mode::infer : job::Mode::train;
  job.optimizer = job::Optimizer::sgd;
  const std::string precision = row.at("precision").get<std::string>();
  job.precision = precision == "fp16"                      ? job::Precision::bf16
                  : precision == "fp32" && gpu.tf32_tensor ? job::Precision::fp32
                                                           : job::Precision::tf32;
  job.parallel.gpus = row.value("gpus", std::int64_t{1});
  return job;
}

void turn_to_fp16(std::vector<timing::Op>& ops) {
  for (timing::Op& op : ops) {
    op.type = op.type == base::DType::bf16 ? base::DType::f16 : op.type;
    op.math = op.math == base::MathMode::bf16 ? base::MathMode::fp16 : op.math;
  }
}

/// Copying the batch to the GPU, which some sources time: pageable memory over PCIe 3 or 4.
double copy_seconds(const json& row) {
  const bool copies = row.at("parts").get<std::string>().find("copy") != std::string::npos;
  const double bytes = row.at("precision") == "fp16" ? 2.0 : 4.0;
  return copies ? row.at("batch").get<double>() * 3.0 * 224.0 * 224.0 * bytes / 8e9 : 0.0;
}

timing::ParallelTime model(const json& row) {
  const hardware::Gpu gpu = gpu_of(row);
  const job::Job job = job_of(row, gpu);
  const timing::Calibration calibration = timing::carry_over(accuracy::stored_calibration(), accuracy::h200(), gpu);
  const auto network = graph::build_network(job.model, job.image, job.classes, job.head);
  REQUIRE(network);
  std::vector<timing::Op> ops = lowering::lower_ops(*network, job, {});
  if (row.at("precision") == "fp16") {
    turn_to_fp16(ops);
  }
  if (row.at("parts") != "step") {
    std::erase_if(ops, [](const timing::Op& op) { return op.phase == base::Phase::optimizer; });
  }
  timing::Fabric fabric;
  if (job.parallel.gpus > 1) {
    const auto topology = base::parse_enum<hardware::Topology>(row.at("topology").get<std::string>());
    REQUIRE(topology);
    const auto name = hardware::peer_link(gpu, *topology);
    REQUIRE(name);
    const auto link = accuracy::catalogue().link(*name);
    REQUIRE(link);
    fabric = timing::make_fabric(*link, *topology, job.parallel.gpus, 1, std::nullopt);
  }
  return timing::parallel_step_time(ops, gpu, calibration, {}, lowering::exchange_of(*network, job), fabric);
}

std::string label_of(const json& row) {
  return row.at("gpu").get<std::string>() + " " + row.at("model").get<std::string>() + " b" +
         std::to_string(row.at("batch").get<int>()) + " " + row.at("precision").get<std::string>() + " " +
         row.at("mode").get<std::string>() + ", " + row.at("framework").get<std::string>().substr(0, 20);
}

}  // namespace

TEST_CASE("GPUs that were not measured are timed within 12 % of published figures in the median") {
  Errors errors("published");
  std::size_t inside = 0;
  for (const json& row : rows("training.jsonl")) {
    if (!row.at("comparable").get<bool>()) {
      CHECK((row.contains("trap") || row.value("gpus", 1) > 1));
      continue;
    }
    const timing::ParallelTime time = model(row);
    const double copy = copy_seconds(row);
    const double seconds = row.at("ms").get<double>() * 1e-3;
    errors.add(label_of(row), time.step.step.value.count() + copy, seconds);
    inside += time.step.step.low.count() + copy <= seconds && seconds <= time.step.step.high.count() + copy ? 1U : 0U;
  }
  std::cout << errors.summary() << ", inside the range " << inside << '\n';
  CHECK(errors.count() > 90);
  CHECK(errors.median() < 0.12);
  CHECK(errors.worst() < 0.30);
  CHECK(100 * inside >= 85 * errors.count());
}

TEST_CASE("scaling over the GPUs of one machine is within 8 points with NVLink and 20 without") {
  std::map<std::string, double> single;  // images per second of one GPU, by source's setting
  const auto setting = [](const json& row) {
    const std::string source = row.at("source").get<std::string>();
    return row.at("gpu").get<std::string>() + row.at("precision").get<std::string>() +
           row.at("framework").get<std::string>() + std::to_string(row.at("batch").get<int>()) +
           (row.at("section") == "2.1" && source.find("LambdaCloud") == std::string::npos ? source.substr(90, 12) : "");
  };
  double worst_nvlink = 0.0;
  double worst_other = 0.0;
  for (const json& row : rows("training.jsonl")) {
    const bool trapped = row.contains("trap") && row.at("trap").get<std::string>().find("XLA") == std::string::npos;
    if (!row.contains("images_per_second") || trapped) {
      continue;
    }
    const auto gpus = row.value("gpus", std::int64_t{1});
    const double rate = row.at("images_per_second").get<double>();
    if (gpus == 1) {
      single[setting(row)] = rate;
      continue;
    }
    if (single.find(setting(row)) == single.end()) {
      continue;
    }
    const double published = rate / (static_cast<double>(gpus) * single[setting(row)]);
    const timing::ParallelTime time = model(row);
    const double modelled = (time.step.step.value.count() - time.exposed.value.count()) / time.step.step.value.count();
    const double points = std::abs(modelled - published);
    const bool nvlink = row.at("topology") != "pcie";
    (nvlink ? worst_nvlink : worst_other) = std::max(nvlink ? worst_nvlink : worst_other, points);
    if (std::getenv("VGGPLAN_PRINT_ROWS") != nullptr) {
      std::cout << label_of(row) << " x" << gpus << " published " << published << " modelled " << modelled << '\n';
    }
  }
  std::cout << "scaling: NVLink within " << 100 * worst_nvlink << " points, others within " << 100 * worst_other
            << '\n';
  CHECK(worst_nvlink < 0.08);
  CHECK(worst_other < 0.20);
}

TEST_CASE("published all-reduces on A100 and V100 are met within a third") {
  Errors errors("published all-reduce");
  for (const json& row : rows("collectives.jsonl")) {
    const hardware::Gpu gpu = gpu_of(row);
    const auto topology = base::parse_enum<hardware::Topology>(row.at("topology").get<std::string>());
    REQUIRE(topology);
    const auto link = accuracy::catalogue().link(hardware::peer_link(gpu, *topology).value_or(""));
    REQUIRE(link);
    const timing::Fabric fabric =
        timing::make_fabric(*link, *topology, row.at("world").get<std::int64_t>(), 1, std::nullopt);
    const timing::LinkRates rates = timing::carry_over(accuracy::stored_calibration(), accuracy::h200(), gpu).links;
    errors.add(row.at("gpu").get<std::string>() + " x" + std::to_string(row.at("world").get<int>()),
               timing::collective_seconds(timing::Collective::all_reduce,
                                          base::Bytes(row.at("bytes").get<std::int64_t>()), fabric, rates)
                   .count(),
               row.at("ms").get<double>() * 1e-3);
  }
  std::cout << errors.summary() << '\n';
  CHECK(errors.count() == 6);
  CHECK(errors.worst() < 0.33);
}
