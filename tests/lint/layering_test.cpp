// SPDX-License-Identifier: MIT
// Holds the #includes to the table of docs/architecture.md.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "source.hpp"
#include "support/catch.hpp"

namespace vggplan::lint {
namespace {

using Names = std::set<std::string>;

const std::map<std::string, Names> kMayInclude{
    {"base", {}},
    {"graph", {"base"}},
    {"hardware", {"base"}},
    {"job", {"base", "graph", "hardware"}},
    {"memory", {"base"}},
    {"timing", {"base", "hardware"}},
    {"lowering", {"base", "graph", "job", "memory", "timing"}},
    {"estimate", {"base", "graph", "hardware", "job", "lowering", "memory", "timing"}},
    {"planner", {"base", "estimate", "hardware", "job"}},
    {"report", {"base"}},
    {"render", {"base", "report"}},
    {"launch", {"base", "report"}},
    {"catalog", {"base", "graph", "hardware", "memory", "timing", "lowering"}},
    {"importers", {"base", "catalog", "graph"}},
    {"app",
     {"base", "catalog", "estimate", "graph", "hardware", "importers", "job", "launch", "lowering", "memory", "planner",
      "render", "report", "timing"}},
};

/// Libraries that only some rooms may know; the standard library and fmt are open to all.
const std::map<std::string, Names> kMayUseLibrary{
    {"nlohmann", {"catalog", "importers", "launch", "report", "render", "app"}},
    {"protozero", {"importers"}},
    {"minizip", {"importers"}},
    {"CLI", {"app"}},
};

/// The builder is the part of report that sees what it reports on.
bool is_report_builder(const Source& source) {
  return source.path.starts_with("src/report/") || source.path == "include/vggplan/report/build.hpp";
}
const Names kBuilderMayInclude{"estimate", "graph", "hardware", "job", "lowering", "memory", "planner", "timing"};

std::string first_part(const std::string& path) { return path.substr(0, path.find('/')); }

std::string room_of(const Source& source) {
  const std::size_t skip = source.path.starts_with("src/") ? 4 : std::string_view("include/vggplan/").size();
  return first_part(source.path.substr(skip));
}

bool may_include(const Source& source, const std::string& room, const std::string& other) {
  return room == other || kMayInclude.at(room).contains(other) ||
         (is_report_builder(source) && kBuilderMayInclude.contains(other));
}

/// The room that an include leads into, empty for libraries and files of the same folder.
std::string room_included(const std::string& include) {
  const std::string_view prefix = "vggplan/";
  if (include.starts_with(prefix)) {
    return first_part(include.substr(prefix.size()));
  }
  const bool in_folder = include.find('/') != std::string::npos;  // <memory> is the standard library's
  return in_folder && kMayInclude.contains(first_part(include)) ? first_part(include) : "";
}

std::vector<std::string> layering_faults(const Source& source) {
  const std::string room = room_of(source);
  if (!kMayInclude.contains(room)) {
    return {fmt::format("{}: '{}' is not one of the fifteen rooms", source.path, room)};
  }
  std::vector<std::string> faults;
  for (const std::string& include : includes_of(source)) {
    const std::string other = room_included(include);
    const auto library = kMayUseLibrary.find(first_part(include));
    const bool foreign_room = !other.empty() && !may_include(source, room, other);
    const bool foreign_private = !include.starts_with("vggplan/") && !other.empty() && other != room;
    const bool foreign_library = library != kMayUseLibrary.end() && !library->second.contains(room);
    if (foreign_room || foreign_private || foreign_library || include.starts_with("..")) {
      faults.push_back(fmt::format("{}: {} may not include {}", source.path, room, include));
    }
  }
  return faults;
}

std::vector<Source> library_sources() {
  std::vector<Source> sources = read_sources("include/vggplan", {".hpp"});
  std::vector<Source> more = read_sources("src", {".hpp", ".cpp"});
  sources.insert(sources.end(), more.begin(), more.end());
  return sources;
}

Source with_include(const std::string& path, const std::string& include) {
  return make_source(path, "#include \"" + include + "\"\n");
}

TEST_CASE("no room includes what the table of rooms does not allow") {
  const std::vector<Source> sources = library_sources();
  CHECK(sources.size() > 20);
  std::vector<std::string> faults;
  for (const Source& source : sources) {
    for (const std::string& fault : layering_faults(source)) {
      faults.push_back(fault);
    }
  }
  INFO(fmt::format("{}", fmt::join(faults, "\n")));
  CHECK(faults.empty());
}

TEST_CASE("the layering rule sees what it should see") {
  CHECK(layering_faults(with_include("src/memory/a.cpp", "vggplan/base/units.hpp")).empty());
  CHECK(layering_faults(with_include("src/memory/a.cpp", "vggplan/memory/tape.hpp")).empty());
  CHECK(layering_faults(with_include("src/render/a.cpp", "memory")).empty());
  CHECK(layering_faults(with_include("src/memory/a.cpp", "vggplan/timing/op.hpp")).size() == 1);
  CHECK(layering_faults(with_include("src/memory/a.cpp", "vggplan/graph/graph.hpp")).size() == 1);
  CHECK(layering_faults(with_include("include/vggplan/timing/a.hpp", "vggplan/memory/tape.hpp")).size() == 1);
  CHECK(layering_faults(with_include("src/app/a.cpp", "render/style.hpp")).size() == 1);
  CHECK(layering_faults(with_include("src/graph/a.cpp", "nlohmann/json.hpp")).size() == 1);
  CHECK(layering_faults(with_include("src/catalog/a.cpp", "nlohmann/json.hpp")).empty());
  CHECK(layering_faults(with_include("src/render/a.cpp", "CLI/CLI.hpp")).size() == 1);
  CHECK(layering_faults(with_include("src/render/a.cpp", "../report/values.hpp")).size() == 1);
  CHECK(layering_faults(with_include("src/attic/a.cpp", "vector")).size() == 1);
}

TEST_CASE("there are no cycles between rooms") {
  // Rooms whose includes are all placed can be placed; in the end all are.
  Names placed;
  for (std::size_t round = 0; round < kMayInclude.size(); ++round) {
    for (const auto& [room, others] : kMayInclude) {
      if (std::includes(placed.begin(), placed.end(), others.begin(), others.end())) {
        placed.insert(room);
      }
    }
  }
  CHECK(placed.size() == kMayInclude.size());
}

}  // namespace
}  // namespace vggplan::lint
