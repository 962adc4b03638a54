// SPDX-License-Identifier: MIT
// torch.cuda.memory._dump_snapshot: keys are those of torch/csrc/cuda/Module.cpp and memory_snapshot.cpp.
#include <fmt/format.h>

#include <algorithm>

#include "runs/pickle.hpp"
#include "runs/readers.hpp"

namespace vggplan::runs {

namespace {

using Value = Pickle::Value;
using Type = Pickle::Type;

constexpr const char* kRemedy = "write it with torch.cuda.memory._dump_snapshot(FILE)";
constexpr std::size_t kMostEntries = 4'000'000;  // of a history, and of segments
constexpr std::size_t kMostStreams = 4;          // of memory::CachingAllocator
constexpr std::int64_t kMostBytes = 1LL << 50U;  // no device has a pebibyte

class Snapshot {
 public:
  Snapshot(const Pickle& pickle, std::string_view place) : pickle_(pickle), place_(place) {}

  base::Result<Run> read() {
    const auto segments = pickle_.member(pickle_.root(), "segments");
    const auto traces = pickle_.member(pickle_.root(), "device_traces");
    if (!segments || !traces) {
      return base::wrong(place_, "has no segments and device_traces, which a memory snapshot has", kRemedy);
    }
    const auto [device, events] = busiest(*traces);
    if (std::max(pickle_.items(events).size(), pickle_.items(*segments).size()) > kMostEntries) {
      return base::wrong(place_, fmt::format("has a history of more than {} entries", kMostEntries),
                         "record fewer: torch.cuda.memory._record_memory_history(max_entries=1000000)");
    }
    TRY(read_trace(events));
    TRY(read_reserved(*segments, device));
    return std::move(run_);
  }

 private:
  /// One process uses one device; histories of the others are empty.
  [[nodiscard]] std::pair<std::int64_t, Value> busiest(const Value& traces) const {
    std::pair<std::int64_t, Value> most{0, {}};
    const std::vector<Value>& all = pickle_.items(traces);
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (pickle_.items(all[i]).size() > pickle_.items(most.second).size()) {
        most = {static_cast<std::int64_t>(i), all[i]};
      }
    }
    return most;
  }

  /// The whole number at `key`, or -1.
  [[nodiscard]] std::int64_t whole(const Value& dict, std::string_view key) const {
    const auto value = pickle_.member(dict, key);
    return value && value->type == Type::integer ? value->integer : -1;
  }

  base::Status read_trace(const Value& events) {
    run_.format = Format::memory_snapshot;
    Trace trace;
    for (const Value& entry : pickle_.items(events)) {
      const auto action = pickle_.member(entry, "action");
      const std::string_view name = action ? pickle_.text(*action) : std::string_view();
      if (name.empty()) {
        return base::wrong(place_, "has an entry of its history without an action", kRemedy);
      }
      const std::optional<TraceEvent::Kind> kind = kind_of(name);
      run_.figures["out_of_memory"] += name == "oom" ? 1 : 0;
      if (!kind) {
        continue;
      }
      const TraceEvent event{*kind, stream_of(whole(entry, "stream"), trace), whole(entry, "size"),
                             whole(entry, "addr")};
      if (event.bytes < 0 || event.bytes > kMostBytes) {
        return base::wrong(place_, fmt::format("has an entry of its history without a size ({})", name), kRemedy);
      }
      trace.events.push_back(event);
    }
    trace.expandable_segments = tells_expandable();
    if (!trace.events.empty()) {
      run_.trace = std::move(trace);
    }
    return std::nullopt;
  }

  /// `free_requested` comes first, and a block in use on another stream stays until `free_completed`.
  static std::optional<TraceEvent::Kind> kind_of(std::string_view action) {
    using Kind = TraceEvent::Kind;
    return action == "alloc"                                       ? std::optional(Kind::allocate)
           : action == "free_completed"                            ? std::optional(Kind::release)
           : action == "segment_alloc" || action == "segment_map"  ? std::optional(Kind::reserve)
           : action == "segment_free" || action == "segment_unmap" ? std::optional(Kind::give_back)
                                                                   : std::nullopt;
  }

  std::uint8_t stream_of(std::int64_t stream, Trace& trace) {
    const auto known = std::find(streams_.begin(), streams_.end(), stream);
    const auto index = static_cast<std::size_t>(known - streams_.begin());
    if (known == streams_.end() && streams_.size() < kMostStreams) {
      streams_.push_back(stream);
    }
    trace.too_many_streams = trace.too_many_streams || index >= kMostStreams;
    return static_cast<std::uint8_t>(std::min(index, kMostStreams - 1));
  }

  [[nodiscard]] bool tells_expandable() const {
    const auto settings = pickle_.member(pickle_.root(), "allocator_settings");
    const auto expandable = settings ? pickle_.member(*settings, "expandable_segments") : std::nullopt;
    return expandable && (expandable->type == Type::boolean || expandable->type == Type::integer) &&
           expandable->integer != 0;
  }

  /// What is reserved at the end is listed; the history, walked back from there, has the peak even where it lacks its
  /// beginning.
  base::Status read_reserved(const Value& segments, std::int64_t device) {
    std::int64_t reserved = 0;
    for (const Value& segment : pickle_.items(segments)) {
      const std::int64_t size = whole(segment, "total_size");
      if (size < 0 || size > kMostBytes || reserved > kMostBytes) {
        return base::wrong(place_, "has a segment without a total_size", kRemedy);
      }
      reserved += whole(segment, "device") == device ? size : 0;
    }
    std::int64_t peak = reserved;
    std::int64_t back = 0;
    const std::vector<TraceEvent> none;
    const std::vector<TraceEvent>& events = run_.trace ? run_.trace->events : none;
    for (auto event = events.rbegin(); event != events.rend() && back < kMostBytes && back > -kMostBytes; ++event) {
      back += event->kind == TraceEvent::Kind::give_back ? event->bytes
              : event->kind == TraceEvent::Kind::reserve ? -event->bytes
                                                         : 0;
      peak = std::max(peak, reserved + back);
    }
    if (peak > 0) {
      run_.figures["reserved_peak_bytes"] = static_cast<double>(peak);
    }
    return std::nullopt;
  }

  const Pickle& pickle_;
  std::string_view place_{};
  Run run_{};
  std::vector<std::int64_t> streams_{};
};

}  // namespace

/// Protocols from 2 on begin with their number; older ones were never written by torch.
bool looks_like_snapshot(std::string_view bytes) { return bytes.starts_with('\x80'); }

base::Result<Run> read_snapshot(std::string_view bytes, std::string_view place) {
  const Pickle pickle = TRY(Pickle::read(bytes, place));
  base::Result<Run> run = Snapshot(pickle, place).read();
  if (run && !run->trace && run->figures.empty()) {
    return base::wrong(place, "is an empty snapshot",
                       "call torch.cuda.memory._record_memory_history() before the model is made");
  }
  return run;
}

}  // namespace vggplan::runs
