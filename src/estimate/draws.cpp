// SPDX-License-Identifier: MIT
#include "estimate/draws.hpp"

#include <numeric>
#include <random>

namespace vggplan::estimate {

namespace {

/// The same on every machine: std::shuffle is not.
void shuffle(std::vector<std::size_t>& order, std::mt19937& random) {
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[random() % left]);
  }
}

}  // namespace

std::vector<std::vector<std::size_t>> draw_orders(std::size_t sizes) {
  constexpr int kRandom = 6;
  constexpr int kRounds = 2;
  std::vector<std::size_t> rising(sizes);
  std::iota(rising.begin(), rising.end(), std::size_t{0});
  std::vector<std::size_t> falling{sizes - 1};  // the largest twice: it has met the optimizer's state, too
  falling.insert(falling.end(), rising.rbegin(), rising.rend());
  std::vector<std::vector<std::size_t>> orders{rising, falling};
  std::mt19937 random;
  for (int i = 0; i < kRandom; ++i) {
    std::vector<std::size_t> order;
    for (int round = 0; round < kRounds; ++round) {
      shuffle(rising, random);
      order.insert(order.end(), rising.begin(), rising.end());
    }
    orders.push_back(order);
  }
  for (std::vector<std::size_t>& order : orders) {
    order.push_back(sizes - 1);
  }
  return orders;
}

}  // namespace vggplan::estimate
