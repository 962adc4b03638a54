// SPDX-License-Identifier: MIT
#include "importers/archive.hpp"

#include <fmt/format.h>
#include <minizip/unzip.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

namespace vggplan::importers {
namespace {

constexpr std::size_t kMostEntries = 100'000;
constexpr std::size_t kMostBytes = std::size_t{32} << 20U;  // graphs of large networks take a few MB

/// The archive in memory, as minizip reads files.
struct Stream {
  std::string_view bytes{};
  std::size_t at{};
};

Stream& stream_of(void* stream) { return *static_cast<Stream*>(stream); }

void* open(void* opaque, const void* /*name*/, int /*mode*/) { return opaque; }
unsigned long read(void* /*opaque*/, void* stream, void* to, unsigned long size) {
  Stream& from = stream_of(stream);
  const std::size_t count = std::min<std::size_t>(size, from.bytes.size() - from.at);
  std::copy_n(from.bytes.data() + from.at, count, static_cast<char*>(to));
  from.at += count;
  return count;
}
unsigned long write(void*, void*, const void*, unsigned long) { return 0; }
ZPOS64_T tell(void* /*opaque*/, void* stream) { return stream_of(stream).at; }
long seek(void* /*opaque*/, void* stream, ZPOS64_T offset, int origin) {
  Stream& of = stream_of(stream);
  const std::size_t from = origin == ZLIB_FILEFUNC_SEEK_SET   ? 0
                           : origin == ZLIB_FILEFUNC_SEEK_CUR ? of.at
                                                              : of.bytes.size();
  if (offset > of.bytes.size() - from) {
    return -1;
  }
  of.at = from + static_cast<std::size_t>(offset);
  return 0;
}
int close(void* /*opaque*/, void* /*stream*/) { return 0; }
int error(void* /*opaque*/, void* /*stream*/) { return 0; }

struct Close {
  void operator()(void* file) const { unzClose(file); }
};

bool is_program(std::string_view name) {
  constexpr std::string_view kOld = "serialized_exported_program.json";
  if (name == kOld || name.ends_with("/serialized_exported_program.json")) {
    return true;
  }
  const std::size_t folder = name.rfind("models/");
  const bool begins = folder == 0 || (folder != std::string_view::npos && name[folder - 1] == '/');
  return begins && name.ends_with(".json") && name.find('/', folder + 7) == std::string_view::npos;
}

/// What the current entry holds; nothing where it is broken or larger than allowed.
std::optional<std::string> unpacked(unzFile file) {
  if (unzOpenCurrentFile(file) != UNZ_OK) {
    return std::nullopt;
  }
  std::string text;
  std::array<char, 65'536> part{};
  int count = 0;
  while ((count = unzReadCurrentFile(file, part.data(), part.size())) > 0 && text.size() <= kMostBytes) {
    text.append(part.data(), static_cast<std::size_t>(count));
  }
  const bool whole = count == 0 && text.size() <= kMostBytes;
  const bool intact = unzCloseCurrentFile(file) == UNZ_OK;  // compares checksums
  return whole && intact ? std::optional(std::move(text)) : std::nullopt;
}

}  // namespace

base::Result<std::string> exported_program(std::string_view zip, const std::string& shown) {
  const auto wrong = [&](std::string rule, std::string remedy = "write it with torch.export.save()") {
    return base::Diagnostic{base::Fault::file, shown, std::move(rule), std::move(remedy)};
  };
  Stream stream{zip, 0};
  zlib_filefunc64_def functions{open, read, write, tell, seek, close, error, &stream};
  const std::unique_ptr<void, Close> file(unzOpen2_64("", &functions));
  if (!file) {
    return wrong("is no whole zip archive: it was cut short or is damaged");
  }
  std::optional<std::string> program;
  std::size_t entries = 0;
  for (int more = unzGoToFirstFile(file.get()); more == UNZ_OK; more = unzGoToNextFile(file.get())) {
    if (++entries > kMostEntries) {
      return wrong(fmt::format("has more than {} entries", kMostEntries));
    }
    std::array<char, 512> name{};
    unz_file_info64 info{};
    if (unzGetCurrentFileInfo64(file.get(), &info, name.data(), name.size() - 1, nullptr, 0, nullptr, 0) != UNZ_OK) {
      return wrong("is no whole zip archive: its directory is damaged");
    }
    if (!is_program(name.data())) {
      continue;
    }
    if (program) {
      return wrong("holds several networks", "save one network to a file");
    }
    program = unpacked(file.get());
    if (!program) {
      return wrong(fmt::format("its graph is damaged, or larger than {} MiB", kMostBytes >> 20U));
    }
  }
  if (!program) {
    return wrong("is a zip archive, but none of torch.export: it has no models/NAME.json",
                 "files of torch.save() hold weights and no graph; write a .pt2 with torch.export.save()");
  }
  return *std::move(program);
}

}  // namespace vggplan::importers
