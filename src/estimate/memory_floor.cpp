// SPDX-License-Identifier: MIT
// What must live at once whatever the allocator does: a bound for searches, without a simulation.
#include <algorithm>

#include "estimate/memory_part.hpp"
#include "vggplan/lowering/tape.hpp"

namespace vggplan::estimate {
namespace {

/// The largest sum of bytes asked for that live at once. Workspaces are taken or left.
class Live {
 public:
  explicit Live(const memory::Tape& tape) : bytes_(tape.tensors) {}

  void add(const std::vector<memory::Event>& events) {
    for (const memory::Event& event : events) {
      if (event.kind == memory::Event::Kind::allocate) {
        bytes_[event.tensor] = event.bytes;
        now_ += event.bytes;
        most_ = std::max(most_, now_);
      } else if (event.kind == memory::Event::Kind::release) {
        now_ -= bytes_[event.tensor];
      }
    }
  }
  [[nodiscard]] std::int64_t most() const { return most_; }

 private:
  std::vector<std::int64_t> bytes_{};
  std::int64_t now_{0};
  std::int64_t most_{0};
};

}  // namespace

Bytes memory_floor(const Lowered& lowered, const job::Job& job) {
  // Of no GPU and no library: what they take is left out.
  lowering::Framework framework;
  framework.cublaslt_workspace = Bytes(0);
  lowering::Device device;
  device.cublas_workspace = Bytes(0);
  const lowering::Variation least{lowering::Workspaces::none, false, lowering::Skips::derived, false};
  const memory::Tape tape =
      lowering::lower_tape(lowered.network, simulated(job), lowered.segments, framework, device, least);
  Live live(tape);
  live.add(tape.setup);
  for (const auto& step : tape.steps) {
    live.add(step);
  }
  // In which order a compiled step runs may be another on another GPU, whose sums are split otherwise.
  constexpr double kOtherOrder = 0.85;
  return job.compile == job::Compile::none
             ? Bytes(live.most())
             : Bytes(static_cast<std::int64_t>(kOtherOrder * static_cast<double>(live.most())));
}

}  // namespace vggplan::estimate
