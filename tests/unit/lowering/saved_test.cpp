// SPDX-License-Identifier: MIT
// Saved bytes against the worked example (34 storages of VGG16 at 224); of random networks see saved_walk.hpp.
#include "vggplan/lowering/saved.hpp"

#include "support/catch.hpp"
#include "support/vgg.hpp"

namespace vggplan::lowering {
namespace {

using base::Bytes;
using support::vgg;

TEST_CASE("vgg16 at 224 keeps the 34 storages of the worked example, each for the layer that keeps it") {
  const graph::Network network = support::vgg16(224, 224);
  job::Job job;
  job.batch = 1;
  job.precision = job::Precision::fp32;
  const SavedBytes all = saved_bytes(network, {}, job);
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
    CHECK(all.layers[support::id_of(network, layer)].count() == bytes);
  }
  CHECK(all.loss == Bytes(4000 + 8 + 4));
  CHECK(all.weight_copies == Bytes(0));
  CHECK(all.total() == Bytes(73'334'700));
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
  const graph::Network network = support::vgg16(224, 224);
  job::Job job;
  job.mode = job::Mode::infer;
  const SavedBytes all = saved_bytes(network, {}, job);
  CHECK(all.total() == Bytes(0));
  CHECK(all.layers.size() == network.nodes.size());
}

}  // namespace
}  // namespace vggplan::lowering
