// SPDX-License-Identifier: MIT
// Files are written beside their places, and moved there when all of them are whole.
#include "app/files.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <deque>

#include "app/descriptor.hpp"
#include "app/endings.hpp"

namespace vggplan::app {

namespace {

/// What helps against an error of the system; nothing where its own words say it all.
std::string_view remedy(int reason, bool writing) {
  switch (reason) {
    case ENOSPC:
    case EDQUOT: return "free some space, or write elsewhere";
    case EFBIG: return "raise the limit on the size of files (ulimit -f)";
    case EMFILE:
    case ENFILE: return "raise the limit on open files (ulimit -n)";
    case ELOOP: return "its links lead in a circle: name the file itself";
    case EACCES:
    case EPERM:
    case EROFS: return writing ? "name a place that you may write to" : "name a file that you may read";
    case ENOENT: return writing ? "make its folder first, or name another place" : "check the name and the folder";
    case EISDIR: return "name a file";
    case ENOTDIR: return "a part of that name is a file: name another place";
    case EBADF: return writing ? "it is closed: open it, or write a file with --output" : "it is closed: name a file";
    default: return "";
  }
}

/// The new text of a file, under another name in the same folder until it takes its place; else gone at the end.
class Staged {
 public:
  Staged(const std::string& path, std::string_view text, mode_t mode) : target_(resolved(path)) {
    temporary_ = target_.substr(0, target_.rfind('/') + 1) + ".vggplan-XXXXXX";
    Descriptor file(::mkstemp(temporary_.data()));
    made_ = file.open();
    whole_ = made_ && write_all(file.number(), text) && ::fchmod(file.number(), mode) == 0 && file.close_now();
    reason_ = errno;
  }
  Staged(const Staged&) = delete;
  Staged& operator=(const Staged&) = delete;
  ~Staged() {
    if (made_) {
      ::unlink(temporary_.c_str());
    }
  }
  [[nodiscard]] bool whole() const { return whole_; }
  [[nodiscard]] int reason() const { return reason_; }  ///< why it is not whole
  [[nodiscard]] bool take_place() {
    made_ = ::rename(temporary_.c_str(), target_.c_str()) != 0;
    return !made_;
  }

 private:
  std::string target_;
  std::string temporary_;
  bool made_{};
  bool whole_{};
  int reason_{};
};

/// Those of `files` that can be replaced: all, or none where one cannot be written.
base::Status replace(const std::vector<const TextFile*>& files) {
  const SignalsWait until_all_are_there;
  std::deque<Staged> staged;
  for (const TextFile* file : files) {
    struct stat about {};
    const bool exists = ::stat(file->path.c_str(), &about) == 0;
    if (!exists && errno == ELOOP) {
      return file_error(file->path, "written", ELOOP);
    }
    const Staged& made = staged.emplace_back(file->path, file->text, exists ? about.st_mode & 07777U : allowed(0666));
    if (!made.whole()) {
      return file_error(file->path, "written", made.reason());
    }
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (!staged[i].take_place()) {
      return file_error(files[i]->path, "written", errno);
    }
  }
  return std::nullopt;
}

base::Status write_in_place(const TextFile& file) {
  Descriptor target(::open(file.path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!target.open() || !write_all(target.number(), file.text) || !target.close_now()) {
    return file_error(file.path, "written", errno);
  }
  return std::nullopt;
}

}  // namespace

base::Diagnostic file_error(const std::string& path, std::string_view what, int reason) {
  return {base::Fault::file, path, fmt::format("cannot be {}: {}", what, std::strerror(reason)),
          std::string(remedy(reason, what == "written"))};
}

std::string resolved(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  std::string result = real == nullptr ? path : real;
  std::free(real);  // NOLINT(cppcoreguidelines-no-malloc): realpath's own
  return result;
}

base::Status write_whole_files(const std::vector<TextFile>& files) {
  // Devices and pipes cannot be replaced, nor what they were told be taken back: they come last.
  std::vector<const TextFile*> replaced;
  std::vector<const TextFile*> in_place;
  for (const TextFile& file : files) {
    struct stat about {};
    const bool special = ::stat(file.path.c_str(), &about) == 0 && !S_ISREG(about.st_mode);
    (special ? in_place : replaced).push_back(&file);
  }
  base::Status error = replace(replaced);
  for (const TextFile* file : in_place) {
    error = error ? error : write_in_place(*file);
  }
  return error;
}

}  // namespace vggplan::app
