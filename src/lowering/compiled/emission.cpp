// SPDX-License-Identifier: MIT
#include "lowering/compiled/emission.hpp"

#include <algorithm>
#include <utility>

namespace vggplan::lowering::compiled {

void Emission::allocate(const Kernel& kernel, const Call& call) {
  const std::vector<BufferId>& made = kernel.returns.empty() ? kernel.writes : kernel.returns;
  for (std::size_t i = 0; i < made.size(); ++i) {
    const BufferId b = made[i];
    const Buffer& buffer = program.buffers[b];
    if (placement.storage[b] == b && !kernel.unpacks) {
      if (names[b] == kNothing) {
        tensors[b] = step.tape.allocate(buffer.bytes, buffer.category, buffer.layer);
      } else {
        tensors[b] = names[b];
        step.tape.allocate_as(names[b], buffer.bytes, buffer.category, buffer.layer);
      }
    }
    if (i < call.passes.size()) {
      step.convolution_scratch(call.node, call.passes[i], backward);
    }
  }
}

/// Triton times several configurations of a kernel at its first launch, each after it has filled a buffer of the size
/// of the L2 cache; what the kernel overwrites is a copy then (torch/_inductor/runtime/triton_heuristics.py).
void Emission::tune(const Kernel& kernel) {
  std::vector<std::int64_t> key{kernel.trials};
  for (const BufferId b : kernel.reads) {
    key.push_back(program.buffers[b].bytes);
  }
  for (const BufferId b : kernel.writes) {
    key.push_back(-program.buffers[b].bytes);
  }
  if (kernel.trials < 2 || !step.variation.buffers || !compiled.tuned.insert(key).second) {
    return;
  }
  const BufferId first = kernel.writes.front();
  std::int64_t copied = placement.storage[first] == first ? 0 : program.buffers[first].bytes;
  if ((backward || !step.training()) && copied > step.tape.below_peak()) {
    copied = 0;  // copied to the host, so that the peak does not rise
  }
  const auto copy = [&] {
    if (copied > 0) {
      step.tape.drop(step.tape.allocate(copied, Category::other, program.buffers[first].layer));
    }
  };
  for (int trial = 0; trial < kernel.trials; ++trial) {
    copy();
    const TensorId cache = step.tape.allocate(step.device.l2_cache.count(), Category::other, memory::kNoLayer);
    copy();
    step.tape.drop(cache);
  }
}

void Emission::release(std::size_t k, const Kernel& kernel) {
  std::vector<BufferId> done = kernel.writes;
  done.insert(done.end(), kernel.reads.begin(), kernel.reads.end());
  for (BufferId& b : done) {
    b = placement.storage[b];
  }
  std::ranges::sort(done, {}, [&](BufferId b) { return std::pair(program.buffers[b].given, b); });
  done.erase(std::unique(done.begin(), done.end()), done.end());
  for (const BufferId b : done) {
    if (b == kImage && !backward && !image_kept && image_last == k) {
      step.tape.drop(std::exchange(tensors[b], kNothing));
    } else if (placement.last[b] == k) {
      step.tape.drop(tensors[b]);
    }
  }
}

/// CUDA graphs take cuBLAS workspaces from their own pool, and give them back behind each graph.
void Emission::product_workspaces() {
  if (!graph) {
    step.cublas_workspaces(backward);
  } else if (workspaces.empty()) {
    const auto take = [&](base::Bytes bytes) {
      workspaces.push_back(step.tape.allocate(bytes.count(), Category::library_workspace, memory::kNoLayer));
    };
    take(step.device.cublas_workspace);
    if (!backward) {
      take(step.framework.cublaslt_workspace);
    }
  }
}

timing::Launch Emission::launch() const { return graph ? timing::Launch::graph : timing::Launch::compiled; }

/// CUDA graphs are recorded over a copy of the images, behind an emptied cache.
void Emission::run(bool records) {
  timing::Op entry =
      timing::make_op(timing::OpKind::compiled_call, base::MathMode::fp32, base::DType::f32, base::Layout::nchw, {});
  entry.launch = launch();
  entry.tensors = static_cast<std::int64_t>(step.parameters.size());
  step.begin_ops(timing::kNoLayer, backward ? base::Phase::backward : base::Phase::forward, false);
  step.op(entry);
  step.tape.on_stream(graph ? memory::kGraphStream : std::uint8_t{0});
  if (records) {
    tensors[kImage] = step.tape.allocate(program.buffers[kImage].bytes, Category::input, memory::kNoLayer);
    step.tape.empty_cache();
  }
  run_kernels();
  for (const TensorId workspace : workspaces) {
    step.tape.drop(workspace);
  }
  step.tape.on_stream(0);
}

void Emission::run_kernels() {
  for (std::size_t k = 0; k < program.kernels.size(); ++k) {
    const Kernel& kernel = program.kernels[k];
    const Call& call = calls[kernel.call];
    step.begin_ops(call.node, backward ? base::Phase::backward : base::Phase::forward, false);
    const TensorId copy =
        call.copied > 0 ? step.tape.allocate(call.copied, Category::other, layer_id(call.node)) : kNothing;
    allocate(kernel, call);
    step.tape.drop(copy);
    if (call.product) {
      product_workspaces();
    }
    if (call.cast) {
      step.tape.heavy_kernel();
    }
    tune(kernel);
    for (timing::Op op : call.ops) {
      op.launch = launch();
      step.op(op);
    }
    release(k, kernel);
  }
}

Emission emission_of(Step& step, CompiledStep& compiled, bool backward) {
  const Captured& captured = compiled.captured;
  const Program& program = backward ? captured.backward : captured.forward;
  const std::vector<TensorId> nothing(program.buffers.size(), kNothing);
  std::size_t image_last = 0;
  for (std::size_t k = 0; k < program.kernels.size(); ++k) {
    image_last = std::ranges::count(program.kernels[k].reads, kImage) > 0 ? k : image_last;
  }
  return {step,
          compiled,
          program,
          backward ? captured.backward_calls : captured.forward_calls,
          backward ? compiled.backward : compiled.forward,
          backward,
          nothing,
          nothing,
          captured.keeps_image,
          image_last,
          step.job.compile == job::Compile::reduce_overhead,
          {}};
}

}  // namespace vggplan::lowering::compiled
