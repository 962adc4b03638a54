// SPDX-License-Identifier: MIT
// How the program ends where that is not its own choice: signals, limits, and memory that runs out where nobody can
// be told of it.
#pragma once

#include <csignal>
#include <string_view>

namespace vggplan::app {

/// Said without asking for memory.
inline constexpr std::string_view kNoMemory =
    "vggplan: memory: the system gives no more, and the answer needs more\n"
    "  ask about fewer points, GPUs or layers at a time, or raise the limit (ulimit -v)\n";

/// From here on each of these endings has one message and an exit code that docs/interface.md tells. Signals that
/// whoever started us ignores (nohup) stay ignored.
void arrange_endings();

/// While it lives, the signals that end us wait: what is written meanwhile is whole, and leaves nothing beside it.
class SignalsWait {
 public:
  SignalsWait();
  SignalsWait(const SignalsWait&) = delete;
  SignalsWait& operator=(const SignalsWait&) = delete;
  ~SignalsWait();

 private:
  sigset_t before_{};
};

}  // namespace vggplan::app
