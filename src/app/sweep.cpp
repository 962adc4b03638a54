// SPDX-License-Identifier: MIT
#include "app/sweep.hpp"

#include <fmt/format.h>

#include <set>

#include "vggplan/base/checked.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::app {

namespace {

constexpr std::int64_t kMostPoints = 1'000'000;

bool can_vary(const Flag& flag) {
  const bool of_job = flag.group == Group::job || flag.group == Group::machine || flag.group == Group::data;
  return of_job && !flag.repeatable && flag.configurable;
}

base::Status check_axis(const Axis& axis) {
  const Flag* flag = find_flag(axis.flag);
  if (flag != nullptr && can_vary(*flag)) {
    return std::nullopt;
  }
  return base::wrong("--sweep", fmt::format("{} is not a flag that can vary", base::quoted(axis.flag)),
                     base::suggestion(axis.flag, sweepable_flags(),
                                      "name a flag of the job, the machine or the data set, without its dashes"));
}

}  // namespace

std::vector<std::string> sweepable_flags() { return names_of_flags(can_vary); }

base::Result<Space> Space::make(std::vector<Axis> axes) {
  if (axes.empty()) {
    return base::wrong("--sweep", "is required: what varies", "give, for example, --sweep batch=1,2,4");
  }
  Space space;
  std::set<std::string> seen;
  for (const Axis& axis : axes) {
    TRY(check_axis(axis));
    if (!seen.insert(axis.flag).second) {
      return base::wrong("--sweep", fmt::format("{} varies twice", base::quoted(axis.flag)),
                         "put all its values into one --sweep");
    }
    const auto size = base::checked_mul(space.size_, static_cast<std::int64_t>(axis.values.size()));
    if (!size || *size > kMostPoints) {
      return base::wrong("--sweep", fmt::format("makes more than {} points", base::format_count(kMostPoints)),
                         "take fewer values");
    }
    space.size_ = *size;
  }
  space.axes_ = std::move(axes);
  return space;
}

std::vector<std::string> Space::values(std::int64_t point) const {
  std::vector<std::string> values(axes_.size());
  for (std::size_t i = axes_.size(); i-- > 0;) {
    const auto count = static_cast<std::int64_t>(axes_[i].values.size());
    values[i] = axes_[i].values[static_cast<std::size_t>(point % count)];
    point /= count;
  }
  return values;
}

base::Result<Options> Space::options(const Settled& base, std::int64_t point) const {
  const std::vector<std::string> chosen = values(point);
  std::vector<Setting> settings;
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    settings.push_back({find_flag(axes_[i].flag), chosen[i], fmt::format("--sweep {}={}", axes_[i].flag, chosen[i]),
                        "sweep", Origin::flag});
  }
  Settled swept = TRY(settle(settings, Command::sweep));
  Settled settled = base;
  for (auto& [flag, values_of_flag] : swept) {
    settled[flag] = std::move(values_of_flag);
  }
  return make_options(settled);
}

}  // namespace vggplan::app
