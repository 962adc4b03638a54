// SPDX-License-Identifier: MIT
// What calls of cuDNN and cuBLAS take beside their operands.
#include <algorithm>
#include <utility>
#include <variant>

#include "lowering/step.hpp"

namespace vggplan::lowering {

timing::Filter filter_of(const graph::Convolution& convolution, const graph::Shape& output) {
  const graph::Pair one{1, 1};
  if (convolution.kernel == graph::Pair{3, 3} && convolution.stride == one && convolution.padding == one &&
      convolution.dilation == one && convolution.groups == 1 && !convolution.transposed) {
    return {};
  }
  return {convolution.kernel.height,
          convolution.kernel.width,
          std::max(convolution.stride.height, convolution.stride.width),
          std::max(convolution.dilation.height, convolution.dilation.width),
          convolution.groups,
          convolution.transposed,
          output.height,
          output.width};
}

Convolution Step::convolution(NodeId id) const {
  const graph::Node& here = node(id);
  const base::MathMode wanted = job::convolution_math(job.precision);
  const bool falls_back =
      (wanted == base::MathMode::tf32 && !device.tf32) || (wanted == base::MathMode::fp16 && !device.fp16);
  const base::MathMode math = falls_back ? base::MathMode::fp32 : wanted;
  return {batch,
          here.input.channels,
          here.output.channels,
          here.input.height,
          here.input.width,
          activation_bytes,
          math,
          convolution_layout,
          filter_of(std::get<graph::Convolution>(here.kind), here.output)};
}

void Step::convolution_scratch(NodeId id, ConvPass pass, bool recompute) {
  if (variation.workspaces == Workspaces::none) {
    return;
  }
  const bool largest = variation.workspaces == Workspaces::largest;
  Convolution conv = convolution(id);
  if (pass == ConvPass::weight_gradient && contiguous_weight_gradient(id)) {
    conv.layout = base::Layout::nchw;
  }
  // Plans are cached per thread, and recomputation runs in the backward thread.
  const TapeBuilder::Key key{size_drawn, layer_id(id), static_cast<std::int64_t>(pass), recompute, evaluating};
  if (job.cudnn_benchmark) {
    const auto trials = [&] {
      std::vector<std::int64_t> plans = benchmark_plans(framework, pass, conv);
      if (largest) {  // some plans keep every spectrum twice, some copy operands that are laid out as they like
        plans.insert(plans.begin(), std::max(2 * fft_workspace(conv), operand_copies(conv)));
      }
      return plans;
    };
    tape.trial(key, trials, layer_id(id));
  }
  const auto plans = [&] {
    std::vector<std::int64_t> found = workspace_plans(framework, pass, conv, device);
    if (largest && conv.math == base::MathMode::fp32) {
      found.insert(found.begin(), std::max(found.front(), fft_workspace(conv)));
    }
    return found;
  };
  tape.scratch(key, plans, layer_id(id));
}

void Step::cublas_workspaces(bool backward_thread) {
  const bool first = !std::exchange(cublas_ready_[backward_thread ? 1 : 0], true);
  if (first) {
    tape.driver_takes(framework.cublas_handle_driver);
    if (backward_thread) {
      tape.driver_takes(framework.backward_thread_driver);
    }
  }
  library_workspace(device.cublas_workspace.count(), framework.cublas_lifetime, first);
  if (!backward_thread) {
    library_workspace(framework.cublaslt_workspace.count(), framework.cublaslt_lifetime, first);
  }
}

void Step::dot_workspace() {
  const bool first = !std::exchange(cublas_ready_[0], true);
  if (first) {
    tape.driver_takes(framework.cublas_handle_driver);
  }
  library_workspace(device.cublas_workspace.count(), framework.cublas_lifetime, first);
}

void Step::library_workspace(std::int64_t bytes, Lifetime lifetime, bool first) {
  const bool resident = lifetime == Lifetime::process;
  if (bytes == 0 || (resident && !first)) {
    return;
  }
  const TensorId workspace = tape.allocate(bytes, Category::library_workspace, memory::kNoLayer);
  if (!resident) {
    tape.drop(workspace);
  }
}

}  // namespace vggplan::lowering
