// SPDX-License-Identifier: MIT
#include "vggplan/lowering/ops.hpp"

#include <algorithm>

#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/vgg.hpp"
#include "vggplan/timing/parallel.hpp"

namespace {

using namespace vggplan;
using timing::Op;
using timing::OpKind;

job::Job job_with(job::Precision precision, base::Layout layout = base::Layout::nchw) {
  job::Job job;
  job.model = support::vgg(16);
  job.image = {3, 224, 224};
  job.batch = 32;
  job.precision = precision;
  job.layout = layout;
  return job;
}

std::vector<Op> ops_of(const job::Job& job) {
  const graph::Network network = support::network(job.model, job.image, job.classes, job.head);
  const auto segments = lowering::segments(network, job.checkpointing);
  REQUIRE(segments);
  return lowering::lower_ops(network, job, *segments);
}

std::int64_t count(const std::vector<Op>& ops, OpKind kind) {
  return std::ranges::count_if(ops, [kind](const Op& op) { return op.kind == kind; });
}

std::int64_t flops(const std::vector<Op>& ops, base::Phase phase) {
  std::int64_t sum = 0;
  for (const Op& op : ops) {
    sum += op.phase == phase ? op.flops.count() : 0;
  }
  return sum;
}

}  // namespace

TEST_CASE("a step of VGG16 starts the operations that its profile shows") {
  const std::vector<Op> ops = ops_of(job_with(job::Precision::tf32));
  // kernel_profiles.jsonl, 224x224, batch 32, tf32, nchw.
  CHECK(count(ops, OpKind::conv_forward) == 13);
  CHECK(count(ops, OpKind::bias_add) == 13);
  CHECK(count(ops, OpKind::relu_forward) == 15);
  CHECK(count(ops, OpKind::relu_backward) == 15);
  CHECK(count(ops, OpKind::max_pool_forward) == 5);
  CHECK(count(ops, OpKind::linear_forward) == 3);
  CHECK(count(ops, OpKind::linear_input_grad) + count(ops, OpKind::linear_weight_grad) == 6);
  CHECK(count(ops, OpKind::bias_grad) == 16);
  CHECK(count(ops, OpKind::dropout_forward) == 2);
  SECTION("the image has no gradient") {
    CHECK(count(ops, OpKind::conv_input_grad) == 12);
    CHECK(count(ops, OpKind::conv_weight_grad) == 13);
  }
  SECTION("autocast alone converts weights, biases and the image, and gradients back") {
    CHECK(count(ops, OpKind::cast) == 0);
    CHECK(count(ops_of(job_with(job::Precision::bf16)), OpKind::cast) == 0);
    CHECK(count(ops_of(job_with(job::Precision::amp_bf16)), OpKind::cast) == 1 + 2 * 2 * 16);
  }
  SECTION("channels_last alone is copied to be flattened") {
    CHECK(count(ops, OpKind::copy) == 0);
    CHECK(count(ops_of(job_with(job::Precision::tf32, base::Layout::nhwc)), OpKind::copy) == 1);
  }
}

TEST_CASE("the FLOPs of the ops are those of the network") {
  for (const job::Precision precision : {job::Precision::tf32, job::Precision::amp_bf16}) {
    const job::Job job = job_with(precision);
    const graph::LayerCounts counts = graph::count(support::network(job.model, job.image, job.classes, job.head));
    const std::vector<Op> ops = ops_of(job);
    CHECK(flops(ops, base::Phase::forward) == job.batch * counts.flops_forward.count());
    CHECK(flops(ops, base::Phase::backward) == job.batch * counts.flops_backward.count());
  }
}

TEST_CASE("inference runs forward alone, and records nothing") {
  job::Job job = job_with(job::Precision::tf32);
  job.mode = job::Mode::infer;
  const std::vector<Op> ops = ops_of(job);
  CHECK(std::ranges::all_of(ops, [](const Op& op) { return op.phase == base::Phase::forward && !op.records; }));
  CHECK(count(ops, OpKind::dropout_forward) == 0);
  CHECK(count(ops, OpKind::loss_forward) == 0);
}

