// SPDX-License-Identifier: MIT
// Flags win over variables, these over the working folder's file, that over the user's, that over defaults.
#include <nlohmann/json.hpp>

#include "cli/fake_world.hpp"
#include "support/catch.hpp"

namespace vggplan {

namespace {

using test::FakeWorld;
using test::Ran;
using test::run;

std::int64_t batch(FakeWorld& world, const std::string& flags = "") {
  const Ran ran = run("estimate --size 64x64 --gpu h200 --json " + flags, world);
  INFO(ran.err);
  REQUIRE(ran.code == app::kYes);
  return nlohmann::json::parse(ran.out).at("job").at("batch").get<std::int64_t>();
}

}  // namespace

TEST_CASE("each origin of a setting wins over the weaker ones", "[cli]") {
  FakeWorld world;
  world.variables["HOME"] = "/home/me";
  CHECK(batch(world) == 1);
  world.files["/home/me/.config/vggplan/config.toml"] = "batch = 2\n";
  CHECK(batch(world) == 2);
  world.variables["XDG_CONFIG_HOME"] = "/xdg";
  CHECK(batch(world) == 1);
  world.files["/xdg/vggplan/config.toml"] = "batch = 3\n";
  CHECK(batch(world) == 3);
  world.files["vggplan.toml"] = "batch = 4\n";
  CHECK(batch(world) == 4);
  world.files["other.toml"] = "batch = 5\n";
  CHECK(batch(world, "--config other.toml") == 5);
  world.variables["VGGPLAN_BATCH"] = "6";
  CHECK(batch(world, "--config other.toml") == 6);
  CHECK(batch(world, "--batch 7") == 7);
}

TEST_CASE("--print-config tells each value and its origin, as TOML that gives the same again", "[cli]") {
  FakeWorld world;
  world.files["vggplan.toml"] = "gpus = \"a100x4\"\nprecision = 'amp-bf16'\nprice = { t4 = 0.5 }\n";
  world.variables["VGGPLAN_BUCKET_VIEW"] = "true";
  const Ran ran = run("estimate --height 64 --width 32 --print-config", world);
  CHECK(ran.code == app::kYes);
  for (const std::string line :
       {"height = 64  # flag\n", "gpus = \"a100x4\"  # vggplan.toml:1\n",
        "precision = \"amp-bf16\"  # vggplan.toml:2\n", "bucket-view = true  # VGGPLAN_BUCKET_VIEW\n",
        "price = [\"t4=0.5\"]  # vggplan.toml:3\n", "# classes = 1000  # default\n", "# images is not set\n"}) {
    INFO(line);
    CHECK(ran.out.find("\n" + line) != std::string::npos);
  }
  FakeWorld second;
  second.files["vggplan.toml"] = ran.out;
  const std::string ask = "estimate --json";
  FakeWorld first;
  first.files = world.files;
  first.variables = world.variables;
  CHECK(run(ask, second).out == run(ask + " --height 64 --width 32", first).out);
}

TEST_CASE("--print-config quotes what TOML would not read, or read as something else", "[cli]") {
  FakeWorld world;
  const Ran odd = run("--size 64x64 --gpus t4 --top 007 --model a\"b\\\x01.json --print-config", world);
  CHECK(odd.out.find("\ntop = \"007\"  # flag\n") != std::string::npos);
  CHECK(odd.out.find("model = \"a\\\"b\\\\\\u0001.json\"  # flag\n") != std::string::npos);
  world.files["vggplan.toml"] = odd.out;
  const Ran again = run("--print-config", world);
  CHECK(again.code == app::kYes);
  CHECK(again.out.find("\ntop = \"007\"  # vggplan.toml:") != std::string::npos);
  CHECK(again.out.find("model = \"a\\\"b\\\\\\u0001.json\"  # vggplan.toml:") != std::string::npos);
}

TEST_CASE("--print-config shows outputs without handing them on", "[cli]") {
  FakeWorld world;
  REQUIRE(run("--size 64x64 --gpus t4 --output p.toml --export json=p.json --print-config", world).code == app::kYes);
  const std::string printed = world.files.at("p.toml");
  CHECK(printed.find("\n# output = \"p.toml\"  # flag\n") != std::string::npos);
  CHECK(printed.find("\n# export = [\"json=p.json\"]  # flag\n") != std::string::npos);
  world.files = {{"vggplan.toml", printed}};
  CHECK(run("--json", world).code == app::kYes);
  CHECK(world.files.size() == 1);
}

TEST_CASE("a variable holds several values of a flag, each with its commas", "[cli]") {
  FakeWorld world;
  world.variables["VGGPLAN_SWEEP"] = "batch=1,2,4,precision=tf32,amp-fp16";
  const Ran ran = run("sweep --size 64x64 --gpu t4 --json", world);
  INFO(ran.err);
  CHECK(ran.code == app::kYes);
  CHECK(ran.out == run("sweep --size 64x64 --gpu t4 --json --sweep batch=1,2,4 --sweep precision=tf32,amp-fp16").out);
  world.variables["VGGPLAN_PRICE"] = "t4=1,l4=2";
  CHECK(run("--size 64x64 --gpus t4,l4 --images 1000 --json", world).out ==
        run("--size 64x64 --gpus t4,l4 --images 1000 --json --price t4=1 --price l4=2").out);
}

TEST_CASE("a stronger origin that names the hardware sets all that a weaker one said of it aside", "[cli]") {
  FakeWorld world;
  world.files["vggplan.toml"] = "machine = \"p4d.24xlarge\"\nnodes = 2\n";
  const auto machine = [&](const std::string& flags) {
    const Ran ran = run("estimate --size 64x64 --json " + flags, world);
    INFO(ran.err);
    REQUIRE(ran.code == app::kYes);
    return nlohmann::json::parse(ran.out).at("machine");
  };
  CHECK(machine("").at("gpu_count") == 16);
  CHECK(machine("--gpu t4").at("gpu_count") == 1);
  CHECK(machine("--gpu t4").at("nodes") == 1);
  CHECK(machine("--gpu-count 8 --nodes 1").at("gpu_count") == 8);
}

TEST_CASE("mistakes in a file are told by line, with the nearest setting", "[cli]") {
  FakeWorld world;
  const std::string job = "estimate --size 64x64 --gpu h200";
  world.files["vggplan.toml"] = "batch = 2\nprecison = \"tf32\"\n";
  CHECK(run(job, world).err == "vggplan: vggplan.toml:2: 'precison' is not a setting\n  did you mean 'precision'?\n");
  world.files["vggplan.toml"] = "batch = \"many\"\n";
  CHECK(run(job, world).err ==
        "vggplan: vggplan.toml:1: batch: takes a whole number from 1 to 100,000,000, not 'many'\n");
  world.files["vggplan.toml"] = "batch = [\n";
  CHECK(run(job, world).err.starts_with("vggplan: vggplan.toml:"));
  CHECK(run(job, world).code == app::kWrongQuestion);
  world.files["vggplan.toml"] = "batch = 1979-05-27\n";
  CHECK(run(job, world).err ==
        "vggplan: vggplan.toml:1: batch: takes a plain value\n"
        "  write a number, a string, true or false\n");
  world.files["vggplan.toml"] = "model = \"vgg16\\u0000.json\"\n";
  CHECK(run(job, world).err == "vggplan: vggplan.toml:1: model: holds a NUL character\n  leave it out\n");
  world.files.clear();
  const Ran missing = run(job + " --config none.toml", world);
  CHECK(missing.code == app::kFileTrouble);
  CHECK(missing.err ==
        "vggplan: --config none.toml: cannot be read: No such file or directory\n"
        "  name a file of settings, such as batch = 4\n");
}

TEST_CASE("a variable that nearly names a setting is told of", "[cli]") {
  FakeWorld world;
  world.variables["VGGPLAN_BACH"] = "3";
  world.variables["VGGPLAN_SOMETHING_ELSE"] = "x";
  const Ran ran = run("estimate --size 64x64 --gpu h200-sxm-141gb --json", world);
  CHECK(ran.code == app::kYes);
  CHECK(ran.err == "vggplan: the variable 'VGGPLAN_BACH' is not known; did you mean 'VGGPLAN_BATCH'?\n");
}

TEST_CASE("--config-dir adds records and replaces those of the same name", "[cli]") {
  FakeWorld world;
  world.files["mine/storage/attic.json"] = R"({"name": "attic", "title": "A shelf", "latency_seconds": 1,
    "sequential_read_bytes_per_second": 1000000, "unverified": ["sequential_read_bytes_per_second", "latency_seconds"],
    "sources": [{"reference": "assumption", "note": "slow"}]})";
  world.files["mine/notes.txt"] = "not read";
  CHECK(run("machines p4d.24xlarge --config-dir mine", world).code == app::kYes);
  CHECK(run("estimate --size 64x64 --gpu t4 --storage attic", world).code == app::kWrongQuestion);
  const Ran slow = run("estimate --size 64x64 --gpu t4 --images 1000 --storage attic --config-dir mine --json", world);
  INFO(slow.err);
  REQUIRE(slow.code == app::kYes);
  CHECK(nlohmann::json::parse(slow.out).at("job").at("data").at("storage") == "attic");
  world.files["mine/storage/attic.json"] = "{}";
  CHECK(run("estimate --size 64x64 --gpu t4 --config-dir mine", world)
            .err.starts_with("vggplan: mine/storage/attic.json"));
  CHECK(run("estimate --size 64x64 --gpu t4 --config-dir none", world).code == app::kFileTrouble);
}

