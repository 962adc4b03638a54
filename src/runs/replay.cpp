// SPDX-License-Identifier: MIT
// Events are split in two: workspaces of libraries, which the very next event frees, and all else, which is PyTorch's
// own and must agree to the byte and in order. One order cannot be known: when an autocast context ends, its cached
// copies die in the order of a hash table. So each run of frees is compared without its order.
#include "vggplan/runs/replay.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>
#include <span>

namespace vggplan::runs {

namespace {

/// An allocation, or with negative bytes a free.
struct Request {
  std::int64_t bytes{};
  std::size_t event{};  ///< its place in the list that it is of
  std::size_t step{};
  base::Phase phase{};
  memory::LayerId layer{memory::kNoLayer};
  memory::Category category{};
};
using Requests = std::vector<Request>;

/// Requests in order, and the workspaces between them: as many lists as there are requests, and one.
struct Split {
  Requests requests{};
  std::vector<Requests> workspaces{1};
};

void sort_frees(Requests& list) {
  for (auto from = list.begin(); from != list.end();) {
    from = std::find_if(from, list.end(), [](const Request& request) { return request.bytes < 0; });
    const auto to = std::find_if(from, list.end(), [](const Request& request) { return request.bytes > 0; });
    std::stable_sort(from, to, [](const Request& a, const Request& b) { return a.bytes < b.bytes; });
    from = to;
  }
}

Split split(const Requests& list) {
  Split parts;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i + 1 < list.size() && list[i].bytes > 0 && list[i + 1].bytes == -list[i].bytes) {
      parts.workspaces.back().push_back(list[i]);
      ++i;
    } else {
      parts.requests.push_back(list[i]);
      parts.workspaces.emplace_back();
    }
  }
  sort_frees(parts.requests);
  return parts;
}

/// The tape as requests, for as long as the recording goes on.
class Expected {
 public:
  explicit Expected(const memory::Tape& tape) : tape_(tape), sizes_(tape.tensors) {}

  Requests list(std::size_t fewest) {
    add(tape_.setup);
    for (std::size_t step = 0; !tape_.steps.empty() && (step <= tape_.steps.size() || list_.size() < fewest); ++step) {
      const std::size_t before = list_.size();
      step_ = step + 1;
      add(tape_.steps[std::min(step, tape_.steps.size() - 1)]);
      if (list_.size() == before && step >= tape_.steps.size()) {
        break;  // steps that ask for nothing
      }
    }
    return std::move(list_);
  }

 private:
  void add(const std::vector<memory::Event>& events) {
    for (const memory::Event& event : events) {
      switch (event.kind) {
        case memory::Event::Kind::allocate:
          sizes_[event.tensor] = {event.bytes, event.category};
          push(event, event.bytes, event.category);
          break;
        case memory::Event::Kind::release: push(event, -sizes_[event.tensor].first, sizes_[event.tensor].second); break;
        case memory::Event::Kind::scratch:
        case memory::Event::Kind::trial:
          if (const std::int64_t bytes = tape_.scratch[event.tensor].plans.front(); bytes > 0) {
            push(event, bytes, event.category);
            push(event, -bytes, event.category);
          }
          break;
        case memory::Event::Kind::phase: phase_ = event.phase; break;
        case memory::Event::Kind::empty:
        case memory::Event::Kind::local_memory:
        case memory::Event::Kind::driver: break;
      }
    }
  }
  void push(const memory::Event& event, std::int64_t bytes, memory::Category category) {
    list_.push_back({bytes, list_.size(), step_, phase_, event.layer, category});
  }

  const memory::Tape& tape_;
  std::vector<std::pair<std::int64_t, memory::Category>> sizes_;
  std::size_t step_{0};
  base::Phase phase_{base::Phase::setup};
  Requests list_{};
};

using Events = std::span<const TraceEvent>;

/// Steps repeat: what the first million events do not show, later ones do not either.
Events considered(const Trace& trace) {
  constexpr std::size_t kMost = 1'000'000;
  return Events(trace.events).first(std::min(trace.events.size(), kMost));
}

Requests recorded(Events events) {
  Requests list;
  for (const TraceEvent& event : events) {
    const bool allocates = event.kind == TraceEvent::Kind::allocate;
    if (event.bytes > 0 && (allocates || event.kind == TraceEvent::Kind::release)) {
      list.push_back({.bytes = allocates ? event.bytes : -event.bytes, .event = list.size()});
    }
  }
  return list;
}

