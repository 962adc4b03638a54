// SPDX-License-Identifier: MIT
// Figures of one report against each other: what a reader would add up, divide and compare.
#include <nlohmann/json.hpp>

#include "cli/fake_world.hpp"
#include "support/catch.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan {

namespace {

using Catch::Detail::Approx;
using nlohmann::json;

json report_of(const std::string& flags) {
  const test::Ran ran = test::run("estimate --json " + flags);
  INFO(flags << "\n" << ran.err);
  REQUIRE((ran.code == app::kYes || ran.code == app::kNo));
  return json::parse(ran.out);
}

double value(const json& figure) { return figure.at("value").get<double>(); }

bool warns(const json& report, const std::string& code) {
  for (const json& warning : report.at("warnings")) {
    if (warning.at("code") == code) {
      return true;
    }
  }
  return false;
}

std::string assumption(const json& report, const std::string& name) {
  for (const json& row : report.at("assumptions")) {
    if (row.at("name") == name) {
      return row.at("value").get<std::string>() + ": " + row.at("source").get<std::string>();
    }
  }
  return "";
}

}  // namespace

TEST_CASE("parts of a step, its rate and its utilization agree, whatever bounds it", "[cli]") {
  const std::string large = "--size 1024x1024 --batch 16 --precision amp-bf16 --layout nhwc ";
  for (const std::string& flags :
       {large + "--gpu h200-sxm-141gb", large + "--gpu h200-sxm-141gb --storage hdd --image-format png",
        large + "--gpu h200-sxm-141gb --workers 1 --pipeline pil-float", large + "--gpu h200-sxm-141gb --workers 0",
        large + "--gpu h200-sxm-141gb --accumulation 64", large + "--gpus h100x8 --pipeline nvjpeg",
        large + "--gpus h200x16 --nodes 2", large + "--gpus a100x8 --sharding zero1 --accumulation 4",
        std::string("--size 1024x1024 --batch 64 --precision amp-bf16 --gpus h200x8 --mode infer"),
        std::string("--size 1024x1024 --batch 8 --gpus rtx-3090x4 --sharding fsdp2")}) {
    INFO(flags);
    const json answer = report_of(flags);
    const json& time = answer.at("time");
    double parts = 0;
    for (const char* part : {"forward_seconds", "backward_seconds", "optimizer_seconds",
                             "communication_exposed_seconds", "parallel_overhead_seconds", "input_exposed_seconds"}) {
      if (time.contains(part)) {
        CHECK(time.at(part).at("low").get<double>() >= 0);
        CHECK(time.at(part).at("low").get<double>() <= time.at(part).at("high").get<double>());
        parts += value(time.at(part));
      }
    }
    // A phase by itself waits for the host first, which back-to-back steps do not: forward alone is a little longer.
    CHECK(parts >= value(time.at("iteration_seconds")) * (1 - 1e-6));
    CHECK((parts <= value(time.at("iteration_seconds")) * 1.01 || answer.at("job").at("mode") == "infer"));
    const double images = answer.at("job").at("global_batch").get<double>();
    const double rate = value(time.at("images_per_second"));
    const std::string bound = time.at("bound_by").get<std::string>();
    const bool fed = bound == "gpu" || bound == "host" || bound == "communication";
    CHECK(warns(answer, "host-bound") == (bound == "host"));
    CHECK(warns(answer, "input-bound") == !fed);
    if (fed) {
      CHECK(value(time.at("input_seconds")) <= value(time.at("iteration_seconds")) * (1 + 1e-6));
    } else if (answer.at("job").at("data").value("workers", 1) > 0) {
      CHECK(value(time.at("input_seconds")) == Approx(value(time.at("iteration_seconds"))));
    }
    const double gpus = answer.at("job").at("gpu_count").get<double>();
    const double flops = answer.at("model").at("flops_step").get<double>() * gpus / images * rate;
    const json gpu =
        json::parse(test::run("gpus " + answer.at("machine").at("gpu").get<std::string>() + " --json").out);
    const char* peak =
        answer.at("job").at("precision") == "tf32" ? "tf32_tensor_flops_per_second" : "bf16_tensor_flops_per_second";
    CHECK(time.at("model_flops_utilization").get<double>() ==
          Approx(flops / gpus / gpu.at("gpus").at(0).at(peak).get<double>()).epsilon(1e-6));
  }
}

TEST_CASE("in inference GPUs send each other nothing: eight take a step in the time of one", "[cli]") {
  const std::string job = "--size 512x512 --batch 4 --mode infer --gpu v100-sxm2-16gb --gpu-count ";
  const json eight = report_of(job + "8 --nodes 2").at("time");
  CHECK(eight.at("step_seconds") == report_of(job + "1").at("time").at("step_seconds"));
  CHECK_FALSE(eight.contains("communication_seconds"));
}

