// SPDX-License-Identifier: MIT
// What each target takes is any text; what it must hold is checked with require().
#pragma once

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <string_view>

#include "../cli/fake_world.hpp"

namespace vggplan::fuzz {

inline void require(bool holds, const std::string& what) {
  if (!holds) {
    throw std::logic_error(what);
  }
}

/// No byte that a terminal would act on.
inline bool is_readable(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n') || byte == 0x7f;
  });
}

/// What docs/interface.md says of every run: no fault of the program, and one message where the question is wrong.
inline void require_sound(const test::Ran& ran, const std::string& what) {
  require(ran.code >= app::kYes && ran.code <= app::kFileTrouble, what + ": exit code, " + ran.err);
  require(is_readable(ran.err), what + ": control characters, " + ran.err);
  if (ran.code > app::kNo) {
    require(ran.out.empty(), what + ": an error with an answer");
    require(ran.err.find("vggplan: ") != std::string::npos, what + ": no message");
  }
}

void allocator(const std::string& input);
void arguments(const std::string& input);
void graphs(const std::string& input);
void measurements(const std::string& input);
void onnx(const std::string& input);
void prices(const std::string& input);
void pt2(const std::string& input);
void records(const std::string& input);
void reports(const std::string& input);
void runs(const std::string& input);
void settings(const std::string& input);
void units(const std::string& input);

struct Target {
  std::string_view name{};  ///< of its folder in the corpus, too
  void (*take)(const std::string& input){};
};
inline constexpr auto kTargets = std::to_array<Target>({
    {"allocator", allocator},
    {"arguments", arguments},
    {"graphs", graphs},
    {"measurements", measurements},
    {"onnx", onnx},
    {"prices", prices},
    {"pt2", pt2},
    {"records", records},
    {"reports", reports},
    {"runs", runs},
    {"settings", settings},
    {"units", units},
});

}  // namespace vggplan::fuzz
