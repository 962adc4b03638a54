// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cmath>

#include "timing/fit.hpp"
#include "timing/least_squares.hpp"

namespace vggplan::timing {
namespace {

constexpr double kSmall = 1 << 20;   // bytes: below, a collective takes its start alone
constexpr double kLarge = 32 << 20;  // above, its start hardly counts

/// By which factor on a rate the median of the chosen samples would be met.
template <class Choose>
double rate_factor(std::span<const CollectiveSample> samples, const LinkRates& rates, Choose choose) {
  std::vector<double> factors;
  for (const CollectiveSample& sample : samples) {
    if (choose(sample) && sample.bytes.as_double() >= kLarge) {
      const double start = 0.5 * rates.start_seconds;
      const double modelled = collective_seconds(sample.collective, sample.bytes, sample.fabric, rates).count();
      factors.push_back((modelled - start) / std::max(sample.seconds.count() - start, 1e-9));
    }
  }
  return factors.empty() ? 1.0 : median(factors);
}

void fit_collectives(std::span<const CollectiveSample> samples, LinkRates& rates) {
  std::vector<double> starts;
  for (const CollectiveSample& sample : samples) {
    if (sample.bytes.as_double() <= kSmall && sample.fabric.gpus == 2) {
      starts.push_back(sample.seconds.count());
    }
  }
  rates.start_seconds = starts.empty() ? rates.start_seconds : median(starts);
  const auto reduces = [](const CollectiveSample& s) { return s.collective == Collective::all_reduce; };
  rates.nvlink_share *= rate_factor(samples, rates, reduces);
  const auto gathers = [](const CollectiveSample& s) {
    return s.collective == Collective::all_gather || s.collective == Collective::reduce_scatter;
  };
  rates.gather_share *= rate_factor(samples, rates, gathers);
}

double loss(std::span<const ParallelSample> samples, const hardware::Gpu& gpu, const Calibration& calibration) {
  double sum = 0.0;
  for (const ParallelSample& sample : samples) {
    const ParallelTime time =
        parallel_step_time(sample.ops, gpu, calibration, sample.options, sample.exchange, sample.fabric);
    const double miss = std::log(time.step.step.value.count() / sample.step.count());
    sum += miss * miss;
  }
  return sum;
}

void fit_overlap(std::span<const ParallelSample> samples, const hardware::Gpu& gpu, Calibration& calibration) {
  constexpr std::array kCoefficients{&LinkRates::overlap_share, &LinkRates::spread_share};
  calibration.links =
      search(calibration.links, kCoefficients, {.first = 1.5, .last = 1.02}, [&](const LinkRates& rates) {
        Calibration candidate = calibration;
        candidate.links = rates;
        return loss(samples, gpu, candidate);
      });
}

}  // namespace

void fit_links(const Samples& samples, const hardware::Gpu& gpu, Calibration& calibration) {
  fit_collectives(samples.collectives, calibration.links);
  if (!samples.parallel.empty()) {
    fit_overlap(samples.parallel, gpu, calibration);
  }
}

}  // namespace vggplan::timing