TEST_CASE("a compiled step tells what compiling takes, and what compiling saves", "[cli]") {
  const std::string flags = "--size 224x224 --gpu h200 --batch 32 --precision fp32 --layout nhwc ";
  const json eager = report_of(flags);
  const json compiled = report_of(flags + "--compile default");
  CHECK_FALSE(eager.at("time").contains("compile_seconds"));
  CHECK(value(compiled.at("time").at("compile_seconds")) > 5);
  CHECK(compiled.at("time").at("compile_seconds").at("basis") == "assumed");
  // Pool indices of a byte.
  const auto saved = [](const json& report) {
    return report.at("model").at("saved_activation_bytes").get<std::int64_t>();
  };
  CHECK(saved(eager) - saved(compiled) >= std::int64_t{7} * 32 * 1530368);
  CHECK(value(compiled.at("time").at("step_seconds")) < value(eager.at("time").at("step_seconds")));
}

TEST_CASE("workers: whole ones for each GPU, enough for what is needed, none without being said", "[cli]") {
  const json four = report_of("--size 4024x3036 --gpus a100x4 --batch 2 --precision amp-bf16 --layout nhwc");
  CHECK(four.at("input").at("workers").get<int>() % 4 == 0);
  const json uneven = report_of("--size 1024x1024 --gpus a100x4 --workers 6");
  CHECK(uneven.at("input").at("workers") == 8);
  CHECK(warns(uneven, "uneven-workers"));
  const json& enough = report_of(
      "--size 610x1888 --batch 314 --precision bf16 --gpu b200-sxm-180gb --head flatten --model "
      "vgg19 --mode infer --usable-memory 65448MiB --gpu-count 8");
  const json& input = enough.at("input");
  CHECK(input.at("workers_needed").get<double>() * input.at("decode_images_per_second_per_worker").get<double>() >=
        input.at("images_per_second_needed").get<double>());
}

TEST_CASE("a GPU that nobody measured is said to be carried over, one that was to be calibrated", "[cli]") {
  CHECK(assumption(report_of("--size 1024x1024 --gpu t4"), "time").starts_with("carried over from h200-sxm-141gb"));
  CHECK(assumption(report_of("--size 1024x1024 --gpu h200-sxm-141gb"), "time").starts_with("calibrated on this GPU"));
  const std::string text = test::run("estimate --size 1024x1024 --gpu t4").out;
  CHECK(text.find("not measured on this GPU") != std::string::npos);
}

TEST_CASE("the network between nodes is the machine's, the catalogue's slowest, or a default: and is named", "[cli]") {
  const std::string job =
      "--size 224x224 --gpu-count 16 --nodes 2 --batch 32 --precision amp-fp16 --layout nhwc --gpu ";
  // a3-highgpu-8g has 100 GB/s, the other machines with eight H100 200 or 400.
  const json bare = report_of(job + "h100-sxm5-80gb");
  CHECK(assumption(bare, "network between nodes") ==
        "100 GB/s a node: assumed: that of a3-highgpu-8g, the slowest in the catalogue that holds as many of this GPU");
  CHECK(bare.at("time").at("communication_seconds").at("basis") == "assumed");
  const json named = report_of(job + "h100-sxm5-80gb --machine a3-highgpu-8g");
  CHECK(assumption(named, "network between nodes").empty());
  CHECK(value(named.at("time").at("step_seconds")) == value(bare.at("time").at("step_seconds")));
  const json unknown = report_of(job + "rtx-3090");
  CHECK(assumption(unknown, "network between nodes") == "12.5 GB/s a node: assumed: 100 Gbit/s");
}

TEST_CASE("what is short is the whole peak, and a failing step has no flushes", "[cli]") {
  const json memory = report_of("--size 4024x3036 --gpu t4 --batch 4").at("memory");
  CHECK(memory.at("verdict") == "does-not-fit");
  CHECK_FALSE(memory.contains("cache_flushes_per_step"));
  // The same step on a card that holds it reserves as much.
  const json roomy = report_of("--size 4024x3036 --gpu t4 --batch 4 --usable-memory 1TiB").at("memory");
  CHECK(roomy.at("reserved_peak_bytes") == memory.at("reserved_peak_bytes"));
  const std::string text = test::run("estimate --size 4024x3036 --gpu t4 --batch 4").out;
  const base::Bytes short_of(-memory.at("headroom_bytes").get<std::int64_t>());
  CHECK(text.find("Does not fit: " + base::format_bytes(short_of) + " short") != std::string::npos);
}

