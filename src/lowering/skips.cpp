// SPDX-License-Identifier: MIT
// First steps that GradScaler skips.
#include "vggplan/graph/architectures.hpp"
#include "vggplan/lowering/tape.hpp"

namespace vggplan::lowering {

namespace {

/// Fused optimizers are told of infinities and leave the parameters as they are, but make their state.
bool may_skip(const job::Job& job) {
  return job.precision == job::Precision::amp_fp16 && job.optimizer_impl != job::OptimizerImpl::fused;
}

/// Of a batch that is normalised gradients overflow behind VGG's three Linear layers: of a pooled head, or of the mean
/// over pixels, they were not seen to.
bool has_deep_classifier(const job::Job& job) {
  const bool deep = job.head == graph::Head::adaptive || job.head == graph::Head::flatten;
  return job.model.architecture == graph::kVgg && deep && job.scope.until.empty();
}

}  // namespace

bool skips_uncertain(const job::Job& job) { return may_skip(job) && (job.model.batch_norm || job.batch == 1); }

std::size_t skipped_steps(const job::Job& job, const Framework& framework) {
  const graph::Objective usual = graph::architecture_of(job.model.architecture).objective;
  if (!may_skip(job) || job.scope.objective.value_or(usual) != graph::Objective::cross_entropy) {
    return 0;
  }
  constexpr std::int64_t kOneSkip = std::int64_t{1} << 22;  // pixels of a batch
  const std::int64_t pixels = job.batch * job.image.height * job.image.width;
  if (!job::normalizes_by_batch(job)) {
    return job.batch == 1 ? 1 : 0;
  }
  if (!has_deep_classifier(job) || pixels >= framework.scaler_pixels_with_batch_norm / job.batch) {
    return 0;
  }
  return pixels < kOneSkip ? kMostSkips : 1;
}

}  // namespace vggplan::lowering
