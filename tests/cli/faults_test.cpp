// SPDX-License-Identifier: MIT
// Files and folders that cannot be read or written, each for real: exit code 3, one message that tells place, rule and
// remedy, files of earlier runs as they were, and none left half-written.
#include "cli/faults.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "support/catch.hpp"

namespace vggplan {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::Contents;
using test::contents;
using test::Folder;
using test::is_one_message;
using test::Prepared;

/// Every command that writes a file, up to the name of the file.
const std::vector<std::string> kWriting{
    "plan --size 64x64 --gpus t4 --batch 2 -o ",
    "plan --size 64x64 --gpus t4 --batch 2 --export html=",
    "estimate --size 64x64 --gpu t4 --json -o ",
    "estimate --size 64x64 --gpu t4 --config config.toml --export html=",
    "fit --size 64x64 --gpus 8GB -o ",
    "layers --size 64x64 -o ",
    "sweep --size 64x64 --gpu t4 --sweep batch=1,2 --json -o ",
    "sweep --size 64x64 --gpu t4 --sweep batch=1,2 --format html -o ",
    "gpus -o ",
    "machines -o ",
    "models -o ",
    "show a.json -o ",
    "diff a.json b.json -o ",
    "check a.json --against a.json --format html -o ",
    "verify a.json run.jsonl --format html -o ",
    "verify a.json run.jsonl --calibrate ",
    "calibrate rows.jsonl --gpu t4 -o ",
    "schema report -o ",
    "man -o ",
};

/// Every command that reads a file, up to the name of the file.
const std::vector<std::string> kReading{
    "show ",
    "diff a.json ",
    "check ",
    "check a.json --against ",
    "check a.json --budget ",
    "launch --output run ",
    "verify a.json ",
    "calibrate --gpu t4 ",
    "estimate --size 64x64 --gpu t4 --config ",
    "estimate --size 64x64 --gpu t4 --gpu-file ",
    "estimate --size 64x64 --gpu t4 --calibration ",
    "estimate --size 64x64 --gpu t4 --prices ",
    "estimate --size 64x64 --gpu t4 --model ./",
    "models ./",
};

/// Words of a shell that make permissions hold for root, whose tests CI may run, as they do for others.
std::string without_privileges() { return ::geteuid() == 0 ? "setpriv --inh-caps=-all --bounding-set=-all " : ""; }

}  // namespace

TEST_CASE("a file that cannot be written whole is not written, whatever the command", "[cli][faults]") {
  const Prepared folder;
  const Contents before = contents(folder);
  for (const std::string& command : kWriting) {
    INFO(command);
    CHECK(folder.shell(command + "old", "ulimit -f 1;") == app::kFileTrouble);
    CHECK(is_one_message(folder.said(), "old"));
    CHECK(contents(folder) == before);
  }
}

TEST_CASE("of several files all are written or none", "[cli][faults]") {
  const Prepared folder;
  folder.write("small", "small");
  const Contents before = contents(folder);
  // Text has few bytes, HTML with its charts many.
  const std::string limit = "ulimit -f 16;";
  for (const std::string files : {"--export text=small --format html -o old", "--export text=small --export html=old",
                                  "--export html=old --export text=small", "--export text=new --export html=old"}) {
    INFO(files);
    CHECK(folder.shell("estimate --size 64x64 --gpu t4 " + files, limit) == app::kFileTrouble);
    CHECK(is_one_message(folder.said(), "old"));
    CHECK(contents(folder) == before);
  }
  CHECK(folder.shell("verify a.json run.jsonl --calibrate small --format html -o old", limit) == app::kFileTrouble);
  CHECK(contents(folder) == before);
}

TEST_CASE("a full device is told, as standard output and as a file", "[cli][faults]") {
  const Prepared folder;
  const Contents before = contents(folder);
  for (const std::string& command : kWriting) {
    INFO(command);
    CHECK(folder.shell(command + "/dev/full") == app::kFileTrouble);
    CHECK(is_one_message(folder.said(), "/dev/full"));
  }
  for (const std::string command : {"show a.json", "--size 64x64 --gpus t4", "layers --size 64x64", "schema report",
                                    "gpus", "sweep --size 64x64 --gpu t4 --sweep batch=1:200 --json", "man", "--help",
                                    "--version", "--print-config", "completion zsh"}) {
    INFO(command);
    CHECK(folder.shell(command + " >/dev/full") == app::kFileTrouble);
    CHECK(is_one_message(folder.said(), "standard output"));
  }
  CHECK(contents(folder) == before);
}

