// SPDX-License-Identifier: MIT
// Orders and placements of compiled programs drawn at random, against what inductor does, worked out anew in each step.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "lowering/compiled/program.hpp"
#include "support/catch.hpp"

namespace vggplan::lowering::compiled {
namespace {

using Order = std::vector<std::size_t>;

/// Kernels that read one or two buffers of those before and write one or two, calls of libraries that return a tuple of
/// two, and library kernels that allocate what they write.
class Drawn {
 public:
  explicit Drawn(unsigned seed) : random_(seed) {}

  Program program() {
    for (const bool spent : {true, false, true}) {
      program_.add({.bytes = size(), .type = type(), .given = true, .spent = spent});
    }
    for (std::size_t k = 3 + below(12); k > 0; --k) {
      below(5) == 0 ? call() : launch();
    }
    return std::move(program_);
  }

 private:
  std::size_t below(std::size_t n) { return random_() % n; }
  std::int64_t size() { return static_cast<std::int64_t>(8 << below(3)); }
  base::DType type() { return below(4) == 0 ? base::DType::f16 : base::DType::f32; }
  BufferId made() { return program_.add({.bytes = size(), .type = type(), .output = below(5) == 0}); }
  BufferId earlier() {
    BufferId b = below(program_.buffers.size());
    while (program_.buffers[b].type == base::DType::u8) {  // a tuple
      b = below(program_.buffers.size());
    }
    return b;
  }
  std::vector<BufferId> reads() {
    std::set<BufferId> some{earlier(), earlier()};
    return {some.begin(), some.end()};
  }
  void add(Kernel kernel) {
    kernel.call = program_.kernels.size();
    program_.kernels.push_back(std::move(kernel));
  }
  void launch() {
    Kernel kernel{.reads = reads(), .own = below(5) == 0, .inner = below(4) == 0 ? size() : 0};
    kernel.over = kernel.reads;
    for (std::size_t writes = kernel.own ? 1 : 1 + below(2); writes > 0; --writes) {
      kernel.writes.push_back(made());
    }
    add(std::move(kernel));
  }
  void call() {
    Kernel kernel{.reads = reads()};
    const BufferId tuple = program_.add({.bytes = 0, .type = base::DType::u8});
    kernel.writes = {tuple};
    kernel.returns = {made(), made()};
    const std::vector<BufferId> returned = kernel.returns;
    add(std::move(kernel));
    for (const BufferId b : returned) {
      program_.buffers[b].returned = true;
      add({.reads = {tuple}, .writes = {b}, .unpacks = true});
    }
  }

