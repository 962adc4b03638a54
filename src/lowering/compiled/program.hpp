// SPDX-License-Identifier: MIT
// What torch.compile makes of forward or of backward: kernels over buffers, in an order, and what its wrapper
// allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "vggplan/base/dtype.hpp"
#include "vggplan/memory/tape.hpp"

namespace vggplan::lowering::compiled {

using BufferId = std::size_t;
inline constexpr BufferId kNoBuffer = static_cast<BufferId>(-1);

struct Buffer {
  std::int64_t bytes{};
  base::DType type{base::DType::f32};
  memory::Category category{memory::Category::activations};
  memory::LayerId layer{memory::kNoLayer};
  bool given{false};     ///< comes in from outside
  bool spent{false};     ///< and is let go of behind its last reader: what forward saved for backward
  bool output{false};    ///< outlives the program
  bool returned{false};  ///< by a library, which has allocated it before the kernel that writes it
};

/// One launch, or one call of a library. Reads are buffers without repetition, in the order of their names.
struct Kernel {
  std::vector<BufferId> reads{};
  std::vector<BufferId> writes{};
  /// Buffers that are read element by element where `writes.front()` is written: the storage of the first that nobody
  /// else reads later is taken over.
  std::vector<BufferId> over{};
  /// A library allocates what it returns, in one tuple that kernels of their own take apart: `reads.front()` is the
  /// tuple.
  std::vector<BufferId> returns{};
  bool unpacks{false};
  bool own{false};        ///< the library allocates its one output
  std::int64_t inner{0};  ///< values that fusion has kept from memory: the reordering counts them nevertheless
  int trials{0};          ///< configurations that Triton times at the first launch, if more than one
  std::size_t call{};     ///< what is called meanwhile, an entry of the caller's
};

struct Program {
  std::vector<Buffer> buffers{};
  std::vector<Kernel> kernels{};

  BufferId add(Buffer buffer) {
    buffers.push_back(buffer);
    return buffers.size() - 1;
  }
};

/// torch/_inductor/memory.py, reorder_for_peak_memory: of the order as it stands and three others the one whose peak is
/// least.
void reorder_for_peak(Program& program);

/// Where each buffer lies: a storage of its own, or that of an earlier one.
struct Placement {
  std::vector<BufferId> storage{};  ///< by buffer: itself, or whose storage it took
  std::vector<std::size_t> last{};  ///< by storage: the kernel behind which it is free; kernels.size() for outputs
};

/// torch/_inductor/codegen/wrapper.py: in place where that is possible, else what was freed last of the same type and
/// size, where to hold it does not raise the peak; else new.
Placement place(const Program& program);

}  // namespace vggplan::lowering::compiled
