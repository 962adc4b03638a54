// SPDX-License-Identifier: MIT
#include "space.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace vggplan::planner {
namespace {

using job::Checkpointing;
using job::Precision;
using job::Sharding;

/// Up to one machine every count; then whole machines, each up to 16 of them, of more eight to the octave: among
/// so many one more changes little.
std::vector<std::int64_t> gpu_counts(const PlanRequest& request, const Candidate& candidate) {
  if (candidate.exactly) {
    return {candidate.gpus};
  }
  const std::int64_t unit = request.nodes.value_or(1);
  const std::int64_t per_node = std::max<std::int64_t>(1, candidate.per_node);
  std::vector<std::int64_t> counts;
  for (std::int64_t n = unit; n <= std::min(candidate.gpus, per_node * unit); n += unit) {
    counts.push_back(n);
  }
  std::int64_t step = 1;
  for (std::int64_t machines = 2; !request.nodes && machines * per_node <= candidate.gpus; machines += step) {
    counts.push_back(machines * per_node);
    step *= machines == 16 * step ? 2 : 1;
  }
  if (counts.empty() || (counts.back() != candidate.gpus && candidate.gpus % unit == 0)) {
    counts.push_back(candidate.gpus);
  }
  return counts;
}

template <class T>
std::vector<T> fixed_or(const std::optional<T>& fixed, std::vector<T> open) {
  return fixed ? std::vector<T>{*fixed} : open;
}

std::vector<Settings> settings_of(const PlanRequest& request, std::int64_t gpus) {
  using Kind = Checkpointing::Kind;
  const bool train = request.job.mode == job::Mode::train;
  const auto precisions = fixed_or(request.precision, {Precision::tf32, Precision::amp_bf16, Precision::amp_fp16});
  const auto layouts = fixed_or(request.layout, {base::Layout::nchw, base::Layout::nhwc});
  const auto checkpointings =
      fixed_or(request.checkpointing, train ? std::vector<Checkpointing>{{Kind::none}, {Kind::block}}
                                            : std::vector<Checkpointing>{{Kind::none}});
  const auto shardings = fixed_or(
      request.sharding, train && gpus > 1 ? std::vector<Sharding>{Sharding::ddp, Sharding::zero1, Sharding::fsdp2}
                                          : std::vector<Sharding>{Sharding::ddp});
  std::vector<Settings> all;
  for (const auto precision : precisions) {
    for (const auto layout : layouts) {
      for (const auto& checkpointing : checkpointings) {
        for (const auto sharding : shardings) {
          all.push_back({precision, layout, checkpointing, sharding});
        }
      }
    }
  }
  return all;
}

std::optional<Refusal> refuse_precision(const PlanRequest& request, const hardware::Gpu& gpu, const job::Job& job) {
  if (estimate::check_precision(job, gpu)) {
    return Refusal{"precision", fmt::format("the GPU has no arithmetic for {}", base::name_of_enum(job.precision))};
  }
  if (job.precision == Precision::amp_fp16 && gpu.bf16_tensor && !request.precision) {
    return Refusal{"numerics", "float16 needs loss scaling, bfloat16 does not, and the GPU runs both"};
  }
  return std::nullopt;
}

/// More GPUs than the data set keeps busy, where fewer would do.
std::optional<Refusal> refuse_idle(const PlanRequest& request, const Group& group) {
  const bool fixed = request.candidates[group.candidate].exactly || request.global_batch || group.gpus == 1;
  const std::int64_t batch = request.batch.value_or(1);
  if (fixed || batch_of_data(request, group.gpus, request.accumulation.value_or(1)).value_or(batch) >= batch) {
    return std::nullopt;
  }
  return Refusal{"data-set", "one optimizer step would take more images than the data set has"};
}

std::string settings_text(const job::Job& job, const std::string& gpu) {
  std::string text = fmt::format("{} x {}, {}, {}", job.parallel.gpus, gpu, base::name_of_enum(job.precision),
                                 base::name_of_enum(job.layout));
  if (job.checkpointing.kind != Checkpointing::Kind::none) {
    text += fmt::format(", checkpointing {}", to_string(job.checkpointing));
  }
  if (job.compile != job::Compile::none) {
    text += fmt::format(", compile {}", base::name_of_enum(job.compile));
  }
  if (job.parallel.gpus > 1 && job.parallel.sharding != Sharding::ddp) {
    text += fmt::format(", {}", base::name_of_enum(job.parallel.sharding));
  }
  return text;
}

}  // namespace

std::vector<Group> enumerate_groups(const PlanRequest& request) {
  std::vector<Group> groups;
  for (std::size_t i = 0; i < request.candidates.size(); ++i) {
    const Candidate& candidate = request.candidates[i];
    for (const std::int64_t gpus : gpu_counts(request, candidate)) {
      for (const Settings& settings : settings_of(request, gpus)) {
        groups.push_back({i, gpus, nodes_of(request, candidate, gpus), settings});
      }
    }
  }
  return groups;
}