TEST_CASE("a stream that is closed is told, and no file takes its place", "[cli][faults]") {
  const Prepared folder;
  CHECK(folder.shell("gpus t4 >&-") == app::kFileTrouble);
  CHECK(is_one_message(folder.said(), "standard output"));
  CHECK(folder.shell("show - <&-") == app::kFileTrouble);
  CHECK(is_one_message(folder.said(), "-"));
  REQUIRE(folder.shell("gpus t4 -o open") == app::kYes);
  CHECK(folder.shell("gpus t4 -o closed <&- >&- 2>&-") == app::kYes);
  CHECK(folder.read("closed") == folder.read("open"));
}

TEST_CASE("a folder that may not be written to keeps what it has", "[cli][faults]") {
  const Prepared folder;
  const std::string user = without_privileges();
  fs::permissions(folder.path, fs::perms::owner_write, fs::perm_options::remove);
  const Contents before = contents(folder);
  for (const std::string command : {"estimate --size 64x64 --gpu t4 --json -o ", "launch plan.json --output ",
                                    "plan --size 64x64 --gpus t4 --batch 2 --export html="}) {
    INFO(command);
    CHECK(folder.shell(command + "new", user) == app::kFileTrouble);
    CHECK(is_one_message(folder.said(), "new"));
  }
  CHECK(folder.shell("gpus -o old", user) == app::kFileTrouble);
  CHECK(contents(folder) == before);
  fs::permissions(folder.path, fs::perms::owner_all);
}

TEST_CASE("a file that may not be read, is not there or leads nowhere is named", "[cli][faults]") {
  const Prepared folder;
  folder.write("locked", "{}");
  fs::create_symlink("circle2", folder.path / "circle1");
  fs::create_symlink("circle1", folder.path / "circle2");
  fs::create_symlink("gone", folder.path / "nowhere");
  const std::string user = without_privileges();
  fs::permissions(folder.path / "locked", fs::perms::none);
  const auto before = fs::file_size(folder.path / "old");
  for (const std::string& command : kReading) {
    for (const std::string name : {"locked", "missing", "circle1", "nowhere"}) {
      INFO(command << name);
      CHECK(folder.shell(command + name, user) == app::kFileTrouble);
      CHECK(folder.said().find(name + ": cannot be read: ") != std::string::npos);
      CHECK(std::ranges::count(folder.said(), '\n') == 2);
    }
  }
  CHECK(fs::file_size(folder.path / "old") == before);
  CHECK_FALSE(fs::exists(folder.path / "run"));
}

TEST_CASE("a settings file that is found and may not be read stops what hangs on it", "[cli][faults]") {
  const Prepared folder;
  folder.write("vggplan.toml", "batch = 2\n");
  const std::string user = without_privileges();
  fs::permissions(folder.path / "vggplan.toml", fs::perms::none);
  CHECK(folder.shell("estimate --size 64x64 --gpu t4", user) == app::kFileTrouble);
  CHECK(is_one_message(folder.said(), "vggplan.toml"));
  CHECK(folder.shell("gpus t4 -o new", user) == app::kYes);
  CHECK(folder.said().starts_with("vggplan: vggplan.toml is passed over: "));
}

TEST_CASE("records that vanish while a folder is read are named", "[cli][faults]") {
  // What a folder lists may be gone when it is opened: a link to nowhere stays in that state.
  const Prepared folder;
  fs::create_directories(folder.path / "mine/gpus");
  fs::create_symlink("gone.json", folder.path / "mine/gpus/card.json");
  CHECK(folder.shell("gpus --config-dir mine") == app::kFileTrouble);
  CHECK(is_one_message(folder.said(), "--config-dir mine/gpus/card.json"));
}