TEST_CASE("settings that do not concern a command are passed over", "[cli]") {
  FakeWorld world;
  world.files["vggplan.toml"] = "objective = \"cheapest\"\nsweep = [\"batch=1,2\"]\n";
  CHECK(batch(world) == 1);
}

TEST_CASE("lists, tables and switches of TOML mean what the flags mean", "[cli]") {
  FakeWorld world;
  world.files["vggplan.toml"] =
      "size = \"64x64\"\ngpus = [\"t4\", \"l4x2\"]\ncudnn-benchmark = true\nbucket_mb = 12.5\ntop = 0\n";
  const Ran ran = run("--json", world);
  INFO(ran.err);
  const auto plan = nlohmann::json::parse(ran.out);
  CHECK(plan.at("candidates").size() == 2);
  CHECK(plan.at("job").at("cudnn_benchmark") == true);
  CHECK(plan.at("alternatives").empty());
}

TEST_CASE("a faulty file of the project stops what answers about a job, and nothing else", "[cli]") {
  FakeWorld world;
  REQUIRE(run("estimate --size 64x64 --gpu t4 --json --output r.json", world).code == app::kYes);
  world.files["vggplan.toml"] = "batch = [";
  for (const std::string command : {"schema", "man", "completion bash", "gpus t4", "show r.json"}) {
    INFO(command);
    CHECK(run(command, world).code == app::kYes);
  }
  CHECK(run("estimate --size 64x64 --gpu t4", world).code == app::kWrongQuestion);
  CHECK(run("show r.json --config vggplan.toml", world).code == app::kWrongQuestion);
}

