// SPDX-License-Identifier: MIT
// What an estimate says, and the reports of one: as a whole, and layer by layer.
#include <algorithm>
#include <numeric>

#include "report/parts.hpp"
#include "report/values.hpp"

namespace vggplan::report {

namespace {

using estimate::Estimate;
using estimate::LayerRow;
using estimate::TimelinePoint;

bool trains(const Estimate& estimate) { return estimate.job.mode == job::Mode::train; }

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

Document byte_table(const std::vector<std::pair<std::string, base::Bytes>>& rows) {
  Document part = Document::object();
  for (const auto& [name, bytes] : rows) {
    part[name] = plain(bytes);
  }
  return part;
}

Document shortfall_part(const estimate::Shortfall& shortfall) {
  return object_of({{"requested_bytes", plain(shortfall.requested)},
                    {"missing_bytes", plain(shortfall.missing)},
                    {"tried_to_allocate_bytes", plain(shortfall.tried)},
                    {"allocated_bytes", plain(shortfall.allocated)},
                    {"reserved_bytes", plain(shortfall.reserved)},
                    {"free_bytes", plain(shortfall.free)},
                    {"step", shortfall.step},
                    {"phase", shortfall.phase},
                    {"layer", plain(shortfall.layer)}});
}

Document memory_part(const Estimate& estimate) {
  const estimate::Memory& memory = estimate.memory;
  const bool training = trains(estimate);
  const bool runs = memory.verdict != estimate::Verdict::does_not_fit;
  return object_of({{"verdict", enum_name(memory.verdict)},
                    {"allocated_peak_bytes", quantity(memory.allocated_peak)},
                    {"run_peak_bytes", quantity(memory.run_peak)},
                    {"reserved_peak_bytes", quantity(memory.reserved_peak)},
                    {"device_used_bytes", quantity(memory.device_used)},
                    {"usable_bytes", plain(memory.usable)},
                    {"headroom_bytes", plain(memory.headroom)},
                    {"cache_flushes_per_step", when(runs, memory.cache_flushes_per_step)},
                    {"first_step_peak_bytes", quantity(memory.first_step_peak)},
                    {"steady_peak_bytes", quantity(memory.steady_peak)},
                    {"after_forward_bytes", when(training, quantity(memory.after_forward))},
                    {"phases", object_of({{"forward", quantity(memory.forward_peak)},
                                          {"backward", when(training, quantity(memory.backward_peak))},
                                          {"optimizer", when(training, quantity(memory.optimizer_peak))}})},
                    {"breakdown_at_peak", byte_table(memory.breakdown)},
                    {"breakdown_by_layer", filled(byte_table(memory.breakdown_layers))},
                    {"allocator_settings", plain(memory.allocator_settings)},
                    {"shortfall", memory.shortfall ? shortfall_part(*memory.shortfall) : Document()},
                    {"timeline", filled(timeline_part(memory.timeline))}});
}

Document size_row(const std::pair<graph::Shape, base::Estimated<base::Seconds>>& size) {
  return {{"height", size.first.height}, {"width", size.first.width}, {"step_seconds", quantity(size.second)}};
}

Document time_part(const Estimate& estimate) {
  const estimate::Time& time = estimate.time;
  const bool training = trains(estimate);
  const bool several = training && estimate.job.parallel.gpus > 1;
  return object_of({{"step_seconds", quantity(time.step)},
                    {"forward_seconds", quantity(time.forward)},
                    {"backward_seconds", when(training, quantity(time.backward))},
                    {"optimizer_seconds", when(training, quantity(time.optimizer))},
                    {"communication_seconds", when(several, quantity(time.communication))},
                    {"communication_exposed_seconds", when(several, quantity(time.communication_exposed))},
                    {"parallel_overhead_seconds", when(several, quantity(time.parallel_overhead))},
                    {"input_seconds", quantity(time.input)},
                    {"input_exposed_seconds", quantity(time.input_exposed)},
                    {"iteration_seconds", quantity(time.iteration)},
                    {"images_per_second", quantity(time.images_per_second)},
                    {"host_seconds", quantity(time.host)},
                    {"host_operation_seconds", quantity(time.host_operation)},
                    {"compile_seconds", quantity(time.compile)},
                    {"by_size", filled(list_of(time.by_size, size_row))},
                    {"bound_by", time.bound_by},
                    {"model_flops_utilization", plain(time.model_flops_utilization)}});
}

Document input_part(const estimate::Input& input) {
  return object_of({{"images_per_second_needed", plain(input.images_per_second_needed)},
                    {"decode_images_per_second_per_worker", plain(input.decode_images_per_second_per_worker)},
                    {"workers", input.workers},
                    {"workers_needed", input.workers_needed},
                    {"copy_images_per_second", plain(input.copy_images_per_second)},
                    {"storage_images_per_second", plain(input.storage_images_per_second)},
                    {"host_memory_bytes", plain(input.host_memory)},
                    {"page_cache_bytes", plain(input.page_cache)}});
}

Document run_part(const estimate::Run& run) {
  return object_of({{"steps", run.steps},
                    {"epoch_seconds", quantity(run.epoch)},
                    {"total_seconds", quantity(run.total)},
                    {"gpu_hours", quantity(run.gpu_hours)},
                    {"cost_usd", quantity(run.cost)}});
}

Document price_part(const estimate::Quote& quote) {
  Document part = object_of({{"usd_per_hour", plain(quote.per_hour)},
                             {"of", quote.of},
                             {"usd_per_hour_of_one", plain(quote.price.per_hour)},
                             {"region", plain(quote.price.region)},
                             {"spot", quote.price.spot},
                             {"date", plain(quote.price.date)}});
  if (const auto& age = quote.price.age) {
    add(part, {{"age_days", age->most},
               {"age_days_least", when(age->least != age->most, age->least)},
               {"today", age->today}});
  }
  part["source"] = quote.price.reference;
  return part;
}

Document shape(const graph::Shape& shape) {
  if (shape.height == 1 && shape.width == 1) {
    return Document::array({shape.channels});
  }
  return Document::array({shape.channels, shape.height, shape.width});
}

/// The columns that both a row and the totals have.
void add_figures(Document& row, const LayerRow& layer, bool training) {
  add(row, {{"parameters", layer.counts.parameters},
            {"macs", layer.counts.macs},
            {"flops_forward", plain(layer.counts.flops_forward)},
            {"flops_backward", when(training, plain(layer.counts.flops_backward))},
            {"output_bytes", plain(layer.output_bytes)},
            {"saved_bytes", when(training, plain(layer.saved_bytes))},
            {"workspace_bytes", plain(layer.workspace_bytes)},
            {"forward_seconds", plain(layer.forward)},
            {"backward_seconds", when(training, plain(layer.backward))}});
}

Document layers_part(const Estimate& estimate) {
  return list_of(estimate.layers, [&](const LayerRow& layer) {
    Document row = {{"name", layer.name}, {"kind", layer.kind}, {"output_shape", shape(layer.output)}};
    add_figures(row, layer, trains(estimate));
    add(row, {{"inputs", layer.inputs}, {"trained", when(trains(estimate), layer.trained)}});
    return row;
  });
}

std::int64_t trained_parameters(const std::vector<LayerRow>& layers) {
  return std::accumulate(layers.begin(), layers.end(), std::int64_t{0}, [](std::int64_t sum, const LayerRow& layer) {
    return sum + (layer.trained ? layer.counts.parameters : 0);
  });
}

LayerRow sum_of(const std::vector<LayerRow>& layers) {
  LayerRow totals;
  for (const LayerRow& layer : layers) {
    totals.counts.parameters += layer.counts.parameters;
    totals.counts.macs += layer.counts.macs;
    totals.counts.flops_forward += layer.counts.flops_forward;
    totals.counts.flops_backward += layer.counts.flops_backward;
    totals.output_bytes += layer.output_bytes;
    totals.saved_bytes += layer.saved_bytes;
    // Layers run one after the other: a workspace is given back before the next one is taken.
    totals.workspace_bytes = std::max(totals.workspace_bytes, layer.workspace_bytes);
    totals.forward += layer.forward;
    totals.backward += layer.backward;
  }
  return totals;
}

Document batch_row(const Estimate& estimate) {
  return {{"batch", estimate.job.batch},
          {"verdict", enum_name(estimate.memory.verdict)},
          {"reserved_peak_bytes", quantity(estimate.memory.reserved_peak)},
          {"step_seconds", quantity(estimate.time.step)},
          {"images_per_second", quantity(estimate.time.images_per_second)}};
}

Document offer_part(const estimate::StorageOffer& offer) {
  return {{"name", offer.name},
          {"images_per_second", plain(offer.images_per_second)},
          {"read_bytes_per_second", plain(offer.read_rate)},
          {"sufficient", offer.sufficient}};
}

}  // namespace

Document timeline_part(const std::vector<TimelinePoint>& timeline) {
  return list_of(kept_points(timeline), [&](std::size_t index) {
    const TimelinePoint& point = timeline[index];
    return object_of({{"step", point.step},
                      {"phase", point.phase},
                      {"layer", plain(point.layer)},
                      {"allocated_bytes", plain(point.allocated)},
                      {"reserved_bytes", plain(point.reserved)},
                      {"categories", filled(byte_table(point.categories))}});
  });
}

Document short_memory_part(const estimate::Memory& memory) {
  return {{"verdict", enum_name(memory.verdict)},
          {"allocated_peak_bytes", quantity(memory.allocated_peak)},
          {"reserved_peak_bytes", quantity(memory.reserved_peak)},
          {"usable_bytes", plain(memory.usable)}};
}

Document short_time_part(const estimate::Time& time) {
  return {{"step_seconds", quantity(time.step)},
          {"images_per_second", quantity(time.images_per_second)},
          {"bound_by", time.bound_by}};
}

Document data_parallel_part(const estimate::DataParallel& told) {
  return {{"step_seconds", quantity(told.step)},
          {"first_gpu_peak_bytes", quantity(told.first_gpu_peak)},
          {"copied_bytes", plain(told.copied)}};
}

Document storage_part(const estimate::StorageNeed& storage, job::Mode mode) {
  const bool training = mode == job::Mode::train;
  return object_of({{"bytes_per_image", plain(storage.bytes_per_image)},
                    {"dataset_bytes", plain(storage.dataset)},
                    {"cache_bytes", plain(storage.cache)},
                    {"weights_bytes", when(training, plain(storage.weights))},
                    {"checkpoint_bytes", when(training, plain(storage.checkpoint))},
                    {"checkpoints_bytes", when(training, plain(storage.checkpoints))},
                    {"logs_bytes", when(training, plain(storage.logs))},
                    {"total_bytes", plain(storage.total)},
                    {"read_bytes_per_second", plain(storage.read_rate)},
                    {"profiles", filled(list_of(storage.offers, offer_part))}});
}

void add_estimate(Document& report, const Estimate& estimate, const std::vector<Estimate>& by_batch) {
  add(report, {{"job", job_part(estimate.job)},
               {"machine", machine_part(estimate)},
               {"model", model_part(estimate.model, estimate.job.mode)},
               {"memory", memory_part(estimate)},
               {"time", time_part(estimate)},
               {"input", input_part(estimate.input)},
               {"storage", storage_part(estimate.storage, estimate.job.mode)},
               {"data_parallel", estimate.data_parallel ? data_parallel_part(*estimate.data_parallel) : Document()},
               {"run", estimate.run ? run_part(*estimate.run) : Document()},
               {"price", estimate.price ? price_part(*estimate.price) : Document()},
               {"layers", filled(layers_part(estimate))},
               {"by_batch", filled(list_of(by_batch, batch_row))},
               {"warnings", warnings_part(estimate.warnings)},
               {"assumptions", assumptions_part(estimate.assumptions)}});
}

Document build_estimate(const Estimate& estimate, const std::vector<Estimate>& by_batch) {
  Document report = start(Kind::estimate);
  add_estimate(report, estimate, by_batch);
  return report;
}

Document build_layers(const Estimate& estimate) {
  Document totals = Document::object();
  add_figures(totals, sum_of(estimate.layers), trains(estimate));
  add(totals, {{"trained_parameters", when(trains(estimate), trained_parameters(estimate.layers))}});
  Document report = start(Kind::layers);
  add(report, {{"job", job_part(estimate.job)},
               {"machine", machine_part(estimate)},
               {"model", model_part(estimate.model, estimate.job.mode)},
               {"layers", layers_part(estimate)},
               {"totals", std::move(totals)},
               {"warnings", warnings_part(estimate.warnings)},
               {"assumptions", assumptions_part(estimate.assumptions)}});
  return report;
}

}  // namespace vggplan::report
