// SPDX-License-Identifier: MIT
// Signals and limits end a run with the exit code of docs/interface.md and one message; what it writes is whole, or as
// it was.
#include "app/endings.hpp"

#include <filesystem>
#include <string>

#include "cli/faults.hpp"
#include "cli/running.hpp"
#include "support/catch.hpp"

namespace vggplan {

namespace {

using test::Contents;
using test::contents;
using test::Folder;
using test::is_one_message;
using test::Prepared;
using test::Running;

/// As long as nobody stops them.
const std::vector<std::string> kLongSweep{"sweep",   "--size",          "64x64", "--gpu", "t4",
                                          "--sweep", "batch=1:1000000", "-o",    "old"};
const std::vector<std::string> kLongPlan{"plan", "--size",   "512x512",     "--gpus", "any", "--max-gpus",
                                         "4096", "--images", "10000000000", "-o",     "old"};

constexpr const char* kInterruption = "vggplan: interrupted: no file is left half-written\n";

}  // namespace

// The sanitizers open a file of their own, and reserve terabytes of addresses.
#if !defined(__SANITIZE_ADDRESS__)

TEST_CASE("where no more files may be open, a run says so", "[cli][faults]") {
  const Prepared folder;
  std::filesystem::create_directory(folder.path / "run");
  const Contents before = contents(folder);
  // One beyond the three streams, which ctest may hold: the loader reads libraries with it, and launch holds a folder
  // while it writes.
  CHECK(folder.shell("launch plan.json --output run", "exec 3>&-; ulimit -n 4;") == app::kFileTrouble);
  CHECK(is_one_message(folder.said(), "run/plan.json"));
  CHECK(folder.said().find("ulimit -n") != std::string::npos);
  CHECK(contents(folder) == before);
}

TEST_CASE("however little memory there is, a run ends with its answer or with one message", "[cli][faults]") {
  const Prepared folder;
  const Contents before = contents(folder);
  // Less than the libraries take, the loader tells (127).
  int told = 0;
  for (const std::string command : {"plan --size 512x512 --gpus any -o old", "show plan.json --format html -o old"}) {
    for (int kib = 12'000; kib <= 36'000; kib += 3'000) {
      INFO(command << " with " << kib << " KiB");
      const int code = folder.shell(command, "ulimit -v " + std::to_string(kib) + ";");
      if (code == app::kProgramFault) {
        ++told;
        CHECK(is_one_message(folder.said(), "memory"));
        CHECK(contents(folder) == before);
      } else {
        CHECK((code == app::kYes || code == 127));
        folder.write("old", "old");
      }
    }
  }
  CHECK(told > 0);
}

#endif

TEST_CASE("the limit on time is told before the system kills", "[cli][faults]") {
  const Prepared folder;
  const Contents before = contents(folder);
  CHECK(folder.shell("sweep --size 64x64 --gpu t4 --sweep batch=1:1000000 -o old", "ulimit -t 1;") ==
        app::kProgramFault);
  CHECK(is_one_message(folder.said(), "time"));
  CHECK(contents(folder) == before);
}

TEST_CASE("signals end a long sweep or plan with a word, and no file is touched", "[cli][faults]") {
  for (const std::vector<std::string>& command : {kLongSweep, kLongPlan}) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      INFO(command.front() << " and signal " << signal);
      const Folder folder;
      folder.write("old", "old");
      Running run(folder.path, command);
      REQUIRE(run.send(signal));
      const int status = run.wait();
      CHECK((WIFSIGNALED(status) && WTERMSIG(status) == signal));
      CHECK(contents(folder) == Contents{{"err", kInterruption}, {"old", "old"}, {"out", ""}});
    }
  }
}

TEST_CASE("a signal that was ignored when the program began stays ignored", "[cli][faults]") {
  const Folder folder;
  folder.write("old", "old");
  Running run(folder.path, kLongSweep, SIGHUP);
  REQUIRE(run.send(SIGHUP));
  REQUIRE(run.send(SIGTERM));
  const int status = run.wait();
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM));
}

TEST_CASE("what is written when a signal comes is written to its end", "[cli][faults]") {
  const Folder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open((folder.path / "err").c_str(), O_WRONLY | O_CREAT, 0666), STDERR_FILENO);
    std::signal(SIGTERM, SIG_DFL);
    app::arrange_endings();
    {
      const app::SignalsWait until_written;
      static_cast<void>(std::raise(SIGTERM));
      folder.write("whole", "whole");
    }
    ::_exit(0);  // not reached
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM));
  CHECK(contents(folder) == Contents{{"err", kInterruption}, {"whole", "whole"}});
}

}  // namespace vggplan
