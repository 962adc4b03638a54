// SPDX-License-Identifier: MIT
// A hash of the JSON report of every GPU, machine and model of the catalogue, of the example jobs and of jobs of every
// kind: a figure that moves anywhere is seen, and is explained in the commit that moves it.
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

using Json = nlohmann::ordered_json;

/// FNV-1a of 64 bits: the same on every platform, which std::hash is not.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037U;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  return hash;
}

/// Fractions to four digits: the last ones are the compiler's.
void round_fractions(Json& value) {
  if (value.is_number_float()) {
    value = fmt::format("{:.4g}", value.get<double>());
  } else if (value.is_structured()) {
    for (Json& part : value) {
      round_fractions(part);
    }
  }
}

std::vector<std::string> commands(test::FakeWorld& world) {
  const catalog::Catalog catalog = catalog::Catalog::built_in();
  std::vector<std::string> all{"gpus", "machines", "models"};
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
    world.files[name] = test::read_file(file.path().string());
    all.push_back("estimate --config " + name);
    all.push_back("plan --config " + name);
  }
  all.emplace_back("plan --size 4024x3036 --gpus a100x4");
  all.emplace_back("plan --size 1024x1024 --gpus t4x4,v100x8 --objective cheapest --images 100000 --epochs 10");
  return all;
}

}  // namespace

TEST_CASE("the reports of the whole catalogue hash as they did", "[golden]") {
  test::FakeWorld world;
  std::string text;
  for (const std::string& command : commands(world)) {
    const test::Ran ran = test::run(command + " --json", world);
    INFO(command << "\n" << ran.err);
    REQUIRE(ran.code <= 1);
    Json report = Json::parse(ran.out);
    report.erase("tool");
    round_fractions(report);
    text += fmt::format("{:016x}  {}\n", hash_of(report.dump()), command);
  }
  test::compare_golden("report_hashes.txt", text);
}

}  // namespace vggplan
