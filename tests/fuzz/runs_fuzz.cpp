// SPDX-License-Identifier: MIT
// Any bytes as a run: held against a plan, or an error that can be read. Nothing of it is executed, and no answer
// takes long.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "../cli/fake_world.hpp"
#include "vggplan/runs/run.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = vggplan::runs::read_run(std::string(reinterpret_cast<const char*>(data), size), "run");
  if (!read) {  // most inputs: told here, a hundred times as many are tried
    const std::string told = read.error().place + read.error().rule;
    if (!told.starts_with("run") || read.error().rule.empty() || told.find('\x1b') != std::string::npos) {
      std::abort();
    }
    return 0;
  }
  static const std::string kPlan = vggplan::test::run("estimate --size 32x32 --gpu t4 --model vgg11 --json").out;
  vggplan::test::FakeWorld world;
  world.files["plan.json"] = kPlan;
  world.files["run"].assign(reinterpret_cast<const char*>(data), size);
  const auto ran = vggplan::test::run("verify plan.json run", world);
  const bool answered = ran.code == vggplan::app::kYes || ran.code == vggplan::app::kNo;
  const bool told = answered ? !ran.out.empty() : !ran.out.empty() || ran.err.starts_with("vggplan: run");
  const bool readable = (ran.out + ran.err).find_first_of(std::string("\x1b\0", 2)) == std::string::npos;
  if (ran.code > vggplan::app::kWrongQuestion || !told || !readable) {
    std::abort();
  }
  return 0;
}
