// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <utility>
#include <vector>

#include "app/descriptor.hpp"
#include "app/endings.hpp"
#include "app/files.hpp"
#include "vggplan/app/app.hpp"

namespace vggplan::app {

namespace {

/// Reports of sweeps are long; devices never end.
constexpr std::size_t kLargestFile = std::size_t{1} << 28U;

/// A file that we open must not become what the program writes to standard output or says: a stream that whoever
/// started us has closed stays useless, but taken.
void take_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) < 0) {
      static_cast<void>(::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY));
    }
  }
}

class RealWorld final : public World {
 public:
  explicit RealWorld(char** variables) {
    take_closed_streams();
    arrange_endings();
    // A reader that went away shows as an error of write(), not as a signal: on standard output alone it ends us.
    std::signal(SIGPIPE, SIG_IGN);
    // A file that may not grow further, too, is an error of write(): what was begun is cleaned up.
    std::signal(SIGXFSZ, SIG_IGN);
    for (char** entry = variables; entry != nullptr && *entry != nullptr; ++entry) {
      const std::string_view text = *entry;
      const std::size_t split = text.find('=');
      if (split != std::string_view::npos) {
        environment_.emplace(text.substr(0, split), text.substr(split + 1));
      }
    }
  }

  base::Status write_out(std::string_view text) override {
    constexpr std::size_t kBuffer = 1U << 16U;
    buffer_ += text;
    return buffer_.size() < kBuffer ? std::nullopt : flush_out();
  }

  base::Status flush_out() override {
    const std::string text = std::exchange(buffer_, "");
    if (write_all(STDOUT_FILENO, text)) {
      return std::nullopt;
    }
    if (errno == EPIPE) {
      // `head` has read enough: end as other tools do, without a word.
      std::signal(SIGPIPE, SIG_DFL);
      static_cast<void>(std::raise(SIGPIPE));
    }
    return file_error("standard output", "written", errno);
  }

  void write_err(std::string_view text) override { static_cast<void>(write_all(STDERR_FILENO, text)); }

  base::Result<std::string> read_file(const std::string& path) override {
    const bool standard_input = path == "-";
    if (standard_input && std::exchange(input_is_read_, true)) {
      return base::wrong("-", "is standard input, which can be read once", "save one of the two to a file");
    }
    Descriptor file(standard_input ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.open()) {
      return file_error(path, "read", errno);
    }
    std::string text;
    std::vector<char> chunk(1U << 16U);
    while (true) {
      const ssize_t count = ::read(file.number(), chunk.data(), chunk.size());
      if (count < 0 && errno == EINTR) {
        continue;
      }
      if (count < 0) {
        return file_error(path, "read", errno);
      }
      if (count == 0) {
        return text;
      }
      text.append(chunk.data(), static_cast<std::size_t>(count));
      if (text.size() > kLargestFile) {
        return base::wrong(path, fmt::format("is longer than {} MiB, which no file of ours is", kLargestFile >> 20U),
                           "name a report, a table of settings or a record of the catalogue");
      }
    }
  }

  base::Status write_files(const std::vector<TextFile>& files) override { return write_whole_files(files); }

  base::Status write_folder(const std::string& path, const std::vector<launch::File>& files, bool replace) override {
    const std::string folder = path.substr(0, std::max<std::size_t>(1, path.find_last_not_of('/') + 1));
    return write_new_folder(resolved(folder), folder, files, replace);
  }

  std::string real_path(const std::string& path) override {
    std::error_code error;
    const std::filesystem::path whole = std::filesystem::absolute(path, error);
    const std::filesystem::path real = std::filesystem::weakly_canonical(whole, error);
    return (error ? whole.lexically_normal() : real).string();
  }

  bool is_file(const std::string& path) override {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode);
  }

  base::Result<std::vector<std::string>> list_folder(const std::string& path) override {
    std::error_code error;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator entry(path, error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error) {
      return file_error(path, "read", error.value());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  const std::map<std::string, std::string>& environment() override { return environment_; }
  bool out_is_terminal() override { return ::isatty(STDOUT_FILENO) == 1; }
  bool err_is_terminal() override { return ::isatty(STDERR_FILENO) == 1; }

  std::size_t out_columns() override {
    struct winsize size {};
    return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
  }

  double seconds() override {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }

 private:
  std::map<std::string, std::string> environment_{};
  std::string buffer_{};
  bool input_is_read_{false};
};

}  // namespace

std::unique_ptr<World> real_world(char** variables) { return std::make_unique<RealWorld>(variables); }

}  // namespace vggplan::app