TEST_CASE("a checkpointed segment is entered twice, with a hook for every tensor that it saves") {
  const auto hooks = [](const job::Job& job, bool recompute) {
    std::vector<std::int64_t> tensors;
    for (const Op& op : ops_of(job)) {
      if (op.kind == OpKind::checkpoint && op.recompute == recompute) {
        CHECK(op.phase == (recompute ? base::Phase::backward : base::Phase::forward));
        tensors.push_back(op.tensors);
      }
    }
    return tensors;
  };
  job::Job job = job_with(job::Precision::tf32);
  CHECK(hooks(job, false).empty());
  job.checkpointing.kind = job::Checkpointing::Kind::block;
  // Two or three convolutions (input, weight) with their ReLU (result), and a pool (input, indices).
  CHECK(hooks(job, false) == std::vector<std::int64_t>{8, 8, 11, 11, 11});
  CHECK(hooks(job, true) == std::vector<std::int64_t>{11, 11, 11, 8, 8});
  SECTION("batch norm saves seven more each") {
    job.model = support::vgg(11, true);
    CHECK(hooks(job, false) == std::vector<std::int64_t>{12, 12, 22, 22, 22});
  }
  SECTION("in inference nothing is saved") {
    job.mode = job::Mode::infer;
    CHECK(hooks(job, false).empty());
  }
}

TEST_CASE("micro-batches after the first add their gradients") {
  job::Job job = job_with(job::Precision::tf32);
  CHECK(count(ops_of(job), OpKind::grad_accumulate) == 0);
  job.accumulation = 4;
  const std::vector<Op> ops = ops_of(job);
  REQUIRE(count(ops, OpKind::grad_accumulate) == 1);
  const auto add = std::find_if(ops.begin(), ops.end(), [](const Op& op) { return op.after_first; });
  CHECK(add->bytes().count() == 3 * 4 * 138'357'544LL);
  CHECK(add->phase == base::Phase::backward);
  for (const auto& [accumulation, passes] : {std::pair(1, 2), std::pair(2, 1), std::pair(2, 2)}) {
    job.accumulation = accumulation;
    job.forward_passes = passes;
    CHECK(count(ops_of(job), OpKind::grad_accumulate) == 1);
  }
}

// batch_norm_backward_cuda (aten/src/ATen/native/cuda/Normalization.cu): with nothing to sum, a product a channel. Of
// channels_last tensors it comes out contiguous, and the convolution before turns it back.
TEST_CASE(
    "the backward of a frozen batch norm whose parameters are frozen multiplies, and turns channels_last tensors") {
  const auto ops = [](base::Layout layout, graph::FrozenNorm norm) {
    job::Job job = job_with(job::Precision::tf32, layout);
    job.model = support::vgg(16, true);
    job.scope.norm = norm;
    return lowering::lower_ops(job::network_of(job).value(), job, {});
  };
  using graph::FrozenNorm;
  for (const base::Layout layout : {base::Layout::nchw, base::Layout::nhwc}) {
    const bool nhwc = layout == base::Layout::nhwc;
    const std::vector<Op> usual = ops(layout, FrozenNorm::none);
    const std::vector<Op> statistics = ops(layout, FrozenNorm::statistics);
    const std::vector<Op> all = ops(layout, FrozenNorm::all);
    CHECK(count(usual, OpKind::batch_norm_backward) == 13);
    CHECK(count(statistics, OpKind::batch_norm_backward) == 13);
    CHECK(count(all, OpKind::batch_norm_backward) == 0);
    CHECK(count(statistics, OpKind::batch_norm_inference) == 13);
    const auto guessed = [](const Op& op) { return op.stands_in; };
    CHECK(std::ranges::none_of(usual, guessed));
    CHECK(std::ranges::count_if(statistics, guessed) == (nhwc ? 2 * 13 : 13));
    CHECK(count(all, OpKind::multiply) == (nhwc ? 0 : 13));
    const std::int64_t copies = count(usual, OpKind::copy);
    CHECK(count(all, OpKind::copy) == copies + (nhwc ? 2 * 13 : 0));
    CHECK(count(statistics, OpKind::copy) == copies + (nhwc ? 2 * 13 : 0));
  }
}

