// SPDX-License-Identifier: MIT
#include "estimate/memory_part.hpp"

#include <algorithm>

#include "estimate/draws.hpp"
#include "estimate/memory_range.hpp"
#include "vggplan/lowering/tape.hpp"

namespace vggplan::estimate {
namespace {

using base::Phase;
using memory::Simulation;

/// CUDA C programming guide, technical specifications per compute capability.
std::int64_t threads_per_sm(const std::string& capability) {
  if (capability == "7.5") {
    return 1024;
  }
  const bool workstation =
      capability == "8.6" || capability == "8.7" || capability == "8.9" || capability.starts_with("12");
  return workstation ? 1536 : 2048;
}

Verdict verdict_of(const Simulation& simulation) {
  if (simulation.failure) {
    return Verdict::does_not_fit;
  }
  return simulation.flushes_per_step > 0 ? Verdict::fits_with_cache_flushes : Verdict::fits;
}

constexpr std::int64_t kMicroBatches = 4;

}  // namespace

job::Job simulated(job::Job job) {
  job.accumulation = std::min(job.accumulation, kMicroBatches);
  return job;
}

namespace {

/// Flushes of the whole step, taken to be spread over its micro-batches.
std::int64_t flushes_of(const Simulation& simulation, const job::Job& job) {
  return simulation.flushes_per_step * job.accumulation / std::min(job.accumulation, kMicroBatches);
}

memory::SimulationOptions options_for(const Question& asked, std::optional<Bytes> capacity, bool timeline) {
  memory::SimulationOptions options;
  options.allocator.rules = asked.framework.allocator;
  options.allocator.expandable_segments = asked.job.expandable_segments;
  options.allocator.capacity = capacity;
  options.timeline = timeline;
  return options;
}

/// At least to the step that repeats.
Simulation replay(const memory::Tape& tape, memory::SimulationOptions options) {
  options.steps = std::max(options.steps, tape.steps.size());
  return memory::simulate(tape, options);
}

std::string layer_name(const graph::Network& network, memory::LayerId layer) {
  return layer == memory::kNoLayer ? "" : network.nodes[static_cast<std::size_t>(layer)].name;
}

Bytes phase_peak(const Simulation& simulation, Phase phase) {
  return simulation.steps.empty() ? Bytes(0) : simulation.steps.back().phase_peak[static_cast<std::size_t>(phase)];
}

std::vector<std::pair<std::string, Bytes>> named(const std::array<std::int64_t, memory::kCategories>& categories) {
  std::vector<std::pair<std::string, Bytes>> held;
  for (std::size_t i = 0; i < categories.size(); ++i) {
    if (categories[i] != 0) {
      held.emplace_back(base::name_of_enum(static_cast<memory::Category>(i)), Bytes(categories[i]));
    }
  }
  return held;
}

void add_breakdown(Memory& memory, const graph::Network& network, const memory::Breakdown& peak) {
  memory.breakdown = named(peak.categories);
  for (std::size_t i = 0; i < peak.layers.size(); ++i) {
    if (peak.layers[i] != 0) {
      const bool layered = i < network.nodes.size();
      memory.breakdown_layers.emplace_back(layered ? network.nodes[i].name : "(none)", Bytes(peak.layers[i]));
    }
  }
}

/// The central simulation, the two that bound it, and others that may be met: both outcomes where it is uncertain what
/// GradScaler skips, under ZeRO-1 the rank that owns least, other orders of sizes, and L-BFGS without pairs.
struct Simulations {
  Simulation central{};
  Simulation low{};
  Simulation high{};
  std::vector<Simulation> outcomes{};
  Simulation other_addresses{};  ///< as central, with segments at rising addresses
  Widths widths{};
  Bytes beside{};  ///< that may be reserved beside what the upper simulation reserves
};

template <class Get>
Estimated<Bytes> ranged(const Simulations& all, const Width& width, Get get) {
  const Bytes value = get(all.central);
  const auto scaled = [](Bytes bytes, double by) { return Bytes(static_cast<std::int64_t>(bytes.as_double() * by)); };
  Bytes low = std::min(get(all.low), value);
  Bytes high = std::max(get(all.high), value);
  for (const Simulation& outcome : all.outcomes) {
    low = std::min(low, get(outcome));
    high = std::max(high, get(outcome));
  }
  return {value, std::min(value, scaled(low, width.low)), std::max(value, scaled(high, width.high)), all.widths.basis};
}

template <class Get>
Estimated<Bytes> ranged(const Simulations& all, Get get) {
  return ranged(all, all.widths.allocated, get);
}

/// What is reserved depends on the addresses of segments as well: the range holds a second order.
Estimated<Bytes> reserved_peak(const Simulations& all) {
  Estimated<Bytes> peak = ranged(all, all.widths.reserved, [](const Simulation& s) { return s.reserved_peak; });
  peak.high += all.beside;
  if (all.other_addresses.failure) {
    return peak;
  }
  const Bytes other = all.other_addresses.reserved_peak;
  peak.low = std::min(peak.low, other);
  peak.high = std::max(peak.high, other);
  return peak;
}

/// Which ends of the ranges are asked for.
enum class Ends { both, upper };

memory::Tape tape_of(const Question& asked, const lowering::Variation& variation, std::span<const std::size_t> draws) {
  const std::vector<graph::Network>& sizes = asked.lowered.sizes;
  return lowering::lower_tape(sizes.empty() ? std::span(&asked.lowered.network, 1) : std::span(sizes), draws,
                              simulated(asked.job), asked.lowered.segments, asked.framework,
                              device_of(asked.target.gpu, asked.framework), variation);
}

/// Images of several sizes are drawn in the first order.
memory::Tape tape_of(const Question& asked, const lowering::Variation& variation = {}) {
  const std::vector<graph::Network>& sizes = asked.lowered.sizes;
  return tape_of(asked, variation, sizes.empty() ? std::vector<std::size_t>() : draw_orders(sizes.size()).front());
}

/// All but the central one, whose tape is `expected`.
void simulate_bounds(Simulations& all, const Question& asked, const memory::Tape& expected,
                     const memory::SimulationOptions& options, Ends ends) {
  const job::Job& job = asked.job;
  const hardware::Gpu& gpu = asked.target.gpu;
  memory::SimulationOptions plain = options;
  plain.timeline = false;
  const auto run = [&](const lowering::Variation& variation) { return replay(tape_of(asked, variation), plain); };
  const bool free_choice = cudnn_is_free(job, gpu);  // FFT workspaces can be many times the activations
  using lowering::Workspaces;
  const bool measured_rules = has_measured_rules(gpu, asked.framework);
  const bool maybe_none = free_choice || !measured_rules;
  const bool uncertain = races(job) || maybe_none;
  const bool lower = ends == Ends::both && uncertain;
  const Workspaces least = maybe_none ? Workspaces::none : Workspaces::derived;
  all.low = lower ? run({.workspaces = least, .both_bucket_sets = !races(job)}) : all.central;
  // The rank that owns least may be packed looser, too.
  if (uncertain && job.parallel.sharding == job::Sharding::zero1 && job.mode == job::Mode::train) {
    all.outcomes.push_back(run({.workspaces = least, .emptiest_rank = true}));
  }
  all.high = free_choice ? run({Workspaces::largest, true}) : all.central;
  if (in_true_fp32(job, gpu)) {
    all.beside = stranded_workspace(all.high, options.allocator.capacity);
  }
  if (job.mode == job::Mode::train && lowering::skips_uncertain(job)) {
    all.outcomes.push_back(run({.skips = lowering::Skips::none}));
    all.outcomes.push_back(run({.skips = lowering::Skips::all}));
  }
  if (!asked.lowered.sizes.empty()) {
    for (const std::vector<std::size_t>& draws : draw_orders(asked.lowered.sizes.size())) {
      all.outcomes.push_back(replay(tape_of(asked, {}, draws), plain));
    }
  }
  if (job::uses_lbfgs(job) && ends == Ends::both) {
    job::Job few = job;
    few.lbfgs.history_size = 0;
    all.outcomes.push_back(replay(tape_of({asked.lowered, few, asked.target, asked.framework}), plain));
  }
  memory::SimulationOptions rising = plain;
  rising.allocator.addresses = memory::AddressOrder::rising;
  all.other_addresses = replay(expected, rising);
  all.widths = widths_of(job, asked.lowered.network, gpu, measured_rules);
}

Simulations simulate_all(const Question& asked, const memory::Tape& expected,
                         const memory::SimulationOptions& options) {
  Simulations all;
  all.central = replay(expected, options);
  simulate_bounds(all, asked, expected, options, Ends::both);
  return all;
}

}  // namespace

base::Result<Lowered> lower(const job::Job& job) {
  auto network = TRY(job::network_of(job));
  auto segments = TRY(lowering::segments(network, job.checkpointing));
  Lowered lowered{std::move(network), std::move(segments), {}};
  for (const graph::Shape& size : job.sizes) {
    lowered.sizes.push_back(TRY(job::network_of(job::of_size(job, size))));
  }
  return lowered;
}

bool in_true_fp32(const job::Job& job, const hardware::Gpu& gpu) {
  return hardware::arithmetic(gpu, job::convolution_math(job.precision)) == base::MathMode::fp32;
}

lowering::Device device_of(const hardware::Gpu& gpu, const lowering::Framework& framework) {
  lowering::Device device;
  device.sm_count = gpu.sm_count;
  device.threads_per_sm = threads_per_sm(gpu.compute_capability);
  device.cublas_workspace =
      lowering::cublas_workspace(framework, hardware::capability_number(gpu.compute_capability) / 10);
  device.l2_cache = gpu.l2_reported;
  device.tf32 = gpu.tf32_tensor.has_value();
  device.fp16 = gpu.fp16_tensor.has_value();
  return device;
}

Bytes usable_memory(const job::Job& job, const Target& target, const lowering::Framework& framework) {
  const Bytes left = target.gpu.memory_total - target.used - outside_allocator(job, target.gpu, framework);
  return std::max(Bytes(0), std::min(target.usable, left));
}

namespace {

/// Near the limit it depends on how blocks happen to lie whether a batch fits. Measured: of seven batches between 106
/// and 118 under one limit the fourth and the sixth ran out of memory (tests/data/measurements/limited_steps.jsonl).
std::optional<std::int64_t> contradicting_batch(const Memory& memory, const Question& asked) {
  constexpr double kNear = 0.9;  // of the limit
  constexpr std::int64_t kLookedAt = 8;
  const bool fits = memory.verdict != Verdict::does_not_fit;
  const bool clear = fits ? memory.reserved_peak.value.as_double() < kNear * memory.usable.as_double()
                          : memory.run_peak.value > memory.usable;
  if (clear) {
    return std::nullopt;
  }
  for (std::int64_t away = 1; away <= kLookedAt; ++away) {
    job::Job other = asked.job;
    other.batch += fits ? -away : away;
    if (job::validate(other, asked.lowered.network)) {
      break;
    }
    const Verdict verdict = memory_answer({asked.lowered, other, asked.target, asked.framework}).verdict;
    if ((verdict != Verdict::does_not_fit) != fits) {
      return other.batch;
    }
  }
  return std::nullopt;
}

}  // namespace

Target with_usable(Target target, Bytes usable) {
  target.usable = usable;
  const Bytes beside = target.used + target.gpu.context_memory + base::kGiB * 1024;  // any context, any communicators
  target.gpu.memory_total = std::max(target.gpu.memory_total, usable + beside);
  return target;
}

MemoryAnswer memory_answer(const Question& asked) {
  MemoryAnswer answer;
  answer.usable = usable_memory(asked.job, asked.target, asked.framework);
  const Simulation simulation = replay(tape_of(asked), options_for(asked, answer.usable, false));
  answer.verdict = verdict_of(simulation);
  answer.allocated_peak = simulation.allocated_peak;
  answer.run_peak = simulation.run_peak;
  answer.reserved_peak = simulation.reserved_peak;
  answer.cache_flushes_per_step = flushes_of(simulation, asked.job);
  if (simulation.failure) {
    answer.missing = std::max(Bytes(1), simulation.failure->missing);
    answer.run_peak = answer.usable + answer.missing;
  }
  return answer;
}

Bytes reserved_high(const Question& asked, const MemoryAnswer& expected) {
  Simulations all;
  all.central.reserved_peak = expected.reserved_peak;  // all that is asked of that simulation
  simulate_bounds(all, asked, tape_of(asked), options_for(asked, expected.usable, false), Ends::upper);
  return reserved_peak(all).high;
}

Memory memory_part(const Question& asked, bool timeline) {
  const auto& [lowered, job, target, framework] = asked;
  Memory memory;
  memory.usable = usable_memory(job, target, framework);
  const memory::Tape tape = tape_of(asked);
  Simulations all = simulate_all(asked, tape, options_for(asked, memory.usable, timeline));
  memory.verdict = verdict_of(all.central);
  if (const auto& failure = all.central.failure) {
    memory.shortfall = Shortfall{failure->requested,
                                 failure->missing,
                                 failure->tried,
                                 failure->allocated,
                                 failure->reserved,
                                 failure->free,
                                 std::string(base::name_of_enum(failure->phase)),
                                 layer_name(lowered.network, failure->layer),
                                 static_cast<std::int64_t>(failure->step)};
    all = simulate_all(asked, tape, options_for(asked, std::nullopt, timeline));
  } else {
    memory.cache_flushes_per_step = flushes_of(all.central, job);
  }
  memory.allocated_peak = ranged(all, [](const Simulation& s) { return s.allocated_peak; });
  memory.run_peak = ranged(all, [](const Simulation& s) { return s.run_peak; });
  memory.first_step_peak = ranged(all, [](const Simulation& s) { return s.first_step_peak; });
  memory.reserved_peak = reserved_peak(all);
  memory.steady_peak =
      ranged(all, [](const Simulation& s) { return s.steps.empty() ? Bytes(0) : s.steps.back().allocated_peak; });
  memory.after_forward = ranged(all, [](const Simulation& s) {
    return s.steps.empty() ? Bytes(0) : s.steps.back().after_phase[static_cast<std::size_t>(Phase::forward)];
  });
  memory.forward_peak = ranged(all, [](const Simulation& s) { return phase_peak(s, Phase::forward); });
  memory.backward_peak = ranged(all, [](const Simulation& s) { return phase_peak(s, Phase::backward); });
  memory.optimizer_peak = ranged(all, [](const Simulation& s) { return phase_peak(s, Phase::optimizer); });
  memory.device_used = memory.reserved_peak + outside_allocator(job, lowered.network, target.gpu, framework);
  memory.headroom = memory.usable - memory.reserved_peak.value;
  memory.contradicting_batch = contradicting_batch(memory, asked);
  if (job.expandable_segments) {
    memory.allocator_settings = framework.allocator_variable + "=expandable_segments:True";
  }
  add_breakdown(memory, lowered.network, all.central.peak);
  for (const memory::Moment& moment : all.central.timeline) {
    memory.timeline.push_back({static_cast<std::int64_t>(moment.step), std::string(base::name_of_enum(moment.phase)),
                               layer_name(lowered.network, moment.layer), moment.allocated, moment.reserved,
                               named(moment.categories)});
  }
  return memory;
}

}  // namespace vggplan::estimate
