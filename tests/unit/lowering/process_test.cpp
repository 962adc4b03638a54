// SPDX-License-Identifier: MIT
// What a process does beside its usual steps: set-up, images of several sizes, evaluations, trials of cuDNN.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "lowering/step.hpp"
#include "support/catch.hpp"
#include "support/lowered.hpp"
#include "support/tape_faults.hpp"
#include "support/vgg.hpp"
#include "support/vgg16_steps.hpp"
#include "vggplan/graph/builder.hpp"

namespace vggplan::lowering {
namespace {

using job::Job;
using job::Mode;
using memory::Event;
using memory::Tape;

/// How often each size is asked for.
using Requested = std::multiset<std::int64_t>;
Requested requested(const std::vector<Event>& events, const std::set<Category>& categories) {
  Requested sizes;
  for (const Event& event : events) {
    if (event.kind == Event::Kind::allocate && categories.contains(event.category)) {
      sizes.insert(event.bytes);
    }
  }
  return sizes;
}

const std::set<Category> kMaps{Category::activations, Category::pooling_indices, Category::activation_gradients};

std::int64_t count_of(const std::vector<Event>& events, Event::Kind kind) {
  return std::ranges::count(events, kind, &Event::kind);
}

Job narrow_job(base::Layout layout = base::Layout::nchw, Mode mode = Mode::train) {
  Job job;
  job.model = support::vgg(11, true);
  job.head = graph::Head::gap;
  job.classes = 10;
  job.batch = 3;
  job.layout = layout;
  job.mode = mode;
  job.precision = job::Precision::amp_bf16;
  return job;
}

graph::Network of_side(const Job& job, std::int64_t side) {
  return support::network(job.model, {3, side, side}, job.classes, job.head);
}

TEST_CASE("each step asks for the maps of the size that it draws, and the last draw stays") {
  for (const Mode mode : {Mode::train, Mode::infer}) {
    for (const base::Layout layout : {base::Layout::nchw, base::Layout::nhwc}) {
      const Job job = narrow_job(layout, mode);
      const std::vector<graph::Network> sizes{of_side(job, 32), of_side(job, 64), of_side(job, 96)};
      std::vector<Tape> alone;
      std::size_t plans = 0;  // cuDNN has plans for each size
      for (const graph::Network& network : sizes) {
        alone.push_back(support::tape_of(network, job, support::built_in_framework()));
        plans += alone.back().scratch.size();
      }
      const std::vector<std::size_t> draws{1, 2, 0, 2, 1};
      const Tape tape = lower_tape(sizes, draws, job, {}, support::built_in_framework(), {});
      CHECK(support::fault_of(tape, 2) == "");
      CHECK(tape.scratch.size() == plans);
      REQUIRE(tape.steps.size() == draws.size() + (mode == Mode::train ? 1 : 2));
      for (std::size_t i = 0; i < tape.steps.size(); ++i) {
        INFO("step " << i);
        const std::size_t size = i < draws.size() ? draws[i] : draws.back();
        CHECK(requested(tape.steps[i], kMaps) == requested(alone[size].steps.back(), kMaps));
        // A batch made contiguous, then laid out, and the classes; nothing new once nothing is drawn.
        const std::int64_t image = std::int64_t{3} * 3 * sizes[size].input.height * sizes[size].input.width;
        Requested expected = {2 * image};  // autocast's copy for the first convolution
        if (i < draws.size()) {
          expected.insert({4 * image, 3 * 8});
        }
        if (i < draws.size() && layout == base::Layout::nhwc) {
          expected.insert(4 * image);
        }
        CHECK(requested(tape.steps[i], {Category::input}) == expected);
      }
    }
  }
}

TEST_CASE("an evaluation runs as inference does, and training goes on as before") {
  for (const std::int64_t images : {1, 7}) {
    INFO(images);
    Job job = narrow_job();
    const graph::Network network = of_side(job, 64);
    const Tape plain = support::tape_of(network, job, support::built_in_framework());
    job.eval_batch = images;
    const Tape tape = support::tape_of(network, job, support::built_in_framework());
    CHECK(support::fault_of(tape, 2) == "");
    REQUIRE(tape.steps.size() == plain.steps.size() + 2);
    job.mode = Mode::infer;
    job.batch = images;
    const Tape inference = support::tape_of(network, job, support::built_in_framework());
    const std::vector<Event>& evaluation = tape.steps[tape.steps.size() - 2];
    const std::set<Category> all{Category::activations,          Category::pooling_indices, Category::weight_copies,
                                 Category::activation_gradients, Category::gradients,       Category::other};
    CHECK(requested(evaluation, all) == requested(inference.steps.back(), all));
    CHECK(evaluation.front() == Event{.kind = Event::Kind::phase, .phase = base::Phase::forward});
    const std::int64_t image = images * 3 * 64 * 64;
    CHECK(requested(evaluation, {Category::input}) == Requested{4 * image, 2 * image});
    CHECK(requested(tape.steps.back(), all) == requested(plain.steps.back(), all));
    CHECK(requested(tape.steps[tape.steps.size() - 3], all) == requested(plain.steps.back(), all));
    CHECK(tape.scratch.size() == plain.scratch.size() + 8);  // forward of eight convolutions, of another batch
  }
}

TEST_CASE("steps repeat from the second on; under DDP and CUDA graphs from the fourth, in inference from the first") {
  const auto steps = [](auto change) {
    Job job = narrow_job();
    change(job);
    return support::tape_of(of_side(job, 32), job, support::without_workspaces()).steps.size();
  };
  CHECK(steps([](Job&) {}) == 2);
  CHECK(steps([](Job& job) { job.parallel.gpus = 2; }) == 4);
  CHECK(steps([](Job& job) { job.compile = job::Compile::reduce_overhead; }) == 4);
  CHECK(steps([](Job& job) { job.mode = Mode::infer; }) == 2);
  CHECK(steps([](Job& job) {
          job.mode = Mode::infer;
          job.compile = job::Compile::reduce_overhead;
        }) == 3);
  const auto lbfgs = [&](std::int64_t history, std::int64_t iterations) {
    return steps([&](Job& job) {
      job.optimizer = job::Optimizer::lbfgs;
      job.lbfgs = {history, iterations};
    });
  };
  CHECK(lbfgs(3, 4) == 2);  // the first iteration makes no pair
  CHECK(lbfgs(4, 4) == 3);
  CHECK(lbfgs(7, 4) == 3);
}

TEST_CASE("one GPU is the same however its work would be spread, and so is each of several in inference") {
  for (const Mode mode : {Mode::train, Mode::infer}) {
    Job job = narrow_job(base::Layout::nchw, mode);
    job.head = graph::Head::adaptive;  // with Linear layers, FSDP2's groups
    const graph::Network network = of_side(job, 32);
    const Tape plain = support::tape_of(network, job, support::built_in_framework());
    for (const job::Sharding sharding : {job::Sharding::ddp, job::Sharding::zero1, job::Sharding::fsdp2}) {
      job.parallel.gpus = mode == Mode::train ? 1 : 2;
      job.parallel.sharding = sharding;
      CHECK(support::tape_of(network, job, support::built_in_framework()) == plain);
    }
  }
}

/// Of set-up.
Requested inputs(const graph::Network& network, base::Layout layout) {
  Job job = narrow_job(layout);
  job.precision = job::Precision::tf32;
  return requested(support::tape_of(network, job, support::without_workspaces()).setup, {Category::input});
}

TEST_CASE("set-up holds a batch, which channels_last lays out anew, and the targets of the objective") {
  const auto ending = [](graph::Objective objective, std::int64_t channels) {
    graph::Builder builder("end", {channels, 6, 5}, 4);
    builder.append("conv", graph::Convolution{channels, 4});
    if (objective == graph::Objective::cross_entropy) {
      builder.append("pool", graph::AdaptiveAveragePool{1, 1});
    }
    return std::move(builder).finish(objective).value();
  };
  using graph::Objective;
  constexpr std::int64_t kImages = 3;
  constexpr std::int64_t kImage = kImages * 3 * 30 * 4;
  // An index of 64 bits a class: of each image, of each pixel; or a value for each that comes out.
  const Requested classes{kImage, kImages * 8};
  const Requested pixels{kImage, kImages * 30 * 8};
  const Requested values{kImage, kImages * 4 * 30 * 4};
  CHECK(inputs(ending(Objective::cross_entropy, 3), base::Layout::nchw) == classes);
  CHECK(inputs(ending(Objective::pixel_cross_entropy, 3), base::Layout::nchw) == pixels);
  CHECK(inputs(ending(Objective::mse, 3), base::Layout::nchw) == values);
  Requested twice = classes;
  twice.insert(kImage);
  CHECK(inputs(ending(Objective::cross_entropy, 3), base::Layout::nhwc) == twice);
  // One channel lies alike in either.
  CHECK(inputs(ending(Objective::cross_entropy, 1), base::Layout::nhwc) == Requested{kImage / 3, kImages * 8});
}

TEST_CASE("maps of one pixel lie alike in either layout") {
  const auto sizes = [](base::Layout layout, std::int64_t batch) {
    const graph::Convolution point{8, 8, {1, 1}, {1, 1}, {0, 0}};
    graph::Builder builder("point", {8, 1, 1}, 5);
    const graph::NodeId one = builder.append("one", point);
    const graph::NodeId other = builder.append("other", point);
    builder.add("both", graph::Concatenate{}, {one, other});
    builder.append("relu", graph::Activation{graph::Function::relu, false});
    builder.append("pool", graph::AdaptiveAveragePool{1, 1});
    builder.append("flatten", graph::Flatten{});
    builder.append("fc", graph::Linear{16, 5});
    Job job = narrow_job(layout);
    job.batch = batch;
    const Tape tape = support::tape_of(std::move(builder).finish(graph::Objective::cross_entropy).value(), job,
                                       support::without_workspaces());
    support::RequestList list(tape);
    list.add(tape.setup);
    const auto before = static_cast<std::ptrdiff_t>(list.list().size());
    list.add(tape.steps.front());
    return std::vector<std::int64_t>(list.list().begin() + before, list.list().end());
  };
  for (const std::int64_t batch : {1, 3}) {
    CHECK(sizes(base::Layout::nchw, batch) == sizes(base::Layout::nhwc, batch));
  }
}

TEST_CASE("the gradient of a mean over two pixels or more comes out contiguous, and channels_last copies it") {
  const auto gradients = [](std::int64_t width, base::Layout layout) {
    graph::Builder builder("mean", {3, 1, width}, 4);
    builder.append("conv", graph::Convolution{3, 4});
    const NodeId pool = builder.append("pool", graph::AdaptiveAveragePool{1, 1});
    const Tape tape = support::tape_of(std::move(builder).finish(graph::Objective::cross_entropy).value(),
                                       narrow_job(layout), support::without_workspaces());
    return std::ranges::count_if(tape.steps.back(), [&](const Event& event) {
      return event.kind == Event::Kind::allocate && event.layer == layer_id(pool) &&
             event.category == Category::activation_gradients;
    });
  };
  CHECK(gradients(2, base::Layout::nhwc) == 2);
  CHECK(gradients(1, base::Layout::nhwc) == 1);
  CHECK(gradients(2, base::Layout::nchw) == 1);
}

TEST_CASE("below the peak there is what would raise it by nothing, workspaces that come and go counted") {
  std::mt19937 random(46);
  TapeBuilder tape;
  std::map<memory::TensorId, std::int64_t> live;
  std::int64_t peak = 0;
  std::size_t most = 0;
  const auto sum = [&] {
    std::int64_t bytes = 0;
    for (const auto& [tensor, size] : live) {
      bytes += size;
    }
    return bytes;
  };
  for (int i = 0; i < 2000; ++i) {
    const auto bytes = static_cast<std::int64_t>(random() % 1000);
    if (random() % 2 == 0 && !live.empty()) {
      tape.drop(live.begin()->first);
      live.erase(live.begin());
    } else if (random() % 2 == 0) {
      live[tape.allocate(bytes, Category::other, memory::kNoLayer)] = bytes;
      peak = std::max(peak, sum());
    } else {
      const bool none = random() % 4 == 0;
      const auto plans = [&] { return none ? std::vector<std::int64_t>{} : std::vector{3 * bytes, std::int64_t{0}}; };
      tape.scratch({i}, plans, memory::kNoLayer);
      peak = std::max(peak, sum() + (none ? 0 : 3 * bytes));
    }
    CHECK(tape.below_peak() == peak - sum());
    most = std::max(most, live.size());
    CHECK(tape.ids() == most);  // names are used again
  }
}

/// Plans of the first convolution that a tape asks cuDNN for.
const std::vector<std::int64_t>& first_plans(const Tape& tape, Event::Kind kind) {
  for (const Event& event : tape.steps.front()) {
    if (event.kind == kind) {
      return tape.scratch.at(event.tensor).plans;
    }
  }
  throw std::logic_error("no convolution");
}

TEST_CASE("each convolution has plans for each pass, anew where it is run again, and trials under cudnn.benchmark") {
  Job job;
  job.model = support::vgg(16);
  job.image = {3, 64, 64};
  const graph::Network network = support::vgg16(64, 64);
  const auto tape_of = [&](Workspaces workspaces) {
    return support::tape_of(network, job, support::built_in_framework(), {}, {.workspaces = workspaces});
  };
  const Tape plain = tape_of(Workspaces::derived);
  CHECK(plain.scratch.size() == 13 + 12 + 13);  // the image has no gradient
  CHECK(count_of(plain.steps.back(), Event::Kind::scratch) == 13 + 12 + 13);
  CHECK(count_of(plain.steps.back(), Event::Kind::trial) == 0);
  CHECK(tape_of(Workspaces::none).scratch.empty());
  job.checkpointing.kind = job::Checkpointing::Kind::block;
  CHECK(tape_of(Workspaces::derived).scratch.size() == 13 + 13 + 12 + 13);
  job.checkpointing.kind = job::Checkpointing::Kind::none;
  job.cudnn_benchmark = true;
  job.precision = job::Precision::fp32;
  const Tape trials = tape_of(Workspaces::derived);
  CHECK(count_of(trials.steps.back(), Event::Kind::trial) == 13 + 12 + 13);
  CHECK(trials.scratch.size() == 2 * (13 + 12 + 13));
  // Where cuDNN is free: FFT wherever it can run, every spectrum twice while plans are tried.
  const Convolution conv{1, 3, 64, 64, 64, 4, base::MathMode::fp32, base::Layout::nchw};
  const Tape largest = tape_of(Workspaces::largest);
  CHECK(first_plans(largest, Event::Kind::trial).front() == 2 * fft_workspace(conv));
  CHECK(first_plans(largest, Event::Kind::scratch).front() == fft_workspace(conv));
  CHECK(first_plans(trials, Event::Kind::trial).front() == fft_workspace(conv));
  CHECK(first_plans(trials, Event::Kind::scratch).front() < fft_workspace(conv));
  job.precision = job::Precision::bf16;  // no FFT on tensor cores; operands may be copied
  const Convolution narrow{1, 3, 64, 64, 64, 2, base::MathMode::bf16, base::Layout::nchw};
  CHECK(first_plans(tape_of(Workspaces::largest), Event::Kind::trial).front() == operand_copies(narrow));
  CHECK(operand_copies(narrow) == ((8 + 64) * 64 * 64 + 8 * 64 * 9) * 2);  // of three channels padded to eight
  CHECK(first_plans(tape_of(Workspaces::largest), Event::Kind::scratch) ==
        first_plans(tape_of(Workspaces::derived), Event::Kind::scratch));
}

TEST_CASE("convolutions run in fp32 where the GPU has no tensor cores of their type") {
  const auto math = [](job::Precision precision, bool tf32, bool fp16) {
    const graph::Network network = support::vgg16(32, 32);
    Job job;
    job.precision = precision;
    const Framework framework;
    Device device;
    device.tf32 = tf32;
    device.fp16 = fp16;
    const std::vector<Segment> none;
    return Step(network, job, none, framework, device, {}).convolution(kFirstNode).math;
  };
  using base::MathMode;
  using job::Precision;
  CHECK(math(Precision::tf32, true, false) == MathMode::tf32);
  CHECK(math(Precision::tf32, false, true) == MathMode::fp32);
  CHECK(math(Precision::amp_fp16, false, true) == MathMode::fp16);
  CHECK(math(Precision::amp_fp16, true, false) == MathMode::fp32);
  CHECK(math(Precision::amp_bf16, false, false) == MathMode::bf16);
}

TEST_CASE("a filter is told apart from VGG's by each of its numbers, and steps as its longer stride") {
  const graph::Convolution usual{4, 4};
  const graph::Shape output{4, 9, 7};
  CHECK(filter_of(usual, output) == timing::Filter{});
  const auto other = [&](auto change) {
    graph::Convolution conv = usual;
    change(conv);
    return filter_of(conv, output);
  };
  using Conv = graph::Convolution;
  CHECK(other([](Conv& c) { c.kernel = {1, 3}; }) == timing::Filter{1, 3, 1, 1, 1, false, 9, 7});
  CHECK(other([](Conv& c) { c.stride = {1, 2}; }) == timing::Filter{3, 3, 2, 1, 1, false, 9, 7});
  CHECK(other([](Conv& c) { c.padding = {1, 0}; }) == timing::Filter{3, 3, 1, 1, 1, false, 9, 7});
  CHECK(other([](Conv& c) { c.dilation = {2, 1}; }) == timing::Filter{3, 3, 1, 2, 1, false, 9, 7});
  CHECK(other([](Conv& c) { c.groups = 2; }) == timing::Filter{3, 3, 1, 1, 2, false, 9, 7});
  CHECK(other([](Conv& c) { c.transposed = true; }) == timing::Filter{3, 3, 1, 1, 1, true, 9, 7});
}

TEST_CASE("the driver takes addresses once for each thread that calls cuBLAS, and more for backward's own") {
  const auto driver = [](Mode mode, job::Optimizer optimizer, bool linear) {
    Job job = narrow_job(base::Layout::nchw, mode);
    job.optimizer = optimizer;
    graph::Builder builder("net", {3, 8, 8}, 4);
    builder.append("conv", graph::Convolution{3, 4});
    builder.append("pool", graph::AdaptiveAveragePool{1, 1});
    builder.append("flatten", graph::Flatten{});
    if (linear) {
      builder.append("fc", graph::Linear{4, 4});
    }
    const Tape tape = support::tape_of(std::move(builder).finish(graph::Objective::cross_entropy).value(), job,
                                       support::without_workspaces());
    std::vector<std::int64_t> taken;
    int heavy = 0;
    for (const std::vector<Event>* events : {&tape.setup, &tape.steps.front(), &tape.steps.back()}) {
      heavy += static_cast<int>(count_of(*events, Event::Kind::local_memory));
      for (const Event& event : *events) {
        if (event.kind == Event::Kind::driver) {
          taken.push_back(event.bytes);
        }
      }
    }
    const auto workspaces = std::ranges::count(tape.steps.front(), Category::library_workspace, &Event::category);
    CHECK(workspaces == (linear ? (mode == Mode::train ? 3 : 2) : optimizer == job::Optimizer::lbfgs ? 1 : 0));
    CHECK(heavy == 1);  // the first kernel that needs much local memory: a cast
    return taken;
  };
  const Framework framework = support::without_workspaces();
  const std::int64_t handle = framework.cublas_handle_driver.count();
  const std::int64_t thread = framework.backward_thread_driver.count();
  using Taken = std::vector<std::int64_t>;
  CHECK(driver(Mode::infer, job::Optimizer::sgd, true) == Taken{handle});
  CHECK(driver(Mode::train, job::Optimizer::sgd, true) == Taken{handle, handle, thread});
  CHECK(driver(Mode::train, job::Optimizer::sgd, false).empty());
  CHECK(driver(Mode::train, job::Optimizer::lbfgs, false) == Taken{handle});  // dot products
}

TEST_CASE("FSDP2 gathers the last group before backward begins, whatever follows it") {
  graph::Builder builder("end", {3, 4, 4}, 4);
  builder.append("flatten", graph::Flatten{});
  builder.append("fc", graph::Linear{48, 4});
  builder.append("softmax", graph::Softmax{});
  Job job;
  job.parallel.gpus = 2;
  job.parallel.sharding = job::Sharding::fsdp2;
  const Tape tape =
      support::tape_of(std::move(builder).finish(graph::Objective::mse).value(), job, support::without_workspaces());
  const std::vector<Event>& events = tape.steps.back();
  const auto backward = std::ranges::find_if(events, [](const Event& event) {
    return event.kind == Event::Kind::phase && event.phase == base::Phase::backward;
  });
  const auto gathered = std::find_if(backward, events.end(), [](const Event& event) { return event.stream == 1; });
  const auto softmax = std::find_if(backward, events.end(), [](const Event& event) { return event.layer == 3; });
  REQUIRE(gathered != events.end());
  CHECK(gathered < softmax);
}

TEST_CASE("FSDP2 lets go of a group's last gradient once its reduced part is there, of the others before") {
  graph::Builder builder("end", {3, 4, 4}, 4);
  builder.append("flatten", graph::Flatten{});
  builder.append("fc", graph::Linear{48, 4});
  Job job;
  job.parallel.gpus = 2;
  job.parallel.sharding = job::Sharding::fsdp2;
  const Tape tape = support::tape_of(std::move(builder).finish(graph::Objective::cross_entropy).value(), job,
                                     support::without_workspaces());
  std::map<memory::TensorId, std::int64_t> gradients;
  std::vector<std::int64_t> sizes;  // of gradients that go; 0 as the reduced part comes
  for (const Event& event : tape.steps.front()) {
    if (event.kind == Event::Kind::allocate && event.stream == 2) {
      sizes.push_back(0);
    } else if (event.kind == Event::Kind::allocate && event.category == Category::gradients) {
      gradients[event.tensor] = event.bytes;
    } else if (event.kind == Event::Kind::release && gradients.contains(event.tensor)) {
      sizes.push_back(gradients.at(event.tensor));
      gradients.erase(event.tensor);
    }
  }
  CHECK(sizes == std::vector<std::int64_t>{4 * 48 * 4, 0, 4 * 4});
}

TEST_CASE("a view of a bucket takes the place of a gradient when the last micro-batch is averaged") {
  Job job = narrow_job();
  job.precision = job::Precision::tf32;
  job.parallel.gpus = 2;
  job.parallel.bucket_view = true;
  const graph::Network network = of_side(job, 32);
  std::int64_t parameters = 0;
  for (const graph::ParameterTensor& tensor : graph::trained_tensors(network)) {
    parameters += 4 * tensor.elements;
  }
  for (const auto& [accumulation, passes] : {std::pair(1, 1), std::pair(2, 1), std::pair(3, 1), std::pair(2, 2)}) {
    job.accumulation = accumulation;
    job.forward_passes = passes;  // whose gradients are averaged when the last of them is back
    const Tape tape = support::tape_of(network, job, support::without_workspaces());
    std::set<memory::TensorId> held;  // of the last step, when the optimizer begins
    std::size_t most = 0;
    for (const Event& event : tape.steps.back()) {
      if (event.kind == Event::Kind::phase && event.phase == base::Phase::optimizer) {
        CHECK(held.empty());
      } else if (event.kind == Event::Kind::allocate && event.category == Category::gradients) {
        held.insert(event.tensor);
        most = std::max(most, held.size());
      } else if (event.kind == Event::Kind::release) {
        held.erase(event.tensor);
      }
    }
    CHECK((most >= graph::trained_tensors(network).size()) == (accumulation * passes > 1));
    const auto live = support::live_after_forwards(tape);
    for (std::size_t pass = 0; pass < live.size(); ++pass) {
      const auto gradients = live[pass].find(Category::gradients);
      const std::int64_t bytes = gradients == live[pass].end() ? 0 : gradients->second;
      CHECK(bytes == (static_cast<int>(pass) % accumulation == 0 ? 0 : parameters));
    }
  }
}

TEST_CASE("gradients are there when the optimizer begins, but views of buckets that several GPUs average") {
  Job job = narrow_job();
  job.precision = job::Precision::tf32;
  const graph::Network network = of_side(job, 32);
  for (const std::int64_t gpus : {1, 2}) {
    for (const bool views : {false, true}) {
      job.parallel.gpus = gpus;
      job.parallel.bucket_view = views;
      std::set<memory::TensorId> held;
      const Tape tape = support::tape_of(network, job, support::without_workspaces());
      for (const Event& event : tape.steps.front()) {
        if (event.kind == Event::Kind::allocate && event.category == Category::gradients) {
          held.insert(event.tensor);
        } else if (event.kind == Event::Kind::release) {
          held.erase(event.tensor);
        }
      }
      CHECK(held.size() == (gpus == 2 && views ? 0 : graph::trained_tensors(network).size()));
    }
  }
}

TEST_CASE("what is no part of a CUDA graph is not taken from the graphs' pool") {
  Job job = narrow_job();
  job.compile = job::Compile::reduce_overhead;
  const Tape tape = support::tape_of(of_side(job, 32), job, support::without_workspaces());
  for (const std::vector<Event>& events : tape.steps) {
    for (const Event& event : events) {
      const bool outside =
          event.category == Category::optimizer_state || event.category == Category::optimizer_temporaries ||
          (event.category == Category::activation_gradients && event.layer == memory::kNoLayer);  // the loss's
      CHECK((event.kind != Event::Kind::allocate || !outside || event.stream == 0));
    }
  }
}

TEST_CASE("the gradient of one map that is concatenated with none has no gaps") {
  const auto gradients = [](int maps, bool inside) {
    graph::Builder builder("dense", {3, 4, 4}, 4);
    std::vector<NodeId> inputs;
    for (int i = 0; i < maps; ++i) {
      inputs.push_back(builder.add("conv" + std::to_string(i), graph::Convolution{3, 4}, {0}));
    }
    builder.add("both", graph::Concatenate{}, inputs);
    if (inside) {  // whose gradient has gaps
      builder.add("outer", graph::Concatenate{}, {builder.last(), builder.add("more", graph::Convolution{3, 4}, {0})});
    }
    builder.append("relu", graph::Activation{graph::Function::relu, false});
    builder.append("mean", graph::AdaptiveAveragePool{1, 1});
    Job job = narrow_job();
    const Tape tape = support::tape_of(std::move(builder).finish(graph::Objective::cross_entropy).value(), job,
                                       support::without_workspaces());
    return std::ranges::count_if(tape.steps.back(), [](const Event& event) {
      return event.kind == Event::Kind::allocate && event.category == Category::activation_gradients &&
             event.layer == 1;
    });
  };
  CHECK(gradients(1, false) == 0);
  CHECK(gradients(1, true) == 1);  // a copy without gaps, for cuDNN
  CHECK(gradients(2, false) == 1);
}

TEST_CASE("a map that was widened before is resized as it is") {
  graph::Builder builder("twice", {3, 4, 4}, 4);
  builder.append("conv", graph::Convolution{3, 4});
  builder.append("once", graph::Resize{{8, 8}});
  builder.append("again", graph::Resize{{16, 16}});
  Job job = narrow_job();
  const Tape tape = support::tape_of(std::move(builder).finish(graph::Objective::pixel_cross_entropy).value(), job,
                                     support::without_workspaces());
  const auto copies = [&](LayerId layer, Category category) {
    return std::ranges::count_if(tape.steps.back(), [&](const Event& event) {
      return event.kind == Event::Kind::allocate && event.layer == layer && event.category == category;
    });
  };
  CHECK(copies(2, Category::other) == 1);
  CHECK(copies(3, Category::other) == 0);
  CHECK(copies(2, Category::activation_gradients) == 2);  // in fp32, then cast back
  CHECK(copies(3, Category::activation_gradients) == 1);
}

TEST_CASE("without buffers of sums a tape asks for the same but for what is freed at once") {
  for (const job::Compile compile : {job::Compile::none, job::Compile::usual}) {
    Job job = narrow_job(base::Layout::nhwc);
    job.compile = compile;
    job.precision = job::Precision::bf16;
    job.batch = 64;
    const graph::Network network = of_side(job, 64);
    const auto list = [&](bool buffers) {
      const Tape tape = support::tape_of(network, job, support::without_workspaces(), {}, {.buffers = buffers});
      support::RequestList requests(tape);
      requests.add(tape.setup);
      requests.add(tape.steps.front());
      return requests.list();
    };
    std::vector<std::int64_t> all = list(true);
    std::vector<std::int64_t> fewer = list(false);
    CHECK(std::ranges::count(fewer, Device{}.l2_cache.count()) == 0);
    CHECK(fewer.size() < all.size());
    std::ranges::sort(all);
    std::ranges::sort(fewer);
    CHECK(std::ranges::includes(all, fewer));
  }
}

}  // namespace
}  // namespace vggplan::lowering
