// SPDX-License-Identifier: MIT
// torch/_inductor/codegen/wrapper.py (2.9 to 2.11): AllocateLine, FreeIfNotReusedLine, EfficientPeakEstimate.
#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "lowering/compiled/program.hpp"

namespace vggplan::lowering::compiled {
namespace {

class Placer {
 public:
  explicit Placer(const Program& program)
      : program_(program),
        end_(program.kernels.size()),
        last_read_(program.buffers.size(), kNever),
        made_(program.buffers.size(), 0) {
    for (std::size_t k = 0; k < end_; ++k) {
      for (const BufferId b : program.kernels[k].writes) {
        last_read_[b] = k;
        made_[b] = program.buffers[b].returned ? made_[b] : k;
      }
      for (const BufferId b : program.kernels[k].returns) {
        made_[b] = k;
      }
      for (const BufferId b : program.kernels[k].reads) {
        last_read_[b] = k;
      }
    }
    estimate_live();
    placement_.storage.resize(program.buffers.size());
    std::iota(placement_.storage.begin(), placement_.storage.end(), BufferId{0});
    placement_.last.assign(program.buffers.size(), kNever);
  }

  Placement run() {
    for (std::size_t k = 0; k < end_; ++k) {
      const Kernel& kernel = program_.kernels[k];
      for (const BufferId b : kernel.unpacks || kernel.own ? std::vector<BufferId>{} : kernel.writes) {
        allocate(k, b, b == kernel.writes.front() ? kernel.over : kNothing);
      }
      free_all(k, kernel);
    }
    return std::move(placement_);
  }

 private:
  static constexpr std::size_t kNever = static_cast<std::size_t>(-1);
  inline static const std::vector<BufferId> kNothing{};
  using Key = std::pair<base::DType, std::int64_t>;
  struct Freed {
    BufferId storage{};
    std::size_t kernel{};
  };

  /// As inductor has it: what takes over a storage counts twice.
  void estimate_live() {
    std::vector<std::int64_t> change(end_ + 1);
    for (BufferId b = 0; b < program_.buffers.size(); ++b) {
      const Buffer& buffer = program_.buffers[b];
      if (last_read_[b] != kNever && (!buffer.given || buffer.spent)) {
        change[made_[b]] += buffer.bytes;
        change[buffer.output ? end_ : last_read_[b] + 1] -= buffer.bytes;
      }
    }
    for (std::size_t k = 0; k < end_; ++k) {
      change[k] += program_.kernels[k].inner;
      change[k + 1] -= program_.kernels[k].inner;
    }
    live_.resize(end_);
    std::partial_sum(change.begin(), change.end() - 1, live_.begin());
    peak_ = live_.empty() ? 0 : *std::ranges::max_element(live_);
  }

  [[nodiscard]] bool may_take_over(std::size_t k, BufferId b, BufferId over) const {
    const Buffer& from = program_.buffers[over];
    const Buffer& to = program_.buffers[b];
    return last_read_[over] == k && !from.output && (!from.given || from.spent) && from.bytes == to.bytes &&
           from.type == to.type;
  }

  void allocate(std::size_t k, BufferId b, const std::vector<BufferId>& over) {
    const auto taken = std::ranges::find_if(over, [&](BufferId from) { return may_take_over(k, b, from); });
    if (taken != over.end()) {
      placement_.storage[b] = placement_.storage[*taken];
      taken_.push_back(*taken);
      return;
    }
    std::vector<Freed>& freed = freed_[{program_.buffers[b].type, program_.buffers[b].bytes}];
    if (freed.empty() || !worth_holding(freed.back(), k, program_.buffers[b].bytes)) {
      return;
    }
    for (std::size_t i = freed.back().kernel + 1; i < k; ++i) {
      live_[i] += program_.buffers[b].bytes;
    }
    placement_.storage[b] = freed.back().storage;
    freed.pop_back();
  }

  [[nodiscard]] bool worth_holding(const Freed& freed, std::size_t k, std::int64_t bytes) const {
    return freed.kernel + 1 >= k ||
           bytes + *std::max_element(live_.begin() + static_cast<std::ptrdiff_t>(freed.kernel) + 1,
                                     live_.begin() + static_cast<std::ptrdiff_t>(k)) <=
               peak_;
  }

  void free_all(std::size_t k, const Kernel& kernel) {
    std::vector<BufferId> done = kernel.writes;
    done.insert(done.end(), kernel.reads.begin(), kernel.reads.end());
    std::ranges::sort(done);
    for (const BufferId b : done) {
      const Buffer& buffer = program_.buffers[b];
      if (buffer.output) {
        placement_.last[placement_.storage[b]] = end_;
        continue;
      }
      if (last_read_[b] != k || (buffer.given && !buffer.spent) || std::ranges::count(taken_, b) > 0) {
        continue;
      }
      placement_.last[placement_.storage[b]] = k;
      if (!buffer.given) {
        freed_[{buffer.type, buffer.bytes}].push_back({placement_.storage[b], k});
      }
    }
  }

  const Program& program_;
  std::size_t end_;
  std::vector<std::size_t> last_read_;
  std::vector<std::size_t> made_;  ///< by buffer: the kernel that allocates it; the first for what is given
  std::vector<std::int64_t> live_{};
  std::int64_t peak_{};
  std::vector<BufferId> taken_{};  ///< whose storage went on under another name
  std::map<Key, std::vector<Freed>> freed_{};
  Placement placement_{};
};

}  // namespace

Placement place(const Program& program) { return Placer(program).run(); }

}  // namespace vggplan::lowering::compiled