TEST_CASE("an optimizer goes over its tensors as often as when it was measured, and reads and writes as much") {
  struct Rule {
    job::Optimizer optimizer{};
    bool fused{};
    std::int64_t passes{};
    std::int64_t reads{};
    std::int64_t writes{};
  };
  using job::Optimizer;
  // tests/data/measurements/h100_operations.jsonl; rmsprop: v *= a; v += g * g; d = sqrt(v); d += e; p -= g / d.
  for (const Rule& rule : {Rule{Optimizer::sgd, false, 1, 2, 1},
                           {Optimizer::sgd, true, 1, 2, 1},
                           {Optimizer::momentum, false, 4, 7, 4},
                           {Optimizer::momentum, true, 1, 3, 2},
                           {Optimizer::adam, false, 7, 11, 7},
                           {Optimizer::adam, true, 1, 4, 3},
                           {Optimizer::adamw, false, 8, 12, 8},
                           {Optimizer::adamw, true, 1, 4, 3},
                           {Optimizer::rmsprop, false, 5, 8, 5}}) {
    job::Job job = job_with(job::Precision::tf32);
    job.optimizer = rule.optimizer;
    job.optimizer_impl = rule.fused ? job::OptimizerImpl::fused : job::OptimizerImpl::foreach;
    INFO(static_cast<int>(rule.optimizer) << (rule.fused ? " fused" : ""));
    const std::vector<Op> ops = ops_of(job);
    const auto op = std::ranges::find(ops, OpKind::optimizer, &Op::kind);
    REQUIRE(op != ops.end());
    constexpr std::int64_t kBytes = 4 * 138'357'544LL;
    CHECK(op->passes == rule.passes);
    CHECK(op->read.count() == rule.reads * kBytes);
    CHECK(op->written.count() == rule.writes * kBytes);
  }
}

TEST_CASE("GradScaler reads back whether to step") {
  CHECK(count(ops_of(job_with(job::Precision::amp_fp16)), OpKind::host_read) == 1);
  CHECK(count(ops_of(job_with(job::Precision::amp_bf16)), OpKind::host_read) == 0);
  CHECK(count(ops_of(job_with(job::Precision::fp16)), OpKind::host_read) == 0);
}

