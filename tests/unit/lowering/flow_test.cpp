// SPDX-License-Identifier: MIT
// Gradients that meet, layers that are frozen, images that are trained: tapes of small networks, by hand.
#include <algorithm>

#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/vgg.hpp"
#include "vggplan/graph/builder.hpp"
#include "vggplan/lowering/ops.hpp"
#include "vggplan/lowering/saved.hpp"

namespace vggplan::lowering {
namespace {

using memory::Category;
using memory::Event;
using Sizes = std::vector<std::int64_t>;

constexpr std::int64_t kMap = 2 * 4 * 4 * 4;  ///< bytes of 2 channels of 4x4
constexpr std::int64_t kWeight = 2 * 2 * 9 * 4;
constexpr std::int64_t kBias = 2 * 4;

job::Job one_image() {
  job::Job job;
  job.image = {2, 4, 4};
  job.batch = 1;
  job.classes = 3;
  job.optimizer = job::Optimizer::sgd;
  return job;
}

/// Mean over the pixels, three classes, cross entropy.
graph::Network finish(graph::Builder builder) {
  builder.append("pool", graph::AdaptiveAveragePool{1, 1});
  builder.append("flatten", graph::Flatten{});
  builder.append("fc", graph::Linear{2, 3});
  return std::move(builder).finish(graph::Objective::cross_entropy).value();
}

/// Of the step that repeats.
Sizes requests_of_backward(const graph::Network& network, const job::Job& job) {
  const memory::Tape tape = support::tape_of(network, job, support::without_workspaces());
  const std::vector<Event>& last = tape.steps.back();
  const auto begins = [&](base::Phase phase) {
    return std::ranges::find_if(
        last, [phase](const Event& event) { return event.kind == Event::Kind::phase && event.phase == phase; });
  };
  support::RequestList before(tape);
  before.add(tape.setup);
  std::for_each(tape.steps.begin(), tape.steps.end() - 1, [&](const auto& events) { before.add(events); });
  before.add({last.begin(), begins(base::Phase::backward)});
  const auto skipped = static_cast<std::ptrdiff_t>(before.list().size());
  before.add({begins(base::Phase::backward), begins(base::Phase::optimizer)});
  return {before.list().begin() + skipped, before.list().end()};
}

TEST_CASE("what skips a block gets the block's gradient added in place: nobody else holds it by then") {
  graph::Builder builder("residual", {2, 4, 4}, 3);
  const graph::NodeId stem = builder.append("stem", graph::Convolution{2, 2});
  const graph::NodeId block = builder.append("block", graph::Convolution{2, 2});
  builder.add("sum", graph::Add{}, {block, stem});
  const Sizes expected{
      4,                                    // the gradient of the loss
      12,      -4,      12,    -12,   -12,  // nll_loss, its weight total; log_softmax, what it kept
      8,       6 * 4,   12,    -12,   -8,   // fc: input, weight, bias; the incoming gradient, what was kept
      kMap,    -8,                          // the mean's, which goes to block and stem alike
      kMap,    kWeight, kBias, -kMap,       // block: input, weight, bias; what it kept; the mean's lives on
      -kMap,                                // block's input gradient, once it has been added to the mean's
      kWeight, kBias,   -kMap,              // stem
      -4,
  };
  CHECK(requests_of_backward(finish(std::move(builder)), one_image()) == expected);
}

TEST_CASE("a gradient that others wait for is not added to: the sum is a new tensor") {
  graph::Builder builder("shared", {2, 4, 4}, 3);
  const graph::NodeId first = builder.append("first", graph::Convolution{2, 2});
  const graph::NodeId second = builder.append("second", graph::Convolution{2, 2});
  const graph::NodeId third = builder.append("third", graph::Convolution{2, 2});
  const graph::NodeId inner = builder.add("inner", graph::Add{}, {second, first});
  builder.add("outer", graph::Add{}, {inner, third});
  const Sizes expected{
      4,       12,      -4,    12,    -12,   -12, 8,
      6 * 4,   12,      -12,   -8,    kMap,  -8,  // the mean's: for third, second and first
      kMap,    kWeight, kBias, -kMap,             // third; what it kept
      kMap,    -kMap,                             // second: the mean's, which first waits for, and third's make a sum
      kMap,    kWeight, kBias, -kMap, -kMap,      // second: the sum goes, and what it kept
      -kMap,                                      // first: second's is added to the mean's, in place
      kWeight, kBias,   -kMap, -4,
  };
  CHECK(requests_of_backward(finish(std::move(builder)), one_image()) == expected);
}

/// Bytes allocated in set-up and the first step.
std::int64_t allocated(const memory::Tape& tape, Category category) {
  return support::taken(tape.setup, category) + support::taken(tape.steps.front(), category);
}

graph::Network frozen_vgg16(std::int64_t convolutions) {
  graph::Network network = support::vgg16(224, 224);
  for (graph::Node& node : network.nodes) {
    if (std::holds_alternative<graph::Convolution>(node.kind) && convolutions-- > 0) {
      node.trained = false;
    }
  }
  return network;
}

job::Job vgg16_job() {
  job::Job job;
  job.model = support::vgg(16);
  job.image = {3, 224, 224};
  job.batch = 2;
  return job;
}

TEST_CASE("frozen layers keep nothing, and have neither gradient nor optimizer state") {
  const graph::Network network = frozen_vgg16(13);
  constexpr std::int64_t kHead = 138'357'544 - 14'714'688;  // Keras: parameters of VGG16 without its top
  const job::Job job = vgg16_job();
  const SavedBytes saved = saved_bytes(network, {}, job);
  const graph::NodeId fc1 = support::id_of(network, "fc1");
  CHECK(std::all_of(saved.layers.begin(), saved.layers.begin() + static_cast<std::ptrdiff_t>(fc1),
                    [](base::Bytes bytes) { return bytes.count() == 0; }));
  CHECK(saved.layers[fc1].count() == 2 * 25'088 * 4);
  const memory::Tape tape = support::tape_of(network, job, support::without_workspaces());
  CHECK(allocated(tape, Category::gradients) == 4 * kHead);
  CHECK(allocated(tape, Category::optimizer_state) == 4 * kHead);
  CHECK(allocated(tape, Category::parameters) == 4 * 138'357'544LL);
}

TEST_CASE("autocast casts frozen parameters in every call and caches no copy of them") {
  job::Job job = vgg16_job();
  job.precision = job::Precision::amp_bf16;
  const graph::Network network = frozen_vgg16(13);
  // fc1's input has no gradient, for which alone its weight would be kept.
  CHECK(saved_bytes(network, {}, job).weight_copies.count() == 2 * (4096 * 4096 + 4096 * 1000));
}

TEST_CASE("a trained image has a gradient and optimizer state, and frozen convolutions keep their input for it") {
  graph::Builder builder("perceptual", {2, 4, 4}, 3);
  builder.append("conv1", graph::Convolution{2, 2});
  builder.append("relu1", graph::Activation{});
  builder.append("conv2", graph::Convolution{2, 2});
  graph::Network network = finish(std::move(builder));
  for (graph::Node& node : network.nodes) {
    node.trained = std::holds_alternative<graph::Image>(node.kind);
  }
  job::Job job = one_image();
  job.optimizer = job::Optimizer::adam;
  const memory::Tape tape = support::tape_of(network, job, support::without_workspaces());
  CHECK(allocated(tape, Category::gradients) == kMap);
  CHECK(allocated(tape, Category::optimizer_state) == 2 * kMap);
  CHECK(saved_bytes(network, {}, job).layers[1].count() == kMap);  // the image
  CHECK(saved_bytes(network, {}, job).layers[2].count() == kMap);  // conv1 out
  CHECK(saved_bytes(network, {}, job).layers[6].count() == 0);     // fc, whose weight alone is kept
  const std::vector<timing::Op> ops = lower_ops(network, job, {});
  const auto update =
      std::find_if(ops.begin(), ops.end(), [](const timing::Op& op) { return op.kind == timing::OpKind::optimizer; });
  CHECK(update->extent.n == 2 * 4 * 4);
  CHECK(update->tensors == 1);
}

}  // namespace
}  // namespace vggplan::lowering
