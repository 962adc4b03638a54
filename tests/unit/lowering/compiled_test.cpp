// SPDX-License-Identifier: MIT
// Compiled steps against what PyTorch 2.11 was recorded to ask of its allocator, and against its generated code.
#include <algorithm>
#include <array>
#include <random>

#include "lowering/compiled/capture.hpp"
#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/measured.hpp"
#include "support/random_job.hpp"
#include "support/trace.hpp"
#include "vggplan/graph/builder.hpp"
#include "vggplan/lowering/saved.hpp"

namespace vggplan::lowering {
namespace {

using support::Sizes;

/// What the second step asks for between its first allocation and its optimizer.
Sizes second_step(const job::Job& job) {
  Device device;
  device.l2_cache = base::Bytes(62914560);
  const memory::Tape tape = support::tape_of(job, support::built_in_framework(), device);
  const std::vector<memory::Event>& step = tape.steps.at(1);
  const auto of = [&](memory::Event::Kind kind) {
    return [kind](const memory::Event& event) { return event.kind == kind; };
  };
  const auto forward = std::find_if(step.begin(), step.end(), of(memory::Event::Kind::phase));
  const auto first = std::find_if(forward, step.end(), of(memory::Event::Kind::allocate));
  const auto optimizer = std::find_if(first, step.end(), [](const memory::Event& event) {
    return event.kind == memory::Event::Kind::phase && event.phase == base::Phase::optimizer;
  });
  support::RequestList list(tape);
  list.add(tape.setup);
  list.add(tape.steps.front());
  list.add({step.begin(), first});
  const auto before = static_cast<std::ptrdiff_t>(list.list().size());
  list.add({first, optimizer});
  return {list.list().begin() + before, list.list().end()};
}

/// Of two lists, how much of the longer one they have in common, in order.
double in_common(const Sizes& a, const Sizes& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (const std::int64_t one : a) {
    std::size_t diagonal = 0;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = one == b[j] ? diagonal + 1 : std::max(row[j], above);
      diagonal = above;
    }
  }
  return static_cast<double>(row.back()) / static_cast<double>(std::max(a.size(), b.size()));
}

Sizes comparable(Sizes list, std::int64_t least) {
  std::erase_if(list, [&](std::int64_t bytes) { return std::abs(bytes) < least; });
  return support::without_order_of_frees(support::split(list).requests);
}

/// How much of a recording a step has in common with it, of all requests and of those of 1 MiB or more: small ones come
/// in another order; large ones all in one, but for two or three.
struct Likeness {
  const char* name{};
  double all{};
  double large{};
};
constexpr Likeness kLikeness[] = {
    {"resnet18_512_512_8_tf32_nhwc_default", 0.9033, 0.9689},
    {"resnet50_224_224_64_tf32_nchw_reduce-overhead", 0.9307, 0.9811},
    {"unet-vgg16_256_256_4_amp-bf16_nchw_default", 0.7833, 0.9296},
    {"vgg11_bn_224_224_32_amp-bf16_nchw_default", 0.8069, 0.9831},
    {"vgg11_bn_384_384_8_tf32_nchw_sgd_default", 0.9135, 1},
    {"vgg13_320_320_16_amp-bf16_nchw_sgd_default", 0.9738, 0.9797},
    {"vgg16_224_224_1_fp32_nchw_default", 0.9540, 0.9142},
    {"vgg16_224_224_32_amp-bf16_nchw_reduce-overhead", 0.9691, 0.9855},
    {"vgg16_224_224_32_bf16_nhwc_default", 0.9929, 1},
    {"vgg16_224_224_64_amp-fp16_nhwc_infer_default", 0.9552, 0.8666},
    {"vgg16_64_64_8_tf32_nchw_adam_default", 0.9827, 0.9375},
    {"vgg19_512_512_8_amp-bf16_nhwc_reduce-overhead", 0.9725, 0.9875},
};

TEST_CASE("a compiled step asks for what was recorded, and is no less like it than it has been") {
  const auto traces = support::read_traces("compiled");
  REQUIRE(traces.size() == std::size(kLikeness));
  for (std::size_t i = 0; i < traces.size(); ++i) {
    INFO(traces[i].name);
    REQUIRE(traces[i].name == kLikeness[i].name);
    const Sizes mine = second_step(support::job_of(support::Row::parse(traces[i].job)));
    const Sizes theirs = support::recorded(traces[i]);
    CHECK(in_common(comparable(mine, 0), comparable(theirs, 0)) >= kLikeness[i].all);
    CHECK(in_common(comparable(mine, 1 << 20), comparable(theirs, 1 << 20)) >= kLikeness[i].large);
  }
}

TEST_CASE("padding of products is tried while a step is compiled, in the order that was recorded") {
  // VGG19 in bfloat16, 21 images: fc3 first. Runs of the same product are one here.
  Device device;
  device.l2_cache = base::Bytes(62914560);
  device.cublas_workspace = base::Bytes(33554432);
  const auto job = [](const std::string& settings) {
    return support::job_of(support::Row::parse(
        R"({"arch":"vgg19","h":224,"w":327,"precision":"amp-bf16","layout":"nchw","mode":"infer",)" + settings + "}"));
  };
  const auto large = [&](const std::string& settings) {
    const memory::Tape tape = support::tape_of(job(settings), support::built_in_framework(), device);
    support::RequestList list(tape);
    list.add(tape.setup);
    const auto before = static_cast<std::ptrdiff_t>(list.list().size());
    list.add(tape.steps.front());
    Sizes sizes{list.list().begin() + before, list.list().end()};
    std::erase_if(sizes, [](std::int64_t bytes) { return std::abs(bytes) < 30000000; });
    return sizes;
  };
  const std::int64_t cache = 62914560;
  const std::int64_t fc2 = 4096 * 4096 * 2;
  const std::int64_t fc1 = std::int64_t{25088} * 4096 * 2;
  const Sizes recorded{33554432, cache, -cache, cache, -cache, fc2,   cache,  -cache, cache,
                       -cache,   -fc2,  fc1,    cache, -cache, cache, -cache, -fc1};
  const Sizes mine = large(R"("batch":21,"compile":"default")");
  REQUIRE(mine.size() > recorded.size());
  CHECK(Sizes(mine.begin(), mine.begin() + static_cast<std::ptrdiff_t>(recorded.size())) == recorded);
  // Nothing was tried of sides that are multiples of eight, of two rows, or with CUDA graphs.
  for (const char* settings : {R"("batch":24,"compile":"default")", R"("batch":2,"compile":"default")",
                               R"("batch":21,"compile":"reduce-overhead")"}) {
    INFO(settings);
    const Sizes sizes = large(settings);
    REQUIRE(!sizes.empty());
    CHECK(sizes.front() != 33554432);
  }
}

/// A product that is timed as it is and padded: its operands, a bias, copies of the operands that are padded.
struct Trial {
  std::vector<std::int64_t> held{};
  std::int64_t result{};
  std::int64_t padded{};
};

TEST_CASE("a trial holds the operands, copies of those that need padding, and the result while each is timed") {
  constexpr std::int64_t kElement = 2;
  graph::Builder builder("products", {16, 3, 2}, 8);  // each pixel is a row
  builder.append("fc1", graph::Linear{16, 20});
  builder.append("fc2", graph::Linear{20, 8, false});
  builder.append("fc3", graph::Linear{8, 8});
  const graph::Network network = std::move(builder).finish(graph::Objective::pixel_cross_entropy).value();
  job::Job job;
  job.batch = 4;
  job.precision = job::Precision::bf16;
  job.compile = job::Compile::usual;
  const memory::Tape tape = support::tape_of(network, job, support::without_workspaces());
  // Sides that 8 divides: 16, 24 and 8; 20 becomes 24. Gradients first: fc1's weight (the image has none), fc2's weight
  // and input; then forward from the end. All sides of fc3 will do.
  const std::vector<Trial> trials{
      {{20 * 24, 24 * 16, 24 * 24}, 20 * 16, 24 * 16},     {{8 * 24, 24 * 20, 24 * 24}, 8 * 20, 8 * 24},
      {{24 * 8, 8 * 20, 8 * 24}, 24 * 20, 24 * 24},        {{24 * 20, 20 * 8, 24 * 24, 24 * 8}, 24 * 8, 24 * 8},
      {{24 * 16, 16 * 20, 20, 16 * 24}, 24 * 20, 24 * 24},
  };
  const Device device;
  Sizes expected;
  const auto add = [&](std::int64_t elements) { expected.push_back(elements * kElement); };
  for (const Trial& trial : trials) {
    std::ranges::for_each(trial.held, add);
    for (const std::int64_t result : {trial.result, trial.padded}) {
      add(result);                 // to warm up
      if (expected.size() == 4) {  // the first product of the process
        expected.insert(expected.end(), {device.cublas_workspace.count(), 1048576});
      }
      add(-result);
      expected.push_back(device.l2_cache.count());
      add(result);
      add(-result);
      expected.push_back(-device.l2_cache.count());
    }
    std::ranges::for_each(trial.held, [&](std::int64_t elements) { add(-elements); });
  }
  support::RequestList list(tape);
  list.add(tape.setup);
  const auto before = static_cast<std::ptrdiff_t>(list.list().size());
  list.add(tape.steps.front());
  const Sizes mine(list.list().begin() + before, list.list().end());
  REQUIRE(mine.size() > expected.size());
  CHECK(Sizes(mine.begin(), mine.begin() + static_cast<std::ptrdiff_t>(expected.size())) == expected);
}

TEST_CASE("a compiled step of VGG16 in bfloat16, channels_last, asks for just what was recorded") {
  for (const support::Trace& trace : support::read_traces("compiled")) {
    if (trace.name == "vgg16_224_224_32_bf16_nhwc_default") {
      Sizes mine = comparable(second_step(support::job_of(support::Row::parse(trace.job))), 0);
      mine.pop_back();  // the scalar that backward starts from, which the recording leaves out
      CHECK(support::difference(mine, comparable(support::recorded(trace), 0)) == "");
    }
  }
}

job::Job vgg16(job::Compile compile) {
  job::Job job = support::job_of(support::Row{{"h", 224}, {"w", 224}, {"layout", "nhwc"}, {"precision", "fp32"}});
  job.compile = compile;
  return job;
}

TEST_CASE("compiled, VGG16 keeps what its generated code hands from forward to backward") {
  const job::Job job = vgg16(job::Compile::usual);
  const SavedBytes saved = saved_bytes(*job::network_of(job), {}, job);
  std::int64_t maps = 0;
  std::int64_t pooled = 0;
  for (const auto& [channels, side, convolutions] :
       {std::array{64, 224, 2}, {128, 112, 2}, {256, 56, 3}, {512, 28, 3}, {512, 14, 3}}) {
    maps += std::int64_t{1} * channels * side * side * convolutions;
    pooled += std::int64_t{1} * channels * side / 2 * side / 2;
  }
  CHECK(pooled == 1530368);  // pool indices: a byte each, where eager code takes eight
  constexpr std::int64_t kFlat = 512 * 7 * 7;
  constexpr std::int64_t kFeatures = 2 * 4096;  // of fc1 and fc2: the product, and two masks
  const std::int64_t kept = 4 * maps + (4 + 1) * pooled + 4 * kFlat + (4 + 2) * kFeatures;
  CHECK((saved.activations() - saved.loss).count() == kept);
  CHECK(saved.weight_copies.count() == 0);
}

TEST_CASE("sums are split as in generated code") {
  const Device device;
  const auto outer = [&](std::int64_t length, std::int64_t outputs) {
    return compiled::reduction_splits(device, length, outputs, true);
  };
  // Bias gradients of VGG16, 32 images of 224x224; the last three, one image.
  CHECK(outer(6272, 512) == 49);
  CHECK(outer(25088, 512) == 196);
  CHECK(outer(100352, 256) == 512);
  CHECK(outer(401408, 128) == 1024);
  CHECK(outer(1605632, 64) == 1024);
  CHECK(outer(784, 512) == 7);
  CHECK(outer(196, 512) == 2);
  CHECK(outer(32, 4096) == 1);
  // Welford's parts of parts.
  CHECK(outer(1024, 64) == 8);
  CHECK(outer(512, 256) == 4);
  CHECK(outer(49, 512) == 1);
  // Contiguous maps of a U-Net: 4 images of 256x256 and 128x128.
  CHECK(compiled::reduction_splits(device, 262144, 21, false) == 32);
  CHECK(compiled::reduction_splits(device, 262144, 64, false) == 8);
  CHECK(compiled::reduction_splits(device, 65536, 128, false) == 8);
  CHECK(compiled::reduction_splits(device, 6272, 512, false) == 1);
}

/// What torch/_inductor/choices.py says of a sum, with all divisors of its length at hand.
std::int64_t splits_by_divisors(std::int64_t length, std::int64_t outputs, bool outer) {
  constexpr std::int64_t kSms = 132;
  constexpr std::int64_t kThreads = kSms * 2048;
  if (length <= 32 || outputs >= kSms * 64 || (!outer && (outputs >= 2 * kSms || length <= 8192))) {
    return 1;
  }
  std::vector<std::int64_t> divisors;
  for (std::int64_t d = 1; d * d <= length; ++d) {
    if (length % d == 0) {
      divisors.insert(divisors.end(), {d, length / d});
    }
  }
  std::ranges::sort(divisors);
  const auto near = [&](std::int64_t wanted, std::int64_t least_distance, std::int64_t least) {
    const auto away = [&](std::int64_t d) { return std::abs(d - wanted); };
    const std::int64_t closest = *std::ranges::min_element(divisors, {}, away);
    return away(closest) < least_distance ? std::max(closest, least) : wanted;
  };
  const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t elements = length * outputs;
  const std::int64_t block = outer ? 4 : 256;
  std::int64_t each = 32;  // of a thread, as long as few threads are busy; then up to 512
  if (elements >= 512 * kThreads) {
    each = near(512, 50, 1);
  } else if (elements > 32 * kThreads || (outer && elements == 32 * kThreads)) {
    const std::int64_t blocks = outer ? up(kThreads / 256, up(outputs, 128)) : up(kThreads / 512, outputs);
    each = near(up(length, block * blocks), outer ? 20 : 30, 32);
  }
  return up(length, each * block);
}

TEST_CASE("sums of any length are split by divisors near to what fills the GPU") {
  std::mt19937 random(17);
  const auto check = [](std::int64_t length, std::int64_t outputs) {
    INFO(outputs << " sums of " << length);
    for (const bool outer : {false, true}) {
      CHECK(compiled::reduction_splits(Device{}, length, outputs, outer) == splits_by_divisors(length, outputs, outer));
    }
  };
  for (int i = 0; i < 2000; ++i) {
    const std::int64_t outputs = support::pick(random, 1, std::int64_t{1} << support::pick(random, 0, 14));
    check(support::pick(random, 1, std::int64_t{1} << support::pick(random, 3, 22)), outputs);
  }
  constexpr std::int64_t kThreads = std::int64_t{132} * 2048;
  check(462 * 10007, 64);  // 50 less than 512: too far away
  check(562 * 10007, 64);
  for (const std::int64_t more : {-1, 0, 1}) {  // each bound, and beside it
    check(32 + more, 64);
    check(8192 + more, 64);
    check(65536, 264 + more);
    check(65536, 132 * 64 + more);
    check(32 * kThreads + more, 1);
    check(512 * kThreads + more, 1);
  }
}

TEST_CASE("CUDA graphs allocate nothing but their outputs once they are recorded") {
  const memory::Tape tape = support::tape_of(vgg16(job::Compile::reduce_overhead), support::built_in_framework());
  std::int64_t bytes = 0;
  for (const memory::Event& event : tape.steps.back()) {
    bytes += event.kind == memory::Event::Kind::allocate && event.stream == memory::kGraphStream ? event.bytes : 0;
  }
  CHECK(bytes == 1000 * 4);
  const auto empties = [&](std::size_t step) {
    return std::count_if(tape.steps.at(step).begin(), tape.steps.at(step).end(),
                         [](const memory::Event& event) { return event.kind == memory::Event::Kind::empty; });
  };
  CHECK(empties(0) == 0);
  CHECK(empties(1) == 1);
}

TEST_CASE("of replayed CUDA graphs those gradients are seen that autograd copies to the layout of their weight") {
  job::Job job = vgg16(job::Compile::reduce_overhead);
  for (const base::Layout layout : {base::Layout::nchw, base::Layout::nhwc}) {
    job.layout = layout;
    const memory::Tape tape = support::tape_of(job, support::without_workspaces());
    std::int64_t bytes = 0;
    for (const memory::Event& event : tape.steps.back()) {
      const bool taken = event.kind == memory::Event::Kind::allocate && event.stream == 0;
      bytes += taken && event.category == memory::Category::gradients ? event.bytes : 0;
    }
    CHECK(bytes == (layout == base::Layout::nchw ? 4 * (14'714'688 - 4224) : 0));  // convolutions without their biases
  }
}

}  // namespace
}  // namespace vggplan::lowering
