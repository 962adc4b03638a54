// SPDX-License-Identifier: MIT
// Saved bytes against the worked example (34 storages of VGG16 at 224), hand counts, and the
// sizes that PyTorch's allocator recorded as live at the end of a forward pass.
#include "vggplan/lowering/saved.hpp"

#include <numeric>

#include "support/catch.hpp"
#include "support/checkpointing.hpp"
#include "support/vgg.hpp"
#include "vggplan/graph/builder.hpp"

namespace vggplan::lowering {
namespace {

using base::Bytes;
using graph::Head;
using job::Precision;
using support::kBlock;
using support::network;
using support::sequential;
using support::vgg;
using support::vgg16;
using Sizes = std::vector<std::int64_t>;

struct Case {
  graph::Network net{};
  job::Job job{};
};

Case make(const graph::ModelSpec& spec, graph::Shape image, std::int64_t batch, Precision precision = Precision::fp32,
          Head head = Head::adaptive) {
  Case made{network(spec, image, 1000, head), {}};
  made.job.model = spec;
  made.job.image = image;
  made.job.batch = batch;
  made.job.precision = precision;
  made.job.head = head;
  return made;
}

SavedBytes saved(const Case& asked) {
  auto cut = segments(asked.net, asked.job.checkpointing);
  REQUIRE(cut.has_value());
  return saved_bytes(asked.net, *cut, asked.job);
}

SavedBytes saved_with(Case asked, job::Checkpointing how) {
  asked.job.checkpointing = how;
  return saved(asked);
}

std::int64_t of(const SavedBytes& all, const graph::Network& net, std::string_view layer) {
  return all.layers[support::id_of(net, layer)].count();
}

std::int64_t sum(const Sizes& sizes) { return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}); }