TEST_CASE("--print-config --json tells values and origins, and defaults of the command", "[cli]") {
  const auto config = nlohmann::json::parse(run("estimate --size 64x32 --gpu t4 --print-config --json").out);
  CHECK(config.at("width") == nlohmann::json({{"value", "32"}, {"source", "flag"}}));
  CHECK(config.at("batch") == nlohmann::json({{"value", "1"}, {"source", "default"}}));
  CHECK_FALSE(config.contains("images"));
  CHECK_FALSE(nlohmann::json::parse(run("--size 64x32 --print-config --json").out).contains("batch"));
}

TEST_CASE("letters of other alphabets are told as no TOML, and are text in strings", "[cli]") {
  FakeWorld world;
  for (const std::string text : {"gr\u00f6\u00dfe = 1\n", "batch \u0400= 1\n", "batch = \u00e9\n"}) {
    world.files["vggplan.toml"] = text;
    const Ran ran = run("estimate --size 64x64 --gpu h200", world);
    CHECK(ran.code == app::kWrongQuestion);
    CHECK(ran.err.starts_with("vggplan: vggplan.toml:1: is not TOML: "));
  }
  world.files["vggplan.toml"] = "model = \"m\u00f6del\"  # \u00e9\n";
  CHECK(run("estimate --size 64x64 --gpu h200", world).err.find("'m\u00f6del'") != std::string::npos);
}

}  // namespace vggplan