/// A recording that begins with the process frees only what it saw allocated.
bool is_whole(Events events) {
  std::set<std::int64_t> live;
  for (const TraceEvent& event : events) {
    if (event.kind == TraceEvent::Kind::allocate) {
      live.insert(event.address);
    } else if (event.kind == TraceEvent::Kind::release && live.erase(event.address) == 0) {
      return false;
    }
  }
  return true;
}

/// What the allocator's statistics would say: blocks are larger than what was asked for. Nothing of recordings that no
/// training makes: the model of the allocator is made for thousands of tensors on a few GPUs' worth of memory.
std::optional<base::Bytes> allocated_peak(const Trace& trace, memory::AllocatorConfig config) {
  constexpr std::size_t kMostTensors = 10'000;
  constexpr base::Bytes kMostReserved = base::kGiB * (std::int64_t{1} << 20U);
  if (trace.too_many_streams) {
    return std::nullopt;
  }
  config.expandable_segments = trace.expandable_segments;
  memory::CachingAllocator allocator(config);
  std::map<std::int64_t, memory::CachingAllocator::Handle> live;
  base::Bytes peak;
  for (const TraceEvent& event : considered(trace)) {
    const auto held = live.find(event.address);
    if (event.kind == TraceEvent::Kind::allocate && event.bytes > 0) {
      const auto block = held == live.end() ? allocator.allocate(base::Bytes(event.bytes), event.stream) : std::nullopt;
      if (!block || live.size() == kMostTensors || allocator.reserved() > kMostReserved) {
        return std::nullopt;
      }
      live[event.address] = *block;
      peak = std::max(peak, allocator.allocated());
    } else if (event.kind == TraceEvent::Kind::release && held != live.end()) {
      allocator.free(held->second);
      live.erase(held);
    }
  }
  return peak;
}

std::int64_t largest(const Requests& workspaces) {
  std::int64_t most = 0;
  for (const Request& workspace : workspaces) {
    most = std::max(most, workspace.bytes);
  }
  return most;
}

/// Index of the first request of `planned` that the recording begins with. A recording that frees only what it saw
/// allocated is taken to begin with the process, unless it is found later on the tape.
std::optional<std::size_t> alignment(const Requests& planned, const Requests& measured, bool whole) {
  constexpr std::size_t kEnough = 16;
  const auto last = measured.begin() + static_cast<std::ptrdiff_t>(std::min(kEnough, measured.size()));
  const auto found = std::search(planned.begin(), planned.end(), measured.begin(), last,
                                 [](const Request& mine, const Request& theirs) { return mine.bytes == theirs.bytes; });
  if (found != planned.end()) {
    return static_cast<std::size_t>(found - planned.begin());
  }
  return whole ? std::optional<std::size_t>(0) : std::nullopt;
}

/// When a list holds most, and what.
struct Peak {
  std::size_t event{};
  std::array<std::int64_t, memory::kCategories> held{};
};

Peak peak_of(const Requests& list) {
  Peak peak;
  std::array<std::int64_t, memory::kCategories> held{};
  std::int64_t sum = 0;
  std::int64_t most = 0;
  for (const Request& request : list) {
    held.at(static_cast<std::size_t>(request.category)) += request.bytes;
    sum += request.bytes;
    if (sum > most) {
      most = sum;
      peak = {request.event, held};
    }
  }
  return peak;
}

class Comparison {
 public:
  Comparison(Split planned, Split measured, std::size_t offset, const std::vector<std::string>& layers)
      : planned_(std::move(planned)), measured_(std::move(measured)), offset_(offset), layers_(layers) {
    // What follows the last allocation may be the first half of something.
    const auto last = std::find_if(measured_.requests.rbegin(), measured_.requests.rend(),
                                   [](const Request& request) { return request.bytes > 0; });
    end_ = last == measured_.requests.rend() ? 0 : static_cast<std::size_t>(measured_.requests.rend() - last) - 1;
    same_ = 0;
    while (same_ < end_ && offset_ + same_ < planned_.requests.size() &&
           planned_.requests[offset_ + same_].bytes == measured_.requests[same_].bytes) {
      ++same_;
    }
  }

  [[nodiscard]] std::size_t compared() const { return same_; }