TEST_CASE("links in a circle are not replaced", "[cli][faults]") {
  const Prepared folder;
  fs::create_symlink("circle2", folder.path / "circle1");
  fs::create_symlink("circle1", folder.path / "circle2");
  for (const std::string command : {"gpus -o circle1", "gpus -o circle1/new", "gpus --export csv=circle1 -o old"}) {
    INFO(command);
    CHECK(folder.shell(command) == app::kFileTrouble);
    CHECK(is_one_message(folder.said(), command.find("/new") != std::string::npos ? "circle1/new" : "circle1"));
  }
  CHECK(folder.shell("launch plan.json --output circle1") == app::kFileTrouble);
  CHECK(fs::read_symlink(folder.path / "circle1") == "circle2");
  CHECK(folder.read("old") == "old");
  // The file behind a link is replaced, and the link stays.
  fs::create_symlink("old", folder.path / "link");
  CHECK(folder.shell("gpus -o link") == app::kYes);
  CHECK(fs::is_symlink(folder.path / "link"));
  CHECK(folder.read("old").find("t4") != std::string::npos);
}

TEST_CASE("a name may be as long as the system takes it", "[cli][faults]") {
  const Folder folder;
  const std::string longest(255, 'n');
  CHECK(folder.shell("gpus -o " + longest) == app::kYes);
  CHECK(folder.shell("gpus -o " + longest + "n") == app::kFileTrouble);
  CHECK(folder.said().find("cannot be written: File name too long") != std::string::npos);
}

TEST_CASE("of runs that write one file at a time one wins, whole", "[cli][faults]") {
  const Folder folder;
  const std::string runs =
      "for n in 1 2 3 4 5 6; do \"$V\" sweep --size 64x64 --gpu t4 --sweep batch=$n,9 --json -o one & done; wait;";
  REQUIRE(folder.shell("gpus t4", std::string("V=") + VGGPLAN_BINARY + ";" + runs) == app::kYes);
  const Contents after = contents(folder);
  REQUIRE(after.size() == 1);
  const std::string first = after.at("one").substr(0, after.at("one").find('\n'));
  const auto batch = json::parse(first).at("point").at("batch").get<int>();
  REQUIRE(folder.shell("sweep --size 64x64 --gpu t4 --sweep batch=" + std::to_string(batch) + ",9 --json -o alone") ==
          app::kYes);
  CHECK(after.at("one") == folder.read("alone"));
}

TEST_CASE("of runs that write one folder at a time one wins, whole", "[cli][faults]") {
  const Prepared folder;
  for (const int batch : {1, 2, 3, 4}) {
    REQUIRE(folder.shell("plan --size 64x64 --gpus t4 --json --batch " + std::to_string(batch) + " -o p" +
                         std::to_string(batch)) == app::kYes);
  }
  const auto race = [&](const std::string& place, const std::string& force) {
    const std::string runs = "for n in 1 2 3 4; do { \"$V\" launch p$n --output " + place + force +
                             " >/dev/null 2>>errors; echo $? >>codes; } & done; wait;";
    REQUIRE(folder.shell("gpus t4", std::string("V=") + VGGPLAN_BINARY + ";" + runs) == app::kYes);
    const int batch = json::parse(folder.read(place + "/plan.json")).at("recommendation").at("job").at("batch");
    REQUIRE(folder.shell("launch p" + std::to_string(batch) + " --output alone") == app::kYes);
    for (const fs::directory_entry& entry : fs::directory_iterator(folder.path / "alone")) {
      const std::string name = entry.path().filename().string();
      CHECK(folder.read(place + "/" + name) == folder.read("alone/" + name));
    }
    CHECK(std::distance(fs::directory_iterator(folder.path / place), {}) ==
          std::distance(fs::directory_iterator(folder.path / "alone"), {}));
    fs::remove_all(folder.path / "alone");
  };
  fs::create_directory(folder.path / "there");
  race("there", "");
  race("new", "");
  const std::string codes = folder.read("codes");
  CHECK(std::ranges::count(codes, '0') == 2);
  CHECK(std::ranges::count(codes, '3') == 6);
  race("there", " --force");
  CHECK(std::ranges::count(folder.read("codes"), '0') == 2 + 4);
}

TEST_CASE("a report of a stranger does not make us read what never ends", "[cli][faults]") {
  const Prepared folder;
  json report = json::parse(folder.read("a.json"));
  for (const std::string model : {"/dev/zero", "./pipe"}) {
    REQUIRE((fs::exists(folder.path / "pipe") || ::mkfifo((folder.path / "pipe").c_str(), 0666) == 0));
    report["job"]["model"] = model;
    folder.write("c.json", report.dump());
    CHECK(folder.shell("diff c.json b.json", "timeout 20") == app::kYes);
    CHECK(folder.said().find("is not a file here") != std::string::npos);
  }
}

}  // namespace vggplan