TEST_CASE("ZeRO-1 updates the whole tensors of the fullest rank, FSDP2 the rows of every tensor") {
  job::Job job = job_with(job::Precision::amp_fp16);
  job.optimizer = job::Optimizer::adam;
  job.optimizer_impl = job::OptimizerImpl::loop;
  job.parallel.gpus = 2;
  job.accumulation = 2;
  const auto only = [&](OpKind kind) {
    const std::vector<Op> ops = ops_of(job);
    REQUIRE(count(ops, kind) == 1);
    return *std::find_if(ops.begin(), ops.end(), [kind](const Op& op) { return op.kind == kind; });
  };
  const auto check = [&](OpKind kind, std::int64_t passes, std::int64_t elements, std::int64_t tensors) {
    const Op op = only(kind);
    CHECK(op.extent.n == elements);
    CHECK(op.tensors == tensors);
    if (kind == OpKind::grad_unscale) {
      CHECK(op.passes == passes);
      CHECK(op.bytes().count() == 4 * 2 * elements);
    }
    if (kind == OpKind::optimizer) {
      CHECK(op.kernels == passes * tensors);
      CHECK(op.bytes().count() == 4 * 18 * elements);  // 11 read, 7 written
    }
  };
  constexpr std::int64_t kAll = 138'357'544;
  SECTION("DDP: 16 weights and 16 biases") {
    check(OpKind::optimizer, 7, kAll, 32);
    check(OpKind::grad_unscale, 1, kAll, 32);
  }
  SECTION("ZeRO-1: the weight of fc1 is more than all others together; GradScaler sees all gradients") {
    job.parallel.sharding = job::Sharding::zero1;
    check(OpKind::optimizer, 7, 25'088 * 4096, 1);
    check(OpKind::grad_unscale, 1, kAll, 32);
    CHECK(only(OpKind::grad_accumulate).extent.n == kAll);
  }
  SECTION(
      "ZeRO-1 where no tensor outweighs the rest: two of three convolutions go to one rank, all else to the other") {
    job.parallel.sharding = job::Sharding::zero1;
    job.model.features = {4, 4, 4, graph::kPool};
    job.image = {4, 2, 2};
    job.head = graph::Head::gap;
    job.classes = 4;
    // Largest first to the emptier: 144 | 144, 144 to the first, then 16 and four biases of 4 to the second (176).
    check(OpKind::optimizer, 7, 288, 2);
  }
  SECTION("FSDP2: half the rows of every tensor") {
    job.parallel.sharding = job::Sharding::fsdp2;
    check(OpKind::optimizer, 7, kAll / 2, 32);
    check(OpKind::grad_unscale, 1, kAll / 2, 32);
    CHECK(only(OpKind::grad_accumulate).extent.n == kAll / 2);
    CHECK(only(OpKind::grad_accumulate).kernels == 32);
  }
}

TEST_CASE("gradients are exchanged last layer first, all of them") {
  job::Job job = job_with(job::Precision::amp_bf16);
  job.parallel.gpus = 2;
  const graph::Network network = support::network(job.model, job.image, job.classes, job.head);
  const timing::Exchange exchange = lowering::exchange_of(network, job, support::built_in_framework());
  std::int64_t bytes = 0;
  for (const timing::Gradient& gradient : exchange.gradients) {
    bytes += gradient.bytes.count();
  }
  CHECK(bytes == 4 * 138'357'544LL);
  CHECK(std::ranges::is_sorted(exchange.gradients, [](const auto& a, const auto& b) { return a.layer > b.layer; }));
  CHECK(exchange.gradients.front().is_unit);
  CHECK_FALSE(exchange.bucket_view);
  job.parallel.bucket_view = true;
  CHECK(lowering::exchange_of(network, job, support::built_in_framework()).bucket_view);
  SECTION("a compiled backward hands out all gradients with that of the first layer that is trained") {
    job.compile = job::Compile::usual;
    graph::Network frozen = network;
    for (graph::Node& node : frozen.nodes) {
      node.trained = !std::holds_alternative<graph::Convolution>(node.kind);
    }
    for (const timing::Gradient& gradient :
         lowering::exchange_of(frozen, job, support::built_in_framework()).gradients) {
      CHECK(gradient.layer == support::id_of(network, "fc1"));
    }
  }
  SECTION("FSDP2 communicates in every micro-batch, DDP and ZeRO-1 in the last") {
    job.accumulation = 4;
    for (const auto& [sharding, rounds] :
         {std::pair(job::Sharding::ddp, 1), std::pair(job::Sharding::zero1, 1), std::pair(job::Sharding::fsdp2, 4)}) {
      job.parallel.sharding = sharding;
      CHECK(lowering::exchange_of(network, job, support::built_in_framework()).rounds == rounds);
      CHECK(lowering::exchange_of(network, job, support::built_in_framework()).sharding == sharding);
    }
  }
}

TEST_CASE("DDP's buckets fill tensor by tensor, last layer first; the framework says when the first is full") {
  job::Job job = job_with(job::Precision::tf32);
  job.parallel.gpus = 2;
  const graph::Network network = support::network(job.model, job.image, job.classes, job.head);
  lowering::Framework framework = support::built_in_framework();
  const auto sizes = [&] {
    std::vector<std::int64_t> bytes;
    for (const timing::Bucket& bucket : lowering::exchange_of(network, job, framework).buckets) {
      bytes.push_back(bucket.bytes.count());
    }
    return bytes;
  };
  // Weights and biases of fc3, fc2 and fc1; then three convolutions of 512 to 512 channels to a bucket of 25 MiB.
  constexpr std::int64_t kFc3 = 4 * (4096 * 1000 + 1000);
  constexpr std::int64_t kFc2 = 4 * (4096 * 4096 + 4096);
  constexpr std::int64_t kFc1 = 4 * (25'088LL * 4096 + 4096);
  constexpr std::int64_t kWide = 4 * (9 * 512 * 512 + 512);
  const std::vector<std::int64_t> got = sizes();
  REQUIRE(got.size() == 6);
  CHECK(std::vector(got.begin(), got.begin() + 4) == std::vector<std::int64_t>{kFc3, kFc2, kFc1, 3 * kWide});
  framework.first_bucket = base::Bytes(20'000'000);
  CHECK(sizes().front() == kFc3 + kFc2);
}
