// SPDX-License-Identifier: MIT
// Any text as a settings file of the working folder: an answer or an error that can be read, and no file is written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "../cli/fake_world.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  vggplan::test::FakeWorld world;
  world.files["vggplan.toml"].assign(reinterpret_cast<const char*>(data), size);
  const auto before = world.files;
  const auto ran = vggplan::test::run("estimate --size 32x32 --gpu t4 --model vgg11", world);
  const bool readable = ran.err.find('\x1b') == std::string::npos && ran.err.find('\0') == std::string::npos;
  if (ran.code > vggplan::app::kFileTrouble || !readable || world.files != before) {
    std::abort();
  }
  return 0;
}
