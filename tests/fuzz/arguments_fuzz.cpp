// SPDX-License-Identifier: MIT
// Any words as a command line, one a line: they are understood or refused. What would search is asked for its settings
// alone, which takes no time.
#include <array>

#include "targets.hpp"

namespace vggplan::fuzz {

void arguments(const std::string& input) {
  static const std::string kReport = test::run("estimate --size 32x32 --gpu t4 --model vgg11 --json").out;
  constexpr std::size_t kMostWords = 30;
  std::vector<std::string> words;
  for (std::size_t at = 0; at < input.size() && words.size() < kMostWords;) {
    const std::size_t end = std::min(input.find('\n', at), input.size());
    // A system gives no NUL in a word.
    words.push_back(input.substr(at, std::min(input.find('\0', at), end) - at));
    at = end + 1;
  }
  test::FakeWorld world;
  world.files["r.json"] = kReport;
  constexpr std::array<std::string_view, 10> kQuick{"gpus",  "machines", "models", "show",   "diff",
                                                    "check", "verify",   "schema", "layers", "completion"};
  const bool quick = !words.empty() && std::find(kQuick.begin(), kQuick.end(), words.front()) != kQuick.end();
  if (!quick) {
    words.emplace_back("--print-config");
  }
  const int code = app::run(words, world);
  require_sound({code, world.out, world.err}, "arguments");
}

}  // namespace vggplan::fuzz
