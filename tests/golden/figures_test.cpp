// SPDX-License-Identifier: MIT
// Six figures of jobs on every GPU and machine, of every model, of the example jobs and of jobs of every kind: what
// moves anywhere is seen, and is explained in the commit that moves it.
#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/fake_world.hpp"
#include "golden/golden.hpp"
#include "support/catch.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/graph/architectures.hpp"

namespace vggplan {
namespace {

using Json = nlohmann::json;

constexpr const char* kHead =
    "# Of jobs: MiB allocated, reserved, at most reserved; ms of a step, at most of a step; images/s.\n"
    "# Of layers: layers, parameters, FLOPs forward, FLOPs of a step, bytes that autograd keeps, bytes of all "
    "outputs.\n";

/// An estimate, or what a plan recommends. Times to four digits: the last ones are the compiler's.
std::string job_line(const Json& report) {
  const auto mebibytes = [&](const char* key, const char* end) {
    return report.at("memory").at(key).at(end).get<double>() / (1 << 20);
  };
  const auto time = [&](const char* key, const char* end) { return report.at("time").at(key).at(end).get<double>(); };
  return fmt::format("{:10.2f}{:11.2f}{:11.2f}{:11.4g}{:11.4g}{:11.4g}", mebibytes("allocated_peak_bytes", "value"),
                     mebibytes("reserved_peak_bytes", "value"), mebibytes("reserved_peak_bytes", "high"),
                     1e3 * time("step_seconds", "value"), 1e3 * time("step_seconds", "high"),
                     time("images_per_second", "value"));
}

std::string layers_line(const Json& report) {
  std::int64_t outputs = 0;
  for (const Json& layer : report.at("layers")) {
    outputs += layer.at("output_bytes").get<std::int64_t>();
  }
  const Json& model = report.at("model");
  return fmt::format("{:4}{:>13}{:>16}{:>16}{:>13}{:13}", report.at("layers").size(), model.at("parameters").dump(),
                     model.at("flops_forward").dump(), model.at("flops_step").dump(),
                     model.at("saved_activation_bytes").dump(), outputs);
}

std::string line_of(const Json& report) {
  if (report.at("kind") == "layers") {
    return layers_line(report);
  }
  if (report.at("kind") == "estimate") {
    return job_line(report);
  }
  if (!report.contains("recommendation")) {
    return "nothing fits";
  }
  const Json& best = report.at("recommendation");
  const Json& job = best.at("job");
  return fmt::format("{}  {} x {} b{} {} {} {} {}", job_line(best), job.at("gpu_count").dump(),
                     best.at("machine").at("gpu").get<std::string>(), job.at("batch").dump(),
                     job.at("precision").get<std::string>(), job.at("layout").get<std::string>(),
                     job.at("checkpointing").get<std::string>(), job.value("sharding", "-"));
}

std::vector<std::string> commands(test::FakeWorld& world) {
  const catalog::Catalog catalog = catalog::Catalog::built_in();
  std::vector<std::string> all;
  for (const std::string& gpu : catalog.gpu_names()) {
    all.push_back("estimate --size 512x512 --batch 8 --gpu " + gpu);
    all.push_back("estimate --size 1024x768 --batch 2 --precision fp32 --layout nhwc --gpu " + gpu + " --gpu-count 2");
  }
  for (const std::string& machine : catalog.machine_names()) {
    all.push_back("estimate --size 512x512 --images 100000 --machine " + machine);
  }
  for (const std::string& model : catalog.model_names()) {
    const std::string side = std::to_string(graph::architecture_of(model).side);
    all.push_back("layers --size " + side + "x" + side + " --gpu h200 --model " + model);
  }
  for (const std::string job :
       {"--precision amp-bf16 --layout nhwc", "--precision amp-fp16 --optimizer adamw",
        "--precision bf16 --model vgg13_bn", "--checkpointing block --accumulation 4",
        "--checkpointing seq:4 --head gap", "--head flatten --mode infer",
        "--optimizer adam --optimizer-impl fused --cudnn-benchmark", "--expandable-segments --channels 1 --classes 10",
        "--gpu-count 8 --sharding zero1", "--gpu-count 8 --sharding fsdp2 --precision amp-bf16",
        "--gpu-count 16 --nodes 2 --bucket-mb 100 --bucket-view",
        "--images 50000 --epochs 90 --storage hdd --workers 2"}) {
    all.push_back("estimate --size 640x480 --batch 4 --timeline --gpu h200 " + job);
    all.push_back("estimate --size 224x224 --batch 32 --timeline --gpu a100 " + job);
  }
  const std::filesystem::path jobs = std::filesystem::path(VGGPLAN_SOURCE_DIR) / "configs" / "jobs";
  for (const auto& file : std::filesystem::directory_iterator(jobs)) {
    const std::string name = file.path().filename().string();
    world.files[name] = test::repository_file("configs/jobs/" + name);
    all.push_back("estimate --config " + name);
    all.push_back("plan --config " + name);
  }
  all.emplace_back("plan --size 4024x3036 --gpus a100x4");
  all.emplace_back("plan --size 1024x1024 --gpus t4x4,v100x8 --objective cheapest --images 100000 --epochs 10");
  return all;
}

}  // namespace

TEST_CASE("the figures of the whole catalogue are what they were", "[golden]") {
  test::FakeWorld world;
  std::string text = kHead;
  for (const std::string& command : commands(world)) {
    const test::Ran ran = test::run(command + " --json", world);
    INFO(command << "\n" << ran.err);
    REQUIRE(ran.code <= 1);
    text += fmt::format("{}  {}\n", line_of(Json::parse(ran.out)), command);
  }
  test::compare_golden("figures.txt", text);
}

}  // namespace vggplan
