// SPDX-License-Identifier: MIT
// From options to what the estimate and the plan are asked, and what they are asked with.
#pragma once

#include <string>
#include <vector>

#include "app/options.hpp"
#include "vggplan/app/app.hpp"
#include "vggplan/base/result.hpp"
#include "vggplan/catalog/catalog.hpp"
#include "vggplan/catalog/gpu_request.hpp"
#include "vggplan/estimate/estimate.hpp"
#include "vggplan/estimate/run.hpp"
#include "vggplan/planner/plan.hpp"

namespace vggplan::app {

/// The built-in catalogue with --config-dir, --gpu-file, --prices and --calibration on top.
base::Result<catalog::Catalog> load_catalog(const Options& options, World& world);

/// One job on one target.
struct EstimateQuestion {
  job::Job job{};
  estimate::Target target{};
  std::vector<estimate::Warning> warnings{};  ///< what was taken for what
};

struct PlanQuestion {
  planner::PlanRequest request{};
  std::vector<estimate::Warning> warnings{};
};

/// A question, and what answers about its GPU need.
struct Asked {
  EstimateQuestion question{};
  estimate::Knowledge knowledge{};
};

/// A catalogue, and what is asked of it. It is asked once for what a sweep asks again and again.
class Session {
 public:
  Session(catalog::Catalog catalog, World& world) : catalog_(std::move(catalog)), world_(world) {}
  /// With the catalogue that the options name.
  static base::Result<Session> open(const Options& options, World& world);

  base::Result<Asked> ask(const Options& options, Command command);

  base::Result<EstimateQuestion> estimate(const Options& options, Command command);
  base::Result<PlanQuestion> plan(const Options& options);
  /// What one kind of GPU holds: what `plan` may choose is open, number and sharding of GPUs are not.
  base::Result<PlanQuestion> fit(const Options& options);
  /// The profile that --framework names, and the calibrations, links, storages, machines and prices that answers about
  /// these GPUs need.
  [[nodiscard]] base::Result<estimate::Knowledge> knowledge(const Options& options,
                                                            const std::vector<std::string>& gpus) const;

 private:
  base::Result<graph::ModelSpec> model(const Options& options);
  base::Result<job::Job> job(const Options& options);
  base::Result<std::optional<hardware::Machine>> machine(const Options& options) const;
  base::Result<std::vector<catalog::GpuRequest>> requests(const Options& options,
                                                          const std::optional<hardware::Machine>& machine,
                                                          Command command);

  /// What both questions are made of.
  struct Parts {
    job::Job job{};
    std::optional<hardware::Machine> machine{};
    std::vector<catalog::GpuRequest> requests{};
  };
  base::Result<Parts> parts(const Options& options, Command command);
  base::Status leave_out_unsupported(std::vector<catalog::GpuRequest>& requests, const Options& options,
                                     std::vector<estimate::Warning>& warnings) const;

  catalog::Catalog catalog_;
  World& world_;
  std::map<std::string, graph::ModelSpec> models_{};
  std::map<std::string, std::vector<catalog::GpuRequest>> requests_{};
};

/// Prices of --price that change nothing in answers about these GPUs. A list of prices in a file is no such question.
std::vector<estimate::Warning> unused_prices(const Options& options, const std::vector<std::string>& gpus,
                                             const estimate::Knowledge& knowledge);

}  // namespace vggplan::app
