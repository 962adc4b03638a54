// SPDX-License-Identifier: MIT
// What GradScaler's skipped steps leave out of a tape.
#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/vgg.hpp"

namespace vggplan::lowering {
namespace {

constexpr std::int64_t kStateBytes = 2 * 138357544 * 4LL;  ///< two moments of vgg16

job::Job adamw_job() {
  job::Job job;
  job.model = support::vgg(16);
  job.image = {3, 224, 224};
  job.batch = 1;
  job.precision = job::Precision::amp_fp16;
  job.optimizer = job::Optimizer::adamw;
  return job;
}

/// Optimizer state that each step makes.
std::vector<std::int64_t> state_made(const job::Job& job, Skips skips) {
  const memory::Tape tape = support::tape_of(job, support::without_workspaces(), {}, {.skips = skips});
  std::vector<std::int64_t> made;
  for (const std::vector<memory::Event>& step : tape.steps) {
    made.push_back(support::taken(step, memory::Category::optimizer_state));
  }
  return made;
}

TEST_CASE("state comes in the first step that GradScaler does not skip, or never") {
  using Made = std::vector<std::int64_t>;
  CHECK(state_made(adamw_job(), Skips::none) == Made{kStateBytes, 0});
  CHECK(state_made(adamw_job(), Skips::derived) == Made{0, kStateBytes, 0});  // one image: its first step overflows
  for (const std::int64_t bytes : state_made(adamw_job(), Skips::all)) {
    CHECK(bytes == 0);
  }
}

TEST_CASE("what is skipped is uncertain with batch norm and for one image, of float16 and optimizers that look") {
  job::Job job = adamw_job();
  CHECK(skips_uncertain(job));
  job.batch = 2;
  CHECK_FALSE(skips_uncertain(job));
  job.model.batch_norm = true;
  CHECK(skips_uncertain(job));
  job.optimizer_impl = job::OptimizerImpl::fused;
  CHECK_FALSE(skips_uncertain(job));
  job.optimizer_impl = job::OptimizerImpl::loop;
  job.precision = job::Precision::amp_bf16;
  CHECK_FALSE(skips_uncertain(job));
}

/// tests/data/measurements/scaler_skips.jsonl, and random steps beside it.
TEST_CASE("with batch norm the first steps are skipped of few and small images, behind VGG's classifier alone") {
  Framework framework = support::built_in_framework();
  const auto skipped = [&](std::int64_t batch, std::int64_t height, std::int64_t width, graph::Head head) {
    job::Job job = adamw_job();
    job.model.batch_norm = true;
    job.head = head;
    job.batch = batch;
    job.image = {3, height, width};
    return skipped_steps(job, framework);
  };
  CHECK(skipped(16, 224, 224, graph::Head::adaptive) == 2);
  CHECK(skipped(64, 224, 224, graph::Head::adaptive) == 2);
  CHECK(skipped(16, 512, 512, graph::Head::adaptive) == 1);
  CHECK(skipped(64, 512, 512, graph::Head::adaptive) == 0);
  CHECK(skipped(16, 1024, 1024, graph::Head::adaptive) == 0);
  CHECK(skipped(8, 1455, 1001, graph::Head::adaptive) == 1);
  CHECK(skipped(23, 571, 800, graph::Head::adaptive) == 0);
  CHECK(skipped(1024, 78, 78, graph::Head::adaptive) == 0);
  CHECK(skipped(2, 467, 548, graph::Head::gap) == 0);
  framework.scaler_pixels_with_batch_norm = 2 * 20'000;  // two images of 100 x 100: their pixels, times two
  CHECK(skipped(2, 100, 100, graph::Head::adaptive) == 0);
  CHECK(skipped(2, 100, 99, graph::Head::adaptive) == 2);
  framework.scaler_pixels_with_batch_norm = std::int64_t{1} << 40;
  CHECK(skipped(1, 2048, 2048, graph::Head::adaptive) == 1);
  CHECK(skipped(1, 2048, 2047, graph::Head::adaptive) == 2);
  job::Job resnet = adamw_job();
  resnet.model.architecture = "resnet34";
  resnet.batch = 48;
  resnet.model.batch_norm = true;
  CHECK(skipped_steps(resnet, framework) == 0);
  job::Job unet = adamw_job();  // one image, whose loss is a mean over its pixels
  unet.model.architecture = "unet-vgg16";
  CHECK(skipped_steps(unet, framework) == 0);
}

}  // namespace
}  // namespace vggplan::lowering
