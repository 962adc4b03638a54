// SPDX-License-Identifier: MIT
#include "guide/figures/guide.hpp"

#include "guide/figures/ask.hpp"
#include "support/catch.hpp"
#include "support/files.hpp"
#include "support/measured.hpp"

namespace vggplan::guide {
namespace {

TEST_CASE("docs/4024x3036.md says what the program says") {
  INFO("cmake --build <folder> --target guide_docs writes it anew");
  CHECK((test::repository_file("docs/4024x3036.md") == document()));
}

/// The measured step of the guide's image with these settings.
support::Row measured(const std::string& precision, const std::string& layout) {
  for (const support::Row& row : support::read_rows("single_gpu.jsonl")) {
    if (row.at("h") == 4024 && row.at("w") == 3036 && row.at("batch") == 1 && row.at("precision") == precision &&
        row.at("layout") == layout && row.at("optimizer") == "momentum" && row.at("checkpoint") == "none" &&
        support::text_of(row, "mode", "train") == "train" && support::text_of(row, "head", "adaptive") == "adaptive" &&
        !row.value("expandable", false) && !row.value("benchmark", false) && row.contains("peak")) {
      return row;
    }
  }
  FAIL("no such measurement: " << precision << " " << layout);
  return {};
}

TEST_CASE("one image on an H200: the guide's memory and time are those that were measured") {
  for (const auto& [precision, layout] : {std::pair("tf32", "nchw"), std::pair("amp-bf16", "nhwc")}) {
    const support::Row row = measured(precision, layout);
    const json& answer = ask("estimate " + kSize + " --gpu h200-sxm-141gb --precision " + precision + " --layout " +
                             std::string(layout));
    INFO(precision << " " << layout);
    CHECK(number(answer.at("memory").at("allocated_peak_bytes")) ==
          Approx(row.at("peak").get<double>()).epsilon(0.001));
    CHECK(number(answer.at("memory").at("reserved_peak_bytes")) ==
          Approx(row.at("reserved").get<double>()).epsilon(0.01));
    CHECK(number(answer.at("time").at("step_seconds")) == Approx(row.at("ms_loop").get<double>() / 1e3).epsilon(0.03));
  }
}

}  // namespace
}  // namespace vggplan::guide
