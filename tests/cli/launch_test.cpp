// SPDX-License-Identifier: MIT
// launch: which plan it takes, what it writes, and what it never overwrites.
#include <algorithm>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/fake_world.hpp"
#include "cli/folder.hpp"
#include "support/catch.hpp"

namespace vggplan {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::FakeWorld;
using test::Folder;
using test::Ran;
using test::run;

const std::string kPlan = "--size 64x64 --gpu t4 --batch 2";

std::size_t entries(const fs::path& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
}

}  // namespace

TEST_CASE("a run of flags and a run of the plan that they make are the same", "[cli]") {
  FakeWorld world;
  REQUIRE(run("launch " + kPlan + " --output one", world).code == app::kYes);
  REQUIRE(run("plan " + kPlan + " --json --output plan.json", world).code == app::kYes);
  REQUIRE(run("launch plan.json --output two", world).code == app::kYes);
  CHECK(world.files.at("one/plan.json") == world.files.at("plan.json"));
  std::size_t files = 0;
  for (const auto& [path, text] : world.files) {
    if (path.starts_with("one/")) {
      INFO(path);
      CHECK(world.files.at("two/" + path.substr(4)) == text);
      ++files;
    }
  }
  CHECK(files == 11);
}

TEST_CASE("launch tells what it wrote, and how to start it", "[cli]") {
  const Ran ran = run("launch " + kPlan + " --output some/run --engine torchrun");
  CHECK(ran.out ==
        "some/run:\n"
        "  plan.json         the plan\n"
        "  train.py          trains by it\n"
        "  settings.py       how it reads the plan\n"
        "  run.sh            ./run.sh --data IMAGES\n"
        "  requirements.txt  what pip installs for it\n"
        "  README.md         how to start it\n");
  CHECK(ran.err.empty());
}

TEST_CASE("the plan names the command that makes its run", "[cli]") {
  const auto command = [](const std::string& flags, FakeWorld& world) {
    const json plan = json::parse(run(flags + " --json", world).out);
    return plan.at("recommendation").at("launch").at("command").get<std::string>();
  };
  FakeWorld world;
  CHECK(command("--size 64x32 --gpus t4x2 --bucket-view --price t4=0.5 --reserve 10% --top 2", world) ==
        "vggplan launch --height 64 --width 32 --bucket-view --gpus t4x2 --price t4=0.5 --reserve 10% --top 2 "
        "--output run");
  // What is found in the folder holds there again; what a variable says may not.
  world.files["vggplan.toml"] = "batch = 2\n";
  world.variables["VGGPLAN_PRECISION"] = "fp32";
  CHECK(command("--size 64x64 --gpu t4", world) ==
        "vggplan launch --height 64 --width 64 --precision fp32 --gpus t4 --output run");
  world.variables["VGGPLAN_FREEZE"] = "conv1_*";
  CHECK(command("--size 64x64 --gpu t4", world).find("--freeze 'conv1_*' ") != std::string::npos);
}

TEST_CASE("a compiled plan is compiled by its program, and every candidate was", "[cli]") {
  FakeWorld world;
  REQUIRE(run("launch " + kPlan + " --compile reduce-overhead --output one", world).code == app::kYes);
  const json plan = json::parse(world.files.at("one/plan.json"));
  const json& best = plan.at("recommendation");
  CHECK(best.at("job").at("compile") == "reduce-overhead");
  CHECK(best.at("job").at("checkpointing") == "none");
  CHECK(best.at("launch").at("command").get<std::string>().find("--compile reduce-overhead") != std::string::npos);
  CHECK(world.files.at("one/train.py").find("torch.compile(self.model, mode=job[\"compile\"])") != std::string::npos);
  CHECK_FALSE(json::parse(run("plan " + kPlan + " --json").out).at("recommendation").at("job").contains("compile"));
}

TEST_CASE("what is left free is told to the program", "[cli]") {
  const json plan = json::parse(run("--size 64x64 --gpu t4 --usable-memory 8GiB --reserve 1GiB --json").out);
  CHECK(plan.at("recommendation").at("launch").at("reserve_bytes") == 1 << 30);
  const json open = json::parse(run("--size 64x64 --gpu t4 --json").out);
  CHECK_FALSE(open.at("recommendation").at("launch").contains("reserve_bytes"));
}

