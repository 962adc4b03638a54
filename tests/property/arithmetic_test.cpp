// SPDX-License-Identifier: MIT
// What a GPU computes in decides, not what it was asked for.
#include <random>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/random_job.hpp"
#include "support/real_request.hpp"
#include "support/warnings.hpp"
#include "vggplan/estimate/run.hpp"

namespace vggplan::estimate {
namespace {

Estimate answer(job::Job job, job::Precision precision, const Target& target) {
  job.precision = precision;
  return estimate(job, target, support::known()).value();
}

template <class T>
void check_equal(const base::Estimated<T>& a, const base::Estimated<T>& b) {
  CHECK(a.low == b.low);
  CHECK(a.value == b.value);
  CHECK(a.high == b.high);
}

std::vector<std::string> codes(const Estimate& estimate) {
  std::vector<std::string> codes;
  for (const Warning& warning : estimate.warnings) {
    if (warning.code != "no-tf32") {  // it says that the two are the same
      codes.push_back(warning.code);
    }
  }
  return codes;
}

TEST_CASE("the same arithmetic has the same memory, time and warnings, with their ranges, on every GPU") {
  std::mt19937 random(11);  // NOLINT(cert-msc51-cpp): the same jobs in every run
  std::size_t without_tf32 = 0;
  for (const std::string& name : support::built_in_catalog().gpu_names()) {
    const hardware::Gpu gpu = support::gpu(name);
    const Target target = support::target(gpu.name);
    for (int i = 0; i < 8; ++i) {
      job::Job job = support::random_job(random, 400);
      job.precision = job::Precision::fp32;
      if (!estimate(job, target, support::known())) {
        continue;
      }
      INFO(gpu.name << ' ' << support::description(job));
      const Estimate fp32 = answer(job, job::Precision::fp32, target);
      CHECK(support::warns(fp32, "fp32-workspace"));
      if (gpu.tf32_tensor) {
        continue;
      }
      ++without_tf32;
      const Estimate tf32 = answer(job, job::Precision::tf32, target);
      check_equal(fp32.memory.allocated_peak, tf32.memory.allocated_peak);
      check_equal(fp32.memory.reserved_peak, tf32.memory.reserved_peak);
      check_equal(fp32.memory.device_used, tf32.memory.device_used);
      check_equal(fp32.time.step, tf32.time.step);
      check_equal(fp32.time.forward, tf32.time.forward);
      check_equal(fp32.time.backward, tf32.time.backward);
      CHECK(fp32.memory.verdict == tf32.memory.verdict);
      CHECK(codes(fp32) == codes(tf32));
    }
  }
  CHECK(without_tf32 > 30);
}

TEST_CASE("no range of memory is narrow beside the warning of FFT workspaces") {
  for (const std::string& name : support::built_in_catalog().gpu_names()) {
    const hardware::Gpu gpu = support::gpu(name);
    for (const auto precision : {job::Precision::fp32, job::Precision::tf32, job::Precision::amp_fp16}) {
      const Estimate estimate = answer(support::vgg16_on({3, 512, 512}, 4), precision, support::target(gpu.name));
      // Of what is reserved: on a card of 8 GB cuDNN tries large workspaces in vain, and the allocated peak is narrow.
      const auto& peak = estimate.memory.reserved_peak;
      INFO(gpu.name << ' ' << base::name_of_enum(precision));
      CHECK((!support::warns(estimate, "fp32-workspace") || peak.high.as_double() > 1.1 * peak.low.as_double()));
    }
  }
}

}  // namespace
}  // namespace vggplan::estimate
