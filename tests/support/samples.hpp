// SPDX-License-Identifier: MIT
// Reports made by hand: round figures that no model computed, so that tests of reports and renderers
// stand still when the models move.
#pragma once

#include <string>
#include <vector>

#include "vggplan/estimate/estimate.hpp"
#include "vggplan/planner/plan.hpp"
#include "vggplan/report/build.hpp"
#include "vggplan/report/compare.hpp"

namespace vggplan::test {

using base::Basis;
using base::Bytes;
using base::Estimated;
using base::kGiB;
using base::kMiB;
using base::Seconds;

inline Estimated<Bytes> around(Bytes value) { return {value, value - kMiB, value + kMiB, Basis::simulated}; }
inline Estimated<Seconds> around(double seconds) {
  return {Seconds(seconds), Seconds(0.9 * seconds), Seconds(1.1 * seconds), Basis::modelled};
}
inline Estimated<double> rate_around(double value) { return {value, 0.9 * value, 1.1 * value, Basis::modelled}; }

inline job::Job sample_job() {
  job::Job job;
  job.model.name = "vgg16";
  job.image = {3, 1024, 768};
  job.batch = 4;
  job.precision = job::Precision::amp_bf16;
  job.layout = base::Layout::nhwc;
  return job;
}

inline estimate::Target sample_target() {
  estimate::Target target;
  target.gpu.name = "made-up-40gb";
  target.gpu.title = "Made-Up 40 GB";
  target.gpu.memory_total = 40 * kGiB;
  target.gpu.context_memory = kGiB / 2;
  target.usable = target.gpu.usable_memory();
  return target;
}

inline estimate::Estimate sample_estimate() {
  estimate::Estimate sample;
  sample.job = sample_job();
  sample.target = sample_target();
  sample.model = {"vgg16",  138'357'544, 4'000'000'000, base::Flops(8'000'000'000), base::Flops(24'000'000'000),
                  12 * kGiB};
  estimate::Memory& memory = sample.memory;
  memory.allocated_peak = around(20 * kGiB);
  memory.run_peak = around(20 * kGiB);
  memory.reserved_peak = around(24 * kGiB);
  memory.device_used = around(Bytes(24 * kGiB + kGiB / 2));
  memory.usable = sample.target.usable;
  memory.headroom = memory.usable - 24 * kGiB;
  memory.first_step_peak = around(19 * kGiB);
  memory.steady_peak = around(20 * kGiB);
  memory.after_forward = around(14 * kGiB);
  memory.forward_peak = around(15 * kGiB);
  memory.backward_peak = around(20 * kGiB);
  memory.optimizer_peak = around(3 * kGiB);
  memory.breakdown = {{"activations", 12 * kGiB},
                      {"pooling_indices", 4 * kGiB},
                      {"parameters", 2 * kGiB},
                      {"gradients", kGiB},
                      {"rounding", kGiB}};
  memory.breakdown_layers = {{"conv1_1", 12 * kGiB}, {"relu1_1", 8 * kGiB}};
  sample.time.step = around(0.2);
  sample.time.forward = around(0.06);
  sample.time.backward = around(0.12);
  sample.time.optimizer = around(0.02);
  sample.time.input = around(0.1);
  sample.time.input_exposed = around(0.0);
  sample.time.iteration = around(0.2);
  sample.time.images_per_second = rate_around(20);
  sample.time.bound_by = "gpu";
  sample.time.model_flops_utilization = 0.4;
  sample.input = {20, 12.5, 2, 2, 900, std::nullopt, 2 * kGiB};
  sample.storage.bytes_per_image = Bytes(250'000);
  sample.storage.checkpoint = Bytes(1'100'000'000);
  sample.storage.checkpoints = Bytes(2'200'000'000);
  sample.storage.total = Bytes(2'200'000'000);
  sample.storage.read_rate = base::BytesPerSecond(5'000'000);
  sample.warnings = {{"ambiguous-gpu", "'made-up' is taken as made-up-40gb", "write the full name"}};
  sample.assumptions = {{"workers", "2", "as many as are needed"}, {"launch", "5 us", "measured"}};
  return sample;
}

/// Backward takes twice as long as forward.
inline estimate::LayerRow layer(const std::string& name, const std::string& kind, const graph::Shape& output,
                                const graph::LayerCounts& counts, Bytes output_bytes, Bytes saved, double seconds,
                                const std::vector<std::string>& inputs) {
  return {name, kind, output, counts, output_bytes, saved, Bytes(0), Seconds(seconds), Seconds(2 * seconds), inputs};
}

/// With data set, several GPUs, a machine with a price, a timeline and layers.
inline estimate::Estimate rich_estimate() {
  estimate::Estimate sample = sample_estimate();
  sample.job.parallel.gpus = 8;
  sample.job.data.images = 100'000;
  sample.job.data.epochs = 90;
  sample.job.data.storage = "nvme";
  hardware::Machine machine;
  machine.name = "made.8xlarge";
  machine.provider = "Nobody";
  machine.gpu = sample.target.gpu.name;
  machine.gpu_count = 8;
  machine.vcpus = 96;
  machine.ram = 1024 * kGiB;
  machine.price = hardware::Price{base::Usd(12.5), "a price list", "2026-01-01"};
  sample.target.machine = machine;
  sample.time.communication = around(0.03);
  sample.time.communication_exposed = around(0.01);
  sample.time.parallel_overhead = around(0.01);
  sample.time.backward = around(0.1);
  sample.time.images_per_second = rate_around(160);
  sample.input.storage_images_per_second = 4000;
  sample.storage.dataset = Bytes(25'000'000'000);
  sample.storage.total = Bytes(27'200'000'000);
  sample.run = estimate::Run{281'250, around(625.0), around(56'250.0), rate_around(125),
                             Estimated<base::Usd>{base::Usd(195.31), base::Usd(180), base::Usd(210), Basis::modelled}};
  sample.memory.timeline = {
      {3, "forward", "conv1_1", 3 * kGiB, 4 * kGiB, {{"parameters", 2 * kGiB}, {"activations", kGiB}}},
      {3, "backward", "conv1_1", 20 * kGiB, 24 * kGiB, {{"parameters", 2 * kGiB}, {"activations", 18 * kGiB}}},
      {3, "optimizer", "", 2 * kGiB, 24 * kGiB, {{"parameters", 2 * kGiB}}}};
  sample.layers = {
      layer("conv1_1", "conv", {64, 1024, 768},
            {1792, 1'358'954'496, base::Flops(2'717'908'992), base::Flops(2'717'908'992)}, kGiB, kGiB, 0.01, {"image"}),
      layer("pool1", "maxpool", {64, 512, 384}, {}, 256 * kMiB, kGiB, 0.001, {"conv1_1"}),
      layer("fc1", "linear", {4096, 1, 1},
            {102'764'544, 102'760'448, base::Flops(205'520'896), base::Flops(411'041'792)}, kMiB, kMiB, 0.0001,
            {"pool1", "conv1_1"})};
  sample.layers[0].workspace_bytes = 512 * kMiB;
  sample.layers[2].trained = true;
  return sample;
}

inline estimate::Estimate infer_estimate() {
  estimate::Estimate sample = sample_estimate();
  sample.job.mode = job::Mode::infer;
  sample.time.step = sample.time.iteration = around(0.06);
  return sample;
}

inline estimate::Estimate refused_estimate() {
  estimate::Estimate sample = sample_estimate();
  sample.memory.verdict = estimate::Verdict::does_not_fit;
  sample.memory.reserved_peak = around(64 * kGiB);
  sample.memory.allocated_peak = around(60 * kGiB);
  sample.memory.run_peak = around(60 * kGiB);
  sample.memory.headroom = sample.memory.usable - 64 * kGiB;
  sample.memory.breakdown = {{"activations", 56 * kGiB}, {"parameters", 4 * kGiB}};
  sample.memory.shortfall =
      estimate::Shortfall{8 * kGiB, 24 * kGiB + kGiB / 2, 8 * kGiB, 30 * kGiB, 31 * kGiB, kGiB, "backward", "conv1_2"};
  return sample;
}

inline planner::Evaluated sample_alternative(const job::Job& job, double speed) {
  planner::Evaluated row;
  row.job = job;
  row.gpu = "made-up-40gb";
  row.images_per_second = speed;
  row.usd_per_hour = base::Usd(12.5);
  row.usd_per_million_images = base::Usd(12.5 * 1e6 / speed / 3600);
  row.gpu_hours_per_million_images = 8e6 / speed / 3600;
  return row;
}

inline planner::PlanRequest sample_request() {
  planner::PlanRequest request;
  request.job = sample_job();
  request.candidates = {{sample_target(), 8, false, 8}};
  request.deadline = Seconds(86'400);
  request.reserve.percent = 10;
  return request;
}

inline report::Document sample_plan() {
  planner::Plan plan;
  plan.job = sample_job();
  const estimate::Estimate best = rich_estimate();
  plan.model = best.model;
  plan.storage = best.storage;
  plan.recommendation = planner::Recommendation{
      best,
      {"It is the fastest of 120.", "Batch 5 would need 2 GiB more.", "Third.", "Fourth.", "Fifth <b>&</b> last."},
      4 * kGiB,
      sample_alternative(best.job, 160)};
  job::Job smaller = best.job;
  smaller.batch = 2;
  plan.alternatives = {sample_alternative(smaller, 140)};
  plan.pareto = {sample_alternative(best.job, 160)};
  plan.max_batch = {
      {"made-up-40gb", job::Precision::amp_bf16, base::Layout::nhwc, {}, job::Sharding::ddp, 8, 39 * kGiB, 6, 7}};
  job::Job one = best.job;
  one.batch = 1;
  plan.max_resolution = planner::MaxResolution{"made-up-40gb", 1, 4096, 3072, false, one};
  plan.rejected = {{"memory", "the simulated step runs out of memory", 40, 2 * kGiB, "8 x made-up-40gb, batch 8"}};
  plan.enumerated = 160;
  plan.evaluated = 120;
  plan.rejected_count = 40;
  report::PlanDetails details;
  estimate::Estimate other = best;
  other.job = smaller;
  other.time.images_per_second = rate_around(140);
  details.alternatives = {other};
  details.pareto = {best};
  details.by_batch = {other, best};
  details.command = "vggplan launch --gpus made-up-40gb --output run";
  return report::build_plan(plan, sample_request(), details);
}

/// `also`: what its remedy sets beside checkpointing.
inline report::Document refused_plan(void (*also)(job::Job&) = nullptr) {
  planner::Plan plan;
  plan.job = sample_job();
  plan.model = sample_estimate().model;
  plan.storage = sample_estimate().storage;
  plan.failure = planner::Failure{"memory", "Nothing fits", "the simulated step runs out of memory"};
  plan.rejected = {{"memory", "the simulated step runs out of memory", 16, 5 * kGiB, "8 x made-up-40gb, batch 1"}};
  plan.max_batch = {
      {"made-up-40gb", job::Precision::amp_bf16, base::Layout::nhwc, {}, job::Sharding::ddp, 8, 39 * kGiB, 0, 0}};
  planner::Remedy remedy;
  remedy.code = "checkpointing";
  remedy.change = "compute the activations of each block again (--checkpointing block)";
  remedy.saves = "the peak falls to 30 GiB";
  remedy.costs = "1.30 times the time per image";
  remedy.saved = 14 * kGiB;
  remedy.slowdown = 1.3;
  remedy.job = sample_job();
  remedy.job.checkpointing = {job::Checkpointing::Kind::block, 0};
  if (also != nullptr) {
    also(remedy.job);
  }
  remedy.gpu = "made-up-40gb";
  remedy.memory = {estimate::Verdict::fits, 39 * kGiB, 28 * kGiB, 28 * kGiB, 30 * kGiB, 0, Bytes(0)};
  plan.remedies = {remedy};
  plan.enumerated = 16;
  plan.rejected_count = 16;
  return report::build_plan(plan, sample_request(), {});
}

inline planner::Capacity sample_capacity() {
  planner::Capacity capacity;
  capacity.estimate = sample_estimate();
  planner::Holding held;
  held.job = sample_job();
  held.batch = {
      "h200-sxm-141gb", job::Precision::amp_bf16, base::Layout::nhwc, {}, {}, 1, base::kGiB * 100, 12, 12, 12};
  held.certain = 11;
  held.image = {"h200-sxm-141gb", 1, 8048, 6072, false, held.job};
  held.images_per_second = 100;
  held.slowdown = 1;
  planner::Holding slower = held;
  slower.batch.checkpointing = {job::Checkpointing::Kind::block};
  slower.batch.steady = 20;
  slower.batch.hard = 22;
  slower.batch.possible = 24;
  slower.images_per_second = 75;
  slower.slowdown = 100.0 / 75.0;
  capacity.holdings = {held, slower};
  return capacity;
}
inline report::Document sample_fit() { return report::build_fit(sample_capacity()); }
inline report::Document sample_no_fit() {
  planner::Capacity capacity = sample_capacity();
  capacity.estimate = refused_estimate();
  for (planner::Holding& held : capacity.holdings) {
    held.batch.steady = held.batch.hard = held.batch.possible = held.certain = 0;
    held.images_per_second = 0;
    held.slowdown = std::nullopt;
  }
  return report::build_fit(capacity);
}

inline report::Document sample_layers() { return report::build_layers(rich_estimate()); }

inline report::Document sample_sweep() {
  std::vector<report::Document> points;
  for (const std::int64_t batch : {1, 2, 16}) {
    estimate::Estimate point = batch == 16 ? refused_estimate() : sample_estimate();
    point.job.batch = batch;
    points.push_back(report::build_estimate(point));
    points.back()["point"] = {{"batch", batch}, {"precision", "amp-bf16"}};
  }
  return report::build_sweep(points);
}

inline report::Document sample_gpus() {
  hardware::Gpu gpu = sample_target().gpu;
  gpu.architecture = "Fable";
  gpu.compute_capability = "8.0";
  gpu.sm_count = 100;
  gpu.boost_clock_mhz = 1500;
  gpu.l2_cache = 40 * kMiB;
  gpu.memory_bandwidth = base::BytesPerSecond(1.5e12);
  gpu.bf16_tensor = base::FlopsPerSecond(3e14);
  gpu.sources = {{{}, "https://example.org/made-up", "2026-01-01", "a <script>alert(1)</script> & more"}};
  hardware::Gpu second = gpu;
  second.name = "made-up-80gb";
  second.memory_total = 80 * kGiB;
  return report::build_gpus({{gpu, {"made-up"}}, {second, {}}});
}

inline report::Document sample_diff() {
  estimate::Estimate after = sample_estimate();
  after.job.batch = 6;
  after.memory.reserved_peak = around(30 * kGiB);
  after.time.step = after.time.iteration = around(0.3);
  estimate::Estimate between = after;
  between.time.step = between.time.iteration = around(0.2);
  after.job.precision = job::Precision::tf32;
  const report::Document old_report = report::build_estimate(sample_estimate());
  const report::Document new_report = report::build_estimate(after);
  report::Document diff = report::build_diff(old_report, new_report);
  diff["attribution"] = {report::attribution_row("batch", old_report, report::build_estimate(between)),
                         report::attribution_row("precision", report::build_estimate(between), new_report)};
  return diff;
}

inline report::Document sample_check() {
  estimate::Estimate after = sample_estimate();
  after.memory.reserved_peak = around(30 * kGiB);
  const report::Document base = report::build_estimate(sample_estimate());
  report::Rule memory;
  memory.metric = "memory.reserved_peak_bytes";
  memory.max_increase_percent = 5;
  report::Rule time;
  time.metric = "time.step_seconds";
  time.max = 1;
  time.severity = report::Severity::warn;
  return *report::build_check(report::build_estimate(after), &base, {memory, time});
}

/// A snapshot that leaves its range at conv2_1, and a run of another batch.
inline report::Document sample_verify() {
  runs::Run run;
  run.format = runs::Format::memory_snapshot;
  run.figures = {{"reserved_peak_bytes", 20e9}, {"step_seconds", 0.5}, {"allocation_retries", 2}};
  runs::Replay replay;
  replay.at_peak = {{memory::Category::parameters, 553430176, 553430176},
                    {memory::Category::convolution_workspace, 1 << 20, std::int64_t{1} << 40}};
  replay.compared = 511;
  replay.first_difference = {
      runs::Difference::Kind::workspace, 72, 1, base::Phase::forward, "conv2_1", 1 << 20, std::int64_t{1} << 40};
  return report::build_verify(report::build_estimate(sample_estimate()), run, replay);
}
inline report::Document sample_not_comparable() {
  runs::Run run;
  run.settings = {{"batch", "3"}, {"gpu", "NVIDIA B200"}};
  run.figures = {{"step_seconds", 0.5}};
  return report::build_verify(report::build_estimate(sample_estimate()), run, std::nullopt);
}

struct Sample {
  std::string name{};
  report::Document report{};
};

inline std::vector<Sample> samples() {
  return {{"estimate", report::build_estimate(sample_estimate())},
          {"estimate-many-gpus", report::build_estimate(rich_estimate())},
          {"estimate-infer", report::build_estimate(infer_estimate())},
          {"estimate-refused", report::build_estimate(refused_estimate())},
          {"plan", sample_plan()},
          {"plan-refused", refused_plan()},
          {"layers", sample_layers()},
          {"sweep", sample_sweep()},
          {"fit", sample_fit()},
          {"fit-not", sample_no_fit()},
          {"gpus", sample_gpus()},
          {"diff", sample_diff()},
          {"check", sample_check()},
          {"verify", sample_verify()},
          {"verify-not-comparable", sample_not_comparable()}};
}

}  // namespace vggplan::test
