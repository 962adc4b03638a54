// SPDX-License-Identifier: MIT
// What include folders cannot hide: libraries, which lie where the compiler looks anyway, and paths that climb. Which
// room includes which library is held to the LINKS of CMakeLists.txt.
#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>

#include "source.hpp"
#include "support/catch.hpp"

namespace vggplan::lint {
namespace {

/// The libraries that each room links, as CMake calls them: vggplan_module(room ... LINKS library...).
std::map<std::string, std::string> read_links() {
  std::map<std::string, std::string> links;
  std::ifstream file(std::string(VGGPLAN_SOURCE_DIR) + "/CMakeLists.txt");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  static const std::regex kModule(R"(\nvggplan_module\((\w+)[^)]*?(?:LINKS([^)]*))?\))");
  for (std::sregex_iterator found(text.begin(), text.end(), kModule), end; found != end; ++found) {
    links[(*found)[1]] = (*found)[2];
  }
  return links;
}

const std::map<std::string, std::string> kLinks = read_links();

/// Libraries that only some rooms may know; the standard library and fmt are open to all.
const std::set<std::string> kLibraries{"nlohmann", "protozero", "minizip", "CLI"};

std::vector<std::string> include_faults(const Source& source) {
  static const std::regex kRoom(R"(^(?:src|include/vggplan)/(\w+)/)");
  std::smatch room;
  REQUIRE(std::regex_search(source.path, room, kRoom));
  const std::string& links = kLinks.at(room[1]);
  std::vector<std::string> faults;
  for (const std::string& include : includes_of(source)) {
    const std::string library = include.substr(0, include.find('/'));
    const bool foreign = kLibraries.contains(library) && links.find(library) == std::string::npos;
    if (foreign || include.find("../") != std::string::npos) {
      faults.push_back(fmt::format("{} may not include {}", source.path, include));
    }
  }
  return faults;
}

std::vector<std::string> faults_of(const std::string& path, const std::string& include) {
  return include_faults(make_source(path, "#include \"" + include + "\"\n"));
}

TEST_CASE("no room includes a library that it does not link, nor climbs out of its folder") {
  std::vector<Source> sources = read_sources("include/vggplan", {".hpp"});
  const std::vector<Source> more = read_sources("src", {".hpp", ".cpp"});
  sources.insert(sources.end(), more.begin(), more.end());
  CHECK(sources.size() > 20);
  std::vector<std::string> faults;
  for (const Source& source : sources) {
    const std::vector<std::string> here = include_faults(source);
    faults.insert(faults.end(), here.begin(), here.end());
  }
  INFO(fmt::format("{}", fmt::join(faults, "\n")));
  CHECK(faults.empty());
}

TEST_CASE("the rule about libraries sees what it should see") {
  CHECK(faults_of("src/schema/a.cpp", "nlohmann/json.hpp").empty());
  CHECK(faults_of("src/importers/a.cpp", "protozero/pbf_reader.hpp").empty());
  CHECK(faults_of("src/app/a.cpp", "CLI/CLI.hpp").empty());
  CHECK(faults_of("src/graph/a.cpp", "nlohmann/json.hpp").size() == 1);
  CHECK(faults_of("include/vggplan/memory/a.hpp", "nlohmann/json.hpp").size() == 1);
  CHECK(faults_of("src/catalog/a.cpp", "minizip/unzip.h").size() == 1);
  CHECK(faults_of("src/render/a.cpp", "CLI/CLI.hpp").size() == 1);
  CHECK(faults_of("src/render/a.cpp", "../report/values.hpp").size() == 1);
  CHECK(faults_of("src/render/a.cpp", "assets/../../report/values.hpp").size() == 1);
}

}  // namespace
}  // namespace vggplan::lint
