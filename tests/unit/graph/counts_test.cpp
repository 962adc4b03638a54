// SPDX-License-Identifier: MIT
// Counts against figures that others published or measured.
#include "support/catch.hpp"
#include "support/vgg.hpp"

namespace vggplan::graph {
namespace {

using support::id_of;
using support::network;
using support::node_of;
using support::vgg;
using support::vgg16;

TEST_CASE("parameters of the family are those that torchvision publishes") {
  // torchvision/models/vgg.py, `num_params` of each VGG*_Weights.
  CHECK(count(network(vgg(11), {3, 224, 224})).parameters == 132'863'336);
  CHECK(count(network(vgg(13), {3, 224, 224})).parameters == 133'047'848);
  CHECK(count(network(vgg(16), {3, 224, 224})).parameters == 138'357'544);
  CHECK(count(network(vgg(19), {3, 224, 224})).parameters == 143'667'240);
  CHECK(count(network(vgg(11, true), {3, 224, 224})).parameters == 132'868'840);
  CHECK(count(network(vgg(13, true), {3, 224, 224})).parameters == 133'053'736);
  CHECK(count(network(vgg(16, true), {3, 224, 224})).parameters == 138'365'992);
  CHECK(count(network(vgg(19, true), {3, 224, 224})).parameters == 143'678'248);
}

TEST_CASE("the flatten head's first Linear grows with the image") {
  // Hand count: 14,714,688 + (512 h w + 1) 4096 + 16,781,312 + 4,097,000, h and w after five halvings.
  CHECK(count(vgg16(1024, 1024, Head::flatten)).parameters == 2'183'080'744);
  CHECK(count(vgg16(4024, 3036, Head::flatten)).parameters == 24'677'133'096);
  CHECK(count(vgg16(224, 224, Head::flatten)).parameters == 138'357'544);
}

TEST_CASE("the gap head has one Linear") {
  // Keras VGG16(include_top=False): 14,714,688
  CHECK(count(vgg16(1024, 1024, Head::gap)).parameters == 14'714'688 + 513 * 1000);
}

TEST_CASE("channels and classes change the first convolution and the last Linear alone") {
  const std::int64_t base_case = 138'357'544;
  CHECK(count(network(vgg(16), {8, 224, 224}, 10)).parameters == base_case + 9 * 64 * 5 - 4097 * 990);
  CHECK(count(network(vgg(16), {1, 224, 224})).parameters == base_case - 9 * 64 * 2);
}

/// One answer of another program for VGG16 (1000 classes), whole batch, recorded 2026-11-22 with torch 2.11.0.
struct Answer {
  std::int64_t height;
  std::int64_t width;
  std::int64_t batch;
  std::int64_t forward;
  std::int64_t backward;
};

TEST_CASE("FLOPs forward and backward are those of PyTorch's FlopCounterMode") {
  // torch.utils.flop_counter: 2 per multiply-accumulate, convolutions and addmm/mm, no biases; the
  // backward of the first convolution counts the weight gradient alone.
  for (const Answer& theirs : {Answer{224, 224, 32, 990'096'916'480, 1'974'644'768'768},
                               Answer{1024, 1024, 4, 2'566'695'157'760, 5'118'894'800'896},
                               Answer{4024, 3036, 1, 7'466'474'909'696, 14'890'728'337'408},
                               Answer{333, 517, 7, 728'496'766'592, 1'452'828'614'272},
                               Answer{5000, 4000, 1, 12'232'717'795'328, 24'396'315'590'656}}) {
    const LayerCounts ours = count(vgg16(theirs.height, theirs.width));
    CHECK(theirs.batch * ours.flops_forward.count() == theirs.forward);
    CHECK(theirs.batch * ours.flops_backward.count() == theirs.backward);
  }
}

TEST_CASE("torchinfo's multiply-adds are ours and one addition per bias and output element") {
  for (const Answer& theirs : {Answer{224, 224, 32, 495'482'273'024, 0}, Answer{1024, 1024, 4, 1'284'480'077'728, 0},
                               Answer{4024, 3036, 1, 3'736'535'196'136, 0}, Answer{333, 517, 7, 364'572'107'032, 0},
                               Answer{5000, 4000, 1, 6'121'758'714'856, 0}}) {
    const Network net = vgg16(theirs.height, theirs.width);
    std::int64_t additions = 0;
    for (const Node& node : net.nodes) {
      if (std::holds_alternative<Convolution>(node.kind) || std::holds_alternative<Linear>(node.kind)) {
        additions += node.output.elements();
      }
    }
    CHECK(theirs.batch * (count(net).macs + additions) == theirs.forward);
  }
}

TEST_CASE("the first convolution alone has no input gradient") {
  const Network net = vgg16(224, 224);
  const std::vector<LayerCounts> counts = count_nodes(net);
  const LayerCounts first = counts[id_of(net, "conv1_1")];
  CHECK(first.macs == 27 * 64 * 224 * 224);
  CHECK(first.flops_forward.count() == 2 * first.macs);
  CHECK(first.flops_backward.count() == 2 * first.macs);
  const LayerCounts second = counts[id_of(net, "conv1_2")];
  CHECK(second.flops_backward.count() == 4 * second.macs);
  const LayerCounts last = counts[id_of(net, "fc3")];
  CHECK(last.macs == 4096 * 1000);
  CHECK(last.flops_backward.count() == 4 * last.macs);
  CHECK(counts[id_of(net, "pool1")] == LayerCounts{});
  CHECK(counts[id_of(net, "dropout2")] == LayerCounts{});
}

TEST_CASE("the tensors of a network hold its parameters") {
  for (const ModelSpec& spec : {vgg(11), vgg(16, true)}) {
    const Network net = network(spec, {3, 224, 224});
    std::int64_t sum = 0;
    for (const ParameterTensor& tensor : trained_tensors(net)) {
      CHECK(tensor.elements % tensor.rows == 0);
      sum += tensor.elements;
    }
    CHECK(sum == count(net).parameters);
  }
  // len(list(torchvision.models.vgg16().parameters())), and a weight of out x in x 3 x 3.
  const Network net = vgg16(224, 224);
  CHECK(trained_tensors(net).size() == 32);
  CHECK(parameter_tensors(node_of(net, "conv1_2")).front() == ParameterTensor{36'864, 64});
}

TEST_CASE("an output takes storage unless the layer works in place or yields a view") {
  const Network net = vgg16(224, 224);
  const auto bytes = [&](std::string_view name, base::DType type) {
    return output_bytes(node_of(net, name), type).count();
  };
  CHECK(bytes("conv1_1", base::DType::f32) == 12'845'056);
  CHECK(bytes("conv1_1", base::DType::bf16) == 6'422'528);
  CHECK(bytes("pool5", base::DType::f32) == 100'352);
  CHECK(bytes("fc3", base::DType::f32) == 4000);
  CHECK(bytes("dropout1", base::DType::f32) == 16'384);
  CHECK(bytes("relu1_1", base::DType::f32) == 0);
  CHECK(bytes("flatten", base::DType::f32) == 0);
  ModelSpec sober = vgg(16);
  sober.dropout = 0;
  const Network kept = network(sober, {3, 224, 224});
  CHECK(output_bytes(node_of(kept, "dropout1"), base::DType::f32).count() == 0);
}

TEST_CASE("activation elements are the image and every output") {
  const ModelSpec spec{.name = "tiny", .features = {2, kPool}, .hidden = {3}};
  const Network net = network(spec, {1, 4, 4}, 5, Head::flatten);
  // image 16, conv 32, relu 32, pool 8, flatten 8, fc1 3, relu 3, dropout 3, fc2 5
  CHECK(activation_elements(net) == 16 + 32 + 32 + 8 + 8 + 3 + 3 + 3 + 5);
}

}  // namespace
}  // namespace vggplan::graph
