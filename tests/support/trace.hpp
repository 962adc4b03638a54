// SPDX-License-Identifier: MIT
// The recorded allocator events of tests/data/traces.
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
    trace.events.push_back(event);
  }
  return trace;
}

/// All of them, by name.
inline std::vector<Trace> read_traces() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(VGGPLAN_SOURCE_DIR) + "/tests/data/traces")) {
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

}  // namespace vggplan::support
