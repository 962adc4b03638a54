// SPDX-License-Identifier: MIT
// Any bytes as a run: held against a plan, or an error that can be read. Nothing of it is executed, and no answer
// takes long.
#include "targets.hpp"
#include "vggplan/runs/run.hpp"

namespace vggplan::fuzz {

void runs(const std::string& input) {
  const auto read = vggplan::runs::read_run(input, "run");
  if (!read) {  // most inputs: told here, a hundred times as many are tried
    const std::string told = read.error().place + read.error().rule;
    require(told.starts_with("run") && !read.error().rule.empty(), "runs: no message");
    require(told.find('\x1b') == std::string::npos, "runs: control characters");
    return;
  }
  static const std::string kPlan = test::run("estimate --size 32x32 --gpu t4 --model vgg11 --json").out;
  test::FakeWorld world;
  world.files["plan.json"] = kPlan;
  world.files["run"] = input;
  const test::Ran ran = test::run("verify plan.json run", world);
  require(ran.code <= app::kWrongQuestion, "runs: exit code, " + ran.err);
  // Other settings than the plan's are told in a report, too.
  require(!ran.out.empty() || (ran.code == app::kWrongQuestion && ran.err.starts_with("vggplan: run")),
          "runs: no answer");
  require((ran.out + ran.err).find_first_of(std::string("\x1b\0", 2)) == std::string::npos, "runs: control characters");
}

}  // namespace vggplan::fuzz
