// SPDX-License-Identifier: MIT
// Steps under torch.compile.
#include "accuracy/figures/network_figures.hpp"
#include "support/catch.hpp"

namespace vggplan::accuracy {
namespace {

TEST_CASE("compiled steps keep near what was measured") {
  const std::vector<NetworkStep>& steps = network_steps("compiled_steps.jsonl");
  REQUIRE(steps.size() == 23);
  const Errors allocated = errors_of(steps, Peak::allocated);
  CHECK(allocated.worst() <= 0.005);
  CHECK(allocated.inside() == steps.size());
  const Errors reserved = errors_of(steps, Peak::reserved);
  CHECK(reserved.worst() <= 0.08);
  CHECK(reserved.within(0.005) >= 18);
  const Errors time = time_errors_of(steps);
  CHECK(time.within(0.1) >= 18);  // the others wait for a host that was a fast one
  CHECK(time.inside() >= 22);
}

TEST_CASE("compiled steps so small that they wait for the host take what its speed says") {
  const Errors errors = errors_of(host_steps_at_their_speed("compiled_host.jsonl"), any);
  REQUIRE(errors.count() == 26);
  CHECK(errors.median() <= 0.1);
  CHECK(errors.worst() <= 0.35);
  CHECK(errors.inside() == errors.count());
}

TEST_CASE("compiled steps that nothing was fitted to are inside their ranges") {
  const std::vector<NetworkStep>& steps = network_steps("compiled_steps_held_out.jsonl");
  REQUIRE(steps.size() == 19);
  const Errors allocated = errors_of(steps, Peak::allocated);
  // True fp32, in which cuDNN is free, is two of the others; in one GradScaler, by chance, took a step earlier.
  CHECK(allocated.within(0.003) >= 16);
  CHECK(allocated.inside() == steps.size());
  const Errors reserved = errors_of(steps, Peak::reserved);
  CHECK(reserved.within(0.08) >= 17);  // true fp32 is one of the others
  CHECK(reserved.inside() == steps.size());
  const Errors time = time_errors_of(steps);
  CHECK(time.within(0.1) >= 13);
  CHECK(time.inside() >= steps.size() - 1);
}

}  // namespace
}  // namespace vggplan::accuracy
