// SPDX-License-Identifier: MIT
#include "app/endings.hpp"

#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <exception>
#include <new>

#include "app/descriptor.hpp"
#include "vggplan/app/app.hpp"

namespace vggplan::app {

namespace {

constexpr std::array<int, 5> kEndings{SIGINT, SIGTERM, SIGHUP, SIGXCPU, SIGPROF};

constexpr std::string_view kInterrupted = "vggplan: interrupted: no file is left half-written\n";
constexpr std::string_view kNoTime =
    "vggplan: time: the limit on CPU time is reached, and the answer needs more\n"
    "  ask about fewer points, GPUs or layers at a time, or raise the limit (ulimit -t)\n";
constexpr std::string_view kFault =
    "vggplan: a fault of the program: an exception that nothing takes\n"
    "  please report it with the command line that led to it\n";

bool on_terminal = false;  // told ahead: a handler may not ask

void say_now(std::string_view text) {
  if (on_terminal) {  // there may be a progress bar
    static_cast<void>(write_all(STDERR_FILENO, "\r\x1b[K"));
  }
  static_cast<void>(write_all(STDERR_FILENO, text));
}

}  // namespace

// What runs here may be in the middle of anything: system calls alone.
extern "C" {
static void end_by_signal(int signal) {
  if (signal == SIGXCPU || signal == SIGPROF) {
    say_now(kNoTime);
    ::_exit(kProgramFault);
  }
  say_now(kInterrupted);
  // Whoever waits for us sees what ended us; the action is the default one again (SA_RESETHAND).
  static_cast<void>(::raise(signal));
}
}

namespace {

/// An exception out of a place that may throw none, such as memory that runs out while an error is told.
[[noreturn]] void end_by_exception() {
  std::string_view text = kFault;
  try {
    if (const std::exception_ptr held = std::current_exception()) {
      std::rethrow_exception(held);
    }
  } catch (const std::bad_alloc&) {
    text = kNoMemory;
  } catch (...) {
    text = kFault;
  }
  say_now(text);
  ::_exit(kProgramFault);
}

/// Beyond `ulimit -t` the system kills without a word: a timer of the same clock tells of it a moment ahead.
void expect_end_of_time() {
  constexpr rlim_t kMostSeconds = 100'000'000;  // years of computing
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_CPU, &limit) != 0 || limit.rlim_cur > kMostSeconds) {
    return;
  }
  constexpr std::int64_t kMillion = 1'000'000;
  const std::int64_t used = std::int64_t{std::clock()} * kMillion / CLOCKS_PER_SEC;
  const std::int64_t left = static_cast<std::int64_t>(limit.rlim_cur) * kMillion - used - kMillion / 10;
  struct itimerval timer {};
  timer.it_value.tv_sec = std::max<std::int64_t>(left, 1) / kMillion;
  timer.it_value.tv_usec = std::max<std::int64_t>(left, 1) % kMillion;
  static_cast<void>(::setitimer(ITIMER_PROF, &timer, nullptr));
}

}  // namespace

void arrange_endings() {
  on_terminal = ::isatty(STDERR_FILENO) == 1;
  std::set_terminate(end_by_exception);
  for (const int signal : kEndings) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) {
      continue;
    }
    action = {};
    action.sa_handler = end_by_signal;
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_NODEFER;
    static_cast<void>(::sigaction(signal, &action, nullptr));
  }
  expect_end_of_time();
}

SignalsWait::SignalsWait() {
  sigset_t endings{};
  ::sigemptyset(&endings);
  for (const int signal : kEndings) {
    ::sigaddset(&endings, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &endings, &before_);
}

SignalsWait::~SignalsWait() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

}  // namespace vggplan::app
