// SPDX-License-Identifier: MIT
// One function per command: options in, exit code or what went wrong out.
#pragma once

#include <string>
#include <vector>

#include "app/options.hpp"
#include "app/settings.hpp"
#include "vggplan/app/app.hpp"
#include "vggplan/base/result.hpp"

namespace vggplan::app {

struct Request {
  Command command{};
  Options options{};
  Settled settled{};  ///< for commands that set options anew, as a sweep does
  std::vector<std::string> positionals{};
};

base::Result<int> run_plan(const Request& request, World& world);
base::Result<int> run_estimate(const Request& request, World& world);
base::Result<int> run_fit(const Request& request, World& world);
base::Result<int> run_layers(const Request& request, World& world);
base::Result<int> run_sweep(const Request& request, World& world);
base::Result<int> run_catalogue(const Request& request, World& world);
base::Result<int> run_show(const Request& request, World& world);
base::Result<int> run_diff(const Request& request, World& world);
base::Result<int> run_check(const Request& request, World& world);
base::Result<int> run_launch(const Request& request, World& world);
base::Result<int> run_verify(const Request& request, World& world);
base::Result<int> run_calibrate(const Request& request, World& world);
base::Result<int> run_schema(const Request& request, World& world);
base::Result<int> run_completion(const Request& request, World& world);
base::Result<int> run_man(const Request& request, World& world);

}  // namespace vggplan::app
