// SPDX-License-Identifier: MIT
// Two clocks against what they amount to: an op is done after the longest chain of some ops on the host and those that
// follow on the GPU.
#include "timing/queue.hpp"

#include <algorithm>
#include <random>

#include "unit/timing/fixtures.hpp"

namespace vggplan::timing {
namespace {

/// What a step starts, one after another.
std::vector<Work> started(const std::vector<Work>& work, std::int64_t micro_batches) {
  std::vector<Work> all;
  for (std::int64_t i = 1; i <= micro_batches; ++i) {
    std::copy_if(work.begin(), work.end(), std::back_inserter(all), [&](const Work& item) {
      return item.phase == base::Phase::optimizer ? i == micro_batches : i > 1 || !item.after_first;
    });
  }
  return all;
}

struct Ends {
  std::vector<double> ops{};       ///< of all steps
  std::array<double, 3> phases{};  ///< of the first
};

/// When each op of `steps` steps is done. After one that the host waits for both clocks show the same.
Ends ends_of(const std::vector<Work>& step, const HostCosts& costs, int steps, const Scale& scale) {
  Ends ends;
  std::vector<double> started_at;  // since the host last waited
  std::vector<double> device;
  double host = 0.0;
  double last = 0.0;
  for (int i = 0; i < steps; ++i) {
    host += scale.host * costs.step_seconds;
    for (const Work& item : step) {
      host += scale.host * (item.host + costs.busy_share * item.device);
      started_at.push_back(host);
      device.push_back(scale.device * item.device);
      double end = last;  // of what was before: a chain of the GPU alone
      double chain = 0.0;
      for (std::size_t k = device.size(); k-- > 0;) {
        chain += device[k];
        end = std::max(end, started_at[k] + chain);
      }
      if (i == 0) {
        const std::size_t phase = item.phase == base::Phase::forward ? 0 : item.phase == base::Phase::backward ? 1 : 2;
        ends.phases[phase] += end - (ends.ops.empty() ? 0.0 : ends.ops.back());
      }
      ends.ops.push_back(end);
      if (item.waits) {
        host = last = end;
        started_at.clear();
        device.clear();
      }
    }
  }
  return ends;
}

std::vector<Work> random_work(std::mt19937& random) {
  std::vector<Work> work;
  const auto some = [&] { return static_cast<double>(random() % 100); };
  for (const base::Phase phase : {base::Phase::forward, base::Phase::backward, base::Phase::optimizer}) {
    for (std::size_t i = 0; i < 1 + random() % 4; ++i) {
      const bool after_first = phase != base::Phase::optimizer && random() % 8 == 0;
      work.push_back({phase, some(), some(), random() % 8 == 0, after_first});
    }
  }
  return work;
}

}  // namespace

TEST_CASE("a step ends with the longest chain through host and GPU, tried on random ops") {
  std::mt19937 random(11);
  for (int round = 0; round < 200; ++round) {
    const std::vector<Work> work = random_work(random);
    HostCosts costs;
    costs.step_seconds = static_cast<double>(random() % 200);
    costs.busy_share = random() % 2 == 0 ? 0.0 : 0.3;
    const Scale scale{1.0 + 0.5 * (round % 3), 1.0 + 0.25 * (round % 2)};
    for (const std::int64_t micro_batches : {1, 2, 3}) {
      CAPTURE(round, micro_batches);
      const std::vector<Work> step = started(work, micro_batches);
      const Ends ends = ends_of(step, costs, 3, scale);
      const QueueTimes times = run_queue(work, costs, micro_batches, scale);
      CHECK(times.step == Approx(ends.ops.back() - ends.ops[2 * step.size() - 1]).margin(1e-9));
      for (std::size_t i = 0; i < 3; ++i) {
        CHECK(times.phases[i] == Approx(ends.phases[i]).margin(1e-9));
      }
    }
  }
}

TEST_CASE("many micro-batches take what the host or the GPU takes for all, whichever is slower") {
  std::mt19937 random(12);
  for (const double host : {0.01, 1000.0}) {
    for (const std::int64_t micro_batches : {4, 5, 64}) {
      std::vector<Work> work = random_work(random);
      for (Work& item : work) {
        item.device += 50.0;
        item.host = host * item.device;  // each op alike, so that neither waits now and then
        item.waits = false;
      }
      std::array<double, 3> sums{};
      for (const Work& item : started(work, micro_batches)) {
        sums[static_cast<std::size_t>(item.phase) - static_cast<std::size_t>(base::Phase::forward)] += item.device;
      }
      const QueueTimes times = run_queue(work, {}, micro_batches);
      const double slower = std::max(1.0, host);
      CHECK(times.step == Approx(slower * (sums[0] + sums[1] + sums[2])).epsilon(1e-9));
      for (std::size_t i = 0; i < 2; ++i) {
        CHECK(times.phases[i] == Approx(slower * sums[i]).epsilon(0.02));  // but for the first op's start
      }
      CHECK(times.phases[2] == Approx(slower * sums[2]).epsilon(0.02));
    }
  }
}

TEST_CASE("the host's own phases are what it starts in them, once, of all but what waits for a second micro-batch") {
  HostCosts costs;
  costs.step_seconds = 1000.0;
  costs.busy_share = 0.5;
  using enum base::Phase;
  const std::vector<Work> work{{forward, 1, 2, false, false},
                               {forward, 10, 20, false, true},
                               {backward, 100, 40, true, false},
                               {optimizer, 7, 0, false, false},
                               {setup, 3, 0, false, false}};
  CHECK(host_phases(work, costs) == std::array<double, 3>{1000 + 1 + 1 + 3, 100 + 20, 7});
}

TEST_CASE("an op keeps the GPU busy with its kernels and a gap for each; a value that is read has none") {
  HostCosts costs;
  costs.gap_seconds = 1e-6;
  costs.forward_op_seconds = 7e-6;
  Op op = relu(100);
  op.kernels = 3;
  op.after_first = true;
  const Work work = work_of(op, 1e-3, costs, {});
  CHECK(work.device == Approx(1e-3 + 3e-6));
  CHECK(work.host == Approx(7e-6));
  CHECK(work.after_first);
  CHECK_FALSE(work.waits);
  Op read = make_op(OpKind::host_read, base::MathMode::fp32, base::DType::f32, base::Layout::nchw, {});
  read.phase = base::Phase::optimizer;
  CHECK(work_of(read, 1e-3, costs, {}).device == 1e-3);
  CHECK(work_of(read, 1e-3, costs, {}).waits);
  CHECK(work_of(read, 1e-3, costs, {}).phase == base::Phase::optimizer);
}

}  // namespace vggplan::timing
