// SPDX-License-Identifier: MIT
// Questions to the planner as they are typed.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/fake_world.hpp"
#include "support/catch.hpp"

namespace vggplan {

namespace {

using nlohmann::json;
using test::run;

json planned(const std::string& arguments) { return json::parse(run("--size 224x224 --json " + arguments).out); }

}  // namespace

TEST_CASE("a name without a number is one GPU, and with --max-gpus as many as that", "[cli]") {
  const auto most = [](const std::string& arguments) {
    std::int64_t gpus = 0;
    const json plan = planned(arguments);
    for (const json& candidate : plan.at("candidates")) {
      gpus = std::max(gpus, candidate.at("gpu_count").get<std::int64_t>());
    }
    return gpus;
  };
  CHECK(most("--gpus t4") == 1);
  CHECK(most("--gpus t4 --max-gpus 6") == 6);
  CHECK(most("--gpus any --max-gpus 3") == 3);
  CHECK(most("--gpus t4x2 --max-gpus 6") == 2);
  CHECK(most("--gpus t4 --gpu-count 4 --max-gpus 6") == 4);
}

// CUDA 13, which PyTorch 2.11 is built with, ended support for Maxwell, Pascal and Volta (its release notes).
TEST_CASE("any leaves out GPUs that the framework does not run on, and says which; named, they are planned with",
          "[cli]") {
  const json plan = planned("--gpus any");
  const auto planned_with = [](const json& report, const std::string& gpu) {
    return std::any_of(report.at("candidates").begin(), report.at("candidates").end(),
                       [&](const json& candidate) { return candidate.at("gpu") == gpu; });
  };
  CHECK(planned_with(plan, "t4"));
  CHECK_FALSE(planned_with(plan, "v100-sxm2-16gb"));
  CHECK_FALSE(planned_with(plan, "gtx-1080-ti"));
  const json& warnings = plan.at("warnings");
  const auto left_out = std::find_if(warnings.begin(), warnings.end(),
                                     [](const json& warning) { return warning.at("code") == "left-out"; });
  REQUIRE(left_out != warnings.end());
  CHECK(left_out->at("message").get<std::string>().find("v100-sxm2-16gb") != std::string::npos);
  CHECK(planned_with(planned("--gpus v100-sxm2-16gb"), "v100-sxm2-16gb"));
}

TEST_CASE("a machine has the GPUs that it has, and what is rented and timed follows from them", "[cli]") {
  for (const std::string command : {"plan", "estimate"}) {
    const auto refused = run(command + " --size 224x224 --machine gpu_8x_v100 --gpus v100x64 --nodes 1");
    CHECK(refused.code == 2);
    CHECK(refused.out.empty());
    CHECK(refused.err.find("64 GPUs are more than the 8 of 1 gpu_8x_v100") != std::string::npos);
    CHECK(refused.err.find("--nodes 8") != std::string::npos);
    CHECK(run(command + " --size 224x224 --machine gpu_8x_v100 --gpus v100x64 --nodes 8").code == 0);
  }
  const auto usd_per_hour = [](const std::string& gpus) {
    const json plan = planned("--machine gpu_8x_v100 --price gpu_8x_v100=10 --gpu-count " + gpus);
    return plan.at("recommendation").at("rates").at("usd_per_hour").get<double>();
  };
  CHECK(usd_per_hour("8") == 10);
  CHECK(usd_per_hour("16") == 20);
}

TEST_CASE("a plan tells which price it took, of where and as of when, and how old it is where a day is given",
          "[cli]") {
  test::FakeWorld world;
  world.files["aws.csv"] =
      "InstanceType,AcceleratorName,AcceleratorCount,Price,SpotPrice,Region\n"
      "g4dn.xlarge,T4,1.0,0.5,0.2,us-east-1\n"
      "g4dn.xlarge,T4,1.0,0.6,0.1,eu-west-1\n";
  const std::string job = "--size 224x224 --gpus t4 --images 100000 --prices aws.csv --prices-date 2026-11-01";
  const json plan = json::parse(run(job + " --today 2026-11-29 --json", world).out).at("recommendation");
  CHECK(plan.at("price") == json({{"usd_per_hour", 0.5},
                                  {"of", "g4dn.xlarge"},
                                  {"usd_per_hour_of_one", 0.5},
                                  {"region", "us-east-1"},
                                  {"spot", false},
                                  {"date", "2026-11-01"},
                                  {"age_days", 28},
                                  {"today", "2026-11-29"},
                                  {"source", "aws.csv"}}));
  const double hours = plan.at("run").at("total_seconds").at("value").get<double>() / 3600;
  CHECK(plan.at("run").at("cost_usd").at("value").get<double>() == Approx(0.5 * hours));
  CHECK(run(job + " --today 2026-11-29", world).out.find("28 days old on 2026-11-29") != std::string::npos);
  const json there = json::parse(run(job + " --region eu-west-1 --json", world).out).at("recommendation");
  CHECK(there.at("price").at("usd_per_hour") == 0.6);
  CHECK(run(job + " --region mars", world).err.find("--region: no price is of 'mars'") != std::string::npos);
  CHECK(run(job, world).out.find("days old") == std::string::npos);
  const json spot = json::parse(run(job + " --spot --json", world).out).at("recommendation");
  CHECK(spot.at("price").at("usd_per_hour") == 0.1);
  CHECK(spot.at("price").at("region") == "eu-west-1");
  CHECK(run(job + " --spot", world).out.find("a spot machine may be taken back") != std::string::npos);
  CHECK(run("--size 224x224 --gpus l4 --prices aws.csv", world).out.find("has no price of a machine that takes part") !=
        std::string::npos);
}

TEST_CASE("of one GPU with several counts the largest stands for all: no number is searched twice", "[cli]") {
  const json twice = planned("--gpus t4x2,t4x4,t4x2");
  CHECK(twice.at("candidates").size() == 1);
  CHECK(twice.at("search") == planned("--gpus t4x4").at("search"));
}

TEST_CASE("a recommendation fits; where only steps with cache flushes run, the answer is no", "[cli]") {
  const auto kept = run("--json --size 1474x171 --gpus rtx-3080 --reserve 5%");
  CHECK(kept.code == 0);
  CHECK(json::parse(kept.out).at("recommendation").at("memory").at("verdict") == "fits");
  const auto flushing =
      run("--json --size 4024x3036 --gpus a30 --batch 2 --precision amp-bf16 --layout nhwc --checkpointing none");
  CHECK(flushing.code == 1);
  const json plan = json::parse(flushing.out);
  CHECK_FALSE(plan.contains("recommendation"));
  CHECK(plan.at("failure").at("reason") == "cache-flushes");
  CHECK(plan.at("max_batch").at(0).at("hard") == 2);
}

TEST_CASE("a network with residual blocks that does not fit as it is is checkpointed block by block", "[cli]") {
  const std::string asked = "--model resnet50 --size 1024x1024 --gpus l4 --batch 40 --json ";
  const json launch = json::parse(run(asked).out).at("recommendation").at("launch");
  CHECK(launch.at("checkpointing") == "block");
  CHECK(run(asked + "--checkpointing none").code == 1);
}

TEST_CASE("no plan uses more GPUs than --max-gpus", "[cli]") {
  const json plan = planned("--gpus t4x8 --max-gpus 3");
  CHECK(plan.at("recommendation").at("launch").at("gpu_count") <= 3);
  for (const json& row : plan.at("pareto")) {
    CHECK(row.at("settings").at("gpu_count") <= 3);
  }
}

TEST_CASE("where no GPU asked about has the memory, one of the catalogue is named", "[cli]") {
  const json plan = json::parse(run("--size 4024x3036 --batch 2 --gpus t4 --json").out);
  bool named = false;
  for (const json& remedy : plan.at("remedies")) {
    named |= remedy.at("code") == "more-memory" && remedy.at("settings").at("gpu") != "t4";
  }
  CHECK(named);
}

TEST_CASE("what is fixed and impossible is a wrong question, in whatever order the GPUs are named", "[cli]") {
  const auto code = [](const std::string& arguments) { return run("--size 512x512 " + arguments).code; };
  CHECK(code("--gpus t4 --precision bf16") == 2);
  CHECK(code("--gpus t4,a100 --precision bf16 --batch 1") == 0);
  CHECK(code("--gpus t4,a100 --precision bf16 --batch 4096") == 1);
  CHECK(code("--gpus a100,t4 --precision bf16 --batch 4096") == 1);
  CHECK(code("--gpus h200x2 --sharding fsdp2 --layout nhwc") == 2);
  CHECK(code("--gpus h200 --sharding zero1") == 2);
  CHECK(code("--gpus a100 --global-batch 7 --batch 2") == 2);
  CHECK(code("--gpus a100 --gpu-count 8 --nodes 3") == 2);
  CHECK(code("--gpus a100 --batch 1000000000") == 2);
}

TEST_CASE("a fixed number of machines and a fixed sharding are kept", "[cli]") {
  const json nodes = planned("--gpus a100x8 --nodes 3").at("recommendation").at("launch");
  CHECK(nodes.at("nodes") == 3);
  CHECK(planned("--gpus a100x4 --sharding zero1").at("recommendation").at("launch").at("sharding") == "zero1");
}

TEST_CASE("plan and estimate agree on which GPU computes in which precision", "[cli]") {
  for (const std::string gpu : {"gtx-1080-ti", "p100-sxm2-16gb", "v100-sxm2-16gb", "t4", "a100"}) {
    for (const std::string precision : {"fp32", "tf32", "amp-bf16", "amp-fp16", "bf16"}) {
      const std::string job = "--size 224x224 --batch 2 --precision " + precision + " --gpus " + gpu;
      INFO(job);
      CHECK(run("plan " + job).code == run("estimate " + job).code);
    }
  }
}

TEST_CASE("the chart of batches goes one past the largest that fits", "[cli]") {
  test::FakeWorld world;
  const test::Ran ran = test::run("--size 4024x3036 --gpus a100x4 --json --export html=plan.html", world);
  REQUIRE(ran.code == app::kYes);
  const nlohmann::json plan = nlohmann::json::parse(ran.out);
  const nlohmann::json& rows = plan.at("recommendation").at("by_batch");
  const auto largest = plan.at("max_batch").at(0).at("hard").get<std::int64_t>();
  REQUIRE(rows.size() >= 3);
  CHECK(rows.size() <= 12);
  CHECK(rows.at(rows.size() - 1).at("batch") == largest + 1);
  CHECK(rows.at(rows.size() - 1).at("verdict") == "does-not-fit");
  CHECK(rows.at(rows.size() - 2).at("batch") == largest);
  CHECK(rows.at(rows.size() - 2).at("verdict") != "does-not-fit");
}

TEST_CASE("--size with one number is a square", "[cli]") {
  const json job = json::parse(run("estimate --size 224 --gpu t4 --json").out).at("job");
  CHECK(job.at("height") == 224);
  CHECK(job.at("width") == 224);
}

TEST_CASE("a size stands for a card of that size, and the report says what was assumed", "[cli]") {
  const auto machine = [](const std::string& gpus) {
    return json::parse(run("estimate --size 224 --json " + gpus).out).at("machine");
  };
  const json like = machine("--gpu rtx-4060");
  for (const std::string text : {"--gpus 8GB", "--gpus 8gib", "--gpu 8GB", "--memory 8GB"}) {
    INFO(text);
    const json card = machine(text);
    CHECK(card.at("gpu") == "8gb");
    CHECK(card.at("memory_total_bytes") == like.at("memory_total_bytes"));
    CHECK(card.at("usable_bytes") == like.at("usable_bytes"));
  }
  CHECK(machine("--gpus 12GiBx2").at("gpu_count") == 2);
  // A size that no card of the catalogue has: the next larger one's share of what is sold.
  const json odd = machine("--gpus 9GB");
  CHECK(odd.at("memory_total_bytes").get<double>() ==
        Approx(machine("--gpu rtx-3080").at("memory_total_bytes").get<double>() * 0.9).epsilon(1e-3));
  const json report = json::parse(run("estimate --size 224 --gpus 8GB --json").out);
  CHECK(report.at("warnings").at(0).at("code") == "assumed-card");
  CHECK(report.at("assumptions").at(0).at("name") == "card");
}

TEST_CASE("memory of others is not the job's", "[cli]") {
  const auto report = [](const std::string& more) {
    return json::parse(run("estimate --size 224 --gpu 3060 --json " + more).out);
  };
  const json alone = report("").at("machine");
  const json shared = report("--used 2GiB").at("machine");
  CHECK(shared.at("usable_bytes").get<std::int64_t>() + (2LL << 30) == alone.at("usable_bytes").get<std::int64_t>());
  CHECK(shared.at("used_bytes") == 2LL << 30);
  CHECK(report("--used 2GiB").at("assumptions").at(0).at("source") == "--used");
  const auto full = run("estimate --size 224 --gpu 3060 --used 12GiB");
  CHECK(full.code == app::kWrongQuestion);
  CHECK(full.err.starts_with("vggplan: --used: leaves nothing of the 11.31 GiB of rtx-3060 that a process may use"));
}

TEST_CASE("fit says yes where the batch fits under some settings, and no where none does", "[cli]") {
  const auto yes = run("fit --size 224 --gpus 8GB --json");
  CHECK(yes.code == app::kYes);
  const json report = json::parse(yes.out);
  CHECK(report.at("fits") == true);
  CHECK(report.at("largest").size() == 8);
  CHECK(run("fit --size 224 --gpus 8GB --batch 16").code == app::kYes);
  CHECK(run("fit --size 4024x3036 --gpus 4GB").code == app::kNo);
  const auto several = run("fit --size 224 --gpus 8GB,12GB");
  CHECK(several.code == app::kWrongQuestion);
  CHECK(several.err.starts_with("vggplan: --gpus: names 2 kinds of GPUs, and fit looks at one"));
}

TEST_CASE("what fit puts first fits by estimate, and one image more than its largest batch does not", "[cli]") {
  const json row = json::parse(run("fit --size 224 --gpu 3060 --precision tf32 --layout nchw --checkpointing none "
                                   "--used 6GiB --json")
                                   .out)
                       .at("largest")
                       .at(0);
  const auto code = [&](std::int64_t batch) {
    return run("estimate --size 224 --gpu 3060 --used 6GiB --batch " + std::to_string(batch)).code;
  };
  const std::int64_t batch = row.at("batch").get<std::int64_t>();
  CHECK(code(batch) == app::kYes);
  CHECK(code(row.value("batch_with_cache_flushes", batch) + 1) == app::kNo);
}

}  // namespace vggplan