TEST_CASE("vgg16 at 224 keeps the 34 storages of the worked example, each for the layer that keeps it") {
  const Case one = make(vgg(16), {3, 224, 224}, 1);
  const SavedBytes all = saved(one);
  const std::vector<std::pair<std::string_view, std::int64_t>> expected{
      {"conv1_1", 602'112},     // the image
      {"relu1_1", 12'845'056},  // conv1_1 out
      {"conv1_2", 0},           // the same storage
      {"relu1_2", 12'845'056},  // conv1_2 out
      {"pool1", 6'422'528},     // indices
      {"conv2_1", 3'211'264},   // pool1 out
      {"relu2_1", 6'422'528},  {"conv2_2", 0},         {"relu2_2", 6'422'528}, {"pool2", 3'211'264},
      {"conv3_1", 1'605'632},  {"relu3_1", 3'211'264}, {"relu3_2", 3'211'264}, {"relu3_3", 3'211'264},
      {"pool3", 1'605'632},    {"conv4_1", 802'816},   {"relu4_1", 1'605'632}, {"relu4_2", 1'605'632},
      {"relu4_3", 1'605'632},  {"pool4", 802'816},     {"conv5_1", 401'408},   {"relu5_1", 401'408},
      {"relu5_2", 401'408},    {"relu5_3", 401'408},   {"pool5", 200'704},     {"avgpool", 100'352},
      {"flatten", 0},          {"fc1", 100'352},       {"relu_fc1", 16'384},   {"dropout1", 4'096},
      {"fc2", 16'384},         {"relu_fc2", 16'384},   {"dropout2", 4'096},    {"fc3", 16'384},
  };
  for (const auto& [layer, bytes] : expected) {
    INFO(layer);
    CHECK(of(all, one.net, layer) == bytes);
  }
  CHECK(all.loss == Bytes(4000 + 8 + 4));
  CHECK(all.weight_copies == Bytes(0));
  CHECK(all.total() == Bytes(73'334'700));
}

TEST_CASE("activations grow by the image, the weight total of the loss does not") {
  for (const std::int64_t n : {1, 8, 32, 1000}) {
    CHECK(saved(make(vgg(16), {3, 224, 224}, n)).total() == Bytes(73'334'696 * n + 4));
    CHECK(saved(make(vgg(16), {3, 224, 224}, n, Precision::tf32)).total() == Bytes(73'334'696 * n + 4));
    CHECK(saved(make(vgg(16, true), {3, 224, 224}, n)).total() == Bytes(127'524'776 * n + 33'796));
    CHECK(saved(make(vgg(16), {3, 4024, 3036}, n)).total() == Bytes(17'805'459'752 * n + 4));
  }
  CHECK(saved(make(vgg(16, true), {3, 4024, 3036}, 1)).total() == Bytes(17'805'459'752 + 13'190'928'384 + 33'792 + 4));
}

TEST_CASE("autocast keeps 16-bit activations and one 16-bit copy of the weights") {
  for (const Precision precision : {Precision::amp_bf16, Precision::amp_fp16}) {
    for (const std::int64_t n : {1, 2, 7}) {
      const SavedBytes small = saved(make(vgg(16), {3, 224, 224}, n, precision));
      CHECK(small.activations() == Bytes(42'796'920 * n + 4));
      CHECK(small.weight_copies == Bytes(276'688'256));
      CHECK(small.total() == small.activations() + small.weight_copies);
      CHECK(saved(make(vgg(16), {3, 4024, 3036}, n, precision)).activations() == Bytes(10'391'988'280 * n + 4));
    }
  }
}

TEST_CASE("a bf16 model keeps halves and no copies") {
  // Autocast's figure less the fp32 cast of the log-softmax; the weight total has two bytes.
  const SavedBytes all = saved(make(vgg(16), {3, 224, 224}, 3, Precision::bf16));
  CHECK(all.total() == Bytes((42'796'920 - 4000) * 3 + 2));
}

// Autograd keeps the input of cudnn_batch_norm and native_batch_norm whatever is trained
// (tools/autograd/derivatives.yaml); statistics of a batch, of 4224 channels, are what a frozen one lacks, but for
// PyTorch's own kernels (bfloat16).
TEST_CASE("a frozen batch norm keeps its input, and no statistics of a batch") {
  const auto kept = [](job::Precision precision, graph::FrozenNorm norm) {
    job::Job job;
    job.model = support::vgg(16, true);
    job.image = {3, 64, 64};
    job.precision = precision;
    job.scope.norm = norm;
    return saved_bytes(job::network_of(job).value(), {}, job).activations().count();
  };
  using graph::FrozenNorm;
  for (const FrozenNorm norm : {FrozenNorm::statistics, FrozenNorm::all}) {
    CHECK(kept(job::Precision::tf32, FrozenNorm::none) - kept(job::Precision::tf32, norm) == 2 * 4 * 4'224);
    CHECK(kept(job::Precision::bf16, FrozenNorm::none) == kept(job::Precision::bf16, norm));
  }
}

TEST_CASE("inference keeps nothing") {
  Case asked = make(vgg(16, true), {3, 224, 224}, 8, Precision::amp_bf16);
  asked.job.mode = job::Mode::infer;
  CHECK(saved(asked).total() == Bytes(0));
  CHECK(saved(asked).layers.size() == asked.net.nodes.size());
}

// The next sizes were recorded by torch.cuda.memory._record_memory_history on an H200 (torch 2.11.0,
// 2026-11-22): allocations live when backward begins, without parameters, workspaces, logits and loss.

TEST_CASE("the gap head keeps no input of its pool: recorded at 1024x1024, batch 4") {
  const Sizes live{50'331'648,    32,          1'073'741'824,
                   1'073'741'824, 268'435'456, 536'870'912,
                   536'870'912,   536'870'912, 134'217'728,
                   268'435'456,   268'435'456, 268'435'456,
                   268'435'456,   67'108'864,  134'217'728,
                   134'217'728,   134'217'728, 134'217'728,
                   33'554'432,    67'108'864,  33'554'432,
                   33'554'432,    33'554'432,  16'777'216,
                   8192,          16'000,      4};
  CHECK(saved(make(vgg(16), {3, 1024, 1024}, 4, Precision::tf32, Head::gap)).total() == Bytes(sum(live)));
}

TEST_CASE("checkpointed blocks keep the image and the pools' outputs: recorded at 1024x1024, batch 4") {
  const Sizes live{50'331'648, 32,     268'435'456, 134'217'728, 67'108'864, 33'554'432, 8'388'608, 401'408,
                   65'536,     16'384, 65'536,      65'536,      16'384,     65'536,     16'000,    4};
  const Case asked = make(vgg(16), {3, 1024, 1024}, 4, Precision::tf32);
  CHECK(saved_with(asked, kBlock).total() == Bytes(sum(live)));
}

TEST_CASE("autocast's loss keeps the log-softmax twice: recorded at 224x224, batch 32") {
  // Without the copies of weights and biases.
  const Sizes live{256,         9'633'792,  205'520'896, 205'520'896, 51'380'224, 205'520'896, 102'760'448,
                   102'760'448, 25'690'112, 102'760'448, 51'380'224,  51'380'224, 51'380'224,  12'845'056,
                   51'380'224,  25'690'112, 25'690'112,  25'690'112,  6'422'528,  25'690'112,  6'422'528,
                   6'422'528,   6'422'528,  1'605'632,   6'422'528,   1'605'632,  262'144,     131'072,
                   262'144,     262'144,    131'072,     262'144,     64'000,     128'000,     4};
  CHECK(saved(make(vgg(16), {3, 224, 224}, 32, Precision::amp_bf16)).activations() == Bytes(sum(live)));
}

TEST_CASE("the flatten head's first Linear keeps the last pool's output") {
  const Case asked = make(vgg(16), {3, 64, 96}, 2, Precision::fp32, Head::flatten);
  const SavedBytes all = saved(asked);
  CHECK(of(all, asked.net, "fc1") == 2 * 512 * 2 * 3 * 4);
  CHECK(of(all, asked.net, "pool5") == 2 * 512 * 2 * 3 * 8);
}

TEST_CASE("channels_last maps that no pool made are kept twice: for their ReLU, and copied flat for the first Linear") {
  graph::ModelSpec spec = vgg(11);
  for (const std::int64_t channels : {8, 1}) {  // one channel is contiguous in either layout: a view
    spec.features = {channels};
    Case asked = make(spec, {3, 5, 7}, 2, Precision::fp32, Head::flatten);
    const std::int64_t map = 2 * channels * 5 * 7 * 4;
    CHECK(of(saved(asked), asked.net, "relu1_1") == map);
    CHECK(of(saved(asked), asked.net, "fc1") == 0);
    asked.job.layout = base::Layout::nhwc;
    CHECK(of(saved(asked), asked.net, "relu1_1") == map);
    CHECK(of(saved(asked), asked.net, "fc1") == (channels == 1 ? 0 : map));
  }
}

TEST_CASE("checkpoint_sequential keeps each segment's input, and all of the last segment") {
  // seq:2 ends at conv3_3. Kept per image: image; conv3_3 out for relu3_3, and on from there as without checkpoints:
  // the worked example less conv1_1 to conv3_2 outs, two pools and two sets of indices.
  const Case asked = make(vgg(16), {3, 224, 224}, 1);
  const std::int64_t dropped =
      2 * 12'845'056 + 6'422'528 + 3'211'264 + 2 * 6'422'528 + 3'211'264 + 1'605'632 + 2 * 3'211'264;
  CHECK(saved_with(asked, {job::Checkpointing::Kind::sequential, 2}).total() == Bytes(73'334'700 - dropped));
  // seq:4 cuts behind relu2_1, relu3_2 and relu4_2, whose storages are the segments' inputs; relu4_2's is the input
  // of what runs normally, and conv4_3 keeps it.
  const SavedBytes four = saved_with(asked, {job::Checkpointing::Kind::sequential, 4});
  CHECK(of(four, asked.net, "conv1_1") == 602'112);
  CHECK(of(four, asked.net, "conv2_2") == 6'422'528);
  CHECK(of(four, asked.net, "conv3_3") == 3'211'264);
  CHECK(of(four, asked.net, "conv4_3") == 1'605'632);
  CHECK(of(four, asked.net, "relu4_3") == 1'605'632);
  CHECK(of(four, asked.net, "relu4_2") == 0);
}

TEST_CASE("what PyTorch holds after a checkpointed forward pass is what is kept here") {
  // memory_allocated() after the third step's forward pass, less that before the first step: measured
  // on an H200 (vgg16, tf32, momentum). On top of what is kept stand the momentum buffers (the size of the
  // parameters), two cuBLAS workspaces of 32 MiB and one of cuBLASLt of 1 MiB; blocks are rounded up.
  struct Expected {
    std::int64_t height{};
    std::int64_t width{};
    std::int64_t batch{};
    job::Checkpointing how{};
    std::int64_t grown{};
  };
  const auto sequential = [](std::int64_t count) {
    return job::Checkpointing{job::Checkpointing::Kind::sequential, count};
  };
  constexpr std::int64_t kAround = 553'430'176 + 65 * 1024 * 1024;
  for (const Expected& row : {Expected{1024, 1024, 4, kBlock, 1'740'277'248 - 605'073'920},
                              Expected{1024, 1024, 4, sequential(2), 2'328'266'240 - 605'073'920},
                              Expected{1024, 1024, 4, sequential(4), 2'529'068'544 - 605'073'920},
                              Expected{4024, 3036, 1, kBlock, 2'812'564'992 - 701'542'912},
                              Expected{4024, 3036, 1, sequential(2), 4'518'144'512 - 701'542'912},
                              Expected{4024, 3036, 1, sequential(4), 5'105'712'640 - 701'542'912}}) {
    const Case asked = make(vgg(16), {3, row.height, row.width}, row.batch, Precision::tf32);
    const std::int64_t image_and_target = row.batch * (4 * 3 * row.height * row.width + 8);
    const std::int64_t kept = saved_with(asked, row.how).total().count() - image_and_target;
    const std::int64_t rounding = row.grown - kAround - kept;
    INFO(job::to_string(row.how) << " at " << row.height);
    CHECK(rounding >= 0);
    CHECK(rounding < 3 * 1024 * 1024);  // unsplit tails of large blocks, below 1 MiB each
  }
}

TEST_CASE("a checkpointed first block keeps the image as the user gave it, and no copies of its weights") {
  const Case asked = make(vgg(16), {3, 224, 224}, 2, Precision::amp_bf16);
  const SavedBytes all = saved_with(asked, kBlock);
  CHECK(of(all, asked.net, "conv1_1") == 2 * 602'112);
  CHECK(of(all, asked.net, "conv2_1") == 2 * 3'211'264 / 2);
  CHECK(all.weight_copies == Bytes(2 * (25'088 * 4096 + 4096 * 4096 + 4096 * 1000)));
}

TEST_CASE("a dropout of probability 0 hands its input on") {
  graph::ModelSpec sober = vgg(16);
  sober.dropout = 0;
  const Case asked = make(sober, {3, 224, 224}, 1);
  const SavedBytes all = saved(asked);
  CHECK(of(all, asked.net, "dropout1") == 0);
  CHECK(of(all, asked.net, "fc2") == 0);  // relu_fc1 keeps that storage
  CHECK(all.total() == Bytes(73'334'700 - 2 * 4096 - 2 * 16'384));
}

TEST_CASE("what is kept follows in closed form at odd sizes") {
  // For every convolution its output, for every pool its output and 8 bytes an index (fp32, N = 3, 333 x 517).
  for (const int depth : {11, 13, 16, 19}) {
    const graph::ModelSpec spec = vgg(depth);
    std::int64_t expected = 4 * 3 * 333 * 517;
    std::int64_t height = 333;
    std::int64_t width = 517;
    std::int64_t channels = 3;
    for (const std::int64_t entry : spec.features) {
      height = entry == graph::kPool ? height / 2 : height;
      width = entry == graph::kPool ? width / 2 : width;
      channels = entry == graph::kPool ? channels : entry;
      expected += channels * height * width * (entry == graph::kPool ? 12 : 4);
    }
    expected += 4 * 25'088 + 4 * 4 * 4096 + 2 * 4096 + 4 * 1000 + 8;
    CHECK(saved(make(spec, {3, 333, 517}, 3)).total() == Bytes(3 * expected + 4));
  }
}

/// Bytes that an activation and the convolution behind it keep, of a map of 4 x 8 x 8 in 32 bits.
std::pair<std::int64_t, std::int64_t> kept(graph::Activation activation) {
  graph::Builder builder("small", {3, 8, 8}, 0);
  builder.append("a", graph::Convolution{3, 4});
  builder.append("act", activation);
  builder.append("b", graph::Convolution{4, 4});
  Case small{std::move(builder).finish(graph::Objective::mse).value(), {}};
  small.job.image = {3, 8, 8};
  const SavedBytes all = saved(small);
  return {of(all, small.net, "act"), of(all, small.net, "b")};
}

// As torch.autograd.graph.saved_tensors_hooks shows it of PyTorch 1.13.
TEST_CASE("LeakyReLU keeps its input, or its result where it works in place; ReLU6 in place a clone of its input") {
  constexpr std::int64_t kBytes = 4 * 8 * 8 * 4;
  using graph::Function;
  CHECK(kept({Function::leaky_relu, false}) == std::pair{kBytes, kBytes});
  CHECK(kept({Function::leaky_relu, true}) == std::pair{kBytes, std::int64_t{0}});
  CHECK(kept({Function::relu6, true}) == std::pair{kBytes, kBytes});
}

}  // namespace
}  // namespace vggplan::lowering
