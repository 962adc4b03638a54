// SPDX-License-Identifier: MIT
#include "lowering/compiled/emit.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "lowering/compiled/capture.hpp"
#include "lowering/compiled/pad_trials.hpp"

namespace vggplan::lowering {

using compiled::Buffer;
using compiled::BufferId;
using compiled::Captured;
using compiled::Kernel;
using compiled::kNoBuffer;
using compiled::Placement;
using compiled::Program;
using compiled::Work;

/// One compiled network, and what its runs leave for each other.
struct CompiledStep {
  explicit CompiledStep(const Step& step)
      : captured(compiled::capture(step)),
        forward(compiled::place(captured.forward)),
        backward(compiled::place(captured.backward)) {}

  Captured captured;
  Placement forward;
  Placement backward;
  std::vector<TensorId> saved{};                ///< by buffer of backward, from forward
  std::set<std::vector<std::int64_t>> tuned{};  ///< kernels that have run, by the sizes of their buffers
  int forwards{0};                              ///< that ran
  bool replays{false};                          ///< the last of them was a graph's
  TensorId image{kNothing};                     ///< a copy of the images that backward reads
};

namespace {

constexpr BufferId kImage = 0;  ///< of forward

/// A program on its way to the tape. `tensors`: by storage; those that are given are there.
struct Emission {
  Step& step;
  CompiledStep& compiled;
  const Program& program;
  const std::vector<Work>& work;
  const Placement& placement;
  bool backward{};
  std::vector<TensorId> tensors{};
  std::vector<TensorId> names{};  ///< by storage: where it outlives the step
  bool image_kept{};              ///< by backward
  std::size_t image_last{};       ///< the kernel that is the last to read the images
  bool graph{};                   ///< in the pool of CUDA graphs
  std::vector<TensorId> workspaces{};

  void run(bool records);
  void run_kernels();
  [[nodiscard]] timing::Launch launch() const;
  void product_workspaces();
  void allocate(const Kernel& kernel, const Work& done);
  void tune(const Kernel& kernel);
  void release(std::size_t k, const Kernel& kernel);
};

void Emission::allocate(const Kernel& kernel, const Work& done) {
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
    if (i < done.passes.size()) {
      step.convolution_scratch(done.node, done.passes[i], backward);
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
  timing::Op call =
      timing::make_op(timing::OpKind::compiled_call, base::MathMode::fp32, base::DType::f32, base::Layout::nchw, {});
  call.launch = launch();
  call.tensors = static_cast<std::int64_t>(step.parameters.size());
  step.begin_ops(timing::kNoLayer, backward ? base::Phase::backward : base::Phase::forward, false);
  step.op(call);
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
    const Work& done = work[kernel.work];
    step.begin_ops(done.node, backward ? base::Phase::backward : base::Phase::forward, false);
    const TensorId copy =
        done.copied > 0 ? step.tape.allocate(done.copied, Category::other, layer_id(done.node)) : kNothing;
    allocate(kernel, done);
    step.tape.drop(copy);
    if (done.product) {
      product_workspaces();
    }
    if (done.cast) {
      step.tape.heavy_kernel();
    }
    tune(kernel);
    for (timing::Op op : done.ops) {
      op.launch = launch();
      step.op(op);
    }
    release(k, kernel);
  }
}

CompiledStep& compiled_of(Step& step) {
  std::shared_ptr<CompiledStep>& held = step.evaluating ? step.compiled_evaluation : step.compiled;
  if (!held) {
    held = std::make_shared<CompiledStep>(step);
  }
  return *held;
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
          backward ? captured.backward_work : captured.forward_work,
          backward ? compiled.backward : compiled.forward,
          backward,
          nothing,
          nothing,
          captured.keeps_image,
          image_last,
          step.job.compile == job::Compile::reduce_overhead,
          {}};
}

/// The storage that a parameter's gradient lies in, which may be one of forward, becomes the gradient itself: not where
/// it is copied, or added to what is there.
void name_gradients(Step& step, const CompiledStep& compiled, Emission& forward, bool of_backward) {
  const Captured& captured = compiled.captured;
  for (std::size_t p = 0; p < captured.gradients.size(); ++p) {
    const BufferId gradient = captured.gradients[p];
    if (gradient == kNoBuffer || captured.relaid[p] || step.parameters[p].gradient_live) {
      continue;
    }
    const BufferId storage = compiled.backward.storage[gradient];
    if (of_backward) {
      forward.names[storage] = step.parameters[p].gradient;
      continue;
    }
    for (const auto& [ours, theirs] : captured.kept) {
      if (theirs == storage) {
        forward.names[compiled.forward.storage[ours]] = step.parameters[p].gradient;
      }
    }
  }
}

void count_kept(Step& step, const Captured& captured) {
  for (const auto& [ours, theirs] : captured.kept) {
    const Buffer& buffer = captured.forward.buffers[ours];
    if (buffer.category == Category::weight_copies) {
      step.kept.weight_copies += buffer.bytes;
    } else {
      step.kept.nodes[static_cast<std::size_t>(buffer.layer)] += buffer.bytes;
    }
  }
}

/// Autograd takes over the gradients, or copies those whose parameter is laid out otherwise.
/// Those that a replayed graph leaves in its own pool count in nothing that PyTorch tells.
void settle_gradients(Step& step, const Captured& captured, const Emission& emission, bool replays) {
  for (std::size_t p = 0; p < captured.gradients.size(); ++p) {
    const BufferId gradient = captured.gradients[p];
    if (gradient == kNoBuffer) {
      continue;
    }
    Parameter& parameter = step.parameters[p];
    if (replays && !captured.relaid[p]) {
      continue;
    }
    const TensorId made = replays ? kNothing : emission.tensors[emission.placement.storage[gradient]];
    if (captured.relaid[p]) {
      const TensorId copy = fresh_gradient(step, parameter, step.parameter_bytes);
      step.tape.drop(made);
      settle(step, parameter, copy);
    } else {
      parameter.gradient_live = true;
      settle(step, parameter, made);
    }
  }
}

/// A replayed graph: its outputs alone are seen.
void hand_out(Step& step, const Captured& captured, Emission& emission) {
  step.tape.on_stream(memory::kGraphStream);
  for (const BufferId output : captured.outputs) {
    const BufferId storage = emission.placement.storage[output];
    const Buffer& buffer = emission.program.buffers[storage];
    emission.tensors[storage] = emission.names[storage];
    step.tape.allocate_as(emission.names[storage], buffer.bytes, buffer.category, buffer.layer);
  }
  step.tape.on_stream(0);
}

}  // namespace

