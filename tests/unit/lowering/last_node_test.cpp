// SPDX-License-Identifier: MIT
// Whatever a network ends with, its output is one tensor, and every tensor is freed once.
#include <set>

#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "vggplan/graph/builder.hpp"

namespace vggplan::lowering {
namespace {

/// Empty where no event frees what is not there, or makes what is.
std::string misuse(const memory::Tape& tape) {
  std::set<memory::TensorId> live;
  const auto walk = [&](const std::vector<memory::Event>& events) {
    for (const memory::Event& event : events) {
      if (event.kind == memory::Event::Kind::allocate && !live.insert(event.tensor).second) {
        return "made twice: " + std::to_string(event.tensor);
      }
      if (event.kind == memory::Event::Kind::release && live.erase(event.tensor) == 0) {
        return "freed twice: " + std::to_string(event.tensor);
      }
    }
    return std::string();
  };
  std::string wrong = walk(tape.setup);
  for (const auto& step : tape.steps) {
    wrong += walk(step);
  }
  return wrong;
}

TEST_CASE("a network may end with any kind of layer, as SqueezeNet ends with a view of its pooling") {
  using graph::Kind;
  const std::vector<std::vector<Kind>> ends{{graph::AdaptiveAveragePool{1, 1}, graph::Flatten{}},
                                            {graph::AdaptiveAveragePool{2, 2}, graph::Flatten{}},
                                            {graph::Flatten{}},
                                            {graph::Flatten{4}},
                                            {graph::Activation{}},
                                            {graph::Activation{graph::Function::leaky_relu, false}},
                                            {graph::Dropout{}},
                                            {graph::Dropout{0}},
                                            {graph::AdaptiveAveragePool{1, 1}, graph::Flatten{}, graph::Dropout{0}},
                                            {graph::Softmax{}},
                                            {graph::MaxPool{}},
                                            {graph::BatchNorm{8}},
                                            {graph::Resize{{16, 16}}}};
  for (std::size_t i = 0; i < 2 * ends.size(); ++i) {
    graph::Builder builder("end", {3, 8, 8}, 0);
    builder.append("conv", graph::Convolution{3, 8});
    for (const Kind& kind : ends[i / 2]) {
      builder.append("end" + std::to_string(builder.last()), kind);
    }
    const graph::Network network =
        std::move(builder).finish(i % 2 == 0 ? graph::Objective::mse : graph::Objective::cross_entropy).value();
    for (const job::Precision precision : {job::Precision::tf32, job::Precision::amp_bf16}) {
      for (const base::Layout layout : {base::Layout::nchw, base::Layout::nhwc}) {
        for (const job::Mode mode : {job::Mode::train, job::Mode::infer}) {
          INFO(i / 2);
          job::Job job;
          job.image = {3, 8, 8};
          job.batch = 2;
          job.precision = precision;
          job.layout = layout;
          job.mode = mode;
          CHECK(misuse(support::tape_of(network, job, support::built_in_framework())) == "");
        }
      }
    }
  }
}

}  // namespace
}  // namespace vggplan::lowering
