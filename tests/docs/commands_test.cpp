// SPDX-License-Identifier: MIT
// Every command that a document or --help shows works, and every output shown is what the program prints. After a
// change of outputs: VGGPLAN_UPDATE_GOLDEN=1, and read the difference.
#include "docs/commands.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "app/flags.hpp"
#include "cli/fake_world.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"

namespace vggplan {

namespace {

namespace fs = std::filesystem;

std::string source(const std::string& path) { return std::string(VGGPLAN_SOURCE_DIR) + "/" + path; }

/// Paths within the project of its documents, and of the files of CI beside them.
std::vector<std::string> documents() {
  std::vector<std::string> paths{"README.md", "CONTRIBUTING.md", "CHANGELOG.md"};
  for (const auto& entry : fs::recursive_directory_iterator(source("docs"))) {
    if (entry.path().extension() == ".md" || entry.path().extension() == ".yml") {
      paths.push_back(fs::relative(entry.path(), source(".")).string());
    }
  }
  std::ranges::sort(paths);
  return paths;
}

/// The files that examples name. Those that a command writes are there for the commands behind it, too.
void furnish(test::FakeWorld& world) {
  world.files["training.toml"] = test::repository_file("configs/jobs/training.toml");
  world.files["net.onnx"] = test::repository_file("tests/data/networks/residual.onnx");
  for (const std::string base : {"\"$RUNNER_TEMP/training.toml\"", "/tmp/gate/base.toml"}) {
    world.files[base] = world.files["training.toml"];
  }
  for (const std::string budget : {"budget.toml", "/tmp/gate/budget.toml"}) {
    world.files[budget] = test::repository_file("configs/budgets/example.toml");
  }
  for (const std::string name :
       {"operations", "single_gpu", "host_issue", "two_gpus", "input_pipeline", "data_loader"}) {
    world.files["measurements.jsonl"] += test::repository_file("tests/data/measurements/" + name + ".jsonl");
  }
  REQUIRE(test::run("--size 64x64 --gpu t4 --json --output plan.json", world).code == app::kYes);
  world.files["run.jsonl"] = "{\"kind\":\"step\",\"step\":1,\"step_seconds\":1}\n";
  world.files["stats.json"] = "{\"allocated_bytes.all.peak\": 1}";
  world.files["smi.csv"] = "memory.used [MiB]\n5 MiB\n";
  world.files["metrics.csv"] = "DeviceStatsMonitor.on_train_batch_end/allocated_bytes.all.peak\n5\n";
  world.files["snapshot.pickle"] = test::repository_file("tests/fuzz/corpus/runs/snapshot4.pickle");
  for (const std::string name : {"old", "new", "report"}) {
    REQUIRE(test::run("estimate --size 64x64 --gpu t4 --json --output " + name + ".json", world).code == app::kYes);
  }
}

/// What is wrong with the commands, in the order in which a reader would try them. "No" is an answer: exit code 1.
std::vector<std::string> failures(const std::vector<std::string>& commands, test::FakeWorld& world) {
  std::vector<std::string> wrong;
  for (const std::string& command : commands) {
    const test::Ran ran = test::run(command, world);
    if (ran.code > app::kNo || (ran.code == app::kNo && ran.out.empty())) {
      wrong.push_back("vggplan " + command + ": " + ran.err);
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("every command in the documents works", "[docs]") {
  std::size_t count = 0;
  for (const std::string& path : documents()) {
    test::FakeWorld world;
    furnish(world);
    const std::vector<std::string> commands = test::commands_in(test::repository_file(path), path.ends_with(".md"));
    INFO(path);
    CHECK(failures(commands, world) == std::vector<std::string>());
    count += commands.size();
  }
  CHECK(count > 30);
}

TEST_CASE("every example of --help works", "[docs]") {
  test::FakeWorld world;
  furnish(world);
  for (const auto& row : base::NameTable<app::Command>::table) {
    for (const auto& [arguments, answer] : app::info(row.value).examples) {
      CHECK(failures({std::string(arguments)}, world) == std::vector<std::string>());
    }
    CHECK(failures({std::string(row.name) + " --help"}, world) == std::vector<std::string>());
  }
}

TEST_CASE("every script in the documents is there and can be run", "[docs]") {
  for (const std::string& path : documents()) {
    for (const std::string& script : test::scripts_in(test::repository_file(path))) {
      INFO(path << ": " << script);
      const bool runs = (fs::status(source(script)).permissions() & fs::perms::owner_exec) != fs::perms::none;
      CHECK((fs::is_regular_file(source(script)) && (runs || script.ends_with(".py"))));
    }
  }
}

TEST_CASE("every output in the documents is what the program prints", "[docs]") {
  std::size_t count = 0;
  for (const std::string& path : documents()) {
    std::string document = test::repository_file(path);
    const std::vector<test::ShownOutput> outputs = test::outputs_in(document);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      test::FakeWorld world;
      furnish(world);
      const std::string printed = test::run(outputs[i].arguments, world).out;
      std::size_t end = 0;
      for (std::size_t line = test::lines_of(outputs[i].text).size(); line > 0 && end != std::string::npos; --line) {
        end = printed.find('\n', end) + 1;
      }
      INFO(path << ": " << outputs[i].arguments);
      if (std::getenv("VGGPLAN_UPDATE_GOLDEN") != nullptr) {
        document = test::with_output(document, i, printed.substr(0, end));
        std::ofstream(source(path), std::ios::binary) << document;
      } else {
        CHECK(outputs[i].text == printed.substr(0, end));
      }
      ++count;
    }
  }
  CHECK(count > 0);
}

TEST_CASE("commands are found where readers look for them, and wrong ones are noticed", "[docs]") {
  const std::string document =
      "Ask `vggplan models`, never `vggplan show REPORT.json` or `vggplan`.\n"
      "\n"
      "    vggplan gpus t4      one GPU\n"
      "    scripts/run gpus | less\n"
      "    vggplan gpus l4 || [ $? -eq 1 ]\n"
      "\n"
      "```\n$ vggplan gpus t5   # no such GPU\nvggplan sweep\n```\n"
      "```text\nvggplan NAME\n```\n";
  const std::vector<std::string> commands = test::commands_in(document, true);
  CHECK(commands == std::vector<std::string>{"models --help", "gpus t4", "gpus", "gpus l4", "gpus t5", "sweep"});
  CHECK(test::commands_in("run: |\n  - vggplan gpus >list.txt\n", false) == std::vector<std::string>{"gpus"});
  test::FakeWorld world;
  const std::vector<std::string> wrong = failures(commands, world);
  REQUIRE(wrong.size() == 2);
  CHECK(wrong[0].starts_with("vggplan gpus t5: "));
  CHECK(wrong[1].starts_with("vggplan sweep: "));
}

}  // namespace vggplan
