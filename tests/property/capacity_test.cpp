// SPDX-License-Identifier: MIT
// What `fit` says against trying every batch and image, with the real models.
#include "vggplan/planner/capacity.hpp"

#include <algorithm>

#include "support/catch.hpp"
#include "support/real_request.hpp"

namespace vggplan::planner {
namespace {

using estimate::Verdict;

PlanRequest open_request(const std::string& gpu, base::Bytes usable, const graph::Shape& image) {
  PlanRequest request = support::request_for(support::vgg16_on(image), gpu);
  request.sharding = job::Sharding::ddp;
  request.candidates.front().target.usable = usable;
  return request;
}

/// A fresh simulation of the row's settings.
Verdict verdict(const PlanRequest& request, const Holding& held, std::int64_t batch, std::int64_t height,
                std::int64_t width) {
  job::Job job = held.job;
  job.batch = batch;
  job.image.height = height;
  job.image.width = width;
  return estimate::simulate_memory(job, request.candidates.front().target, support::known()).value().verdict;
}

TEST_CASE("the largest batch of every choice of settings is the one that trying all finds") {
  const PlanRequest request = open_request("rtx-3060", base::kGiB * 4, {3, 224, 224});
  const auto answer = capacity(request, support::known_engine());
  REQUIRE(answer.has_value());
  CHECK(answer->holdings.size() == 8);  // tf32 and amp-bf16, two layouts, with and without checkpointing
  for (const Holding& held : answer->holdings) {
    INFO(base::name_of_enum(held.batch.precision)
         << " " << base::name_of_enum(held.batch.layout) << " " << job::to_string(held.batch.checkpointing));
    const auto at = [&](std::int64_t batch) { return verdict(request, held, batch, 224, 224); };
    std::int64_t hard = 0;
    std::int64_t steady = 0;
    while (at(hard + 1) != Verdict::does_not_fit) {
      ++hard;
      steady = at(hard) == Verdict::fits ? hard : steady;
    }
    CHECK(held.batch.hard == hard);
    CHECK(held.batch.steady == steady);
    CHECK(held.certain <= steady);
    CHECK(held.certain > 0);
  }
}

TEST_CASE("the largest image fits, and one a tenth larger does not") {
  const PlanRequest request = open_request("rtx-3060", base::kGiB * 4, {3, 200, 300});
  const auto answer = capacity(request, support::known_engine());
  REQUIRE(answer.has_value());
  for (const Holding& held : answer->holdings) {
    INFO(base::name_of_enum(held.batch.precision) << " " << job::to_string(held.batch.checkpointing));
    CHECK(held.image.batch == 1);
    CHECK(verdict(request, held, 1, held.image.height, held.image.width) == Verdict::fits);
    CHECK(verdict(request, held, 1, held.image.height * 11 / 10, held.image.width * 11 / 10) != Verdict::fits);
    CHECK(static_cast<double>(held.image.width) / static_cast<double>(held.image.height) == Approx(1.5).epsilon(0.01));
  }
}

TEST_CASE("what settings cost is their time an image against the fastest, by estimate") {
  PlanRequest request = open_request("rtx-3060", base::kGiB * 6, {3, 224, 224});
  request.batch = 8;
  const auto answer = capacity(request, support::known_engine());
  REQUIRE(answer.has_value());
  REQUIRE(answer->fits());
  double fastest = 0;
  const auto rate = [&](const Holding& held) {
    CHECK(held.job.batch == 8);
    return estimate::estimate(held.job, request.candidates.front().target, support::known())
        .value()
        .time.images_per_second.value;
  };
  for (const Holding& held : answer->holdings) {
    fastest = std::max(fastest, rate(held));
  }
  for (const Holding& held : answer->holdings) {
    CHECK(held.slowdown.value() == Approx(fastest / rate(held)));
  }
  CHECK(answer->holdings.front().slowdown == 1.0);
  CHECK(answer->estimate.job == answer->holdings.front().job);
}

TEST_CASE("the upper end of the range of what is put first fits, too") {
  const PlanRequest request = open_request("rtx-4060", support::target("rtx-4060").usable, {3, 224, 224});
  const auto answer = capacity(request, support::known_engine());
  REQUIRE(answer.has_value());
  CHECK(answer->estimate.memory.reserved_peak.high <= answer->estimate.memory.usable);
}

TEST_CASE("where nothing fits, what would help is told, and the image that does fit") {
  PlanRequest request = open_request("rtx-2060", support::target("rtx-2060").usable, {3, 4024, 3036});
  request.others.push_back(support::target("h200-sxm-141gb"));
  const auto answer = capacity(request, support::known_engine());
  REQUIRE(answer.has_value());
  CHECK_FALSE(answer->fits());
  CHECK_FALSE(answer->remedies.empty());
  const Holding& first = answer->holdings.front();
  CHECK(first.batch.steady == 0);
  CHECK(first.image.height > 0);
  for (const Holding& held : answer->holdings) {
    CHECK(held.image.height * held.image.width <= first.image.height * first.image.width);
  }
}

}  // namespace
}  // namespace vggplan::planner
