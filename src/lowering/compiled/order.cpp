// SPDX-License-Identifier: MIT
// torch/_inductor/memory.py (2.9 to 2.11): greedy by least peak, breadth first, depth first.
#include <algorithm>
#include <limits>
#include <numeric>
#include <queue>
#include <set>
#include <utility>

#include "lowering/compiled/program.hpp"

namespace vggplan::lowering::compiled {
namespace {

using Order = std::vector<std::size_t>;

/// Kernels and buffers as the reordering sees them: what is allocated with a kernel, and who reads what.
struct Plan {
  explicit Plan(const Program& program_) : program(program_), readers(program_.buffers.size()) {
    const std::size_t count = program.kernels.size();
    before.resize(count);
    after.resize(count);
    size.assign(count, 0);
    std::vector<std::size_t> writer(program.buffers.size(), count);
    for (std::size_t k = 0; k < count; ++k) {
      size[k] = program.kernels[k].inner;
      for (const BufferId buffer : program.kernels[k].returns) {
        size[k] += program.buffers[buffer].bytes;
      }
      for (const BufferId buffer : program.kernels[k].writes) {
        writer[buffer] = k;
        size[k] += program.buffers[buffer].returned ? 0 : program.buffers[buffer].bytes;
      }
    }
    for (std::size_t k = 0; k < count; ++k) {
      for (const BufferId buffer : program.kernels[k].reads) {
        readers[buffer].push_back(k);
        if (writer[buffer] < count) {
          before[k].insert(writer[buffer]);
          after[writer[buffer]].insert(k);
        }
      }
    }
  }

  [[nodiscard]] bool is_freed(BufferId buffer) const {
    return !program.buffers[buffer].given || program.buffers[buffer].spent;
  }
  [[nodiscard]] std::int64_t given_bytes() const {
    std::int64_t sum = 0;
    for (BufferId b = 0; b < program.buffers.size(); ++b) {
      sum += program.buffers[b].spent ? program.buffers[b].bytes : 0;
    }
    return sum;
  }

  const Program& program;
  std::vector<std::vector<std::size_t>> readers{};  ///< by buffer
  std::vector<std::set<std::size_t>> before{};      ///< by kernel
  std::vector<std::set<std::size_t>> after{};
  std::vector<std::int64_t> size{};  ///< of what a kernel writes
};

/// What is live beside parameters while each kernel runs, at most: how much more than was given.
std::int64_t peak_of(const Plan& plan, const Order& order) {
  std::vector<std::size_t> step(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    step[order[i]] = i;
  }
  std::vector<std::int64_t> change(order.size() + 1);
  const auto dies = [&](BufferId buffer, std::size_t from) {
    const std::int64_t bytes = plan.program.buffers[buffer].bytes;
    std::size_t last = from;
    for (const std::size_t reader : plan.readers[buffer]) {
      last = std::max(last, step[reader]);
    }
    if (!plan.program.buffers[buffer].output) {
      change[last + 1] -= bytes;
    }
  };
  for (BufferId b = 0; b < plan.program.buffers.size(); ++b) {
    if (plan.program.buffers[b].spent) {
      dies(b, 0);
    }
  }
  for (std::size_t k = 0; k < order.size(); ++k) {
    change[step[k]] += plan.size[k];
    change[step[k] + 1] -= plan.program.kernels[k].inner;
    for (const BufferId buffer : plan.program.kernels[k].writes) {
      dies(buffer, step[k]);
    }
  }
  std::int64_t now = 0;
  std::int64_t most = std::numeric_limits<std::int64_t>::min();
  for (const std::int64_t more : change) {
    now += more;
    most = std::max(most, now);
  }
  return most;
}

/// "Least peak memory first": what fits below the peak so far and frees most, else what allocates least.
class Greedy {
 public:
  explicit Greedy(const Plan& plan)
      : plan_(plan),
        frees_(plan.size.size()),
        missing_(plan.size.size()),
        open_(plan.program.buffers.size()),
        live_(plan.given_bytes()) {
    std::int64_t outputs = 0;
    for (BufferId b = 0; b < open_.size(); ++b) {
      const Buffer& buffer = plan.program.buffers[b];
      open_[b] = plan.readers[b].size() + (buffer.output ? 1 : 0);
      outputs += buffer.output ? buffer.bytes : 0;
    }
    most_ = std::max(live_, outputs);
    for (std::size_t k = 0; k < missing_.size(); ++k) {
      missing_[k] = plan.before[k].size();
      frees_[k] += plan.program.kernels[k].inner;
      for (const BufferId b : plan.program.kernels[k].reads) {
        frees_[k] += plan.is_freed(b) && open_[b] == 1 ? plan.program.buffers[b].bytes : 0;
      }
      for (const BufferId b : plan.program.kernels[k].writes) {
        frees_[k] += open_[b] == 0 ? plan.program.buffers[b].bytes : 0;
      }
      if (missing_[k] == 0) {
        ready_.insert(k);
      }
    }
  }