TEST_CASE("launch refuses what is no plan that trains", "[cli]") {
  FakeWorld world;
  REQUIRE(run("estimate --size 64x64 --gpu t4 --json --output estimate.json", world).code == app::kYes);
  REQUIRE(run("plan " + kPlan + " --json --output plan.json", world).code == app::kYes);
  const auto refused = [&](const std::string& arguments, const std::string& message) {
    INFO(arguments);
    const Ran ran = run("launch " + arguments, world);
    CHECK(ran.code == app::kWrongQuestion);
    CHECK(ran.err == "vggplan: " + message);
  };
  refused(kPlan, "--output: is needed: the folder of the run\n  for example --output run\n");
  refused(kPlan + " --output -", "--output: is needed: the folder of the run\n  for example --output run\n");
  refused("estimate.json --output run",
          "estimate.json: is a report of estimate, and a plan is needed\n"
          "  save one with vggplan plan --json --output plan.json\n");
  refused("plan.json --batch 4 --output run",
          "--batch: asks for a plan, and 'plan.json' is one already\n  leave one of the two out\n");
  refused(kPlan + " --mode infer --output run",
          "--mode: asks about inference, and a run trains\n  plan with --mode train\n");
  refused(kPlan + " --engine slrum --output run",
          "--engine: takes one of torchrun, slurm, kubernetes, skypilot, dstack, accelerate, not 'slrum'\n"
          "  did you mean 'slurm'?\n");
  CHECK(run("launch missing.json --output run", world).code == app::kFileTrouble);
  CHECK(std::ranges::none_of(world.files, [](const auto& file) { return file.first.starts_with("run/"); }));
}

TEST_CASE("where nothing fits the plan says why, and nothing is written", "[cli]") {
  FakeWorld world;
  const std::string question = "--size 20000x20000 --gpus t4";
  const Ran ran = run("launch " + question + " --output run", world);
  CHECK(ran.code == app::kNo);
  CHECK(ran.out == run("plan " + question, world).out);
  CHECK(world.files.empty());
}

TEST_CASE("a file that was found may not make launch replace files", "[cli]") {
  FakeWorld world;
  world.files["vggplan.toml"] = "force = true\n";
  CHECK(run("launch " + kPlan + " --output run", world).code == app::kWrongQuestion);
}

TEST_CASE("files that are there are replaced by --force alone", "[cli]") {
  const Folder folder;
  const std::string launch = "launch " + kPlan + " --output run";
  fs::create_directory(folder.path / "run");
  folder.write("run/mine.txt", "mine");
  folder.write("run/run.sh", "mine, too");
  CHECK(folder.shell(launch) == app::kFileTrouble);
  CHECK(folder.said() ==
        "vggplan: run/run.sh: is there already\n"
        "  name another folder with --output, or replace the files of this one with --force\n");
  CHECK(entries(folder.path / "run") == 2);
  CHECK(folder.shell(launch + " --engine slurm") == app::kYes);  // beside them
  CHECK(entries(folder.path / "run") == 2 + 6);
  CHECK(folder.read("run/run.sh") == "mine, too");
  CHECK(folder.shell(launch + " --force") == app::kYes);
  CHECK(entries(folder.path / "run") == 1 + 11);
  CHECK(folder.read("run/run.sh").starts_with("#!/bin/sh\n"));
  CHECK(folder.read("run/mine.txt") == "mine");
  CHECK(entries(folder.path) == 1);
}

TEST_CASE("a folder that cannot be written whole is not written", "[cli]") {
  const Folder folder;
  // The plan is longer than that, the other files are not.
  const std::string limit = "ulimit -f 16;";
  CHECK(folder.shell("launch " + kPlan + " --output run", limit) == app::kFileTrouble);
  CHECK(folder.said().find("run/plan.json: cannot be written: File too large") != std::string::npos);
  CHECK(entries(folder.path) == 0);
  fs::create_directory(folder.path / "run");
  folder.write("run/train.py", "old");
  CHECK(folder.shell("launch " + kPlan + " --output run --force", limit) == app::kFileTrouble);
  CHECK(entries(folder.path / "run") == 1);
  CHECK(folder.read("run/train.py") == "old");
}

TEST_CASE("a folder in the place of a file, or a file in the place of the folder, stops it", "[cli]") {
  const Folder folder;
  fs::create_directories(folder.path / "run" / "README.md");
  CHECK(folder.shell("launch " + kPlan + " --output run --force") == app::kFileTrouble);
  CHECK(folder.said() == "vggplan: run/README.md: cannot be written: Is a directory\n  name a file\n");
  CHECK(entries(folder.path / "run") == 1);
  folder.write("file", "");
  CHECK(folder.shell("launch " + kPlan + " --output file") == app::kFileTrouble);
  CHECK(folder.said() ==
        "vggplan: file: cannot be written: Not a directory\n  a part of that name is a file: name another place\n");
  CHECK(folder.shell("launch " + kPlan + " --output none/run") == app::kFileTrouble);
  CHECK(folder.said() ==
        "vggplan: none/run: cannot be written: No such file or directory\n  make its folder first, or name another "
        "place\n");
}

TEST_CASE("programs may be run, and others read what the user lets them", "[cli]") {
  const Folder folder;
  REQUIRE(folder.shell("launch " + kPlan + " --output run/", "umask 027;") == app::kYes);
  const auto mode = [&](const std::string& path) { return fs::status(folder.path / path).permissions(); };
  CHECK(mode("run") == fs::perms(0750));
  CHECK(mode("run/run.sh") == fs::perms(0750));
  CHECK(mode("run/train.py") == fs::perms(0750));
  CHECK(mode("run/job.sbatch") == fs::perms(0640));
}

}  // namespace vggplan
