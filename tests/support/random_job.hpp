// SPDX-License-Identifier: MIT
// Jobs with every setting at random, for tests of what holds of all of them.
#pragma once

#include <cstdlib>
#include <random>
#include <string>

#include "support/vgg.hpp"
#include "vggplan/job/job.hpp"

namespace vggplan::support {

/// From `low` to `high`; the same on every platform, which std::uniform_int_distribution is not.
inline std::int64_t pick(std::mt19937& random, std::int64_t low, std::int64_t high) {
  return low + static_cast<std::int64_t>(random()) % (high - low + 1);
}

/// How much is tried, and from which seed: a number in the environment, or what CI takes.
inline std::uint32_t number_of(const char* variable, std::uint32_t otherwise) {
  const char* wanted = std::getenv(variable);
  return wanted == nullptr ? otherwise : static_cast<std::uint32_t>(std::stoul(wanted));
}

inline job::Checkpointing random_checkpointing(std::mt19937& random) {
  using Kind = job::Checkpointing::Kind;
  const auto kind = static_cast<Kind>(random() % 3);
  return {kind, kind == Kind::sequential ? pick(random, 2, 6) : 0};
}

/// May be one that job::validate refuses.
inline job::Job random_job(std::mt19937& random, std::int64_t longest_side = 700) {
  constexpr std::array<int, 4> kDepths{11, 13, 16, 19};
  job::Job job;
  job.model = vgg(kDepths.at(random() % 4), random() % 2 == 0);
  job.image.channels = random() % 4 == 0 ? 1 : 3;
  job.image.height = pick(random, 32, longest_side);
  job.image.width = pick(random, 32, longest_side);
  job.classes = random() % 3 == 0 ? pick(random, 1, 20'000) : 1000;
  job.head = static_cast<graph::Head>(random() % 3);
  job.mode = random() % 6 == 0 ? job::Mode::infer : job::Mode::train;
  job.batch = pick(random, 1, 8);
  job.accumulation = random() % 4 == 0 ? pick(random, 2, 6) : 1;
  job.precision = static_cast<job::Precision>(random() % 5);
  job.layout = static_cast<base::Layout>(random() % 2);
  job.optimizer = static_cast<job::Optimizer>(random() % 4);
  job.optimizer_impl = static_cast<job::OptimizerImpl>(random() % 3);
  job.checkpointing = random_checkpointing(random);
  job.parallel.gpus = random() % 2 == 0 ? 1 : pick(random, 2, 16);
  job.parallel.nodes = job.parallel.gpus > 8 ? 2 : 1;
  job.parallel.sharding = static_cast<job::Sharding>(random() % 3);
  job.parallel.bucket_view = random() % 4 == 0;
  job.cudnn_benchmark = random() % 8 == 0;
  job.expandable_segments = random() % 3 == 0;
  return job;
}

/// For the message of a test that fails.
inline std::string description(const job::Job& job) {
  const auto name = [](auto value) { return " " + std::string(base::name_of_enum(value)); };
  return job.model.name + " " + std::to_string(job.image.channels) + "x" + std::to_string(job.image.height) + "x" +
         std::to_string(job.image.width) + " batch " + std::to_string(job.batch) + " x " +
         std::to_string(job.accumulation) + name(job.mode) + name(job.head) + name(job.precision) + name(job.layout) +
         name(job.optimizer) + name(job.optimizer_impl) + " " + job::to_string(job.checkpointing) + " " +
         std::to_string(job.parallel.gpus) + " GPUs" + name(job.parallel.sharding) +
         (job.cudnn_benchmark ? " benchmark" : "") + (job.expandable_segments ? " expandable" : "");
}

}  // namespace vggplan::support