  std::mt19937 random_;
  Program program_{};
};

bool has(const std::vector<BufferId>& list, BufferId b) { return std::ranges::count(list, b) > 0; }

/// What a program lets go of: all but what its caller keeps.
bool is_let_go(const Buffer& buffer) { return !buffer.given || buffer.spent; }

bool writes_for(const Kernel& writer, const Kernel& reader) {
  return std::ranges::any_of(writer.writes, [&](BufferId b) { return has(reader.reads, b); });
}

/// By kernel, those that it waits for.
using Waits = std::vector<std::set<std::size_t>>;

Waits waits_of(const Program& program) {
  Waits waits(program.kernels.size());
  for (std::size_t k = 0; k < waits.size(); ++k) {
    for (std::size_t other = 0; other < waits.size(); ++other) {
      if (writes_for(program.kernels[other], program.kernels[k])) {
        waits[k].insert(other);
      }
    }
  }
  return waits;
}

/// Kernels that have not run and wait for none.
Order ready(const Waits& waits, const Order& done) {
  Order found;
  for (std::size_t k = 0; k < waits.size(); ++k) {
    if (std::ranges::count(done, k) == 0 &&
        std::ranges::all_of(waits[k], [&](std::size_t other) { return std::ranges::count(done, other) > 0; })) {
      found.push_back(k);
    }
  }
  return found;
}

std::int64_t allocated_by(const Program& program, std::size_t k) {
  const Kernel& kernel = program.kernels[k];
  std::int64_t bytes = kernel.inner;
  for (BufferId b = 0; b < program.buffers.size(); ++b) {
    const bool here = has(kernel.returns, b) || (has(kernel.writes, b) && !program.buffers[b].returned);
    bytes += here ? program.buffers[b].bytes : 0;
  }
  return bytes;
}

/// Where a buffer's life begins and ends among kernels in order; outputs live to the end.
struct Life {
  bool used{false};
  std::size_t first{0};
  std::size_t last{0};
  [[nodiscard]] bool holds(std::size_t step) const { return used && first <= step && step <= last; }
};

Life life_of(const Program& program, const Order& order, BufferId b) {
  const Buffer& buffer = program.buffers[b];
  Life life;
  for (std::size_t step = 0; step < order.size(); ++step) {
    const Kernel& kernel = program.kernels[order[step]];
    if (!buffer.given && !life.used && (has(kernel.returns, b) || has(kernel.writes, b))) {
      life.first = step;
    }
    if (has(kernel.returns, b) || has(kernel.writes, b) || has(kernel.reads, b)) {
      life.used = true;
      life.last = buffer.output ? order.size() : step;
    }
  }
  return life;
}

/// What is live while each kernel runs. `unread`: also what is given and never read, which the first kernel ends.
std::vector<std::int64_t> live_in(const Program& program, const Order& order, bool unread) {
  std::vector<std::int64_t> live(order.size(), 0);
  for (BufferId b = 0; b < program.buffers.size(); ++b) {
    Life life = life_of(program, order, b);
    life.used = life.used || (unread && program.buffers[b].given);
    for (std::size_t step = 0; step < order.size(); ++step) {
      live[step] += life.holds(step) && is_let_go(program.buffers[b]) ? program.buffers[b].bytes : 0;
    }
  }
  for (std::size_t step = 0; step < order.size(); ++step) {
    live[step] += program.kernels[order[step]].inner;
  }
  return live;
}

std::int64_t peak_in(const Program& program, const Order& order) {
  return std::ranges::max(live_in(program, order, true));
}

Order as_written(const Program& program) {
  Order order;
  for (std::size_t k = 0; k < program.kernels.size(); ++k) {
    order.push_back(k);
  }
  return order;
}

/// What a kernel would free if it ran next: what nobody else still reads, and what nobody reads of its own.
std::int64_t freed_by(const Program& program, const Order& done, std::size_t next) {
  std::int64_t bytes = program.kernels[next].inner;
  for (BufferId b = 0; b < program.buffers.size(); ++b) {
    const Buffer& buffer = program.buffers[b];
    bool needed = buffer.output || !is_let_go(buffer);
    for (std::size_t k = 0; k < program.kernels.size(); ++k) {
      needed = needed || (k != next && std::ranges::count(done, k) == 0 && has(program.kernels[k].reads, b));
    }
    const bool touched = has(program.kernels[next].reads, b) || has(program.kernels[next].writes, b);
    bytes += touched && !needed ? buffer.bytes : 0;
  }
  return bytes;
}

/// Of the kernels that fit below the peak so far the one that leaves least, else the one that allocates least.
Order by_least_peak(const Program& program) {
  std::int64_t live = 0;
  std::int64_t outputs = 0;
  for (const Buffer& buffer : program.buffers) {
    live += buffer.given && buffer.spent ? buffer.bytes : 0;
    outputs += buffer.output ? buffer.bytes : 0;
  }
  std::int64_t peak = std::max(live, outputs);
  const Waits waits = waits_of(program);
  Order order;
  for (Order some = ready(waits, order); !some.empty(); some = ready(waits, order)) {
    const std::size_t next = *std::ranges::min_element(some, {}, [&](std::size_t k) {
      const std::int64_t bytes = allocated_by(program, k);
      return std::tuple(live + bytes > peak ? bytes : 0, bytes - freed_by(program, order, k), k);
    });
    live += allocated_by(program, next);
    peak = std::max(peak, live);
    live -= freed_by(program, order, next);
    order.push_back(next);
  }
  return order;
}

/// First what waits for the earliest.
Order by_breadth(const Program& program) {
  const Waits waits = waits_of(program);
  Order order;
  for (Order some = ready(waits, order); !some.empty(); some = ready(waits, order)) {
    order.push_back(*std::ranges::min_element(some, {}, [&](std::size_t k) {
      std::vector<std::ptrdiff_t> places;
      for (const std::size_t other : waits[k]) {
        places.push_back(std::ranges::find(order, other) - order.begin());
      }
      std::ranges::sort(places);
      return std::pair(places, k);
    }));
  }
  return order;
}

/// What touches least first, behind what it waits for, in the same order.
Order by_depth(const Program& program) {
  const auto touched = [&](std::size_t k) {
    std::int64_t bytes = allocated_by(program, k);
    for (const BufferId b : program.kernels[k].reads) {
      bytes += is_let_go(program.buffers[b]) ? program.buffers[b].bytes : 0;
    }
    return std::pair(bytes, k);
  };
  const Waits waits = waits_of(program);
  Order order;
  std::set<std::size_t> seen;
  const auto visit = [&](const auto& self, Order some) -> void {
    std::ranges::sort(some, {}, touched);
    for (const std::size_t k : some) {
      if (seen.insert(k).second) {
        self(self, {waits[k].begin(), waits[k].end()});
        order.push_back(k);
      }
    }
  };
  visit(visit, as_written(program));
  return order;
}

TEST_CASE("of four orders the one of the least peak is taken, the first of those alike") {
  std::set<std::size_t> taken;
  for (unsigned seed = 0; seed < 300; ++seed) {
    INFO(seed);
    Program program = Drawn(seed).program();
    const std::vector<Order> orders{as_written(program), by_least_peak(program), by_breadth(program),
                                    by_depth(program)};
    const auto best = std::ranges::min_element(orders, {}, [&](const Order& order) { return peak_in(program, order); });
    taken.insert(static_cast<std::size_t>(best - orders.begin()));
    reorder_for_peak(program);
    Order mine;
    for (const Kernel& kernel : program.kernels) {
      mine.push_back(kernel.call);
    }
    CHECK(mine == *best);
  }
  CHECK(taken.size() == 4);  // each of them sometimes
}

/// inductor's wrapper, kernel by kernel: what is free is looked up in a list, and memory is counted anew each time.
class SlowPlacement {
 public:
  explicit SlowPlacement(const Program& program)
      : program_(program),
        order_(as_written(program)),
        live_(live_in(program, order_, false)),
        peak_(std::ranges::max(live_)) {
    for (BufferId b = 0; b < program.buffers.size(); ++b) {
      storage.push_back(b);
      lives_.push_back(life_of(program, order_, b));
    }
    last.assign(storage.size(), static_cast<std::size_t>(-1));
    for (std::size_t k = 0; k < order_.size(); ++k) {
      run(k);
    }
  }

