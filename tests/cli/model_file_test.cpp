// SPDX-License-Identifier: MIT
// Networks from files, through the whole program.
#include <nlohmann/json.hpp>

#include "cli/fake_world.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/json_schema.hpp"

namespace vggplan {
namespace {

using nlohmann::json;
using test::FakeWorld;
using test::run;

std::string fixture(const std::string& name) { return test::repository_file("tests/data/networks/" + name); }

const std::string kSmall = R"({"name": "small", "nodes": [
  {"name": "a", "op": "conv2d", "out_channels": 8, "kernel_size": 3, "padding": 1},
  {"name": "b", "op": "relu"},
  {"name": "pool", "op": "adaptive_avg_pool2d", "output_size": 1},
  {"name": "flat", "op": "flatten"},
  {"name": "fc", "op": "linear", "out_features": 10}]})";

void put_files(FakeWorld& world) {
  world.files["small.json"] = kSmall;
  for (const std::string& name : {std::string("residual.onnx"), std::string("unet.pt2")}) {
    world.files[name] = fixture(name);
  }
}

TEST_CASE("networks of one's own are estimated, planned and listed", "[cli]") {
  FakeWorld world;
  put_files(world);
  const auto counts = json::parse(fixture("counts.json"));
  for (const std::string& name : {std::string("small.json"), std::string("residual.onnx"), std::string("unet.pt2")}) {
    INFO(name);
    const auto estimate = run("estimate --size 256x256 --gpu h200 --batch 8 --json --model " + name, world);
    INFO(estimate.err);
    REQUIRE(estimate.code == app::kYes);
    const auto parameters = json::parse(estimate.out).at("model").at("parameters");
    const std::string stem = name.substr(0, name.find('.'));
    CHECK(parameters == (counts.contains(stem) ? counts.at(stem).at("parameters").get<int>() : 8 * 27 + 8 + 80 + 10));
    CHECK(run("--size 256x256 --gpus h200 --model " + name, world).code == app::kYes);
    CHECK(run("layers --size 256x256 --model " + name, world).code == app::kYes);
    const auto listed = run("models --json " + name, world);
    CHECK(test::SchemaValidator(json::parse(run("schema report").out)).validate(json::parse(listed.out)).empty());
    CHECK(json::parse(listed.out).at("models").at(0).at("parameters") == parameters);
  }
  const auto small = json::parse(run("models --json small.json", world).out).at("models").at(0);
  CHECK(small.at("nodes") == 5);
  CHECK(small.at("macs_forward") == 224 * 224 * 8 * 27 + 80);
}

TEST_CASE("what a file does not tell is a warning, what it fixes cannot be asked for", "[cli]") {
  FakeWorld world;
  put_files(world);
  const std::string job = "estimate --size 64x64 --gpu h200 --model residual.onnx ";
  CHECK(run(job + "--json", world).out.find("ONNX does not tell which layers work in place") != std::string::npos);
  CHECK(run(job + "--classes 10", world).code == app::kYes);
  CHECK(run(job + "--classes 11", world).err.find("residual.onnx tells 10 classes apart") != std::string::npos);
  CHECK(run(job + "--head gap", world).err.find("has a head of its own") != std::string::npos);
  CHECK(run(job + "--channels 1", world).err.find("takes 3 channels, but gets 1") != std::string::npos);
}

TEST_CASE("files that are broken or missing end with their exit code", "[cli]") {
  FakeWorld world;
  put_files(world);
  world.files["cut.pt2"] = fixture("unet.pt2").substr(0, 500);
  world.files["noise.onnx"] = std::string(1000, '\x01');
  world.files["cycle.json"] =
      R"({"name": "c", "nodes": [{"name": "a", "op": "add", "inputs": ["image", "b"]}, {"name": "b", "op": "relu"}]})";
  for (const std::string& command :
       {std::string("estimate --size 64x64 --gpu h200 --model "), std::string("models ")}) {
    CHECK(run(command + "cut.pt2", world).code == app::kFileTrouble);
    CHECK(run(command + "noise.onnx", world).code == app::kFileTrouble);
    CHECK(run(command + "none.onnx", world).code == app::kFileTrouble);
    CHECK(run(command + "cycle.json", world).code == 2);
    CHECK(run(command + "cycle.json", world).err.find("cycle.json:/nodes/0/inputs: 'b' is no earlier node") !=
          std::string::npos);
  }
}

TEST_CASE("the schema of graphs takes what the reader takes", "[cli]") {
  const test::SchemaValidator schema(json::parse(run("schema network").out));
  CHECK(schema.validate(json::parse(kSmall)).empty());
  json wrong = json::parse(kSmall);
  wrong["nodes"][1]["size"] = 3;
  CHECK(!schema.validate(wrong).empty());
}

}  // namespace
}  // namespace vggplan