  [[nodiscard]] std::optional<Difference> difference(base::Bytes slack) const {
    if (same_ < end_) {
      const bool over = offset_ + same_ >= planned_.requests.size();
      const Request& theirs = measured_.requests[same_];
      Difference found = located(over ? planned_.requests.back() : planned_.requests[offset_ + same_]);
      found.event = theirs.event;
      found.planned = over ? std::nullopt : std::optional(planned_.requests[offset_ + same_].bytes);
      found.measured = theirs.bytes;
      return found;
    }
    return workspace_difference(slack);
  }

  /// Categories when the plan allocates most, if that is within what is the same.
  [[nodiscard]] std::vector<CategoryBytes> at_peak(const Peak& peak) const {
    const auto before = static_cast<std::size_t>(
        std::ranges::count_if(planned_.requests, [&](const Request& request) { return request.event < peak.event; }));
    return offset_ == 0 && before < same_ ? categories(peak, before) : std::vector<CategoryBytes>();
  }

 private:
  [[nodiscard]] Difference located(const Request& request) const {
    Difference found;
    found.step = request.step;
    found.phase = request.phase;
    found.layer = request.layer == memory::kNoLayer ? "" : layers_.at(static_cast<std::size_t>(request.layer));
    return found;
  }

  /// The gap behind request `i - 1`; the event in it that tells the layer is the planned workspace, or the next
  /// request.
  [[nodiscard]] std::optional<Difference> workspace_difference(base::Bytes slack) const {
    for (std::size_t i = 0; i < same_; ++i) {
      const Requests& mine = planned_.workspaces[offset_ + i];
      const Requests& theirs = measured_.workspaces[i];
      if (std::abs(largest(mine) - largest(theirs)) <= slack.count()) {
        continue;
      }
      Difference found = located(mine.empty() ? planned_.requests[offset_ + i] : mine.front());
      found.kind = Difference::Kind::workspace;
      found.event = theirs.empty() ? measured_.requests[i].event : theirs.front().event;
      found.planned = largest(mine);
      found.measured = largest(theirs);
      return found;
    }
    return std::nullopt;
  }

  /// `before`: requests before that moment. Where it is a workspace's, the recorded one took its place.
  [[nodiscard]] std::vector<CategoryBytes> categories(const Peak& peak, std::size_t before) const {
    std::vector<CategoryBytes> rows;
    for (std::size_t i = 0; i < peak.held.size(); ++i) {
      rows.push_back({static_cast<memory::Category>(i), peak.held.at(i), peak.held.at(i)});
    }
    const Requests& mine = planned_.workspaces[before];
    if (std::any_of(mine.begin(), mine.end(), [&](const Request& request) { return request.event == peak.event; })) {
      rows[static_cast<std::size_t>(memory::Category::convolution_workspace)].measured +=
          largest(measured_.workspaces[before]) - largest(mine);
    }
    std::erase_if(rows, [](const CategoryBytes& row) { return row.planned == 0 && row.measured <= 0; });
    return rows;
  }

  Split planned_;
  Split measured_;
  std::size_t offset_{};
  const std::vector<std::string>& layers_;
  std::size_t end_{};   ///< of what is compared
  std::size_t same_{};  ///< requests until the first that differs
};

}  // namespace

Replay replay(const Trace& trace, const memory::Tape& tape, const std::vector<std::string>& layers, base::Bytes slack,
              memory::AllocatorConfig allocator) {
  Requests events = recorded(considered(trace));
  const bool whole = is_whole(considered(trace));
  if (!whole) {  // frees of what was there before
    events.erase(events.begin(), std::ranges::find_if(events, [](const Request& e) { return e.bytes > 0; }));
  }
  const Requests expected = Expected(tape).list(2 * events.size());
  Split planned = split(expected);
  Split measured = split(events);
  Replay found;
  const std::optional<std::size_t> offset = alignment(planned.requests, measured.requests, whole);
  if (whole && offset == 0U) {
    found.allocated_peak = allocated_peak(trace, allocator);
  }
  if (!offset || planned.requests.empty()) {
    found.aligned = false;
    return found;
  }
  const Comparison comparison(std::move(planned), std::move(measured), *offset, layers);
  found.compared = comparison.compared();
  found.first_difference = comparison.difference(slack);
  found.at_peak = comparison.at_peak(peak_of(expected));
  return found;
}

}  // namespace vggplan::runs
