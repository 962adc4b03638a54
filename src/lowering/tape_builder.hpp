// SPDX-License-Identifier: MIT
// Writes tape events and counts who still holds a storage.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "vggplan/memory/tape.hpp"

namespace vggplan::lowering {

inline constexpr memory::TensorId kNothing = static_cast<memory::TensorId>(-1);

class TapeBuilder {
 public:
  using TensorId = memory::TensorId;
  using Category = memory::Category;
  using Kind = memory::Event::Kind;

  /// An id for a storage that outlives the step which allocates it.
  TensorId reserve() {
    holders_.push_back(0);
    bytes_.push_back(0);
    return static_cast<TensorId>(holders_.size() - 1);
  }

  void allocate_as(TensorId id, std::int64_t bytes, Category category, memory::LayerId layer) {
    events_.push_back({.category = category, .stream = stream_, .layer = layer, .tensor = id, .bytes = bytes});
    holders_[id] = 1;
    bytes_[id] = bytes;
    live_ += bytes;
    peak_ = std::max(peak_, live_);
  }
  TensorId allocate(std::int64_t bytes, Category category, memory::LayerId layer) {
    const TensorId id = take_id();
    allocate_as(id, bytes, category, layer);
    return id;
  }
  void retain(TensorId id) { ++holders_[id]; }
  [[nodiscard]] bool has_one_holder(TensorId id) const { return holders_[id] == 1; }
  [[nodiscard]] std::int64_t bytes(TensorId id) const { return bytes_[id]; }
  /// One holder less; the last one frees. kNothing is ignored.
  void drop(TensorId id) {
    if (id != kNothing && --holders_[id] == 0) {
      release(id);
      spare_.push_back(id);
    }
  }
  /// Frees a reserved id, which is allocated again under the same name later.
  void release(TensorId id) {
    live_ -= bytes_[id];
    events_.push_back({.kind = Kind::release, .tensor = id});
  }

  /// What tells an operation apart, in numbers.
  using Key = std::array<std::int64_t, 5>;

  /// Allocated and freed at once: plans are tried in order. `make_plans` is asked once per operation.
  template <class MakePlans>
  void scratch(const Key& key, MakePlans make_plans, memory::LayerId layer) {
    emit_scratch(Kind::scratch, key, make_plans, layer);
  }
  template <class MakePlans>
  void trial(const Key& key, MakePlans make_plans, memory::LayerId layer) {
    emit_scratch(Kind::trial, key, make_plans, layer);
  }

  void begin(base::Phase phase) { events_.push_back({.kind = Kind::phase, .phase = phase}); }
  /// The first of the kernels that need much local memory: only that one matters.
  void heavy_kernel() {
    if (!std::exchange(heavy_kernel_ran_, true)) {
      events_.push_back({.kind = Kind::local_memory});
    }
  }
  void driver_takes(base::Bytes addresses) { events_.push_back({.kind = Kind::driver, .bytes = addresses.count()}); }
  void empty_cache() { events_.push_back({.kind = Kind::empty}); }
  /// Bytes that could be taken without a new peak.
  [[nodiscard]] std::int64_t below_peak() const { return peak_ - live_; }
  void on_stream(std::uint8_t stream) { stream_ = stream; }

  /// The next step will have about as many.
  std::vector<memory::Event> take_events() {
    std::vector<memory::Event> taken = std::exchange(events_, {});
    events_.reserve(taken.size());
    return taken;
  }
  std::vector<memory::Scratch> take_scratch() { return std::move(scratch_); }
  [[nodiscard]] TensorId ids() const { return static_cast<TensorId>(holders_.size()); }

 private:
  TensorId take_id() {
    if (spare_.empty()) {
      return reserve();
    }
    const TensorId id = spare_.back();
    spare_.pop_back();
    return id;
  }
  template <class MakePlans>
  void emit_scratch(Kind kind, const Key& key, MakePlans& make_plans, memory::LayerId layer) {
    const auto [place, fresh] = scratch_of_.try_emplace({kind, key}, static_cast<TensorId>(scratch_.size()));
    if (fresh) {
      scratch_.push_back({make_plans()});
    }
    const std::vector<std::int64_t>& plans = scratch_[place->second].plans;
    peak_ = std::max(peak_, live_ + (plans.empty() ? 0 : plans.front()));
    events_.push_back({.kind = kind,
                       .category = Category::convolution_workspace,
                       .stream = stream_,
                       .layer = layer,
                       .tensor = place->second});
  }

  std::vector<memory::Event> events_{};
  std::vector<int> holders_{};
  std::vector<std::int64_t> bytes_{};
  std::vector<TensorId> spare_{};
  std::map<std::pair<Kind, Key>, TensorId> scratch_of_{};
  std::vector<memory::Scratch> scratch_{};
  std::int64_t live_{0};
  std::int64_t peak_{0};
  std::uint8_t stream_{0};
  bool heavy_kernel_ran_{false};
};

}  // namespace vggplan::lowering
