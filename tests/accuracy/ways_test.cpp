// SPDX-License-Identifier: MIT
// Ways of training that are seldom measured (ways.jsonl): RMSprop, pure float16, several passes, L-BFGS, and what was
// said where memory ran out.
#include <cmath>
#include <map>
#include <vector>

#include "accuracy/figures/memory_figures.hpp"
#include "estimate/memory_part.hpp"
#include "support/catch.hpp"

namespace vggplan::accuracy {
namespace {

using support::Row;

std::vector<Row> ways(std::string_view set) {
  std::vector<Row> rows = support::read_rows("ways.jsonl");
  std::erase_if(rows, [&](const Row& row) { return row.at("set") != set; });
  return rows;
}

estimate::Estimate estimated(const Row& row) {
  const estimate::Target target = row.contains("cap_gib") ? target_under(row) : measured_target();
  return estimate::estimate(support::job_of(row), target, support::known()).value();
}

/// Whether it lies in the range; `beside`: bytes that the measured process held and the job does not.
bool holds(const base::Estimated<base::Bytes>& range, std::int64_t bytes, std::int64_t beside = 0) {
  return bytes - beside >= range.low.count() && bytes - beside <= range.high.count();
}

double error(const base::Estimated<base::Bytes>& range, std::int64_t bytes) {
  return range.value.as_double() / static_cast<double>(bytes) - 1.0;
}

/// A step that is waited for: not shorter than one back to back, nor longer than its phases one after the other.
bool holds_waited(const estimate::Time& time, double seconds) {
  const base::Seconds most = time.forward.high + time.backward.high + time.optimizer.high;
  return seconds >= time.step.low.count() && seconds <= most.count();
}

TEST_CASE("rmsprop, pure float16 and several passes lie as near as other steps") {
  std::size_t rows = 0;
  for (const char* set : {"opt", "fp16", "passes"}) {
    for (const Row& row : ways(set)) {
      INFO(row.dump());
      const std::int64_t spare = row.value("spare_images", 0) * 3LL * 224 * 224 * 4;
      const estimate::Estimate got = estimated(row);
      const std::int64_t peak = row.at("peak").get<std::int64_t>() - spare;
      CHECK(std::abs(error(got.memory.allocated_peak, peak)) < 0.004);
      CHECK(holds(got.memory.allocated_peak, peak));
      CHECK(holds(got.memory.first_step_peak, row.at("peak_first_step"), spare));
      CHECK(holds(got.memory.reserved_peak, row.at("reserved"), spare));
      CHECK(holds_waited(got.time, row.at("ms_step").get<double>() / 1e3));
      CHECK(got.memory.reserved_peak.basis == base::Basis::simulated);
      ++rows;
    }
  }
  CHECK(rows == 16);
}

TEST_CASE("passes under one autocast context were not measured, and say so") {
  const estimate::Estimate got =
      estimated(Row{{"h", 224}, {"w", 224}, {"batch", 8}, {"forward_passes", 2}, {"precision", "amp-bf16"}});
  CHECK(got.memory.allocated_peak.basis == base::Basis::modelled);
  CHECK(got.time.step.basis == base::Basis::modelled);
}

TEST_CASE("lbfgs with a full history is met to 0.1 %, and its range holds one that does not fill") {
  for (const Row& row : ways("lbfgs")) {
    INFO(row.dump());
    const estimate::Estimate got = estimated(row);
    const estimate::Memory& memory = got.memory;
    const std::int64_t peak = row.at("run_peak");
    const bool full = row.at("kept_after_step").back().get<std::int64_t>() >=
                      2 * got.job.lbfgs.history_size * got.model.parameters * 4;
    if (full) {
      CHECK(std::abs(error(memory.run_peak, peak)) < 1e-3);
      CHECK(std::abs(error(memory.reserved_peak, row.at("reserved"))) < 3e-3);
    }
    CHECK(holds(memory.run_peak, peak));
    CHECK(holds(memory.reserved_peak, row.at("reserved")));
    CHECK(holds(memory.first_step_peak, row.at("peak_first_step")));
    // Some steps converge early: seconds are told by closure.
    const double share = row.at("closures").back().get<double>() / static_cast<double>(got.job.lbfgs.max_iter);
    const double seconds = row.at("ms_step").get<double>() / 1e3 / share;
    CHECK(seconds >= got.time.step.low.count());
    CHECK(seconds <= got.time.step.high.count());
  }
}

TEST_CASE("three more out-of-memory messages have the figures that are predicted of them") {
  for (const Row& row : ways("oom")) {
    INFO(row.dump());
    const auto shortfall = estimated(row).memory.shortfall;
    REQUIRE(shortfall);
    CHECK(shortfall->step == row.at("steps_done").get<std::int64_t>() + 1);
    CHECK(shortfall->tried == base::kMiB * 392);  // what each of them tried to allocate
    CHECK(shortfall->reserved.count() == row.at("reserved").get<std::int64_t>());
    const auto allocated = row.at("allocated").get<double>();
    CHECK(std::abs(shortfall->allocated.as_double() / allocated - 1.0) < 0.0015);
  }
}

/// The job of the largest of a row's sizes, with all of them.
job::Job job_of_sizes(Row row) {
  row["h"] = row["w"] = row.at("sizes").back();
  job::Job job = support::job_of(row);
  for (const Row& side : row.at("sizes")) {
    job.sizes.push_back({3, side.get<std::int64_t>(), side.get<std::int64_t>()});
  }
  return job;
}

/// Python's random.choice after random.seed(1), thirty times, by number of sizes.
const std::map<std::size_t, std::vector<std::size_t>> kDrawn{
    {3, {0, 2, 0, 1, 0, 1, 1, 1, 2, 1, 0, 0, 1, 0, 1, 1, 2, 0, 2, 1, 1, 2, 0, 2, 0, 1, 0, 0, 0, 2}},
    {10, {2, 9, 1, 4, 1, 7, 7, 7, 6, 3, 1, 7, 0, 6, 6, 9, 0, 7, 4, 3, 9, 1, 5, 0, 0, 0, 8, 0, 6, 3}}};

TEST_CASE("sizes replayed in the order in which they were drawn reserve what was measured to 0.5 %") {
  const lowering::Framework framework = support::built_in_framework();
  for (const Row& row : ways("sizes")) {
    INFO(row.dump());
    const job::Job job = job_of_sizes(row);
    std::vector<graph::Network> networks;
    for (const graph::Shape& size : job.sizes) {
      networks.push_back(job::network_of(job::of_size(job, size)).value());
    }
    const memory::Tape tape = lowering::lower_tape(networks, kDrawn.at(networks.size()), job, {}, framework,
                                                   estimate::device_of(measured_target().gpu, framework));
    memory::SimulationOptions options;
    options.steps = tape.steps.size();
    const memory::Simulation got = memory::simulate(tape, options);
    CHECK(std::abs(got.reserved_peak.as_double() / row.at("reserved").get<double>() - 1.0) < 0.005);
    CHECK(std::abs(got.run_peak.as_double() / row.at("run_peak").get<double>() - 1.0) < 0.001);
  }
}

TEST_CASE("the range over orders holds what was measured of sizes that were drawn at random") {
  for (const Row& row : ways("sizes")) {
    INFO(row.dump());
    const auto got = estimate::estimate(job_of_sizes(row), measured_target(), support::known()).value();
    CHECK(holds(got.memory.reserved_peak, row.at("reserved")));
    CHECK(holds(got.memory.run_peak, row.at("run_peak")));
    CHECK(holds(got.memory.allocated_peak, row.at("peak")));
    CHECK(holds(got.memory.first_step_peak, row.at("peak_first_step")));
  }
}

TEST_CASE("what DataParallel would take holds two measured processes") {
  for (Row row : ways("dp")) {
    INFO(row.dump());
    row["how"] = "ddp";
    job::Job job = support::job_of(row);
    job.parallel.data_parallel = true;
    const auto told = estimate::estimate(job, measured_target(), support::known()).value().data_parallel;
    REQUIRE(told);
    const std::int64_t first = row.at("ranks").front().at("peak");
    CHECK(std::abs(error(told->first_gpu_peak, first)) < 0.003);
    CHECK(holds(told->first_gpu_peak, first));
    const double seconds = row.at("ms_step").get<double>() / 1e3;
    CHECK(seconds >= told->step.low.count());
    CHECK(seconds <= told->step.high.count());
  }
}

}  // namespace
}  // namespace vggplan::accuracy
