// SPDX-License-Identifier: MIT
// What only shows in the first steps, or in tensors of more than 2 GiB.
#include <algorithm>

#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/measured.hpp"

namespace vggplan::accuracy {
namespace {

using support::Row;

TEST_CASE("GradScaler skips none, one, or more of the first steps as measured, in seven of eight runs") {
  const lowering::Framework framework = support::built_in_framework();
  std::size_t runs = 0;
  std::size_t right = 0;
  for (const Row& row : support::read_rows("scaler_skips.jsonl")) {
    const std::size_t measured = std::min(row.at("skips").get<std::size_t>(), lowering::kMostSkips);
    right += lowering::skipped_steps(support::job_of(row), framework) == measured ? 1U : 0U;
    ++runs;
  }
  CHECK(runs == 116);
  CHECK(8 * right >= 7 * runs);
}

// Measured (range_steps.jsonl): vgg16 on one image of 3670 x 4800, whose first step would be skipped, holds AdamW's
// state after it under a fused optimizer.
TEST_CASE("a fused optimizer makes its state in the first step, infinities or not") {
  job::Job job;
  job.model = support::job_of(Row{{"h", 3670}, {"w", 4800}}).model;
  job.image = {3, 3670, 4800};
  job.precision = job::Precision::amp_fp16;
  job.optimizer = job::Optimizer::adam;
  CHECK(lowering::skipped_steps(job, support::built_in_framework()) == 1);
  job.optimizer_impl = job::OptimizerImpl::fused;
  CHECK(lowering::skipped_steps(job, support::built_in_framework()) == 0);
}

// Recorded with an H200: 25 images of 904x930 under bf16, channels_last. The map has 2.5 GiB, which PyTorch halves.
TEST_CASE("the bias gradient of a 16-bit map beyond 2 GiB adds its halves up in a buffer of fp32") {
  job::Job job;
  job.model = support::job_of(Row{{"h", 904}, {"w", 930}}).model;
  job.image = {3, 904, 930};
  job.batch = 25;
  job.precision = job::Precision::bf16;
  job.layout = base::Layout::nhwc;
  const memory::Tape tape = support::tape_of(job, support::built_in_framework());
  std::vector<std::int64_t> taken;
  bool backward = false;
  for (const memory::Event& event : tape.steps.back()) {
    backward = event.kind == memory::Event::Kind::phase ? event.phase == base::Phase::backward : backward;
    if (backward && event.kind == memory::Event::Kind::allocate && event.layer == 3 &&
        event.category == memory::Category::other) {
      taken.push_back(event.bytes);
    }
  }
  CHECK(taken == std::vector<std::int64_t>{256, 84082688, 4, 84082688, 4});
}

}  // namespace
}  // namespace vggplan::accuracy
