// SPDX-License-Identifier: MIT
// Files of runs as the tools write them, made by hand from the fields of their documentation.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "support/pickle_writer.hpp"
#include "support/trace.hpp"

namespace vggplan::support {

using Json = nlohmann::ordered_json;

inline std::string lines(const std::vector<Json>& records) {
  std::string text;
  for (const Json& record : records) {
    text += record.dump() + "\n";
  }
  return text;
}

/// What torch.cuda.memory._snapshot() returns for a recorded trace: keys of torch 2.11.
inline Json snapshot_of(const Trace& trace) {
  constexpr std::int64_t kBase = 0x7f0000000000;
  const Json frames = {{{"filename", "train.py"}, {"name", "step"}, {"line", 3}}};
  Json events = Json::array();
  std::int64_t reserved = 0;
  for (const TraceEvent& event : trace.events) {
    reserved += event.kind == 'S' ? event.bytes : 0;
    events.push_back({{"action", event.kind == 'S'   ? "segment_alloc"
                                 : event.kind == 'a' ? "alloc"
                                                     : "free_completed"},
                      {"addr", kBase + 512 * event.id},
                      {"size", event.bytes},
                      {"stream", 0},
                      {"time_us", 1764430000000000 + static_cast<std::int64_t>(events.size())},
                      {"frames", frames}});
  }
  return {{"segments",
           {{{"device", 0},
             {"address", kBase},
             {"total_size", reserved},
             {"stream", 0},
             {"segment_type", "large"},
             {"segment_pool_id", {0, 0}},
             {"is_expandable", false},
             {"frames", Json::array()},
             {"blocks", Json::array()}}}},
          {"device_traces", {events, Json::array()}},
          {"allocator_settings", {{"PYTORCH_CUDA_ALLOC_CONF", ""}, {"expandable_segments", false}}},
          {"external_annotations", Json::array()}};
}

inline std::string pickled(const Json& snapshot) { return PickleWriter::dumps(snapshot); }

}  // namespace vggplan::support
