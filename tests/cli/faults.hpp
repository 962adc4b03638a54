// SPDX-License-Identifier: MIT
// What tests of faults look at: a folder before and after, and the one message.
#pragma once

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/folder.hpp"
#include "support/catch.hpp"
#include "vggplan/app/app.hpp"

namespace vggplan::test {

using Contents = std::map<std::string, std::string>;

/// What a folder holds, at any depth.
inline Contents contents(const Folder& folder) {
  Contents all;
  for (const std::filesystem::directory_entry& entry : std::filesystem::recursive_directory_iterator(folder.path)) {
    const std::string name = std::filesystem::relative(entry.path(), folder.path).string();
    all[name] = entry.is_regular_file() ? folder.read(name) : "";
  }
  return all;
}

/// "vggplan: PLACE: RULE" and below it a remedy; nothing else on either stream.
inline bool is_one_message(const std::string& said, const std::string& place) {
  return said.starts_with("vggplan: " + place + ": ") && said.find("\n  ") != std::string::npos &&
         std::count(said.begin(), said.end(), '\n') == 2 && said.ends_with("\n");
}

/// A folder with what every command that reads needs.
class Prepared : public Folder {
 public:
  Prepared() {
    REQUIRE(shell("estimate --size 64x64 --gpu t4 --json -o a.json") == app::kYes);
    REQUIRE(shell("estimate --size 64x96 --gpu t4 --json -o b.json") == app::kYes);
    REQUIRE(shell("plan --size 64x64 --gpus t4 --batch 2 --json -o plan.json") == app::kYes);
    const nlohmann::json memory = nlohmann::json::parse(read("a.json")).at("memory");
    const nlohmann::json step = {{"kind", "step"},
                                 {"step", 2},
                                 {"allocated_peak_bytes", memory.at("run_peak_bytes").at("value")},
                                 {"step_seconds", 0.1}};
    write("run.jsonl", step.dump() + "\n");
    write("rows.jsonl",
          R"({"op": "optimizer", "precision": "fp32", "optimizer": "momentum", "impl": "foreach",)"
          R"( "parameters": 138357544, "tensors": 32, "passes": 4, "reads": 7, "writes": 4, "us": 2212.594})"
          "\n");
    write("config.toml", "batch = 2\n");
    write("old", "old");
  }
};

}  // namespace vggplan::test
