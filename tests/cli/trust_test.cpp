// SPDX-License-Identifier: MIT
// What a settings file may do that nobody named: nothing to other files, and nothing to the gate.
#include "cli/fake_world.hpp"
#include "cli/folder.hpp"
#include "support/catch.hpp"

namespace vggplan {

namespace {

using test::FakeWorld;
using test::Folder;
using test::Ran;
using test::run;
namespace fs = std::filesystem;

const std::string kTrusted = "estimate --size 64x64 --gpu h200-sxm-141gb ";

}  // namespace

TEST_CASE("a file that was found writes nothing", "[cli]") {
  for (const std::string file : {"vggplan.toml", "/xdg/vggplan/config.toml"}) {
    for (const std::string setting :
         {"output = \"../victim\"", "output = \"mine\"", "export = \"json=../victim\"",
          "export = [\"html=a\", \"json=../victim\"]", "export = { json = \"../victim\" }"}) {
      INFO(file << ": " << setting);
      FakeWorld world;
      world.variables["XDG_CONFIG_HOME"] = "/xdg";
      world.files["../victim"] = "precious";
      world.files[file] = "batch = 1\n" + setting + "\n";
      const auto before = world.files;
      const Ran ran = run(kTrusted, world);
      CHECK(ran.code == app::kWrongQuestion);
      CHECK(ran.out.empty());
      const std::string key = setting.substr(0, setting.find(' '));
      CHECK(ran.err.starts_with("vggplan: " + file + ":2: " + key + ": names a file to write or to compare with, "));
      CHECK(ran.err.find("\n  leave it out, and give --" + key) != std::string::npos);
      CHECK(world.files == before);
      CHECK(run("sweep --size 64x64 --gpu t4 --sweep batch=1,2", world).code == app::kWrongQuestion);
      CHECK(world.files == before);
    }
  }
}

TEST_CASE("a pull request's settings file replaces neither the base of the gate nor its limits", "[cli]") {
  FakeWorld world;
  REQUIRE(run(kTrusted + "--json --output base.json", world).code == app::kYes);
  REQUIRE(run(kTrusted + "--batch 64 --json --output new.json", world).code == app::kYes);
  world.files["lax.json"] = R"({"checks": [{"metric": "memory.reserved_peak_bytes", "max": "1TiB"}]})";
  REQUIRE(run("check new.json --against base.json", world).code == app::kNo);
  for (const std::string setting : {"budget = \"lax.json\"", "against = \"new.json\"", "output = \"base.json\""}) {
    INFO(setting);
    world.files["vggplan.toml"] = setting;
    const auto before = world.files;
    CHECK(run("check new.json --against base.json", world).code == app::kWrongQuestion);
    CHECK(run(kTrusted, world).code == app::kWrongQuestion);
    CHECK(world.files == before);
  }
  world.files.erase("vggplan.toml");
  world.variables["VGGPLAN_AGAINST"] = "base.json";
  CHECK(run("check new.json", world).code == app::kNo);
}

TEST_CASE("other commands pass over a found file that names outputs, and say so", "[cli]") {
  FakeWorld world;
  world.files["vggplan.toml"] = "output = \"x\"";
  const Ran ran = run("gpus t4", world);
  CHECK(ran.code == app::kYes);
  CHECK_FALSE(ran.out.empty());
  CHECK(ran.err.starts_with("vggplan: vggplan.toml is passed over: vggplan.toml:1: output: "));
  CHECK_FALSE(world.files.contains("x"));
}

TEST_CASE("a file that --config names writes beside itself, and it is told where", "[cli]") {
  FakeWorld world;
  world.files["jobs/a.toml"] =
      "output = \"out/r.json\"\nexport = \"markdown=./r.md\"\nformat = \"json\"\nquiet = true\n";
  const Ran ran = run(kTrusted + "--config jobs/a.toml", world);
  CHECK(ran.code == app::kYes);
  CHECK(ran.err ==
        "vggplan: an export goes to 'markdown=/here/jobs/r.md', as jobs/a.toml:2 says\n"
        "vggplan: the report goes to '/here/jobs/out/r.json', as jobs/a.toml:1 says\n");
  CHECK(world.files.contains("/here/jobs/out/r.json"));
  CHECK(world.files.contains("/here/jobs/r.md"));
  CHECK(run(kTrusted + "--config jobs/a.toml --quiet", world).err.empty());
  world.variables["VGGPLAN_CONFIG"] = "jobs/a.toml";
  CHECK(run(kTrusted, world).err == ran.err);
  CHECK(run(kTrusted + "--output mine.json", world).code == app::kYes);
  CHECK(world.files.contains("mine.json"));
}

TEST_CASE("a file that --config names does not write outside its folder", "[cli]") {
  for (const std::string path :
       {"../victim", "out/../../victim", "/etc/victim", "/here/jobsx/victim", "/here/jobs", ".", "out/.."}) {
    for (const std::string& setting : {"output = \"" + path + "\"", "export = \"html=" + path + "\""}) {
      INFO(setting);
      FakeWorld world;
      world.files["jobs/a.toml"] = setting;
      const auto before = world.files;
      const Ran ran = run(kTrusted + "--config jobs/a.toml", world);
      CHECK(ran.code == app::kWrongQuestion);
      CHECK(ran.err.starts_with("vggplan: jobs/a.toml:1: "));
      CHECK(ran.err.find("'" + path + "' is not in the folder of that file") != std::string::npos);
      CHECK(world.files == before);
    }
  }
}

TEST_CASE("links do not lead a settings file out of its folder", "[cli]") {
  const Folder folder;
  fs::create_directories(folder.path / "repo/jobs");
  fs::create_directory(folder.path / "outside");
  folder.write("outside/victim", "precious");
  fs::create_symlink(folder.path / "outside", folder.path / "repo/jobs/door");
  fs::create_symlink(folder.path / "outside/victim", folder.path / "repo/jobs/file");
  for (const std::string path : {"door/victim", "door/new", "file", "door/../outside/victim", "../../outside/victim"}) {
    INFO(path);
    folder.write("repo/jobs/a.toml", "output = \"" + path + "\"\n");
    CHECK(folder.shell(kTrusted + "--config repo/jobs/a.toml") == app::kWrongQuestion);
    CHECK(folder.read("outside/victim") == "precious");
    CHECK_FALSE(fs::exists(folder.path / "outside/new"));
  }
  folder.write("repo/jobs/a.toml", "output = \"r.txt\"\n");
  CHECK(folder.shell(kTrusted + "--config repo/jobs/a.toml") == app::kYes);
  CHECK(folder.read("repo/jobs/r.txt").find("vgg16") != std::string::npos);
  CHECK(folder.said().find("the report goes to") != std::string::npos);
}

TEST_CASE("a variable that says where reports go is told of", "[cli]") {
  FakeWorld world;
  world.variables["VGGPLAN_OUTPUT"] = "r.txt";
  CHECK(run(kTrusted, world).err == "vggplan: the report goes to 'r.txt', as VGGPLAN_OUTPUT says\n");
  const Ran flag = run(kTrusted + "--output -", world);
  CHECK(flag.err.empty());
  CHECK(flag.out == world.files.at("r.txt"));
}

}  // namespace vggplan
