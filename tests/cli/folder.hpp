// SPDX-License-Identifier: MIT
// The program itself, in a folder of its own: what only a real file system can show.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace vggplan::test {

/// Gone at the end. What the program says goes into a file beside it.
class Folder {
 public:
  Folder() : path(::mkdtemp(name_.data())) {}
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::filesystem::remove_all(path);
    std::filesystem::remove(name_ + ".said");
  }

  void write(const std::string& file, const std::string& text) const { std::ofstream(path / file) << text; }
  [[nodiscard]] std::string read(const std::string& file) const { return whole(path / file); }
  /// Both streams of the last run.
  [[nodiscard]] std::string said() const { return whole(name_ + ".said"); }
  /// The exit code; `before` are words of a shell, such as limits.
  [[nodiscard]] int shell(const std::string& arguments, const std::string& before = "") const {
    const std::string command = "{ cd " + path.string() + "; " + before + " " + VGGPLAN_BINARY + " " + arguments +
                                "; } >" + name_ + ".said 2>&1";
    return WEXITSTATUS(std::system(command.c_str()));  // NOLINT: our own binary
  }

 private:
  static std::string whole(const std::filesystem::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  std::string name_{(std::filesystem::temp_directory_path() / "vggplan-XXXXXX").string()};

 public:
  std::filesystem::path path{};  // behind the name that it is made of
};

}  // namespace vggplan::test
