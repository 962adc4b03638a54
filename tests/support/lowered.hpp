// SPDX-License-Identifier: MIT
// Tapes of jobs, for tests that look at them event by event.
#pragma once

#include <algorithm>
#include <map>
#include <stdexcept>
#include <vector>

#include "vggplan/catalog/catalog.hpp"
#include "vggplan/lowering/tape.hpp"

namespace vggplan::support {

/// Read once: its rules are most of what such a test would spend its time on.
inline const lowering::Framework& built_in_framework() {
  static const lowering::Framework framework = catalog::Catalog::built_in().framework("pytorch-2.11").value();
  return framework;
}

/// As the built-in profile, but no convolution needs a workspace.
inline const lowering::Framework& without_workspaces() {
  static const lowering::Framework framework = [] {
    lowering::Framework without = built_in_framework();
    without.workspace.clear();
    return without;
  }();
  return framework;
}

inline memory::Tape tape_of(const graph::Network& network, const job::Job& job, const lowering::Framework& framework,
                            const lowering::Device& device = {}, const lowering::Variation& variation = {}) {
  const auto cut = lowering::segments(network, job.checkpointing);
  if (!cut) {
    throw std::invalid_argument(cut.error().rule);
  }
  return lowering::lower_tape(network, job, *cut, framework, device, variation);
}

inline memory::Tape tape_of(const job::Job& job, const lowering::Framework& framework,
                            const lowering::Device& device = {}, const lowering::Variation& variation = {}) {
  const auto network = job::network_of(job);
  if (!network) {
    throw std::invalid_argument(network.error().rule);
  }
  return tape_of(*network, job, framework, device, variation);
}

/// Bytes of a category that are asked for, in all.
inline std::int64_t taken(const std::vector<memory::Event>& events, memory::Category category) {
  std::int64_t bytes = 0;
  for (const memory::Event& event : events) {
    bytes += event.kind == memory::Event::Kind::allocate && event.category == category ? event.bytes : 0;
  }
  return bytes;
}

/// What the allocator is asked: bytes, negative where they are freed. A workspace is freed at once.
class RequestList {
 public:
  explicit RequestList(const memory::Tape& tape) : tape_(tape) {}

  void add(const std::vector<memory::Event>& events) {
    for (const memory::Event& event : events) {
      switch (event.kind) {
        case memory::Event::Kind::allocate:
          sizes_[event.tensor] = event.bytes;
          list_.push_back(event.bytes);
          break;
        case memory::Event::Kind::release: list_.push_back(-sizes_.at(event.tensor)); break;
        case memory::Event::Kind::scratch: add_workspace(tape_.scratch[event.tensor].plans.front()); break;
        case memory::Event::Kind::local_memory:
        case memory::Event::Kind::driver: marks_.push_back({list_.size(), event}); break;
        case memory::Event::Kind::trial:
        case memory::Event::Kind::empty:
        case memory::Event::Kind::phase: break;
      }
    }
  }
  /// Set-up and two steps. The third begins with the frees of what the caller's frame held: recordings end with them.
  void add_two_steps() {
    add(tape_.setup);
    add(tape_.steps.at(0));
    add(tape_.steps.at(1));
    const std::vector<memory::Event>& third = tape_.steps.back();
    add({third.begin(), std::find_if(third.begin(), third.end(), [](const memory::Event& event) {
           return event.kind == memory::Event::Kind::phase;
         })});
  }
  [[nodiscard]] const std::vector<std::int64_t>& list() const { return list_; }

  /// What the driver does of itself, and how many entries of the list come before it.
  struct Mark {
    std::size_t position{};
    memory::Event event{};
  };
  [[nodiscard]] const std::vector<Mark>& marks() const { return marks_; }

 private:
  void add_workspace(std::int64_t bytes) {
    if (bytes > 0) {
      list_.push_back(bytes);
      list_.push_back(-bytes);
    }
  }

  const memory::Tape& tape_;
  std::vector<std::int64_t> list_{};
  std::vector<Mark> marks_{};
  std::map<memory::TensorId, std::int64_t> sizes_{};
};

}  // namespace vggplan::support
