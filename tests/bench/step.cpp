// SPDX-License-Identifier: MIT
// How long a simulated step and a whole estimate take on one core: medians of many runs.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <vector>

#include "vggplan/catalog/calibration.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/estimate/run.hpp"
#include "vggplan/lowering/tape.hpp"
#include "vggplan/memory/simulate.hpp"

namespace {

using namespace vggplan;

double median_microseconds(const std::function<std::int64_t()>& work) {
  constexpr int kRuns = 401;
  std::vector<double> times;
  std::int64_t kept = 0;
  for (int run = 0; run < kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    kept ^= work();
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + kRuns / 2, times.end());
  return kept == -1 ? 0 : times[kRuns / 2];
}

job::Job job_of(const catalog::Catalog& catalog, const char* model, std::int64_t height, std::int64_t width,
                std::int64_t batch) {
  job::Job job;
  job.model = catalog.model(model).value();
  job.image = {3, height, width};
  job.batch = batch;
  return job;
}

void measure(const char* title, const job::Job& job, const estimate::Knowledge& knowledge,
             const estimate::Target& target) {
  const auto network = graph::build_network(job.model, job.image, job.classes, job.head).value();
  const auto segments = lowering::segments(network, job.checkpointing).value();
  const memory::Tape tape = lowering::lower_tape(network, job, segments, knowledge.framework, lowering::Device{});
  const auto simulate = [&](std::size_t steps) {
    memory::SimulationOptions options;
    options.steps = steps;
    return memory::simulate(tape, options).allocated_peak.count();
  };
  const double lower = median_microseconds(
      [&] { return lowering::lower_tape(network, job, segments, knowledge.framework, lowering::Device{}).tensors; });
  const double four = median_microseconds([&] { return simulate(4); });
  const double fourteen = median_microseconds([&] { return simulate(14); });
  const double whole = median_microseconds(
      [&] { return estimate::estimate(job, target, knowledge)->memory.allocated_peak.value.count(); });
  std::printf("%-28s tape %6.0f us, one simulated step %6.0f us, four steps %6.0f us, whole estimate %6.0f us\n", title,
              lower, (fourteen - four) / 10, four, whole);
}

}  // namespace

int main() {
  const catalog::Catalog catalog = catalog::Catalog::built_in();
  const hardware::Gpu gpu = catalog.gpu("h200-sxm-141gb").value();
  estimate::Knowledge knowledge;
  knowledge.framework = catalog.framework("pytorch-2.11").value();
  const auto calibration = catalog.text("calibration", gpu.name).value();
  knowledge.measured = {{gpu, catalog::read_calibration({calibration, gpu.name, true}).value()}};
  const estimate::Target target{gpu, std::nullopt, gpu.usable_memory()};
  measure("vgg16 224x224 batch 32", job_of(catalog, "vgg16", 224, 224, 32), knowledge, target);
  measure("resnet50 224x224 batch 32", job_of(catalog, "resnet50", 224, 224, 32), knowledge, target);
  measure("densenet121 224x224 batch 32", job_of(catalog, "densenet121", 224, 224, 32), knowledge, target);
  job::Job large = job_of(catalog, "vgg16", 4024, 3036, 2);
  measure("vgg16 4024x3036 batch 2", large, knowledge, target);
  large.precision = job::Precision::amp_bf16;
  large.layout = base::Layout::nhwc;
  large.checkpointing = {job::Checkpointing::Kind::block, 0};
  measure("  amp-bf16 nhwc block", large, knowledge, target);
  return 0;
}
