// SPDX-License-Identifier: MIT
// A folder of files, all or none: they are written beside their places, and then moved there.
#include <sys/file.h>

#include <cstdlib>
#include <filesystem>

#include "app/descriptor.hpp"
#include "app/endings.hpp"
#include "app/files.hpp"

namespace vggplan::app {

namespace {

namespace fs = std::filesystem;

bool is_there(const fs::path& path) {
  struct stat about {};
  return ::lstat(path.c_str(), &about) == 0;
}

bool is_folder(const fs::path& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode);
}

/// Gone at the end, with what is still in it.
class Staging {
 public:
  /// Where renaming into `folder`, or to it, stays within one file system.
  Staging(const fs::path& folder, const std::vector<launch::File>& files)
      : files_(files),
        name_(is_there(folder) ? (folder / ".vggplan-XXXXXX").string() : folder.string() + ".XXXXXX"),
        made_(::mkdtemp(name_.data()) != nullptr) {}
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging() {
    if (!made_) {
      return;
    }
    // By name: where no more files may be open, no folder can be listed.
    for (const launch::File& file : files_) {
      ::unlink(fresh(file).c_str());
      ::unlink(replaced(file).c_str());
    }
    ::rmdir(name_.c_str());
  }
  [[nodiscard]] bool made() const { return made_; }
  [[nodiscard]] fs::path path() const { return name_; }
  [[nodiscard]] fs::path fresh(const launch::File& file) const { return path() / file.name; }
  [[nodiscard]] fs::path replaced(const launch::File& file) const { return path() / ("old-" + file.name); }

 private:
  const std::vector<launch::File>& files_;
  std::string name_;
  bool made_;
};

bool write_new(const fs::path& path, const launch::File& file) {
  constexpr mode_t kData = 0666;
  constexpr mode_t kProgram = 0777;
  Descriptor target(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file.executable ? kProgram : kData));
  return target.open() && write_all(target.number(), file.text) && target.close_now();
}

bool move(const fs::path& from, const fs::path& to) { return ::rename(from.c_str(), to.c_str()) == 0; }

/// The staged files to their places in a folder that is there. What was replaced is kept until all are, and is put back
/// where one cannot be moved.
base::Status move_all(const Staging& staging, const fs::path& folder, const std::string& shown,
                      const std::vector<launch::File>& files) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    const fs::path place = folder / files[i].name;
    const bool kept = !is_there(place) || move(place, staging.replaced(files[i]));
    if (kept && move(staging.fresh(files[i]), place)) {
      continue;
    }
    const int reason = errno;
    for (std::size_t back = i + 1; back-- > 0;) {
      if (back < i) {
        static_cast<void>(move(folder / files[back].name, staging.fresh(files[back])));
      }
      static_cast<void>(move(staging.replaced(files[back]), folder / files[back].name));
    }
    return file_error(shown + "/" + files[i].name, "written", reason);
  }
  return std::nullopt;
}

base::Diagnostic is_there_already(const std::string& path) {
  return {base::Fault::file, path, "is there already",
          "name another folder with --output, or replace the files of this one with --force"};
}

/// The first file that cannot be written because of what is there.
base::Status find_obstacle(const fs::path& folder, const std::string& shown, const std::vector<launch::File>& files,
                           bool replace) {
  for (const launch::File& file : files) {
    const std::string path = shown + "/" + file.name;
    if (is_folder(folder / file.name)) {
      return file_error(path, "written", EISDIR);
    }
    if (!replace && is_there(folder / file.name)) {
      return is_there_already(path);
    }
  }
  return std::nullopt;
}

}  // namespace

base::Status write_new_folder(const std::string& folder, const std::string& shown,
                              const std::vector<launch::File>& files, bool replace) {
  const bool exists = is_there(folder);
  if (exists && !is_folder(folder)) {
    return file_error(shown, "written", ENOTDIR);
  }
  // Of two runs that write to one folder the second waits, and finds the files of the first. Where the file system
  // knows no locks, none is needed by most.
  const Descriptor lock(exists ? ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1);
  static_cast<void>(::flock(lock.number(), LOCK_EX));
  const SignalsWait until_all_are_there;
  TRY(find_obstacle(folder, shown, files, replace));
  const Staging staging(folder, files);
  if (!staging.made()) {
    return file_error(shown, "written", errno);
  }
  for (const launch::File& file : files) {
    if (!write_new(staging.fresh(file), file)) {
      return file_error(shown + "/" + file.name, "written", errno);
    }
  }
  if (exists) {
    return move_all(staging, folder, shown, files);
  }
  if (::chmod(staging.path().c_str(), allowed(0777)) != 0 || !move(staging.path(), folder)) {
    const bool came_between = errno == ENOTEMPTY || errno == EEXIST;
    return came_between ? is_there_already(shown) : file_error(shown, "written", errno);
  }
  return std::nullopt;
}

}  // namespace vggplan::app
