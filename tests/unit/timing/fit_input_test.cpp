// SPDX-License-Identifier: MIT
#include <algorithm>

#include "timing/fit.hpp"
#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {

TEST_CASE("stages are medians by size, and the largest copy tells the rate") {
  Samples samples;
  for (const double factor : {9.0, 1.0, 0.5}) {
    samples.stages.push_back({"b", 2e6, base::Seconds(factor * 2e-3)});
    samples.stages.push_back({"b", 1e6, base::Seconds(factor * 1e-3)});
    samples.stages.push_back({"a", 1e6, base::Seconds(factor * 7e-3)});
  }
  samples.copies = {{base::Bytes(1000), base::Seconds(1e-6)},
                    {base::Bytes(80'000'000), base::Seconds(2e-3)},
                    {base::Bytes(2000), base::Seconds(1e-9)}};
  Calibration found;
  fit_input(samples, found);
  CHECK(found.input.stages == std::vector<StageCurve>{{"a", {{1e6, 7e-3}}}, {"b", {{1e6, 1e-3}, {2e6, 2e-3}}}});
  CHECK(found.input.pinned_copy.count() == Approx(4e10));
  Calibration nothing;
  fit_input({}, nothing);
  CHECK(nothing.input == InputRates{});
}

TEST_CASE("what loops take beyond their stages is the hand-over, of those that do not keep the GPU busy") {
  // A GPU that takes 1000 images a second; 2 ms to decode, 3 MB to hand over.
  Samples samples;
  samples.stages = {{"decode-torchvision-jpeg", 1e6, base::Seconds(2e-3)}};
  ImagePath path;
  path.pixels = 1'000'000;
  const double mb3 = 3e6;
  const auto loop = [&](std::int64_t workers, double seconds) {
    samples.loaders.push_back({path, workers, static_cast<double>(std::max<std::int64_t>(workers, 1)) / seconds});
  };
  loop(10, 10e-3);  // the busiest: all that the GPU takes
  loop(1, 2e-3 + 0.8e-9 * mb3);
  loop(3, 2e-3 + 1.2e-9 * mb3);
  loop(9, 9.0 / 810);  // busy for more than four fifths of it
  loop(0, 1e-3 + 2e-3 + 0.3e-9 * mb3);
  loop(0, 1e-3 + 2e-3 + 0.5e-9 * mb3);
  Calibration found;
  fit_input(samples, found);
  CHECK(found.input.handover_seconds_per_byte == Approx(1e-9));
  CHECK(found.input.inline_seconds_per_byte == Approx(0.4e-9));
  SECTION("and nothing where they take less than their stages") {
    samples.loaders.clear();
    loop(10, 10e-3);
    loop(1, 1.9e-3);
    loop(0, 1e-3);
    fit_input(samples, found);
    CHECK(found.input.handover_seconds_per_byte == 0.0);
    CHECK(found.input.inline_seconds_per_byte == 0.0);
  }
  SECTION("loops of another kind leave it") {
    samples.loaders = {{path, 10, 1000.0}};
    Calibration other;
    fit_input(samples, other);
    CHECK(other.input.handover_seconds_per_byte == InputRates{}.handover_seconds_per_byte);
    CHECK(other.input.inline_seconds_per_byte == InputRates{}.inline_seconds_per_byte);
  }
}

}  // namespace vggplan::timing
