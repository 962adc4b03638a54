// SPDX-License-Identifier: MIT
// Whatever a network ends with, its output is one tensor, and every tensor is freed once.
#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/tape_faults.hpp"
#include "vggplan/graph/builder.hpp"

namespace vggplan::lowering {
namespace {

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
                                            {graph::Add{.in_place = true}},
                                            {graph::Add{}},
                                            {graph::BatchNorm{8}},
                                            {graph::Resize{{16, 16}}}};
  const Framework framework = support::without_workspaces();
  for (std::size_t i = 0; i < 2 * ends.size(); ++i) {
    graph::Builder builder("end", {3, 8, 8}, 0);
    builder.append("conv", graph::Convolution{3, 8});
    for (const Kind& kind : ends[i / 2]) {
      std::vector<graph::NodeId> inputs{builder.last()};
      if (std::holds_alternative<graph::Add>(kind)) {
        inputs.push_back(builder.add("other", graph::Convolution{3, 8}, {0}));
      }
      builder.add("end" + std::to_string(builder.last()), kind, inputs);
    }
    const graph::Network network =
        std::move(builder).finish(i % 2 == 0 ? graph::Objective::mse : graph::Objective::cross_entropy).value();
    for (const job::Precision precision : {job::Precision::tf32, job::Precision::amp_bf16, job::Precision::amp_fp16}) {
      for (const base::Layout layout : {base::Layout::nchw, base::Layout::nhwc}) {
        for (const auto& [mode, compile] : {std::pair(job::Mode::train, job::Compile::none),
                                            {job::Mode::infer, job::Compile::none},
                                            {job::Mode::train, job::Compile::usual},
                                            {job::Mode::train, job::Compile::reduce_overhead}}) {
          INFO(i / 2 << ' ' << base::name_of_enum(compile));
          job::Job job;
          job.image = {3, 8, 8};
          job.batch = 2;
          job.precision = precision;
          job.layout = layout;
          job.mode = mode;
          job.compile = compile;
          CHECK(support::fault_of(support::tape_of(network, job, framework), 1) == "");
        }
      }
    }
  }
}

}  // namespace
}  // namespace vggplan::lowering