  std::vector<BufferId> storage{};
  std::vector<std::size_t> last{};

 private:
  struct Free {
    BufferId buffer{};
    std::size_t since{};
  };

  void run(std::size_t k) {
    const Kernel& kernel = program_.kernels[k];
    std::set<BufferId> gone;
    for (const BufferId b : kernel.writes) {
      if (!kernel.unpacks && !kernel.own && !(b == kernel.writes.front() && takes_over(k, b, gone))) {
        reuse(k, b);
      }
    }
    for (BufferId b = 0; b < program_.buffers.size(); ++b) {
      if (!has(kernel.writes, b) && !has(kernel.reads, b)) {
        continue;
      }
      if (program_.buffers[b].output) {
        last[storage[b]] = order_.size();
      } else if (lives_[b].last == k && is_let_go(program_.buffers[b]) && !gone.contains(b)) {
        last[storage[b]] = k;
        if (!program_.buffers[b].given) {
          free_.push_back({b, k});
        }
      }
    }
  }

  [[nodiscard]] bool alike(BufferId a, BufferId b) const {
    return program_.buffers[a].bytes == program_.buffers[b].bytes &&
           program_.buffers[a].type == program_.buffers[b].type;
  }

  bool takes_over(std::size_t k, BufferId b, std::set<BufferId>& gone) {
    for (const BufferId from : program_.kernels[k].over) {
      if (alike(from, b) && lives_[from].last == k && is_let_go(program_.buffers[from])) {
        storage[b] = storage[from];
        gone.insert(from);
        return true;
      }
    }
    return false;
  }

  /// The last of its kind to go, if it may be held until now.
  void reuse(std::size_t k, BufferId b) {
    const auto found =
        std::find_if(free_.rbegin(), free_.rend(), [&](const Free& free) { return alike(free.buffer, b); });
    if (found == free_.rend()) {
      return;
    }
    const std::int64_t bytes = program_.buffers[b].bytes;
    for (std::size_t step = found->since + 1; step < k; ++step) {
      if (live_[step] + bytes > peak_) {
        return;
      }
    }
    for (std::size_t step = found->since + 1; step < k; ++step) {
      live_[step] += bytes;
    }
    storage[b] = storage[found->buffer];
    free_.erase(std::next(found).base());
  }

  const Program& program_;
  Order order_;
  std::vector<std::int64_t> live_;
  std::int64_t peak_;
  std::vector<Life> lives_{};
  std::vector<Free> free_{};
};

TEST_CASE("buffers lie where inductor's wrapper puts them: over what they overwrite, else in what was freed last") {
  std::size_t shared = 0;
  for (unsigned seed = 0; seed < 500; ++seed) {
    INFO(seed);
    const Program program = Drawn(seed).program();
    const SlowPlacement expected(program);
    const Placement placement = place(program);
    CHECK(placement.storage == expected.storage);
    CHECK(placement.last == expected.last);
    for (BufferId b = 0; b < program.buffers.size(); ++b) {
      shared += placement.storage[b] == b ? 0U : 1U;
    }
  }
  CHECK(shared > 500);
}

TEST_CASE("no two buffers that are live together lie in one storage") {
  for (unsigned seed = 0; seed < 200; ++seed) {
    INFO(seed);
    const Program program = Drawn(seed).program();
    const Placement placement = place(program);
    const Order order = as_written(program);
    for (std::size_t k = 0; k < order.size(); ++k) {
      const Kernel& kernel = program.kernels[k];
      std::map<BufferId, int> in;  // of each storage, what lies there and is not written over now
      for (BufferId b = 0; b < program.buffers.size(); ++b) {
        const Life life = life_of(program, order, b);
        const bool ends =
            life.last == k && has(kernel.over, b) && placement.storage[kernel.writes.front()] == placement.storage[b];
        in[placement.storage[b]] += life.holds(k) && !ends ? 1 : 0;
      }
      CHECK(std::ranges::all_of(in, [](const auto& storage) { return storage.second <= 1; }));
    }
  }
}

}  // namespace
}  // namespace vggplan::lowering::compiled
