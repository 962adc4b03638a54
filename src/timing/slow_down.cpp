// SPDX-License-Identifier: MIT
#include "vggplan/timing/calibration.hpp"

namespace vggplan::timing {

namespace {

void slow_down(HostCosts& host, double factor) {
  for (double HostCosts::*cost :
       {&HostCosts::step_seconds, &HostCosts::forward_op_seconds, &HostCosts::cast_seconds,
        &HostCosts::backward_seconds, &HostCosts::backward_op_seconds, &HostCosts::gradient_seconds,
        &HostCosts::kernel_seconds, &HostCosts::checkpoint_seconds, &HostCosts::recompute_seconds,
        &HostCosts::saved_tensor_seconds, &HostCosts::optimizer_pass_seconds, &HostCosts::optimizer_tensor_seconds,
        &HostCosts::optimizer_call_seconds, &HostCosts::scaler_seconds, &HostCosts::gap_seconds}) {
    host.*cost *= factor;
  }
}

}  // namespace

void slow_down(Calibration& calibration, double factor) {
  for (StreamRate& rate : calibration.streams) {
    rate.start_seconds *= factor;
    rate.cached = rate.cached / factor;
    rate.uncached = rate.uncached / factor;
  }
  for (ShareCurve& curve : calibration.curves) {
    for (double& share : curve.shares) {
      share /= factor;
    }
  }
  slow_down(calibration.host, factor);
}

}  // namespace vggplan::timing
