// SPDX-License-Identifier: MIT
// The recorded allocator events of tests/data/traces, and how they are compared.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace vggplan::support {

struct TraceEvent {
  char kind{};  ///< 'S': cudaMalloc, 'a': allocation, 'f': free
  std::int64_t bytes{};
  std::int64_t id{};
  std::size_t stream{};  ///< of allocations, where several were recorded
};

struct Trace {
  std::string name{};
  std::string job{};  ///< JSON
  std::vector<TraceEvent> events{};
};

inline Trace read_trace(const std::filesystem::path& path) {
  std::ifstream file(path);
  Trace trace{path.stem().string(), {}, {}};
  std::getline(file, trace.job);
  for (std::string line; std::getline(file, line);) {
    TraceEvent event;
    std::istringstream fields(line);
    if (!(fields >> event.kind >> event.bytes >> event.id)) {
      throw std::runtime_error("not a trace: " + path.string());
    }
    if (event.kind == 'a') {
      fields >> event.stream;
    }
    trace.events.push_back(event);
  }
  return trace;
}

/// All of a folder, by name.
inline std::vector<Trace> read_traces(const std::string& folder = "") {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(VGGPLAN_SOURCE_DIR) + "/tests/data/traces/" + folder)) {
    if (entry.path().extension() == ".txt") {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Trace> traces;
  for (const auto& path : paths) {
    traces.push_back(read_trace(path));
  }
  return traces;
}

using Sizes = std::vector<std::int64_t>;

/// Requests in order, and the workspaces between them: as many lists as there are requests, and one.
struct Split {
  Sizes requests{};
  std::vector<Sizes> workspaces{1};
};

inline Split split(const Sizes& list) {
  Split parts;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i + 1 < list.size() && list[i] > 0 && list[i + 1] == -list[i]) {
      parts.workspaces.back().push_back(list[i]);
      ++i;
    } else {
      parts.requests.push_back(list[i]);
      parts.workspaces.emplace_back();
    }
  }
  return parts;
}

inline Sizes recorded(const Trace& trace) {
  Sizes list;
  for (const TraceEvent& event : trace.events) {
    if (event.kind != 'S') {
      list.push_back(event.kind == 'a' ? event.bytes : -event.bytes);
    }
  }
  return list;
}

/// Each run of frees sorted by size.
inline Sizes without_order_of_frees(Sizes list) {
  for (auto from = list.begin(); from != list.end();) {
    from = std::find_if(from, list.end(), [](std::int64_t bytes) { return bytes < 0; });
    const auto to = std::find_if(from, list.end(), [](std::int64_t bytes) { return bytes > 0; });
    std::sort(from, to);
    from = to;
  }
  return list;
}

/// Where two lists part; empty where they are the same.
inline std::string difference(const Sizes& mine, const Sizes& theirs) {
  const auto [ours, other] = std::mismatch(mine.begin(), mine.end(), theirs.begin(), theirs.end());
  if (ours == mine.end() && other == theirs.end()) {
    return {};
  }
  const auto shown = [](auto at, const Sizes& list) { return at == list.end() ? "the end" : std::to_string(*at); };
  return "event " + std::to_string(ours - mine.begin()) + ": " + shown(ours, mine) + ", recorded " +
         shown(other, theirs);
}

}  // namespace vggplan::support
