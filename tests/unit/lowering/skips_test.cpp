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
    made.push_back(0);
    for (const memory::Event& event : step) {
      const bool state =
          event.kind == memory::Event::Kind::allocate && event.category == memory::Category::optimizer_state;
      made.back() += state ? event.bytes : 0;
    }
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

}  // namespace
}  // namespace vggplan::lowering
