// SPDX-License-Identifier: MIT
#include "report/parts.hpp"
#include "report/values.hpp"

namespace vggplan::report {

namespace {

Document holding_part(const planner::Holding& held) {
  const planner::MaxBatch& batch = held.batch;
  const bool training = held.job.mode == job::Mode::train;
  return object_of({{"precision", enum_name(batch.precision)},
                    {"layout", enum_name(batch.layout)},
                    {"checkpointing", when(training, job::to_string(batch.checkpointing))},
                    {"sharding", when(training && batch.gpus > 1, enum_name(batch.sharding))},
                    {"batch", batch.steady},
                    {"batch_certain", held.certain},
                    {"batch_with_cache_flushes", when(batch.hard > batch.steady, batch.hard)},
                    {"batch_possible", when(batch.possible > batch.hard, batch.possible)},
                    {"limited_by_search", batch.limited_by_search || held.image.limited_by_search},
                    {"height", held.image.height},
                    {"width", held.image.width},
                    {"images_per_second", when(held.slowdown.has_value(), plain(held.images_per_second))},
                    {"slowdown", plain(held.slowdown)}});
}

}  // namespace

Document build_fit(const planner::Capacity& capacity) {
  const estimate::Estimate& estimate = capacity.estimate;
  const planner::Holding& first = capacity.holdings.front();
  Document report = start(Kind::fit);
  add(report, {{"job", job_part(estimate.job)},
               {"machine", machine_part(estimate)},
               {"model", model_part(estimate.model, estimate.job.mode)},
               {"fits", capacity.fits()},
               {"usable_bytes", plain(estimate.memory.usable)},
               {"image_batch", first.image.batch}});
  if (capacity.fits()) {
    add(report, {{"settings", settings_part(estimate.job, estimate.target.gpu.name)},
                 {"memory", short_memory_part(estimate.memory)},
                 {"time", short_time_part(estimate.time)}});
  } else {
    add(report, {{"remedies", list_of(capacity.remedies, remedy_part)}});
  }
  add(report, {{"largest", list_of(capacity.holdings, holding_part)},
               {"warnings", warnings_part(estimate.warnings)},
               {"assumptions", assumptions_part(estimate.assumptions)}});
  return report;
}

}  // namespace vggplan::report
