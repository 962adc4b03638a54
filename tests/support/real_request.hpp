// SPDX-License-Identifier: MIT
// Questions to the planner about GPUs of the catalogue, with the real models.
#pragma once

#include "support/known.hpp"
#include "support/request.hpp"
#include "support/vgg.hpp"

namespace vggplan::support {

/// One for all tests of a program: it keeps answers.
inline const estimate::Engine& known_engine() {
  static const estimate::Engine engine = estimate::make_engine(known());
  return engine;
}

inline job::Job vgg16_on(const graph::Shape& image, std::int64_t batch = 1) {
  job::Job job;
  job.model = vgg(16);
  job.image = image;
  job.batch = batch;
  return job;
}

/// So many of one GPU model and no fewer. The largest image is not asked for.
inline planner::PlanRequest request_for(const job::Job& job, const std::string& gpu, std::int64_t gpus = 1) {
  planner::PlanRequest request;
  request.job = job;
  request.candidates = {{target(gpu), gpus, true}};
  request.solve_resolution = false;
  return request;
}

}  // namespace vggplan::support
