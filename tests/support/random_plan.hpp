// SPDX-License-Identifier: MIT
// Random worlds, and questions to the planner about them: small enough that a test can try everything.
#pragma once

#include <array>
#include <random>
#include <string>

#include "support/made_up.hpp"

namespace vggplan::support {

class Dice {
 public:
  explicit Dice(std::uint32_t seed) : random_(seed) {}
  double between(double low, double high) { return low + (high - low) * static_cast<double>(random_()) / 4294967295.0; }
  std::int64_t whole(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random_()) % (high - low + 1);
  }
  bool coin() { return random_() % 2 == 0; }

 private:
  std::mt19937 random_;
};

inline World random_world(Dice& dice) {
  World world;
  world.fixed = dice.between(100, 1000);
  world.state = dice.between(0, world.fixed / 2);
  world.buckets = dice.between(0, 300);
  world.image = dice.between(950, 1600);
  world.half = dice.between(0.6, 1);
  world.nhwc = dice.between(0.8, 1.1);
  world.checkpointed = dice.between(0.6, 0.9);
  world.slack = dice.between(1, 1.4);
  world.flicker = dice.coin() ? 0 : dice.between(0, 0.3);
  world.image_seconds = dice.between(0.001, 0.1);
  world.half_speed = dice.between(0.3, 1.1);
  world.nhwc_speed = dice.between(0.5, 1.2);
  world.recompute = dice.between(1.1, 1.4);
  world.launch = dice.between(0, 0.05);
  world.update = dice.between(0, 0.05);
  world.exchange = dice.between(0, 0.1);
  world.input_rate = dice.coin() ? 1e9 : dice.between(5, 200);
  world.exposed = dice.coin() ? dice.between(0, 0.001) : dice.between(0, 1);
  world.range = dice.coin() ? 0 : dice.between(0, 0.1);
  world.seed = static_cast<std::uint32_t>(dice.whole(1, 1 << 30));
  return world;
}

/// Settings that the user insists on, in some of the requests.
inline void fix_some(Dice& dice, planner::PlanRequest& request) {
  const auto rarely = [&] { return dice.whole(0, 5) == 0; };
  if (rarely()) {
    request.precision = static_cast<job::Precision>(dice.whole(0, 4));
  }
  if (rarely()) {
    request.layout = dice.coin() ? base::Layout::nchw : base::Layout::nhwc;
  }
  if (rarely()) {
    request.checkpointing =
        job::Checkpointing{dice.coin() ? job::Checkpointing::Kind::none : job::Checkpointing::Kind::block, 0};
  }
  if (rarely()) {
    request.sharding = static_cast<job::Sharding>(dice.whole(0, 2));
  }
}

inline planner::PlanRequest random_plan_request(Dice& dice, Prices& prices) {
  planner::PlanRequest request;
  request.job = small_job();
  const std::int64_t height = std::array{100, 80, 125, 200}.at(static_cast<std::size_t>(dice.whole(0, 3)));
  request.job.image = {3, height, 10'000 / height};
  request.job.mode = dice.whole(0, 7) == 0 ? job::Mode::infer : job::Mode::train;
  const std::int64_t gpus = dice.whole(1, 3);
  for (std::int64_t i = 0; i < gpus; ++i) {
    const std::string name = "gpu" + std::to_string(i);
    request.candidates.push_back(made_up_gpu(name, dice.whole(1000, 2200), dice.whole(1, 6), dice.coin()));
    request.candidates.back().per_node = dice.coin() ? 8 : dice.whole(1, 4);
    request.candidates.back().exactly = dice.whole(0, 5) == 0;
    if (dice.whole(0, 2) > 0) {
      prices[name] = dice.between(0.5, 5);
    }
  }
  request.objective = static_cast<planner::Objective>(dice.whole(0, 2));
  const auto rarely = [&] { return dice.whole(0, 3) == 0; };
  if (rarely()) {
    request.global_batch = dice.whole(1, 24);
  } else if (rarely()) {
    request.batch = dice.whole(1, 5);
  }
  if (rarely()) {
    request.accumulation = dice.whole(1, 3);
  }
  if (rarely()) {
    request.max_gpus = dice.whole(1, 4);
  }
  if (rarely()) {
    request.job.data.images = dice.coin() ? 1000 : dice.whole(1, 60);
    request.job.data.epochs = dice.whole(1, 3);
    request.deadline = base::Seconds(dice.between(5, 200));
  }
  if (rarely()) {
    request.job.data.images = dice.whole(1, 1000);
    request.max_cost = base::Usd(dice.between(0.01, 0.5));
  }
  if (rarely()) {
    request.reserve.percent = dice.between(0, 20);
    request.reserve.bytes = base::Bytes(dice.whole(0, 100));
  }
  if (dice.whole(0, 7) == 0) {
    request.nodes = dice.whole(1, 3);
  }
  request.job.model = vgg(11, rarely());
  fix_some(dice, request);
  request.threads = static_cast<unsigned>(dice.whole(1, 3));
  return request;
}

/// A question and the world that it is about.
struct MadeUpQuestion {
  Prices prices{};
  World world{};
  planner::PlanRequest request{};
  estimate::Engine engine{};

  explicit MadeUpQuestion(std::uint32_t seed) {
    Dice dice(seed);
    world = random_world(dice);
    request = random_plan_request(dice, prices);
    engine = engine_of(world, prices);
  }
};

}  // namespace vggplan::support
