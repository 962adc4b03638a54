// SPDX-License-Identifier: MIT
// Holds the #includes to who uses whom in CMakeLists.txt, which docs/architecture.md explains.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "source.hpp"
#include "support/catch.hpp"

namespace vggplan::lint {
namespace {

using Names = std::set<std::string>;

struct Room {
  Names uses{};         ///< rooms
  std::string links{};  ///< libraries, as CMake calls them
};

/// vggplan_module(room USES room... LINKS library...) of CMakeLists.txt.
std::map<std::string, Room> read_rooms() {
  std::map<std::string, Room> rooms;
  std::ifstream file(std::string(VGGPLAN_SOURCE_DIR) + "/CMakeLists.txt");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  static const std::regex kModule(R"(\nvggplan_module\((\w+)([^)]*)\))");
  for (std::sregex_iterator found(text.begin(), text.end(), kModule), end; found != end; ++found) {
    Room& room = rooms[(*found)[1]];
    std::istringstream words((*found)[2]);
    bool links = false;
    for (std::string word; words >> word;) {
      links = links || word == "LINKS";
      links ? void(room.links += word + " ") : void(word != "USES" && room.uses.insert(word).second);
    }
  }
  return rooms;
}

const std::map<std::string, Room> kRooms = read_rooms();

/// Libraries that only some rooms may know; the standard library and fmt are open to all.
const Names kLibraries{"nlohmann", "protozero", "minizip", "CLI"};

/// The builder is the part of report that sees what it reports on, and what that is made of.
bool is_report_builder(const Source& source) {
  return source.path.starts_with("src/report/") || source.path == "include/vggplan/report/build.hpp";
}

std::string first_part(const std::string& path) { return path.substr(0, path.find('/')); }

std::string room_of(const Source& source) {
  const std::size_t skip = source.path.starts_with("src/") ? 4 : std::string_view("include/vggplan/").size();
  return first_part(source.path.substr(skip));
}

bool may_include(const Source& source, const std::string& room, const std::string& other) {
  if (room == "report" && other != room) {
    return other == "base" || (is_report_builder(source) &&
                               (kRooms.at(room).uses.contains(other) || kRooms.at("estimate").uses.contains(other)));
  }
  return room == other || kRooms.at(room).uses.contains(other);
}

/// The room that an include leads into, empty for libraries and files of the same folder.
std::string room_included(const std::string& include) {
  const std::string_view prefix = "vggplan/";
  if (include.starts_with(prefix)) {
    return first_part(include.substr(prefix.size()));
  }
  const bool in_folder = include.find('/') != std::string::npos;  // <memory> is the standard library's
  return in_folder && kRooms.contains(first_part(include)) ? first_part(include) : "";
}

std::vector<std::string> layering_faults(const Source& source) {
  const std::string room = room_of(source);
  if (!kRooms.contains(room)) {
    return {fmt::format("{}: '{}' is no room of CMakeLists.txt", source.path, room)};
  }
  std::vector<std::string> faults;
  for (const std::string& include : includes_of(source)) {
    const std::string other = room_included(include);
    const bool foreign_room = !other.empty() && !may_include(source, room, other);
    const bool foreign_private = !include.starts_with("vggplan/") && !other.empty() && other != room;
    const bool foreign_library = kLibraries.contains(first_part(include)) &&
                                 kRooms.at(room).links.find(first_part(include)) == std::string::npos;
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
  for (std::size_t round = 0; round < kRooms.size(); ++round) {
    for (const auto& [name, room] : kRooms) {
      if (std::includes(placed.begin(), placed.end(), room.uses.begin(), room.uses.end())) {
        placed.insert(name);
      }
    }
  }
  CHECK(placed.size() == kRooms.size());
}

}  // namespace
}  // namespace vggplan::lint
