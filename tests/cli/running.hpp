// SPDX-License-Identifier: MIT
// The program itself while it runs: for signals.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace vggplan::test {

/// What it says goes to files named out and err in its folder.
class Running {
 public:
  /// `ignored` is a signal that it is started with ignored, as nohup does; all others are not.
  Running(const std::filesystem::path& folder, std::vector<std::string> words, int ignored = 0) : process_(::fork()) {
    if (process_ == 0) {
      for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGXCPU}) {
        std::signal(signal, signal == ignored ? SIG_IGN : SIG_DFL);
      }
      std::filesystem::current_path(folder);
      redirect("out", STDOUT_FILENO);
      redirect("err", STDERR_FILENO);
      words.insert(words.begin(), "vggplan");
      std::vector<char*> pointers;
      for (std::string& word : words) {
        pointers.push_back(word.data());
      }
      pointers.push_back(nullptr);
      ::execv(VGGPLAN_BINARY, pointers.data());
      ::_exit(127);
    }
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    if (!ended_) {
      ::kill(process_, SIGKILL);
      static_cast<void>(wait());
    }
  }

  /// Once it takes signals itself, which Linux tells; false where it has ended before.
  [[nodiscard]] bool send(int signal) const {
    while (!takes_signals()) {
      if (line_of("State:\t").starts_with("Z")) {
        return false;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return ::kill(process_, signal) == 0;
  }

  /// As waitpid() has it.
  [[nodiscard]] int wait() {
    int status = 0;
    ::waitpid(process_, &status, 0);
    ended_ = true;
    return status;
  }

 private:
  static void redirect(const char* file, int stream) {
    ::dup2(::open(file, O_WRONLY | O_CREAT | O_TRUNC, 0666), stream);
  }
  [[nodiscard]] std::string line_of(const std::string& key) const {
    std::ifstream status("/proc/" + std::to_string(process_) + "/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(key)) {
        return line.substr(key.size());
      }
    }
    return "";
  }
  [[nodiscard]] bool takes_signals() const {
    const std::string caught = line_of("SigCgt:\t");
    constexpr unsigned kLast = SIGPROF - 1;  // the last that it arranges for
    return !caught.empty() && (std::stoull(caught, nullptr, 16) >> kLast & 1U) != 0;
  }

  pid_t process_;
  bool ended_{false};
};

}  // namespace vggplan::test