  Order order() {
    Order order;
    while (!ready_.empty()) {
      const std::size_t next = *std::ranges::min_element(ready_, {}, [&](std::size_t k) {
        const std::int64_t size = plan_.size[k];
        return std::tuple(size > most_ - live_ ? size : 0, size - frees_[k], k);
      });
      ready_.erase(next);
      order.push_back(next);
      live_ += plan_.size[next];
      most_ = std::max(most_, live_);
      live_ -= frees_[next];
      finish(next);
    }
    return order;
  }

 private:
  void finish(std::size_t done) {
    for (const std::size_t k : plan_.after[done]) {
      if (--missing_[k] == 0) {
        ready_.insert(k);
      }
    }
    for (const BufferId b : plan_.program.kernels[done].reads) {
      if (plan_.is_freed(b) && --open_[b] == 1) {
        for (const std::size_t k : plan_.readers[b]) {
          frees_[k] += plan_.program.buffers[b].bytes;
        }
      }
    }
  }

  const Plan& plan_;
  std::vector<std::int64_t> frees_;   ///< by kernel: what it is the last to read
  std::vector<std::size_t> missing_;  ///< by kernel: kernels before it that did not run
  std::vector<std::size_t> open_;     ///< by buffer: readers that did not run
  std::set<std::size_t> ready_{};
  std::int64_t live_;
  std::int64_t most_{};
};

/// First what waits for the earliest.
Order breadth_first(const Plan& plan) {
  const std::size_t count = plan.size.size();
  std::vector<std::size_t> place(count);
  std::vector<std::size_t> missing(count);
  using Entry = std::pair<std::vector<std::size_t>, std::size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready;
  const auto push = [&](std::size_t k) {
    std::vector<std::size_t> waits;
    for (const std::size_t other : plan.before[k]) {
      waits.push_back(place[other]);
    }
    std::ranges::sort(waits);
    ready.emplace(std::move(waits), k);
  };
  for (std::size_t k = 0; k < count; ++k) {
    missing[k] = plan.before[k].size();
    if (missing[k] == 0) {
      push(k);
    }
  }
  Order order;
  while (!ready.empty()) {
    const std::size_t next = ready.top().second;
    ready.pop();
    place[next] = order.size();
    order.push_back(next);
    for (const std::size_t k : plan.after[next]) {
      if (--missing[k] == 0) {
        push(k);
      }
    }
  }
  return order;
}

/// What touches least first, each behind what it waits for.
Order depth_first(const Plan& plan) {
  std::vector<std::pair<std::int64_t, std::size_t>> touched;
  for (std::size_t k = 0; k < plan.size.size(); ++k) {
    std::int64_t bytes = plan.size[k];
    for (const BufferId b : plan.program.kernels[k].reads) {
      bytes += plan.is_freed(b) ? plan.program.buffers[b].bytes : 0;
    }
    touched.emplace_back(bytes, k);
  }
  std::vector<bool> seen(touched.size());
  Order order;
  std::vector<std::pair<std::size_t, bool>> stack;
  const auto visit = [&](std::size_t root) {
    stack.emplace_back(root, false);
    while (!stack.empty()) {
      const auto [k, done] = stack.back();
      stack.pop_back();
      if (done) {
        order.push_back(k);
        continue;
      }
      if (seen[k]) {
        continue;
      }
      seen[k] = true;
      stack.emplace_back(k, true);
      std::vector<std::pair<std::int64_t, std::size_t>> waits;
      for (const std::size_t other : plan.before[k]) {
        waits.push_back(touched[other]);
      }
      std::ranges::sort(waits, std::greater<>());
      for (const auto& [bytes, other] : waits) {
        stack.emplace_back(other, false);
      }
    }
  };
  auto sorted = touched;
  std::ranges::sort(sorted);
  for (const auto& [bytes, k] : sorted) {
    visit(k);
  }
  return order;
}

}  // namespace

void reorder_for_peak(Program& program) {
  const Plan plan(program);
  Order best(program.kernels.size());
  std::iota(best.begin(), best.end(), std::size_t{0});
  std::int64_t least = peak_of(plan, best);
  for (const Order& other : {Greedy(plan).order(), breadth_first(plan), depth_first(plan)}) {
    if (const std::int64_t peak = peak_of(plan, other); peak < least) {
      least = peak;
      best = other;
    }
  }
  std::vector<Kernel> ordered;
  ordered.reserve(best.size());
  for (const std::size_t k : best) {
    ordered.push_back(std::move(program.kernels[k]));
  }
  program.kernels = std::move(ordered);
}

}  // namespace vggplan::lowering::compiled
