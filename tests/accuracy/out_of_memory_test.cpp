// SPDX-License-Identifier: MIT
// What PyTorch said where it ran out of memory (max_batch.jsonl), against what is said of the same allocation. No rule
// was made with these messages.
#include <cmath>
#include <regex>
#include <string>

#include "accuracy/figures/memory_figures.hpp"
#include "support/catch.hpp"

namespace vggplan::accuracy {
namespace {

using support::Row;

constexpr double kMiB = 1048576;
constexpr double kGiB = 1024 * kMiB;

/// Two decimals of a unit, as PyTorch writes sizes.
struct Said {
  double bytes{};
  double half_digit{};
  [[nodiscard]] bool is(base::Bytes other, double beside = 0) const {
    return std::abs(other.as_double() - bytes) <= 1.01 * half_digit + beside;
  }
};

Said said(const std::string& number, const std::string& unit) {
  const double scale = unit == "GiB" ? kGiB : kMiB;
  return {std::stod(number) * scale, 0.005 * scale};
}

memory::OutOfMemory predicted(Row cell, std::int64_t batch) {
  cell["batch"] = batch;
  const memory::Simulation simulation = simulated_under_cap(cell, memory::SimulationOptions().steps);
  REQUIRE(simulation.failure);
  return *simulation.failure;
}

TEST_CASE("an out-of-memory message has the figures that are predicted of it") {
  // Total and free memory are those of the device: what the process holds beside the allocator is known of a whole
  // step. Before the first backward pass its modules are not loaded.
  const std::regex message(R"(Tried to allocate ([0-9.]+) (\w+)\. .*of which ([0-9.]+) (\w+) is free)");
  const hardware::Gpu& gpu = measured_target().gpu;
  constexpr double kModules = 0.15 * kGiB;
  std::size_t messages = 0;
  for (const Row& cell : support::read_rows("max_batch.jsonl")) {
    for (const auto& [batch, tried] : cell.at("tries").items()) {
      std::smatch parts;
      const std::string why = tried.value("why", "");
      if (!std::regex_search(why, parts, message)) {
        continue;
      }
      INFO(support::label_of(cell) << " batch " << batch << " under " << cell.at("cap_gib") << " GiB: " << why);
      const memory::OutOfMemory failure = predicted(cell, std::stoll(batch));
      CHECK(said(parts[1], parts[2]).is(failure.tried));
      const Said free = said(parts[3], parts[4]);
      const base::Bytes left = gpu.memory_total - gpu.context_memory - failure.reserved;
      const bool loaded = failure.step > 1 || failure.phase == base::Phase::backward;
      CHECK(free.is(left, loaded ? 0 : kModules));
      constexpr std::int64_t kSmall = 65536;  // one step is 6 KiB off
      CHECK(failure.allocated.count() <= tried.at("peak").get<std::int64_t>() + kSmall);
      CHECK(failure.allocated <= failure.reserved);
      ++messages;
    }
  }
  CHECK(messages == 36);
}

}  // namespace
}  // namespace vggplan::accuracy
