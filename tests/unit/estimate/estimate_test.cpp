// SPDX-License-Identifier: MIT
#include <algorithm>
#include <tuple>

#include "support/catch.hpp"
#include "support/known.hpp"
#include "support/vgg.hpp"
#include "support/warnings.hpp"
#include "vggplan/estimate/run.hpp"

namespace vggplan::estimate {
namespace {

using base::Bytes;
using support::warns;

job::Job job_of(std::int64_t height, std::int64_t width, std::int64_t batch) {
  job::Job job;
  job.model = support::vgg(16);
  job.image = {3, height, width};
  job.batch = batch;
  return job;
}

Estimate answer(const job::Job& job, const Target& target, const Options& options = {}) {
  auto result = estimate(job, target, support::known(), options);
  REQUIRE(result.has_value());
  return std::move(result).value();
}

TEST_CASE("the peak is that of the run, though the optimizer's state comes after the second step") {
  // One image: GradScaler skips the first step, so that AdamW makes its two moments in the second.
  job::Job job = job_of(1024, 1024, 1);
  job.precision = job::Precision::amp_fp16;
  job.layout = base::Layout::nhwc;
  job.optimizer = job::Optimizer::adamw;
  const Memory late = answer(job, support::target("h200-sxm-141gb")).memory;
  CHECK(late.run_peak.value > late.allocated_peak.value);
  CHECK(late.run_peak.value >= late.steady_peak.value);
  CHECK(late.run_peak.value >=
        std::max({late.forward_peak.value, late.backward_peak.value, late.optimizer_peak.value}));
  const auto states = std::ranges::find(late.breakdown, "optimizer_state", &std::pair<std::string, Bytes>::first);
  REQUIRE(states != late.breakdown.end());
  CHECK(states->second == Bytes(2 * 4 * 138'357'544LL));
  job.precision = job::Precision::amp_bf16;
  const Memory early = answer(job, support::target("h200-sxm-141gb")).memory;
  CHECK(early.run_peak.value == early.allocated_peak.value);
}

TEST_CASE("what the allocator may use is the card less context, less NCCL where several GPUs train") {
  const Target card = support::target("t4");
  const auto usable = [&](std::int64_t gpus, job::Mode mode, Bytes asked) {
    job::Job job = job_of(224, 224, 1);
    job.parallel.gpus = gpus;
    job.mode = mode;
    Target target = card;
    target.usable = asked;
    const Memory memory = answer(job, target).memory;
    const Bytes beside = memory.device_used.value - memory.reserved_peak.value;
    CHECK(memory.usable + beside <= card.gpu.memory_total);
    CHECK(memory.usable == make_engine(support::known()).usable(job, target));
    return memory.usable;
  };
  const Bytes nccl = support::known().framework.nccl;
  const Bytes all = card.gpu.memory_total - card.gpu.context_memory;
  REQUIRE(nccl > Bytes(0));
  CHECK(usable(1, job::Mode::train, all) == all);
  CHECK(usable(2, job::Mode::train, all) == all - nccl);
  CHECK(usable(2, job::Mode::infer, all) == all);
  CHECK(usable(2, job::Mode::train, base::kGiB * 4) == base::kGiB * 4);  // a limit below it stays as it is
  CHECK(usable(1, job::Mode::train, base::kGiB * 64) == all);            // one above it gives no more
}

/// What a device holds beside the allocator.
base::Estimated<Bytes> beside(const job::Job& job, const std::string& gpu) {
  const Memory memory = answer(job, support::target(gpu)).memory;
  const auto& [used, reserved] = std::tie(memory.device_used, memory.reserved_peak);
  return {used.value - reserved.value, used.low - reserved.low, used.high - reserved.high, used.basis};
}

TEST_CASE("two and four GPUs hold beside the allocator what was measured, and what more hold is less sure") {
  const auto with_gpus = [](std::int64_t gpus) {
    job::Job job = job_of(224, 224, 32);
    job.parallel.gpus = gpus;
    return beside(job, "h200-sxm-141gb");
  };
  // outside_allocator of two_gpus.jsonl (of DDP and ZeRO-1, and of FSDP2), and of four_gpus.jsonl
  for (const auto& [gpus, measured] : {std::pair(2, 1'691'222'016), std::pair(2, 1'687'027'712),
                                       std::pair(4, 1'693'319'168), std::pair(4, 1'689'124'864)}) {
    CHECK(with_gpus(gpus).low <= Bytes(measured));
    CHECK(with_gpus(gpus).high >= Bytes(measured));
  }
  CHECK(with_gpus(4).high - with_gpus(4).low < base::kMiB * 20);
  CHECK(with_gpus(8).high - with_gpus(8).low > base::kMiB * 500);
}

TEST_CASE("exactly what is reserved is enough, and less than what is allocated is too little") {
  const job::Job job = job_of(1024, 768, 2);
  Target target = support::target("h200-sxm-141gb");
  const Estimate whole = answer(job, target);
  const Memory& roomy = whole.memory;
  CHECK(roomy.verdict == Verdict::fits);
  CHECK(roomy.headroom == target.usable - roomy.reserved_peak.value);
  target.usable = roomy.reserved_peak.value;
  CHECK(answer(job, target).memory.verdict == Verdict::fits);
  // Parameters and what autograd keeps live at the same time: with a byte less, nothing helps.
  target.usable = Bytes(4 * whole.model.parameters - 1) + whole.model.saved_activations;
  const Memory tight = answer(job, target).memory;
  REQUIRE(tight.verdict == Verdict::does_not_fit);
  REQUIRE(tight.shortfall);
  CHECK(tight.shortfall->missing > Bytes(0));
  CHECK_FALSE(tight.shortfall->layer.empty());
  CHECK(tight.shortfall->allocated <= tight.shortfall->reserved);
  CHECK(tight.shortfall->reserved + tight.shortfall->free == target.usable);
  CHECK(tight.shortfall->tried > tight.shortfall->free);
  CHECK(tight.shortfall->missing == tight.shortfall->tried - tight.shortfall->free);
  target.usable = base::kGiB;
  const Memory hopeless = answer(job, target).memory;
  CHECK(hopeless.verdict == Verdict::does_not_fit);
  CHECK(hopeless.headroom < Bytes(0));
  CHECK(hopeless.allocated_peak.value == roomy.allocated_peak.value);
}

TEST_CASE("NVLink bridges help a pair of cards; a ring of four crosses PCIe") {
  job::Job job = job_of(224, 224, 8);
  Target target = support::target("rtx-3090");
  const auto communication = [&](hardware::Topology topology, std::int64_t gpus) {
    hardware::Machine machine;
    machine.name = "bridged";
    machine.gpu = target.gpu.name;
    machine.gpu_count = 4;
    machine.topology = topology;
    target.machine = machine;
    job.parallel.gpus = gpus;
    return answer(job, target).time.communication.value.count();
  };
  using hardware::Topology;
  CHECK(communication(Topology::nvlink_bridge, 2) < 0.4 * communication(Topology::pcie, 2));
  CHECK(communication(Topology::nvlink_bridge, 4) == communication(Topology::pcie, 4));
}

TEST_CASE("counts of the model are the published ones, and a step is forward and backward of its images") {
  job::Job job = job_of(224, 224, 4);
  job.accumulation = 2;
  const ModelSummary model = answer(job, support::target("h200-sxm-141gb")).model;
  CHECK(model.parameters == 138'357'544);
  const auto counts = graph::count(support::vgg16(224, 224));
  CHECK(model.flops_step == (counts.flops_forward + counts.flops_backward) * 8);
}

TEST_CASE("many micro-batches cost no more to simulate than a few, and hold the same memory") {
  job::Job job = job_of(224, 224, 2);
  const Target target = support::target("h200-sxm-141gb");
  job.accumulation = 4;
  const Memory few = answer(job, target).memory;
  job.accumulation = 60'000;
  const Memory many = answer(job, target).memory;
  CHECK(many.allocated_peak.value == few.allocated_peak.value);
  CHECK(many.reserved_peak.value == few.reserved_peak.value);
}

TEST_CASE("what a person should mind is said by code") {
  const Target h200 = support::target("h200-sxm-141gb");
  job::Job job = job_of(256, 256, 2);
  job.precision = job::Precision::fp32;
  CHECK(warns(answer(job, h200), "fp32-workspace"));
  job.precision = job::Precision::bf16;
  CHECK(warns(answer(job, h200), "pure-bf16"));
  job.precision = job::Precision::tf32;
  CHECK(answer(job, h200).warnings.empty());
  job.model = support::vgg(16, true);
  CHECK(warns(answer(job, h200), "small-batch-norm"));
  job.mode = job::Mode::infer;
  CHECK_FALSE(warns(answer(job, h200), "small-batch-norm"));
  CHECK(warns(answer(job_of(4024, 3036, 3), h200), "beyond-2^31"));
  CHECK_FALSE(warns(answer(job_of(4024, 3036, 2), h200), "beyond-2^31"));
}

TEST_CASE("a precision that the GPU lacks is an error with a remedy") {
  job::Job job = job_of(224, 224, 1);
  job.precision = job::Precision::amp_bf16;
  const auto result = estimate(job, support::target("v100-sxm2-16gb"), support::known());
  REQUIRE_FALSE(result.has_value());
  CHECK(result.error().place == "--precision");
  CHECK_FALSE(result.error().remedy.empty());
}

TEST_CASE("too few workers bound the rate, and as many as needed do not") {
  job::Job job = job_of(1024, 1024, 4);
  job.precision = job::Precision::amp_bf16;
  job.layout = base::Layout::nhwc;
  job.data.workers = 1;
  const Target h200 = support::target("h200-sxm-141gb");
  const Estimate starved = answer(job, h200);
  CHECK(starved.time.bound_by == "workers");
  CHECK(starved.time.images_per_second.value == Approx(starved.input.decode_images_per_second_per_worker));
  job.data.workers = starved.input.workers_needed;
  const Estimate fed = answer(job, h200);
  CHECK(fed.time.bound_by == "gpu");
  CHECK(fed.time.images_per_second.value > starved.time.images_per_second.value);
}

TEST_CASE("a step that waits for the host says so, how fast hosts are, and is as uncertain as they are") {
  const Target h200 = support::target("h200-sxm-141gb");
  const Estimate tiny = answer(job_of(32, 32, 2), h200);
  CHECK(tiny.time.bound_by == "host");
  REQUIRE(tiny.time.host_operation);
  CHECK(tiny.time.host_operation->low < tiny.time.host_operation->value);
  CHECK(tiny.time.host_operation->value < tiny.time.host_operation->high);
  const auto warning = std::ranges::find_if(tiny.warnings, [](const Warning& w) { return w.code == "host-bound"; });
  REQUIRE(warning != tiny.warnings.end());
  CHECK(warning->message.find("issues an operation in") != std::string::npos);
  const Estimate large = answer(job_of(1024, 1024, 4), h200);
  CHECK(large.time.bound_by == "gpu");
  const auto width = [](const Estimate& e) { return e.time.step.high.count() / e.time.step.low.count(); };
  CHECK(width(tiny) > 1.5 * width(large));
}

TEST_CASE("what the device holds beside the allocator has a range: by multiprocessors, or of what was measured") {
  using base::kMiB;
  // 28 multiprocessors at 1.5, 3 and 3.5 MiB, and 120, 371 and 420 MiB of what is loaded; even numbers of MiB.
  const auto unmeasured = beside(job_of(224, 224, 8), "rtx-3060");
  CHECK(unmeasured.low == kMiB * (28 * 3 / 2 + 120));
  CHECK(unmeasured.value == kMiB * 456);
  CHECK(unmeasured.high == kMiB * (28 * 7 / 2 + 420));
  // Measured on an H200: 766 to 768 MiB after training, 694 in inference, 638 of networks without a Linear layer.
  const auto measured = [](job::Mode mode, graph::Head head) {
    job::Job job = job_of(224, 224, 8);
    job.mode = mode;
    job.head = head;
    return beside(job, "h200-sxm-141gb");
  };
  const auto trained = measured(job::Mode::train, graph::Head::adaptive);
  CHECK(trained.low > kMiB * 765);
  CHECK(trained.high >= kMiB * 768);
  CHECK(trained.high < kMiB * 770);
  const auto inferred = measured(job::Mode::infer, graph::Head::adaptive);
  CHECK(inferred.low <= kMiB * 694);
  CHECK(inferred.low > kMiB * 690);
  CHECK(measured(job::Mode::train, graph::Head::none).low <= kMiB * 638);
}

TEST_CASE("a version that nobody measured has wider ranges than 2.11 on the same card, and says so") {
  const Target card = support::target("h200-sxm-141gb");
  job::Job job = job_of(512, 512, 8);
  job.expandable_segments = true;
  const Estimate measured = answer(job, card);
  for (const std::string version : {"pytorch-2.6", "pytorch-2.14", "pytorch-2.15"}) {
    Knowledge knowledge = support::known();
    knowledge.framework = support::built_in_catalog().framework(version).value();
    const Estimate other = estimate(job, card, knowledge).value();
    INFO(version);
    CHECK(warns(other, "unmeasured-version"));
    CHECK(other.time.step.basis == base::Basis::modelled);
    CHECK(other.time.step.value == measured.time.step.value);
    CHECK(other.time.step.low < measured.time.step.low);
    CHECK(other.time.step.high > measured.time.step.high);
    CHECK(other.memory.allocated_peak.basis == base::Basis::modelled);
    CHECK(other.memory.allocated_peak.low < measured.memory.allocated_peak.low);
    CHECK(other.memory.allocated_peak.high > measured.memory.allocated_peak.high);
    CHECK(other.memory.allocator_settings == knowledge.framework.allocator_variable + "=expandable_segments:True");
  }
  CHECK_FALSE(warns(measured, "unmeasured-version"));
}

TEST_CASE("builds have code for some architectures: 2.6 for Pascal and not for Blackwell, 2.11 the other way round") {
  const auto runs = [](const std::string& version, const std::string& gpu) {
    return runs_on(support::built_in_catalog().framework(version).value(), support::gpu(gpu));
  };
  CHECK(runs("pytorch-2.6", "gtx-1080-ti"));
  CHECK(runs("pytorch-2.6", "h200-sxm-141gb"));
  CHECK_FALSE(runs("pytorch-2.6", "rtx-5090"));
  CHECK_FALSE(runs("pytorch-2.11", "gtx-1080-ti"));
  CHECK(runs("pytorch-2.11", "rtx-5090"));
}

TEST_CASE("a figure for a GPU that was measured is calibrated, for another it is modelled and wider") {
  const job::Job job = job_of(512, 512, 8);
  const Estimate own = answer(job, support::target("h200-sxm-141gb"));
  const Estimate other = answer(job, support::target("a100-sxm4-80gb"));
  CHECK(own.time.step.basis == base::Basis::calibrated);
  CHECK(other.time.step.basis == base::Basis::modelled);
  const auto width = [](const auto& figure) {
    return (figure.high.count() - figure.low.count()) / figure.value.count();
  };
  CHECK(width(other.time.step) > width(own.time.step));
  CHECK(other.time.step.value > own.time.step.value);
}

}  // namespace
}  // namespace vggplan::estimate
