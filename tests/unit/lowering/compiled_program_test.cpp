// SPDX-License-Identifier: MIT
// Orders and placements of compiled programs, on programs drawn at random.
#include <algorithm>
#include <random>
#include <set>

#include "lowering/compiled/program.hpp"
#include "support/catch.hpp"

namespace vggplan::lowering::compiled {
namespace {

/// Each kernel reads one or two buffers of those before, and writes one.
Program drawn(unsigned seed) {
  std::mt19937 random(seed);
  const auto below = [&](std::size_t n) { return random() % n; };
  Program program;
  program.add({.bytes = 8, .given = true});
  program.add({.bytes = 16, .given = true, .spent = true});
  const std::size_t kernels = 3 + below(12);
  for (std::size_t k = 0; k < kernels; ++k) {
    Kernel kernel{.reads = {below(program.buffers.size())}};
    const BufferId second = below(program.buffers.size());
    if (second != kernel.reads.front()) {
      kernel.reads.push_back(second);
    }
    kernel.over = {kernel.reads.front()};
    kernel.work = k;
    kernel.writes = {program.add({.bytes = static_cast<std::int64_t>(8 << below(3)), .output = below(4) == 0})};
    program.kernels.push_back(kernel);
  }
  return program;
}

bool is_topological(const Program& program) {
  std::set<BufferId> there;
  for (BufferId b = 0; b < program.buffers.size(); ++b) {
    if (program.buffers[b].given) {
      there.insert(b);
    }
  }
  for (const Kernel& kernel : program.kernels) {
    if (!std::all_of(kernel.reads.begin(), kernel.reads.end(), [&](BufferId b) { return there.contains(b); })) {
      return false;
    }
    there.insert(kernel.writes.begin(), kernel.writes.end());
  }
  return true;
}

/// The last kernel that touches each buffer; of outputs one behind all.
std::vector<std::size_t> last_uses(const Program& program) {
  std::vector<std::size_t> last(program.buffers.size(), 0);
  for (std::size_t k = 0; k < program.kernels.size(); ++k) {
    for (const auto* list : {&program.kernels[k].reads, &program.kernels[k].writes}) {
      for (const BufferId b : *list) {
        last[b] = program.buffers[b].output ? program.kernels.size() : k;
      }
    }
  }
  return last;
}

/// Of what is live while each kernel runs, counted anew.
std::int64_t peak_of_program(const Program& program) {
  const std::vector<std::size_t> last = last_uses(program);
  std::vector<std::size_t> first(program.buffers.size(), 0);
  for (std::size_t k = 0; k < program.kernels.size(); ++k) {
    first[program.kernels[k].writes.front()] = k;
  }
  std::int64_t most = 0;
  for (std::size_t k = 0; k < program.kernels.size(); ++k) {
    std::int64_t live = 0;
    for (BufferId b = 0; b < program.buffers.size(); ++b) {
      const Buffer& buffer = program.buffers[b];
      const bool counted = !buffer.given || buffer.spent;
      live += counted && first[b] <= k && k <= last[b] ? buffer.bytes : 0;
    }
    most = std::max(most, live);
  }
  return most;
}

TEST_CASE("a program in another order still reads what was written, and needs no more memory") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    INFO(seed);
    const Program before = drawn(seed);
    Program after = before;
    reorder_for_peak(after);
    REQUIRE(after.kernels.size() == before.kernels.size());
    CHECK(is_topological(after));
    CHECK(peak_of_program(after) <= peak_of_program(before));
  }
}

TEST_CASE("leaves that only add to memory wait until it has fallen") {
  // A chain that frees 100 of saved buffers at a time, and a gradient of 90 that could be made at once.
  Program program;
  const BufferId tangent = program.add({.bytes = 1, .given = true});
  std::vector<BufferId> saved;
  for (int i = 0; i < 3; ++i) {
    saved.push_back(program.add({.bytes = 100, .given = true, .spent = true}));
  }
  const BufferId leaf = program.add({.bytes = 90, .output = true});
  program.kernels.push_back({.reads = {tangent}, .writes = {leaf}, .work = 0});
  BufferId flow = tangent;
  for (std::size_t i = 0; i < saved.size(); ++i) {
    const BufferId next = program.add({.bytes = 10, .output = i + 1 == saved.size()});
    program.kernels.push_back({.reads = {flow, saved[i]}, .writes = {next}, .work = i + 1});
    flow = next;
  }
  reorder_for_peak(program);
  CHECK(program.kernels.back().work == 0);
}

TEST_CASE("no two buffers that are live together lie in one storage") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    INFO(seed);
    const Program program = drawn(seed);
    const Placement placement = place(program);
    const std::vector<std::size_t> last = last_uses(program);
    for (std::size_t k = 0; k < program.kernels.size(); ++k) {
      const Kernel& kernel = program.kernels[k];
      std::set<BufferId> storages;
      std::size_t live = 0;
      const auto taken_over = [&](BufferId b) {  // ends as the kernel writes into its place
        return last[b] == k && placement.storage[kernel.writes.front()] == placement.storage[b] &&
               b != kernel.writes.front();
      };
      std::set<BufferId> there;
      for (std::size_t earlier = 0; earlier <= k; ++earlier) {
        there.insert(program.kernels[earlier].writes.front());
      }
      for (BufferId b = 0; b < program.buffers.size(); ++b) {
        if ((program.buffers[b].given || there.contains(b)) && last[b] >= k && !taken_over(b)) {
          storages.insert(placement.storage[b]);
          ++live;
        }
      }
      CHECK(storages.size() == live);
    }
  }
}

TEST_CASE("a buffer takes over what it overwrites, else what was freed last of its type and size") {
  Program program;
  const BufferId given = program.add({.bytes = 64, .given = true});
  const BufferId a = program.add({.bytes = 64});
  const BufferId b = program.add({.bytes = 64});
  const BufferId c = program.add({.bytes = 64});
  const BufferId half = program.add({.bytes = 64, .type = base::DType::f16});
  const BufferId d = program.add({.bytes = 64, .output = true});
  program.kernels = {{.reads = {given}, .writes = {a}},
                     {.reads = {a}, .writes = {b}, .over = {a}},
                     {.reads = {b}, .writes = {c}},
                     {.reads = {c}, .writes = {half}, .over = {c}},
                     {.reads = {half}, .writes = {d}}};
  const Placement placement = place(program);
  CHECK(placement.storage[b] == a);        // in place
  CHECK(placement.storage[c] == c);        // while a is still read
  CHECK(placement.storage[half] == half);  // of another type
  CHECK(placement.storage[d] == c);        // freed last
  CHECK(placement.last[c] == program.kernels.size());
}

}  // namespace
}  // namespace vggplan::lowering::compiled