void compiled_forward(Step& step) {
  CompiledStep& compiled = compiled_of(step);
  const Captured& captured = compiled.captured;
  Emission emission = emission_of(step, compiled, false);
  if (step.training()) {
    name_gradients(step, compiled, emission, false);
  }
  const std::vector<NodeId>& outputs = step.network.nodes.back().inputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto named = step.outputs.find(outputs[i]);
    if (named != step.outputs.end()) {
      emission.names[compiled.forward.storage[captured.outputs[i]]] = named->second;
    }
  }
  const int earlier = compiled.forwards++;
  if (earlier == 0 && !emission.graph && step.variation.buffers && !step.evaluating) {
    compiled::try_padding(step);
  }
  compiled.replays = emission.graph && earlier > 1;
  if (compiled.replays) {
    hand_out(step, captured, emission);
  } else {
    emission.run(emission.graph && earlier == 1);
    compiled.image = emission.tensors[kImage];
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    step.values[outputs[i]] = emission.tensors[compiled.forward.storage[captured.outputs[i]]];
  }
  compiled.saved.assign(captured.backward.buffers.size(), kNothing);
  for (const auto& [ours, theirs] : captured.kept) {
    compiled.saved[theirs] = emission.tensors[compiled.forward.storage[ours]];
    // Where a network ends with an activation, its caller holds what backward reads.
    if (std::ranges::count(captured.outputs, ours) > 0) {
      step.tape.retain(compiled.saved[theirs]);
    }
  }
  count_kept(step, captured);
}

void compiled_backward(Step& step) {
  CompiledStep& compiled = compiled_of(step);
  const Captured& captured = compiled.captured;
  Emission emission = emission_of(step, compiled, true);
  std::ranges::copy(compiled.saved, emission.tensors.begin());
  name_gradients(step, compiled, emission, true);
  const std::vector<NodeId>& outputs = step.network.nodes.back().inputs;
  std::vector<TensorId> tangents;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const TensorId tangent = std::exchange(step.gradients[outputs[i]], {}).tensor;
    emission.tensors[captured.tangents[i]] = tangent;
    tangents.push_back(tangent);  // held by whoever calls
  }
  if (!compiled.replays) {
    emission.run(false);
    step.tape.drop(std::exchange(compiled.image, kNothing));
  }
  for (const TensorId tangent : tangents) {
    step.tape.drop(tangent);
  }
  settle_gradients(step, captured, emission, compiled.replays);
}

}  // namespace vggplan::lowering
