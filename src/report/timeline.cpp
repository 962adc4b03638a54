// SPDX-License-Identifier: MIT
#include <algorithm>

#include "report/parts.hpp"
#include "report/values.hpp"

namespace vggplan::report {

namespace {

using estimate::TimelinePoint;

/// An ordinary step allocates and frees some hundred times. Huge batches are worked on in thousands of parts, which
/// nobody tells apart in a chart.
constexpr std::size_t kStretches = 1000;

void keep_highest(std::vector<std::size_t>& kept, const std::vector<TimelinePoint>& points, std::size_t begin,
                  std::size_t end) {
  std::size_t most_reserved = begin;
  std::vector<std::size_t> highest;  // one of each phase
  for (std::size_t i = begin; i < end; ++i) {
    most_reserved = points[i].reserved > points[most_reserved].reserved ? i : most_reserved;
    const auto same = std::find_if(highest.begin(), highest.end(),
                                   [&](std::size_t index) { return points[index].phase == points[i].phase; });
    if (same == highest.end()) {
      highest.push_back(i);
    } else if (points[i].allocated > points[*same].allocated) {
      *same = i;
    }
  }
  if (std::find(highest.begin(), highest.end(), most_reserved) == highest.end()) {
    highest.push_back(most_reserved);
  }
  std::sort(highest.begin(), highest.end());
  kept.insert(kept.end(), highest.begin(), highest.end());
}

/// The points that are reported, in their order.
std::vector<std::size_t> kept_points(const std::vector<TimelinePoint>& points) {
  const std::size_t stretch = (points.size() + kStretches - 1) / kStretches;
  std::vector<std::size_t> kept;
  for (std::size_t begin = 0; begin < points.size(); begin += stretch) {
    keep_highest(kept, points, begin, std::min(begin + stretch, points.size()));
  }
  return kept;
}

}  // namespace

Document byte_table(const std::vector<std::pair<std::string, base::Bytes>>& rows) {
  Document part = Document::object();
  for (const auto& [name, bytes] : rows) {
    part[name] = plain(bytes);
  }
  return part;
}

Document timeline_part(const std::vector<TimelinePoint>& timeline) {
  Document part = Document::array();
  for (const std::size_t index : kept_points(timeline)) {
    const TimelinePoint& point = timeline[index];
    Document row = {{"step", point.step}, {"phase", point.phase}};
    set_if_not_empty(row, "layer", point.layer);
    row["allocated_bytes"] = plain(point.allocated);
    row["reserved_bytes"] = plain(point.reserved);
    if (!point.categories.empty()) {
      row["categories"] = byte_table(point.categories);
    }
    part.push_back(std::move(row));
  }
  return part;
}

}  // namespace vggplan::report
