// SPDX-License-Identifier: MIT
#include "lowering/compiled/pad_trials.hpp"

#include <vector>

namespace vggplan::lowering::compiled {
namespace {

/// [rows, inner] x [inner, columns], and in forward a bias of `columns`.
struct Product {
  std::int64_t rows{};
  std::int64_t inner{};
  std::int64_t columns{};
  bool bias{};
};

/// Inductor tries only what it holds to be bound by arithmetic. What it takes for the balance of an H200 lies between
/// the products of two and of four rows: the former were not tried, the latter were.
bool worth_trying(const Product& p) {
  constexpr double kBalance = 3.0;
  const auto rows = static_cast<double>(p.rows);
  const auto inner = static_cast<double>(p.inner);
  const auto columns = static_cast<double>(p.columns);
  return 1.0 / (1.0 / rows + 1.0 / inner + 1.0 / columns) > kBalance;
}

struct Trials {
  Step& step;
  std::vector<TensorId> held{};

  TensorId take(std::int64_t elements) {
    return step.tape.allocate(elements * step.activation_bytes, Category::other, memory::kNoLayer);
  }
  void hold(std::int64_t elements) {
    if (elements > 0) {
      held.push_back(take(elements));
    }
  }

  void time(std::int64_t result) {
    const TensorId warm_up = take(result);
    step.cublas_workspaces(false);
    step.tape.drop(warm_up);
    const TensorId cache = step.tape.allocate(step.device.l2_cache.count(), Category::other, memory::kNoLayer);
    step.tape.drop(take(result));
    step.tape.drop(cache);
  }

  void run(const Product& p) {
    const std::int64_t alignment = 16 / step.activation_bytes;
    const std::int64_t rows = base::round_up(p.rows, alignment);
    const std::int64_t inner = base::round_up(p.inner, alignment);
    const std::int64_t columns = base::round_up(p.columns, alignment);
    const bool left = rows != p.rows || inner != p.inner;
    const bool right = inner != p.inner || columns != p.columns;
    if ((!left && !right) || !worth_trying(p)) {
      return;
    }
    hold(p.rows * p.inner);
    hold(p.inner * p.columns);
    hold(p.bias ? p.columns : 0);
    hold(left ? rows * inner : 0);
    hold(right ? inner * columns : 0);
    time(p.rows * p.columns);
    time(rows * columns);
    for (const TensorId tensor : held) {
      step.tape.drop(tensor);
    }
    held.clear();
  }
};

}  // namespace

void try_padding(Step& step) {
  Trials trials{step};
  std::vector<Product> forward;
  for (NodeId id = 0; id < step.network.nodes.size(); ++id) {
    const auto* linear = std::get_if<graph::Linear>(&step.network.nodes[id].kind);
    if (linear == nullptr) {
      continue;
    }
    const graph::Shape& shape = step.network.nodes[id].output;
    const std::int64_t rows = step.batch * shape.height * shape.width;
    forward.push_back({rows, linear->in_features, linear->out_features, linear->bias});
    // The graph is read from its end: backward's last products, those of the first layer, come first.
    if (step.training() && step.needs_gradient(id)) {
      trials.run({linear->out_features, rows, linear->in_features, false});
      if (step.needs_gradient(step.network.nodes[id].inputs.front())) {
        trials.run({rows, linear->out_features, linear->in_features, false});
      }
    }
  }
  for (auto product = forward.rbegin(); product != forward.rend(); ++product) {
    trials.run(*product);
  }
}

}  // namespace vggplan::lowering::compiled
