// SPDX-License-Identifier: MIT
// Every format of representative reports, byte for byte. To accept a change, run with
// VGGPLAN_UPDATE_GOLDEN=1 and read the difference before it is committed.
#include "golden/golden.hpp"

#include <string>

#include "support/catch.hpp"
#include "support/samples.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan {

namespace {

/// The version changes with each release, and is not what these files guard.
std::string without_version(std::string text) {
  for (const std::string before : {"\"version\": \"", "<footer>vggplan "}) {
    const std::size_t at = text.find(before);
    if (at != std::string::npos) {
      const std::size_t start = at + before.size();
      text.replace(start, text.find_first_of("\"<", start) - start, "VERSION");
    }
  }
  return text;
}

/// The page without our script and the chart library, which is whatever the system has.
std::string without_scripts(std::string page) {
  std::size_t at = 0;
  while ((at = page.find("<script", at)) != std::string::npos) {
    page.erase(at, page.find("</script>", at) + 10 - at);
  }
  const std::size_t style = page.find("<style>");
  page.erase(style, page.find("</style>", style) + 9 - style);
  return page;
}

}  // namespace

TEST_CASE("reports look as they did in every format", "[golden]") {
  for (const test::Sample& sample : test::samples()) {
    const std::string folder = sample.name + "/";
    test::compare_golden(folder + "report.txt", render::text(sample.report, {}));
    test::compare_golden(folder + "verbose.txt", render::text(sample.report, {100, false, false, true}));
    if (sample.name != "sweep") {  // whose points are estimates as they are, which tests/unit/report holds
      test::compare_golden(folder + "report.json", without_version(render::json(sample.report)));
    }
    test::compare_golden(folder + "report.csv", render::csv(sample.report));
    test::compare_golden(folder + "report.md", render::markdown(sample.report));
    test::compare_golden(folder + "report.html", without_version(without_scripts(render::html(sample.report))));
  }
}

}  // namespace vggplan
