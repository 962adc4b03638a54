// SPDX-License-Identifier: MIT
// Steps of VGG16 at 224x224, and what lives in them.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "support/vgg.hpp"
#include "vggplan/job/job.hpp"
#include "vggplan/memory/tape.hpp"

namespace vggplan::support {

inline constexpr std::int64_t kParameterBytes = 138357544 * 4LL;  ///< of vgg16

inline job::Job vgg16_job(std::int64_t batch, job::Optimizer optimizer = job::Optimizer::sgd) {
  job::Job job;
  job.model = vgg(16);
  job.image = {3, 224, 224};
  job.batch = batch;
  job.optimizer = optimizer;
  return job;
}

/// Requested bytes that live when a forward pass is over, by category; one entry per forward pass of the tape.
inline std::vector<std::map<memory::Category, std::int64_t>> live_after_forwards(const memory::Tape& tape) {
  std::map<memory::TensorId, std::pair<memory::Category, std::int64_t>> live;
  std::vector<std::map<memory::Category, std::int64_t>> found;
  const auto run = [&](const std::vector<memory::Event>& events) {
    for (const memory::Event& event : events) {
      if (event.kind == memory::Event::Kind::allocate) {
        live[event.tensor] = {event.category, event.bytes};
      } else if (event.kind == memory::Event::Kind::release) {
        live.erase(event.tensor);
      } else if (event.kind == memory::Event::Kind::phase && event.phase == base::Phase::backward) {
        found.emplace_back();
        for (const auto& [tensor, what] : live) {
          found.back()[what.first] += what.second;
        }
      }
    }
  };
  run(tape.setup);
  std::for_each(tape.steps.begin(), tape.steps.end(), run);
  return found;
}

}  // namespace vggplan::support