// torchvision/models/resnet.py, BasicBlock: out += identity, which is the input of the block or its downsample.
TEST_CASE("layers name what they read, and whether they are trained", "[cli]") {
  const json layers = json::parse(test::run("layers --model resnet18 --size 64x64 --freeze layer1.* --json").out);
  std::map<std::string, json> rows;
  std::set<std::string> known{"image"};
  for (const json& row : layers.at("layers")) {
    for (const json& input : row.at("inputs")) {
      CHECK(known.count(input.get<std::string>()) == 1);
    }
    known.insert(row.at("name").get<std::string>());
    rows[row.at("name")] = row;
  }
  CHECK(rows.at("conv1").at("inputs") == json{"image"});
  CHECK(rows.at("layer1.0.add").at("inputs") == json{"layer1.0.bn2", "maxpool"});
  CHECK(rows.at("layer2.0.add").at("inputs") == json{"layer2.0.bn2", "layer2.0.downsample.1"});
  CHECK(rows.at("loss").at("inputs") == json{"fc"});
  CHECK(rows.at("conv1").at("trained") == true);
  CHECK(rows.at("layer1.0.conv1").at("trained") == false);
  CHECK(rows.at("relu").at("trained") == false);
  // resnet18 has 11,689,512; layer1 four convolutions of 64 to 64 channels and their norms.
  CHECK(layers.at("totals").at("trained_parameters") == 11'689'512 - 4 * (9 * 64 * 64 + 2 * 64));
  const json infer = json::parse(test::run("layers --model resnet18 --size 64x64 --mode infer --json").out);
  CHECK(infer.at("layers").at(0).at("inputs") == json{"image"});
  CHECK_FALSE(infer.at("layers").at(0).contains("trained"));
  CHECK_FALSE(infer.at("totals").contains("trained_parameters"));
}

TEST_CASE("of several sizes the time is the mean of the steps of each, and the peak that of the largest", "[cli]") {
  const std::string flags = "--batch 4 --gpu h200-sxm-141gb --model vgg11 ";
  const json several = report_of("--size 224:352:64,480x320 " + flags);
  CHECK(several.at("job").at("sizes") == "224x224,288x288,352x352,480x320");
  CHECK(several.at("job").at("height") == 480);
  REQUIRE(several.at("time").at("by_size").size() == 4);
  double sum = 0;
  json largest;
  for (const json& row : several.at("time").at("by_size")) {
    largest = report_of("--height " + row.at("height").dump() + " --width " + row.at("width").dump() + " " + flags);
    CHECK(row.at("step_seconds") == largest.at("time").at("step_seconds"));
    sum += value(row.at("step_seconds"));
  }
  CHECK(value(several.at("time").at("step_seconds")) == Approx(sum / 4));
  CHECK(warns(several, "several-sizes"));
  const json& memory = several.at("memory");
  const double alone = value(largest.at("memory").at("run_peak_bytes"));
  CHECK(value(memory.at("run_peak_bytes")) == Approx(alone).epsilon(0.001));
  // The cache keeps blocks of all of them; drawn from the largest down they are cut from its own.
  CHECK(memory.at("reserved_peak_bytes").at("high") > largest.at("memory").at("reserved_peak_bytes").at("high"));
  CHECK(memory.at("reserved_peak_bytes").at("low").get<double>() <=
        value(largest.at("memory").at("reserved_peak_bytes")));
}

TEST_CASE("one size given anew stands for several of a weaker origin", "[cli]") {
  test::FakeWorld world;
  world.variables["VGGPLAN_SIZES"] = "224,320";
  const test::Ran ran = test::run("estimate --json --gpu h200 --size 100", world);
  CHECK(ran.code == app::kYes);
  CHECK_FALSE(json::parse(ran.out).at("job").contains("sizes"));
}

TEST_CASE("DataParallel is answered with ddp, and with what it would take itself", "[cli]") {
  const std::string flags = "--size 224 --batch 16 --gpus h200x2 ";
  json told = report_of(flags + "--sharding dp");
  CHECK(warns(told, "data-parallel"));
  const json figures = told.at("data_parallel");
  CHECK(figures.at("copied_bytes") == 138357544LL * 4);
  CHECK(value(figures.at("step_seconds")) > value(told.at("time").at("step_seconds")));
  CHECK(report_of("--size 224 --batch 1 --gpus h200x2 --sharding dp").at("data_parallel").at("first_gpu_peak_bytes") !=
        figures.at("first_gpu_peak_bytes"));
  told.erase("data_parallel");
  json ddp = report_of(flags + "--sharding ddp");
  told.erase("warnings");
  ddp.erase("warnings");
  CHECK(told == ddp);
}

}  // namespace vggplan