job::Job job_of(const PlanRequest& request, const Group& group, BatchChoice choice) {
  job::Job job = request.job;
  job.batch = choice.batch;
  job.accumulation = choice.accumulation;
  job.precision = group.settings.precision;
  job.layout = group.settings.layout;
  job.checkpointing = group.settings.checkpointing;
  job.parallel.sharding = group.settings.sharding;
  job.parallel.gpus = group.gpus;
  job.parallel.nodes = group.nodes;
  return job;
}

std::optional<Refusal> refuse(const PlanRequest& request, const Group& group) {
  const hardware::Gpu& gpu = request.candidates[group.candidate].target.gpu;
  if (request.max_gpus && group.gpus > *request.max_gpus) {
    return Refusal{"max-gpus", fmt::format("more than {} GPUs", *request.max_gpus)};
  }
  const job::Job job = job_of(request, group, {});
  if (auto refusal = refuse_precision(request, gpu, job)) {
    return refusal;
  }
  if (const auto error = job::validate(job)) {
    return Refusal{"combination", error->rule};
  }
  if (auto refusal = refuse_idle(request, group)) {
    return refusal;
  }
  const auto choices = fixed_batches(request, group.gpus);
  if (choices && choices->empty()) {
    return Refusal{"global-batch",
                   fmt::format("a global batch of {} does not divide into whole micro-batches on so many GPUs",
                               *request.global_batch)};
  }
  return std::nullopt;
}

std::vector<std::int64_t> batch_ladder(std::int64_t limit) {
  std::vector<std::int64_t> ladder;
  std::int64_t batch = 1;
  for (std::int64_t step = 1; batch <= limit; batch += step) {
    ladder.push_back(batch);
    if (batch >= 8 * step) {
      step *= 2;
    }
  }
  if (!ladder.empty() && ladder.back() != limit) {
    ladder.push_back(limit);
  }
  return ladder;
}

std::int64_t nodes_of(const PlanRequest& request, const Candidate& candidate, std::int64_t gpus) {
  const std::int64_t per_node = std::max<std::int64_t>(1, candidate.per_node);
  return request.nodes.value_or(base::ceil_div(gpus, per_node));
}

std::optional<std::int64_t> batch_of_data(const PlanRequest& request, std::int64_t gpus, std::int64_t accumulation) {
  const auto& images = request.job.data.images;
  return images ? std::optional(*images / (gpus * accumulation)) : std::nullopt;
}

std::optional<std::vector<BatchChoice>> fixed_batches(const PlanRequest& request, std::int64_t gpus) {
  if (!request.global_batch) {
    using One = std::vector<BatchChoice>;
    return request.batch ? std::optional(One{{*request.batch, request.accumulation.value_or(1)}}) : std::nullopt;
  }
  std::vector<BatchChoice> choices;
  if (*request.global_batch % gpus != 0) {
    return choices;
  }
  const std::int64_t share = *request.global_batch / gpus;
  for (const std::int64_t batch : divisors(share)) {
    const BatchChoice choice{batch, share / batch};
    if ((!request.batch || *request.batch == batch) &&
        (!request.accumulation || *request.accumulation == choice.accumulation)) {
      choices.push_back(choice);
    }
  }
  return choices;
}

std::vector<std::int64_t> divisors(std::int64_t n) {
  std::vector<std::int64_t> small;
  std::vector<std::int64_t> large;
  for (std::int64_t i = 1; i * i <= n; ++i) {
    if (n % i == 0) {
      small.push_back(i);
      if (i * i != n) {
        large.push_back(n / i);
      }
    }
  }
  small.insert(small.end(), large.rbegin(), large.rend());
  return small;
}

std::string describe(const job::Job& job, const std::string& gpu) {
  const std::string parts = job.accumulation > 1 ? fmt::format(" x {} micro-batches", job.accumulation) : "";
  return fmt::format("{}, batch {}{}", settings_text(job, gpu), job.batch, parts);
}

std::string describe(const PlanRequest& request, const Group& group) {
  return settings_text(job_of(request, group, {}), request.candidates[group.candidate].target.gpu.name);
}

void Tally::add(const Refusal& refusal, Miss miss, const std::function<std::string()>& example) {
  auto [place, fresh] = rows_.try_emplace(std::pair(refusal.reason, refusal.message));
  Rejection& row = place->second;
  ++row.count;
  if (fresh || miss < row.nearest_miss) {
    row = {refusal.reason, refusal.message, row.count, miss, example()};
  }
}

void Tally::merge(const Tally& other) {
  for (const auto& [reason, row] : other.rows_) {
    auto [mine, fresh] = rows_.emplace(reason, row);
    if (fresh) {
      continue;
    }
    mine->second.count += row.count;
    if (row.nearest_miss < mine->second.nearest_miss) {
      mine->second.nearest_miss = row.nearest_miss;
      mine->second.example = row.example;
    }
  }
}

std::int64_t Tally::total() const {
  std::int64_t sum = 0;
  for (const auto& [reason, row] : rows_) {
    sum += row.count;
  }
  return sum;
}

std::vector<Rejection> Tally::list() const {
  std::vector<Rejection> rows;
  for (const auto& [reason, row] : rows_) {
    rows.push_back(row);
  }
  std::ranges::stable_sort(rows, std::ranges::greater{}, &Rejection::count);
  return rows;
}

}  // namespace vggplan::planner
