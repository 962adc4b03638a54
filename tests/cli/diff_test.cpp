// SPDX-License-Identifier: MIT
// diff tells what changed, and which of several changed inputs did it.
#include <map>
#include <nlohmann/json.hpp>

#include "cli/fake_world.hpp"
#include "support/catch.hpp"

namespace vggplan {

namespace {

using nlohmann::json;
using test::FakeWorld;
using test::run;

void save(FakeWorld& world, const std::string& job, const std::string& file) {
  REQUIRE(run("estimate " + job + " --json --quiet --output " + file, world).code == app::kYes);
}

json figure(const FakeWorld& world, const std::string& file, const std::string& metric) {
  std::string pointer = "/" + metric + "/value";
  std::replace(pointer.begin(), pointer.end(), '.', '/');
  return json::parse(world.files.at(file)).at(json::json_pointer(pointer));
}

}  // namespace

TEST_CASE("what several inputs change is told one by one, and sums to the whole change", "[cli]") {
  FakeWorld world;
  save(world, "--size 1024x768 --gpu h200 --batch 2", "old.json");
  save(world, "--size 1024x768 --gpus a100x8 --machine p4d.24xlarge --batch 3 --precision amp-bf16 --sharding zero1",
       "new.json");
  const json diff = json::parse(run("diff old.json new.json --json", world).out);
  std::vector<std::string> inputs;
  std::map<std::string, double> sums;
  for (const json& row : diff.at("attribution")) {
    inputs.push_back(row.at("input"));
    for (const auto& [metric, delta] : row.at("effects").items()) {
      sums[metric] += delta.get<double>();
    }
  }
  for (const std::string input : {"batch", "machine", "gpu_count", "precision", "sharding"}) {
    INFO(input);
    CHECK(std::count(inputs.begin(), inputs.end(), input) == 1);
  }
  CHECK(sums.size() == 4);
  for (const auto& [metric, sum] : sums) {
    INFO(metric);
    const double whole =
        figure(world, "new.json", metric).get<double>() - figure(world, "old.json", metric).get<double>();
    CHECK(sum == Approx(whole).epsilon(1e-6));
  }
}

TEST_CASE("an input alone is to blame for all, and one that does nothing is said to", "[cli]") {
  FakeWorld world;
  save(world, "--size 512x512 --gpu t4", "old.json");
  save(world, "--size 512x512 --gpu t4 --batch 2", "new.json");
  CHECK_FALSE(json::parse(run("diff old.json new.json --json", world).out).contains("attribution"));
  save(world, "--size 512x512 --gpu t4 --batch 2 --images 1000 --checkpoint-every 7", "third.json");
  const std::string text = run("diff old.json third.json", world).out;
  const std::size_t table = text.find("What each input changes, one after the other");
  REQUIRE(table != std::string::npos);
  CHECK(text.find("\n  batch", table) != std::string::npos);
  CHECK(text.find("\n  checkpoint every, images: none of these figures changes\n", table) != std::string::npos);
}

TEST_CASE("figures that these inputs do not give are not attributed to them", "[cli]") {
  FakeWorld world;
  save(world, "--size 512x512 --gpu t4", "old.json");
  save(world, "--size 512x512 --gpu l4 --batch 2", "new.json");
  json other = json::parse(world.files.at("old.json"));
  other["time"]["step_seconds"]["value"] = 1.5;
  world.files["other.json"] = other.dump();
  const test::Ran ran = run("diff other.json new.json --json", world);
  CHECK(ran.code == app::kYes);
  CHECK_FALSE(json::parse(ran.out).contains("attribution"));
  CHECK(ran.err ==
        "vggplan: which input changes what is not told: the figures were written by another version, or with other "
        "data\n");
  CHECK(run("diff old.json other.json", world).out.find("No input differs: the program or its data changed.") !=
        std::string::npos);
}

}  // namespace vggplan
