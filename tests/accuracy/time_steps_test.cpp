// SPDX-License-Identifier: MIT
// Step times against measured ones: fitted rows, rows that were never fitted to, several GPUs, loaders.
#include <algorithm>
#include <iostream>

#include "accuracy/figures/time_rows.hpp"
#include "support/catch.hpp"
#include "vggplan/timing/step_time.hpp"

namespace {

using namespace vggplan;
using accuracy::Errors;

bool in_true_fp32(const timing::StepSample& sample) {
  return std::any_of(sample.ops.begin(), sample.ops.end(), [](const timing::Op& op) {
    return op.kind == timing::OpKind::conv_forward && op.math == base::MathMode::fp32;
  });
}

/// The GPU waits for the host: the clock of one CPU core decides, which differs by a quarter from run to run.
bool is_host_bound(const timing::StepTime& time) { return time.step.value.count() > 1.05 * time.device_busy.count(); }

timing::StepTime model(const timing::StepSample& sample) {
  static const timing::Calibration kCalibration = accuracy::stored_calibration();
  static const hardware::Gpu kGpu = accuracy::h200();
  return timing::step_time(sample.ops, kGpu, kCalibration, {1, sample.chosen_by_trial});
}

/// Errors of the steps that are neither in true fp32 nor chosen by trial.
struct StepErrors {
  Errors step;
  Errors forward;
  Errors backward;
  Errors optimizer;
  Errors host_bound;
};

StepErrors errors_of(const timing::Samples& samples, const std::string& title) {
  StepErrors errors{Errors(title), Errors(title + " forward"), Errors(title + " backward"),
                    Errors(title + " optimizer"), Errors(title + ", host-bound")};
  for (const timing::StepSample& sample : samples.steps) {
    if (in_true_fp32(sample) || sample.chosen_by_trial) {
      continue;
    }
    const timing::StepTime time = model(sample);
    (is_host_bound(time) ? errors.host_bound : errors.step)
        .add(sample.label, time.step.value.count(), sample.step.count());
    errors.forward.add(sample.label, time.forward.value.count(), sample.forward.count());
    if (time.backward.value.count() > 0.0) {
      errors.backward.add(sample.label, time.backward.value.count(), sample.backward.count());
      errors.optimizer.add(sample.label, time.optimizer.value.count(), sample.optimizer.count());
    }
  }
  for (const Errors* e : {&errors.step, &errors.forward, &errors.backward, &errors.optimizer, &errors.host_bound}) {
    std::cout << e->summary() << '\n';
  }
  return errors;
}

}  // namespace

TEST_CASE("steps on the calibrated GPU are timed within 2 % in the median, phases within 4 %") {
  const StepErrors errors = errors_of(accuracy::samples({"single_gpu.jsonl"}), "single_gpu");
  CHECK(errors.step.count() > 90);
  CHECK(errors.step.median() < 0.02);
  CHECK(errors.step.worst() < 0.08);
  CHECK(errors.forward.median() < 0.04);
  CHECK(errors.backward.median() < 0.04);
  CHECK(errors.optimizer.median() < 0.04);
  CHECK(errors.host_bound.worst() < 0.25);
}

TEST_CASE("steps that were never fitted to are timed as well") {
  const StepErrors errors = errors_of(accuracy::samples({"held_out_steps.jsonl"}), "held out");
  CHECK(errors.step.count() > 30);
  CHECK(errors.step.median() < 0.02);
  CHECK(errors.step.worst() < 0.12);
  CHECK(errors.forward.median() < 0.04);
  CHECK(errors.backward.median() < 0.04);
  CHECK(errors.optimizer.median() < 0.04);
}

TEST_CASE("true fp32 and cudnn.benchmark stay inside the range that is given") {
  std::size_t inside = 0;
  std::size_t all = 0;
  for (const timing::StepSample& sample : accuracy::samples({"single_gpu.jsonl", "held_out_steps.jsonl"}).steps) {
    if (in_true_fp32(sample) || sample.chosen_by_trial) {
      const timing::StepTime time = model(sample);
      ++all;
      inside += time.step.low <= sample.step && sample.step <= time.step.high ? 1U : 0U;
    }
  }
  CHECK(all > 15);
  CHECK(10 * inside >= 9 * all);
}

TEST_CASE("steps and collectives on two GPUs are timed within 4 % and 10 %") {
  const timing::Samples samples = accuracy::samples({"two_gpus.jsonl"});
  const timing::Calibration calibration = accuracy::stored_calibration();
  Errors steps("two GPUs");
  for (const timing::ParallelSample& sample : samples.parallel) {
    const timing::ParallelTime time = timing::parallel_step_time(sample.ops, accuracy::h200(), calibration,
                                                                 sample.options, sample.exchange, sample.fabric);
    steps.add(sample.label, time.step.step.value.count(), sample.step.count());
  }
  Errors collectives("collectives");
  for (const timing::CollectiveSample& sample : samples.collectives) {
    collectives.add(
        std::to_string(sample.bytes.count()),
        timing::collective_seconds(sample.collective, sample.bytes, sample.fabric, calibration.links).count(),
        sample.seconds.count());
  }
  std::cout << steps.summary() << '\n' << collectives.summary() << '\n';
  CHECK(steps.count() > 15);
  CHECK(steps.worst() < 0.04);
  CHECK(collectives.median() < 0.10);
}

TEST_CASE("training loops with a DataLoader are timed within 10 % in the median") {
  const timing::Calibration calibration = accuracy::stored_calibration();
  // The loop of the measurement: 4024x3036, batch 2, amp-bf16, channels_last, 16 cores.
  base::Seconds per_image;
  for (const timing::StepSample& sample : accuracy::samples({"single_gpu.jsonl"}).steps) {
    if (sample.label == "vgg16 4024x3036 b2 amp-bf16 nhwc momentum") {
      per_image = model(sample).step.value / 2.0;
    }
  }
  REQUIRE(per_image.count() > 0.0);
  Errors errors("loader");
  for (const timing::LoaderSample& sample : accuracy::samples({"data_loader.jsonl"}).loaders) {
    timing::InputSide side;
    side.workers = sample.workers;
    side.cpus = 16;
    const timing::InputThroughput out = timing::input_throughput(sample.path, side, per_image, calibration.input);
    errors.add(std::to_string(sample.workers) + " workers", out.images_per_second, sample.images_per_second);
  }
  std::cout << errors.summary() << '\n';
  CHECK(errors.count() == 12);
  CHECK(errors.median() < 0.10);
  CHECK(errors.worst() < 0.25);
}
