// SPDX-License-Identifier: MIT
// The program, with the world around it passed in: main() gives it the real one, tests a made-up one.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "vggplan/base/result.hpp"
#include "vggplan/launch/file.hpp"

namespace vggplan::app {

/// Exit codes, docs/interface.md.
inline constexpr int kYes = 0;
inline constexpr int kNo = 1;
inline constexpr int kWrongQuestion = 2;
inline constexpr int kFileTrouble = 3;
inline constexpr int kProgramFault = 4;

struct TextFile {
  std::string path{};
  std::string text{};
};

class World {
 public:
  World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  virtual ~World() = default;

  /// Standard output and nothing else; what is written may be lost until flush_out() says that it is not.
  virtual base::Status write_out(std::string_view text) = 0;
  virtual base::Status flush_out() = 0;
  virtual void write_err(std::string_view text) = 0;

  /// A whole file. "-" is standard input, which is read once.
  virtual base::Result<std::string> read_file(const std::string& path) = 0;
  /// Replaces the files: whoever reads one sees its old text or the new, whole. Where one cannot be written none is.
  virtual base::Status write_files(const std::vector<TextFile>& files) = 0;
  /// All files in the folder, which is made where it is not there: all or, where something goes wrong, none. One that
  /// is there already goes wrong, unless it may be replaced.
  virtual base::Status write_folder(const std::string& path, const std::vector<launch::File>& files, bool replace) = 0;
  virtual bool is_file(const std::string& path) = 0;
  /// The one name of a place: absolute, without links and dots. What is not there yet keeps its name.
  virtual std::string real_path(const std::string& path) = 0;
  /// Names of the files and folders in a folder, sorted.
  virtual base::Result<std::vector<std::string>> list_folder(const std::string& path) = 0;

  virtual const std::map<std::string, std::string>& environment() = 0;
  /// Empty where it is not set.
  std::string variable(const std::string& name) {
    const auto found = environment().find(name);
    return found == environment().end() ? std::string() : found->second;
  }
  virtual bool out_is_terminal() = 0;
  virtual bool err_is_terminal() = 0;
  virtual std::size_t out_columns() = 0;  ///< 0 where it is not known
  virtual double seconds() = 0;           ///< of a steady clock: for progress, never in a report
};

/// The world as the operating system gives it; `variables` is environ.
std::unique_ptr<World> real_world(char** variables);

/// `arguments` without the program's name.
int run(const std::vector<std::string>& arguments, World& world);

}  // namespace vggplan::app
