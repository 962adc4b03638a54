// SPDX-License-Identifier: MIT
// What autograd keeps of a chain of layers, from the rule of each operation alone (torch 2.11:
// tools/autograd/derivatives.yaml): an oracle for what lowering counts as it writes a step.
#pragma once

#include <variant>

#include "lowering/layout.hpp"
#include "vggplan/lowering/saved.hpp"

namespace vggplan::support {

class SavedWalk {
 public:
  SavedWalk(const graph::Network& network, const job::Job& job)
      : network_(network),
        job_(job),
        autocast_(job::is_autocast(job.precision)),
        type_(job::activation_type(job.precision)),
        flowing_{job.batch * network.input.elements(), autocast_ ? base::DType::f32 : type_} {}

  lowering::SavedBytes operator()(const std::vector<lowering::Segment>& segments) {
    lowering::SavedBytes saved{std::vector<base::Bytes>(network_.nodes.size()), {}, {}};
    for (graph::NodeId id = 0; id < network_.nodes.size(); ++id) {
      const graph::Node& node = network_.nodes[id];
      const std::size_t segment = lowering::segment_of(segments, id);
      if (!graph::is_layer(node)) {
        continue;
      }
      if (segment != lowering::kNoSegment) {
        // It keeps what flows into it, as it is: autocast has not cast the image yet.
        saved.layers[id] = id == segments[segment].first ? keep_flowing() : base::Bytes{};
        replace(node);
      } else {
        saved.layers[id] = pass(node);
        saved.weight_copies += weight_copy(node);
      }
    }
    saved.loss = loss_bytes();
    return saved;
  }

 private:
  /// The storage that flows from layer to layer.
  struct Flowing {
    std::int64_t elements{};
    base::DType type{};
    bool kept{false};  ///< some layer keeps it already
  };

  base::Bytes pass(const graph::Node& node) {
    const base::Bytes kept = kept_by(node);
    const bool copied =
        std::holds_alternative<graph::Flatten>(node.kind) && lowering::flatten_copies(node, job_.layout);
    if (copied || graph::output_bytes(node, type_).count() > 0) {
      replace(node);
    }
    return kept;
  }

  base::Bytes keep_flowing() {
    const base::Bytes bytes(flowing_.kept ? 0 : flowing_.elements * base::size_of(flowing_.type));
    flowing_.kept = true;
    return bytes;
  }

  void replace(const graph::Node& node) { flowing_ = {job_.batch * node.output.elements(), type_}; }

  /// Convolution and Linear keep their input; under autocast a 16-bit copy where it is wider.
  base::Bytes keep_operand() {
    return flowing_.type != type_ ? base::Bytes(flowing_.elements * base::size_of(type_)) : keep_flowing();
  }

  base::Bytes kept_by(const graph::Node& node) {
    const std::int64_t outputs = job_.batch * node.output.elements();
    if (std::holds_alternative<graph::Convolution>(node.kind) || std::holds_alternative<graph::Linear>(node.kind)) {
      return keep_operand();
    }
    if (const auto* norm = std::get_if<graph::BatchNorm>(&node.kind)) {
      // Mean and inverse deviation of the batch, fp32 in every precision.
      return keep_flowing() + base::Bytes(2 * norm->channels * base::size_of(base::DType::f32));
    }
    if (std::holds_alternative<graph::Activation>(node.kind)) {
      return keep_flowing();  // its result, which lies in its input's storage
    }
    if (std::holds_alternative<graph::MaxPool>(node.kind)) {
      return keep_flowing() + base::Bytes(outputs * base::size_of(base::DType::i64));
    }
    if (const auto* pool = std::get_if<graph::AdaptiveAveragePool>(&node.kind)) {
      // adaptive_avg_pool2d to 1x1 is done by mean(), whose backward needs the shape alone.
      return pool->height == 1 && pool->width == 1 ? base::Bytes{} : keep_flowing();
    }
    if (const auto* dropout = std::get_if<graph::Dropout>(&node.kind)) {
      return base::Bytes(dropout->passes_through() ? 0 : outputs);  // a mask of one byte each
    }
    return base::Bytes{};  // a flatten
  }

  /// Weights that autocast casts: not those of batch norm, which runs in fp32.
  [[nodiscard]] base::Bytes weight_copy(const graph::Node& node) const {
    const std::vector<graph::ParameterTensor> tensors = graph::parameter_tensors(node);
    const bool cast = autocast_ && !tensors.empty() && !std::holds_alternative<graph::BatchNorm>(node.kind);
    return base::Bytes(cast ? tensors.front().elements * base::size_of(type_) : 0);
  }

  /// cross_entropy: log_softmax in the type of the logits, nll_loss in fp32 under autocast, which
  /// keeps an fp32 copy of the log-softmax; targets are int64, the weight total one element.
  [[nodiscard]] base::Bytes loss_bytes() const {
    const std::int64_t type = base::size_of(type_);
    const std::int64_t nll_type = autocast_ ? base::size_of(base::DType::f32) : type;
    const std::int64_t scores = job_.batch * network_.classes;
    const std::int64_t cast = nll_type == type ? 0 : scores * nll_type;
    return base::Bytes(scores * type + cast + job_.batch * base::size_of(base::DType::i64) + nll_type);
  }

  const graph::Network& network_;
  const job::Job& job_;
  bool autocast_{};
  base::DType type_{};
  Flowing flowing_{};
};

}  // namespace vggplan::support
