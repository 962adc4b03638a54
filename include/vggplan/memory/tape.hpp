// SPDX-License-Identifier: MIT
// What a process asks of the allocator, in order. Bytes and opaque layer ids: this room knows no layers.
#pragma once

#include <cstdint>
#include <vector>

#include "vggplan/base/names.hpp"
#include "vggplan/base/phase.hpp"
#include "vggplan/base/units.hpp"

namespace vggplan::memory {

enum class Category : std::uint8_t {
  parameters,
  gradients,
  optimizer_state,
  optimizer_temporaries,
  input,
  activations,
  pooling_indices,
  activation_gradients,
  weight_copies,  ///< 16-bit copies that autocast makes
  convolution_workspace,
  library_workspace,  ///< cuBLAS, cuBLASLt
  communication,      ///< DDP buckets, FSDP gather and scatter buffers
  other,              ///< loss, dropout masks, reductions
  rounding,           ///< block size less the bytes asked for
};
inline constexpr std::size_t kCategories = 14;

/// The stream whose pools stand for the private one of CUDA graphs.
inline constexpr std::uint8_t kGraphStream = 3;

using TensorId = std::uint32_t;
using LayerId = std::int16_t;
inline constexpr LayerId kNoLayer = -1;

struct Event {
  enum class Kind : std::uint8_t {
    allocate,      ///< `tensor` of `bytes`
    release,       ///< `tensor`
    scratch,       ///< a workspace: allocated and freed at once; `tensor` names an entry of Tape::scratch
    trial,         ///< cudnn.benchmark: the largest workspace tried, then the cache is emptied; an entry of its own
    empty,         ///< torch.cuda.empty_cache(): leaves the pool of CUDA graphs alone
    phase,         ///< `phase` begins
    local_memory,  ///< a kernel needs more local memory than the context began with (AddressSpace)
    driver,        ///< the driver takes `bytes` of addresses for itself
  };
  Kind kind{Kind::allocate};
  Category category{Category::other};
  base::Phase phase{base::Phase::setup};
  std::uint8_t stream{0};
  LayerId layer{kNoLayer};
  TensorId tensor{0};
  std::int64_t bytes{0};
  bool operator==(const Event&) const = default;
};

/// Workspaces of the plans that a library would try, in its order. The first that can be allocated
/// is kept for later calls of the same operation; a plan without workspace ends the list with 0.
struct Scratch {
  std::vector<std::int64_t> plans{};
  bool operator==(const Scratch&) const = default;
};

/// A process: set-up, then steps. steps[0] is the first one; the last entry repeats for ever.
struct Tape {
  std::vector<Event> setup{};
  std::vector<std::vector<Event>> steps{};
  std::vector<Scratch> scratch{};
  TensorId tensors{0};    ///< ids are below this
  std::size_t layers{0};  ///< layer ids are below this
  bool operator==(const Tape&) const = default;
};

}  // namespace vggplan::memory

namespace vggplan::base {

template <>
struct NameTable<memory::Category> : NamesAsWritten<memory::Category> {};

}  // namespace vggplan::base
