// SPDX-License-Identifier: MIT
// torch 2.11: tools/autograd/derivatives.yaml says what each operation keeps for its backward.
#include "vggplan/lowering/saved.hpp"

#include <numeric>
#include <variant>

#include "lowering/layout.hpp"

namespace vggplan::lowering {

namespace {

using base::Bytes;
using base::DType;
using base::size_of;
using graph::Layer;

/// The storage that flows from layer to layer.
struct Flowing {
  std::int64_t elements{};
  DType type{};
  bool kept{false};  ///< some layer keeps it already
};

class Walk {
 public:
  explicit Walk(const graph::Network& network, const job::Job& job)
      : batch_(job.batch),
        layout_(job.layout),
        autocast_(job::is_autocast(job.precision)),
        type_(job::activation_type(job.precision)),
        flowing_{job.batch * network.input.elements(), autocast_ ? DType::f32 : type_} {}

  /// A checkpointed segment keeps what flows into it, as it is: autocast has not cast the image yet.
  Bytes enter_segment() { return keep_flowing(); }

  void pass_inside_segment(const Layer& layer) { replace(layer); }

  Bytes pass(const Layer& layer) {
    const Bytes kept = kept_by(layer);
    const bool copied = std::holds_alternative<graph::Flatten>(layer.kind) && flatten_copies(layer, layout_);
    if (copied || graph::output_bytes(layer, type_).count() > 0) {
      replace(layer);
    }
    return kept;
  }

 private:
  Bytes keep_flowing() {
    const Bytes bytes(flowing_.kept ? 0 : flowing_.elements * size_of(flowing_.type));
    flowing_.kept = true;
    return bytes;
  }

  void replace(const Layer& layer) { flowing_ = {batch_ * layer.output.elements(), type_}; }

  /// Convolution and Linear keep their input; under autocast a 16-bit copy where it is wider.
  Bytes keep_operand() {
    if (flowing_.type != type_) {
      return Bytes(flowing_.elements * size_of(type_));
    }
    return keep_flowing();
  }

  Bytes kept_by(const Layer& layer) {
    const std::int64_t outputs = batch_ * layer.output.elements();
    if (std::holds_alternative<graph::Conv2d>(layer.kind) || std::holds_alternative<graph::Linear>(layer.kind)) {
      return keep_operand();
    }
    if (const auto* norm = std::get_if<graph::BatchNorm2d>(&layer.kind)) {
      // Mean and inverse deviation of the batch, fp32 in every precision.
      return keep_flowing() + Bytes(2 * norm->channels * size_of(DType::f32));
    }
    if (std::holds_alternative<graph::Relu>(layer.kind)) {
      return keep_flowing();  // its result, which lies in its input's storage
    }
    if (std::holds_alternative<graph::MaxPool2d>(layer.kind)) {
      return keep_flowing() + Bytes(outputs * size_of(DType::i64));
    }
    if (const auto* pool = std::get_if<graph::AdaptiveAvgPool2d>(&layer.kind)) {
      // adaptive_avg_pool2d to 1x1 is done by mean(), whose backward needs the shape alone.
      const bool mean = pool->height == 1 && pool->width == 1;
      return mean ? Bytes{} : keep_flowing();
    }
    if (const auto* dropout = std::get_if<graph::Dropout>(&layer.kind)) {
      return Bytes(dropout->passes_through() ? 0 : outputs);  // a mask of one byte each
    }
    return Bytes{};  // a flatten
  }

  std::int64_t batch_{};
  base::Layout layout_{};
  bool autocast_{};
  DType type_{};
  Flowing flowing_{};
};

/// cross_entropy: log_softmax in the type of the logits, nll_loss in fp32 under autocast, which
/// keeps an fp32 copy of the log-softmax; targets are int64, the weight total one element.
Bytes loss_bytes(const graph::Network& network, const job::Job& job) {
  const std::int64_t type = size_of(job::activation_type(job.precision));
  const std::int64_t nll_type = job::is_autocast(job.precision) ? size_of(DType::f32) : type;
  const std::int64_t scores = job.batch * network.classes;
  const std::int64_t cast = nll_type == type ? 0 : scores * nll_type;
  return Bytes(scores * type + cast + job.batch * size_of(DType::i64) + nll_type);
}

/// Weights that autocast casts: not those of batch norm, which runs in fp32.
std::int64_t cast_weights(const Layer& layer) {
  const std::vector<graph::ParameterTensor> tensors = graph::parameter_tensors(layer);
  const bool cast = !tensors.empty() && !std::holds_alternative<graph::BatchNorm2d>(layer.kind);
  return cast ? tensors.front().elements : 0;
}

}  // namespace

Bytes SavedBytes::activations() const { return std::accumulate(layers.begin(), layers.end(), loss); }

SavedBytes saved_bytes(const graph::Network& network, const std::vector<Segment>& segments, const job::Job& job) {
  SavedBytes saved{std::vector<Bytes>(network.layers.size()), {}, {}};
  if (job.mode == job::Mode::infer) {
    return saved;
  }
  const std::int64_t copy_size = job::is_autocast(job.precision) ? size_of(job::activation_type(job.precision)) : 0;
  Walk walk(network, job);
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    const std::size_t segment = segment_of(segments, i);
    if (segment != kNoSegment) {
      saved.layers[i] = i == segments[segment].first ? walk.enter_segment() : Bytes{};
      walk.pass_inside_segment(layer);
    } else {
      saved.layers[i] = walk.pass(layer);
      saved.weight_copies += Bytes(copy_size * cast_weights(layer));
    }
  }
  saved.loss = loss_bytes(network, job);
  return saved;
}

}  // namespace vggplan::lowering
