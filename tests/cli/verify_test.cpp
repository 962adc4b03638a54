// SPDX-License-Identifier: MIT
// verify: a plan against runs of it in every format. What was measured is the plan's own figure, moved by hand, or a
// recorded step of an H200.
#include <nlohmann/json.hpp>

#include "cli/fake_world.hpp"
#include "support/catch.hpp"
#include "support/run_files.hpp"

namespace vggplan {

namespace {

using support::Json;
using test::FakeWorld;
using test::Ran;
using test::run;

/// A world with the plan of one trace: vgg16, 1024 x 1024, batch 2, tf32, nchw, momentum, H200.
FakeWorld& with_plan(FakeWorld& world) {
  REQUIRE(run("estimate --size 1024x1024 --batch 2 --gpu h200 --json --output plan.json", world).code == app::kYes);
  return world;
}
Json plan_of(const FakeWorld& world) { return Json::parse(world.files.at("plan.json")); }

const support::Trace& recorded() {
  static const support::Trace kTrace = support::read_trace(
      std::string(VGGPLAN_SOURCE_DIR) + "/tests/data/traces/vgg16_1024_1024_2_tf32_nchw_momentum_none.txt");
  return kTrace;
}

Json settings_line() {
  return {
      {"kind", "settings"}, {"model", "vgg16"},       {"height", 1024},   {"width", 1024}, {"channels", 3},
      {"classes", 1000},    {"head", "adaptive"},     {"freeze", "none"}, {"batch", 2},    {"precision", "tf32"},
      {"layout", "nchw"},   {"accumulation", 1},      {"gpus", 1},        {"nodes", 1},    {"optimizer", "momentum"},
      {"sharding", "ddp"},  {"checkpointing", "none"}};
}

Json environment_line() {
  return {{"kind", "environment"},
          {"gpu", "NVIDIA H200"},
          {"gpu_memory_bytes", 150109880320},
          {"driver", "580.159.04"},
          {"torch", "2.11.0+cu130"},
          {"gpus", 1},
          {"nodes", 1}};
}

double planned(const Json& plan, const char* section, const char* key, const char* end = "value") {
  return plan.at(section).at(key).at(end).get<double>();
}

/// A step that is as planned.
Json step_line(const Json& plan) {
  return {{"kind", "step"},
          {"step", 2},
          {"allocated_peak_bytes", planned(plan, "memory", "run_peak_bytes")},
          {"reserved_peak_bytes", planned(plan, "memory", "reserved_peak_bytes")},
          {"device_used_bytes", planned(plan, "memory", "device_used_bytes")},
          {"allocation_retries", 0},
          {"forward_seconds", planned(plan, "time", "forward_seconds")},
          {"backward_seconds", planned(plan, "time", "backward_seconds")},
          {"optimizer_seconds", planned(plan, "time", "optimizer_seconds")},
          {"data_wait_seconds", planned(plan, "time", "input_exposed_seconds")},
          {"step_seconds", planned(plan, "time", "iteration_seconds")},
          {"images_per_second", planned(plan, "time", "images_per_second")}};
}

Ran verify(FakeWorld& world, const std::string& bytes, const std::string& more = "") {
  world.files["run"] = bytes;
  world.out.clear();
  world.err.clear();
  return run("verify plan.json run" + more, world);
}
Json report_of(FakeWorld& world, const std::string& bytes) { return Json::parse(verify(world, bytes, " --json").out); }

const Json* component(const Json& report, const std::string& name) {
  for (const Json& row : report.at("components")) {
    if (row.at("name") == name) {
      return &row;
    }
  }
  return nullptr;
}

}  // namespace

TEST_CASE("a run that is as planned is inside, component by component", "[cli]") {
  FakeWorld world;
  const Json plan = plan_of(with_plan(world));
  const std::string records = support::lines({environment_line(), settings_line(), step_line(plan), step_line(plan)});
  const Ran ran = verify(world, records);
  CHECK(ran.code == app::kYes);
  CHECK(ran.err.empty());
  CHECK(ran.out.find("Inside") != std::string::npos);
  CHECK(ran.out.find("OUT") == std::string::npos);
  for (std::size_t at = 0; at < ran.out.size();) {
    const std::size_t end = ran.out.find('\n', at);
    CHECK(end - at <= 80);
    at = end + 1;
  }
  const Json report = report_of(world, records);
  CHECK(report.at("passed") == true);
  CHECK(report.at("format") == "run-records");
  CHECK(report.at("components").size() == 9);
  CHECK_FALSE(report.contains("first_difference"));
  CHECK(component(report, "communication") == nullptr);  // the run does not tell
}

TEST_CASE("each component is outside just above its range, with what that suggests", "[cli]") {
  FakeWorld world;
  const Json plan = plan_of(with_plan(world));
  struct Case {
    const char* figure;
    const char* section;
    const char* key;
    const char* name;
    const char* hint;
  };
  for (const Case& c : {Case{"allocated_peak_bytes", "memory", "run_peak_bytes", "allocated_peak", "memory snapshot"},
                        Case{"reserved_peak_bytes", "memory", "reserved_peak_bytes", "reserved_peak", "blocks"},
                        Case{"device_used_bytes", "memory", "device_used_bytes", "device_memory", "context"},
                        Case{"forward_seconds", "time", "forward_seconds", "forward", "clocks"},
                        Case{"step_seconds", "time", "iteration_seconds", "step", "clocks"}}) {
    INFO(c.figure);
    Json step = step_line(plan);
    step[c.figure] = planned(plan, c.section, c.key, "high");
    CHECK(verify(world, support::lines({step})).code == app::kYes);
    step[c.figure] = planned(plan, c.section, c.key, "high") * (1 + 1e-6) + 1e-9;
    const Json report = report_of(world, support::lines({step}));
    const Json* row = component(report, c.name);
    REQUIRE(row != nullptr);
    CHECK(row->at("inside") == false);
    CHECK(row->at("hint").get<std::string>().find(c.hint) != std::string::npos);
    CHECK(verify(world, support::lines({step})).code == app::kNo);
    step[c.figure] = planned(plan, c.section, c.key, "low") * (1 - 1e-6) - 1e-9;
    CHECK(verify(world, support::lines({step})).code == app::kNo);
  }
}

TEST_CASE("causes are told: workers, retries, another torch, out of memory", "[cli]") {
  FakeWorld world;
  const Json plan = plan_of(with_plan(world));
  Json step = step_line(plan);
  step["data_wait_seconds"] = 1;
  step["step_seconds"] = planned(plan, "time", "iteration_seconds") + 1;
  CHECK(verify(world, support::lines({step})).out.find("exposed input, step: workers bound the step") !=
        std::string::npos);
  step = step_line(plan);
  step["allocation_retries"] = 3;
  step["backward_seconds"] = 1;
  Json environment = environment_line();
  environment["torch"] = "2.1.0";
  const Ran ran = verify(world, support::lines({environment, step}));
  CHECK(ran.code == app::kNo);
  CHECK(ran.out.find("backward: allocation retries: the cache was flushed 3 times") != std::string::npos);
  CHECK(ran.out.find("the run had torch '2.1.0', and the plan is for pytorch-2.11") != std::string::npos);
  CHECK(verify(world, R"({"allocated_bytes.all.peak": 5, "num_ooms": 2})").out.find("ran out of memory 2 times") !=
        std::string::npos);
}

TEST_CASE("a run on one batch that stays is held to the step of the GPU", "[cli]") {
  FakeWorld world;
  REQUIRE(run("estimate --size 512x512 --batch 64 --precision amp-bf16 --layout nhwc --workers 1 --gpu h200 --json "
              "--output plan.json",
              world)
              .code == app::kYes);
  const Json plan = plan_of(world);
  REQUIRE(planned(plan, "time", "iteration_seconds", "low") > planned(plan, "time", "step_seconds", "high"));
  Json step = step_line(plan);
  CHECK(verify(world, support::lines({step})).code == app::kYes);
  step.erase("data_wait_seconds");
  CHECK(verify(world, support::lines({step})).code == app::kNo);
  step["step_seconds"] = planned(plan, "time", "step_seconds");
  step["images_per_second"] = 64 / planned(plan, "time", "step_seconds");
  CHECK(verify(world, support::lines({step})).code == app::kYes);
}

TEST_CASE("settings that differ are named, and nothing is compared: exit code 2", "[cli]") {
  FakeWorld world;
  const Json plan = plan_of(with_plan(world));
  for (const auto& [key, value] : std::vector<std::pair<std::string, Json>>{{"batch", 4},
                                                                            {"precision", "amp-bf16"},
                                                                            {"model", "vgg19"},
                                                                            {"gpus", 2},
                                                                            {"freeze", "features"},
                                                                            {"compile", "default"}}) {
    INFO(key);
    Json settings = settings_line();
    settings[key] = value;
    const std::string records = support::lines({environment_line(), settings, step_line(plan)});
    const Ran ran = verify(world, records);
    CHECK(ran.code == app::kWrongQuestion);
    CHECK(ran.out.find("Not comparable") != std::string::npos);
    const Json report = report_of(world, records);
    REQUIRE(report.at("settings").size() == 1);
    CHECK(report.at("settings")[0].at("name") == key);
    CHECK(report.at("settings")[0].at("measured") == (value.is_string() ? value : Json(value.dump())));
    CHECK(report.at("components").empty());
    CHECK(report.at("passed") == false);
  }
  Json other_gpu = environment_line();
  other_gpu["gpu"] = "NVIDIA H100 80GB HBM3";
  other_gpu["gpu_memory_bytes"] = 85000000000;
  const Json report = report_of(world, support::lines({other_gpu, step_line(plan)}));
  CHECK(report.at("settings").size() == 2);
}

TEST_CASE("names of drivers are names of the catalogue's GPUs", "[cli]") {
  FakeWorld world;
  for (const auto& [gpu, name] :
       std::vector<std::pair<std::string, std::string>>{{"a100-sxm4-80gb", "NVIDIA A100-SXM4-80GB"},
                                                        {"v100-sxm2-32gb", "Tesla V100-SXM2-32GB"},
                                                        {"rtx-4090", "NVIDIA GeForce RTX 4090"},
                                                        {"titan-v", "NVIDIA TITAN V"},
                                                        {"t4", "Tesla T4"},
                                                        {"h100-pcie-80gb", "NVIDIA H100 PCIe"},
                                                        {"h100-sxm5-80gb", "NVIDIA H100 80GB HBM3"},
                                                        {"gh200-96gb", "NVIDIA GH200 480GB"}}) {
    INFO(name);
    REQUIRE(run("estimate --size 64x64 --gpu " + gpu + " --json --output plan.json", world).code == app::kYes);
    world.files["run"] = "name, memory.used [MiB]\n" + name + ", 1 MiB\n";
    CHECK(run("verify plan.json run", world).code == app::kNo);
    for (const std::string other : {"NVIDIA H200", "NVIDIA H100 NVL"}) {
      world.files["run"] = "name, memory.used [MiB]\n" + other + ", 1 MiB\n";
      CHECK(run("verify plan.json run", world).code == app::kWrongQuestion);
    }
  }
}

TEST_CASE("the formats of others tell what they hold", "[cli]") {
  FakeWorld world;
  const Json plan = plan_of(with_plan(world));
  const auto allocated = plan.at("memory").at("run_peak_bytes").at("value").get<std::int64_t>();
  const auto reserved = plan.at("memory").at("reserved_peak_bytes").at("value").get<std::int64_t>();
  const auto used = plan.at("memory").at("device_used_bytes").at("value").get<std::int64_t>() >> 20U;
  const std::string statistics =
      Json{{"allocated_bytes.all.peak", allocated}, {"reserved_bytes.all.peak", reserved}}.dump(2);
  const std::string lightning =
      "DeviceStatsMonitor.on_train_batch_end/allocated_bytes.all.peak,step\n" + std::to_string(allocated) + ".0,1\n";
  const std::string smi =
      "memory.used [MiB], clocks.sm [MHz], clocks.max.sm [MHz]\n" + std::to_string(used) + " MiB, 1000 MHz, 1980 MHz\n";
  for (const auto& [bytes, names] :
       std::vector<std::pair<std::string, std::vector<std::string>>>{{statistics, {"allocated_peak", "reserved_peak"}},
                                                                     {lightning, {"allocated_peak"}},
                                                                     {smi, {"device_memory"}}}) {
    const Json report = report_of(world, bytes);
    std::vector<std::string> found;
    for (const Json& row : report.at("components")) {
      found.push_back(row.at("name"));
      CHECK(row.at("inside") == true);
    }
    CHECK(found == names);
    CHECK(report.at("passed") == true);
  }
  CHECK(verify(world, smi).out.find("GPU clocks are lower: 1000 of 1980 MHz") != std::string::npos);
}

TEST_CASE("a recorded step of an H200 is the plan's, event by event", "[cli]") {
  FakeWorld world;
  with_plan(world);
  const std::string snapshot = support::pickled(support::snapshot_of(recorded()));
  const Ran ran = verify(world, snapshot);
  CHECK(ran.code == app::kYes);
  CHECK(ran.out.find("The history is the plan's in all ") != std::string::npos);
  const Json report = report_of(world, snapshot);
  CHECK_FALSE(report.contains("first_difference"));
  // 138,357,544 float32 and their momentum.
  for (const char* name : {"parameters", "optimizer_state"}) {
    REQUIRE(component(report, name) != nullptr);
    CHECK(component(report, name)->at("measured") == 4 * 138357544);
  }
  CHECK(component(report, "allocated_peak") != nullptr);
  CHECK(component(report, "reserved_peak") != nullptr);
}

TEST_CASE("the first allocation that differs is named with its layer", "[cli]") {
  FakeWorld world;
  with_plan(world);
  // conv1_1 of two images of 1024 x 1024: 64 maps of float32. The first such allocation is its output.
  constexpr std::int64_t kOutput = 2LL * 64 * 1024 * 1024 * 4;
  support::Trace changed = recorded();
  std::size_t event = 0;
  for (support::TraceEvent& recorded : changed.events) {
    if (recorded.kind == 'a' && recorded.bytes == kOutput) {
      recorded.bytes = 2 * kOutput;
      break;
    }
    event += recorded.kind == 'S' ? 0 : 1;
  }
  const Json report = report_of(world, support::pickled(support::snapshot_of(changed)));
  const Json& found = report.at("first_difference");
  CHECK(found.at("event") == event);
  CHECK(found.at("what") == "allocation");
  CHECK(found.at("layer") == "conv1_1");
  CHECK(found.at("phase") == "forward");
  CHECK(found.at("step") == 1);
  CHECK(found.at("planned_bytes") == kOutput);
  CHECK(found.at("measured_bytes") == 2 * kOutput);
}

TEST_CASE("what is no run, or no plan, is an error that names the file", "[cli]") {
  FakeWorld world;
  with_plan(world);
  const std::string hostile(
      "\x80\x02"
      "cos\nsystem\nX\x02\x00\x00\x00id\x85R.",
      22);
  const Ran ran = verify(world, hostile);
  CHECK(ran.code == app::kWrongQuestion);
  CHECK(ran.out.empty());
  CHECK(ran.err.starts_with("vggplan: run:byte 2: would have Python import or call something (GLOBAL)"));
  CHECK(verify(world, "").err.starts_with("vggplan: run: is empty"));
  CHECK(run("verify plan.json absent", world).code == app::kFileTrouble);
  CHECK(run("verify plan.json", world).err.starts_with("vggplan: verify: needs PLAN.json RUN"));
  world.files["gpus.json"] = run("gpus t4 --json").out;
  CHECK(run("verify gpus.json run", world).code == app::kWrongQuestion);
}

TEST_CASE("a plan is held by its recommendation, and the answer is shown again", "[cli]") {
  FakeWorld world;
  REQUIRE(run("--size 224x224 --gpus t4 --json --output plan.json", world).code == app::kYes);
  const Json best = plan_of(world).at("recommendation");
  const Json step = step_line(best);
  CHECK(verify(world, support::lines({step}), " --json --output answer.json").code == app::kYes);
  for (const std::string format : {"text", "markdown", "html", "csv", "json"}) {
    CHECK(run("show answer.json --format " + format, world).code == app::kYes);
  }
}

// Phases of a run that took 1.3 times as long everywhere: asked again with the correction, the plan is the run.
TEST_CASE("--calibrate writes what makes the plan as long as the run", "[cli]") {
  FakeWorld world;
  const Json plan = plan_of(with_plan(world));
  Json step = step_line(plan);
  for (const char* key : {"forward_seconds", "backward_seconds", "optimizer_seconds", "step_seconds"}) {
    step[key] = 1.3 * step.at(key).get<double>();
  }
  step["images_per_second"] = step.at("images_per_second").get<double>() / 1.3;
  CHECK(verify(world, support::lines({step}), " --calibrate c.json").code == app::kNo);
  REQUIRE(world.files.contains("c.json"));
  REQUIRE(run("estimate --size 1024x1024 --batch 2 --gpu h200 --calibration c.json --json --output plan.json", world)
              .code == app::kYes);
  const Json corrected = plan_of(world);
  for (const char* key : {"forward_seconds", "backward_seconds", "optimizer_seconds", "step_seconds"}) {
    INFO(key);
    CHECK(planned(corrected, "time", key) == Approx(1.3 * planned(plan, "time", key)).epsilon(1e-3));
  }
  CHECK(verify(world, support::lines({step})).code == app::kYes);
  const Ran none = verify(world, R"({"allocated_bytes.all.peak": 5})", " --calibrate d.json");
  CHECK(none.code == app::kWrongQuestion);
  CHECK(none.err.starts_with("vggplan: --calibrate: needs times"));
  CHECK_FALSE(world.files.contains("d.json"));
}

}  // namespace vggplan
