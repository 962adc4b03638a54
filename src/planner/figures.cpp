// SPDX-License-Identifier: MIT
#include "figures.hpp"

namespace vggplan::planner {

double useful_share(const job::Job& job) {
  const auto computed = estimate::images_of_epoch(job);
  return computed ? static_cast<double>(*job.data.images) / *computed : 1;
}

Evaluated at_rate(const job::Job& job, const std::string& gpu, double images_per_second,
                  std::optional<base::Usd> usd_per_hour) {
  Evaluated row;
  row.job = job;
  row.gpu = gpu;
  row.images_per_second = images_per_second;
  row.useful_images_per_second = images_per_second * useful_share(job);
  row.usd_per_hour = usd_per_hour;
  const double hours_per_million = 1e6 / row.useful_images_per_second / 3600;
  row.gpu_hours_per_million_images = hours_per_million * static_cast<double>(job.parallel.gpus);
  if (usd_per_hour) {
    row.usd_per_million_images = base::Usd(usd_per_hour->count() * hours_per_million);
  }
  if (const auto images = estimate::images_of_epoch(job)) {
    row.total = base::Seconds(*images / images_per_second * static_cast<double>(estimate::epochs_of(job)));
    if (usd_per_hour) {
      row.cost = base::Usd(usd_per_hour->count() * row.total->count() / 3600);
    }
  }
  return row;
}

Evaluated evaluate(const job::Job& job, const estimate::Target& target, const estimate::MemoryAnswer& memory,
                   const estimate::TimeAnswer& time) {
  Evaluated row = at_rate(job, target.gpu.name, time.images_per_second, time.usd_per_hour);
  row.run_peak = memory.run_peak;
  row.reserved_peak = memory.reserved_peak;
  row.step = time.step;
  row.bound_by = time.bound_by;
  return row;
}

std::optional<Evaluated> evaluate(const job::Job& job, const estimate::Target& target,
                                  const estimate::MemoryAnswer& memory, const estimate::Engine& engine) {
  const auto time = engine.time(job, target);
  const bool timed = time && time->images_per_second > 0;
  return timed ? std::optional(evaluate(job, target, memory, *time)) : std::nullopt;
}

}  // namespace vggplan::planner
