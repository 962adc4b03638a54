// SPDX-License-Identifier: MIT
// A world in memory, so that the whole program runs inside a test.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "vggplan/app/app.hpp"
#include "vggplan/base/ascii.hpp"

namespace vggplan::test {

class FakeWorld : public app::World {
 public:
  std::map<std::string, std::string> files{};
  std::map<std::string, std::string> variables{{"LANG", "C.UTF-8"}};
  std::string out{};
  std::string err{};
  bool out_is_tty{false};
  bool err_is_tty{false};
  std::size_t columns{0};
  std::string unwritable{};  ///< a path that cannot be written

  base::Status write_out(std::string_view text) override {
    out += text;
    return std::nullopt;
  }
  base::Status flush_out() override { return write_out(""); }
  void write_err(std::string_view text) override { err += text; }
  base::Result<std::string> read_file(const std::string& path) override {
    const auto found = files.find(path);
    if (found == files.end()) {
      return base::Diagnostic{base::Fault::file, path, "cannot be read: No such file or directory", ""};
    }
    return found->second;
  }
  base::Status write_files(const std::vector<app::TextFile>& made) override {
    for (const app::TextFile& file : made) {
      if (file.path == unwritable) {
        return base::Diagnostic{base::Fault::file, file.path, "cannot be written: Permission denied", ""};
      }
    }
    for (const app::TextFile& file : made) {
      files[file.path] = file.text;
    }
    return std::nullopt;
  }
  base::Status write_folder(const std::string& path, const std::vector<launch::File>& made, bool replace) override {
    for (const launch::File& file : made) {
      const std::string place = path + "/" + file.name;
      if (place == unwritable || (!replace && files.contains(place))) {
        return base::Diagnostic{base::Fault::file, place, "cannot be written", ""};
      }
    }
    for (const launch::File& file : made) {
      files[path + "/" + file.name] = file.text;
    }
    return std::nullopt;
  }
  bool is_file(const std::string& path) override { return files.contains(path); }
  std::string real_path(const std::string& path) override {
    return (std::filesystem::path("/here") / path).lexically_normal().string();
  }
  base::Result<std::vector<std::string>> list_folder(const std::string& path) override {
    std::set<std::string> names;
    for (const auto& [file, text] : files) {
      if (file.starts_with(path + "/")) {
        const std::string rest = file.substr(path.size() + 1);
        names.insert(rest.substr(0, rest.find('/')));
      }
    }
    if (names.empty()) {
      return base::Diagnostic{base::Fault::file, path, "cannot be read: No such file or directory", ""};
    }
    return std::vector<std::string>(names.begin(), names.end());
  }
  const std::map<std::string, std::string>& environment() override { return variables; }
  bool out_is_terminal() override { return out_is_tty; }
  bool err_is_terminal() override { return err_is_tty; }
  std::size_t out_columns() override { return columns; }
  double seconds() override { return clock_ += 0.5; }

 private:
  double clock_{};
};

/// Words of a command line without quotes in it.
inline std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string_view word : base::split(text, ' ')) {
    if (!word.empty()) {
      words.emplace_back(word);
    }
  }
  return words;
}

struct Ran {
  int code{};
  std::string out{};
  std::string err{};
};

inline Ran run(const std::vector<std::string>& words, FakeWorld& world) {
  world.out.clear();
  world.err.clear();
  const int code = app::run(words, world);
  return {code, world.out, world.err};
}

inline Ran run(std::string_view arguments, FakeWorld& world) { return run(split_words(arguments), world); }

inline Ran run(std::string_view arguments) {
  FakeWorld world;
  return run(arguments, world);
}

}  // namespace vggplan::test
