// SPDX-License-Identifier: MIT
// What autograd keeps of a network, from the rule of each operation alone (torch 2.11:
// tools/autograd/derivatives.yaml): an oracle for what lowering counts as it writes a step.
#pragma once

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include "lowering/layout.hpp"
#include "vggplan/lowering/saved.hpp"

namespace vggplan::support {

/// Index of the segment that holds the node, or kNoSegment.
inline std::size_t segment_of(const std::vector<lowering::Segment>& segments, graph::NodeId id) {
  const auto found = std::ranges::find_if(
      segments, [id](const lowering::Segment& segment) { return segment.first <= id && id < segment.last; });
  return found == segments.end() ? lowering::kNoSegment : static_cast<std::size_t>(found - segments.begin());
}

class SavedWalk {
 public:
  SavedWalk(const graph::Network& network, const job::Job& job)
      : network_(network),
        job_(job),
        autocast_(job::is_autocast(job.precision)),
        type_(job::activation_type(job.precision)),
        storages_{Storage{job.batch * network.input.elements(), autocast_ ? base::DType::f32 : type_}},
        storage_of_(network.nodes.size()) {}

  lowering::SavedBytes operator()(const std::vector<lowering::Segment>& segments) {
    lowering::SavedBytes saved{std::vector<base::Bytes>(network_.nodes.size()), {}, {}};
    for (graph::NodeId id = 0; id < network_.nodes.size(); ++id) {
      const graph::Node& node = network_.nodes[id];
      const std::size_t segment = segment_of(segments, id);
      if (!graph::is_layer(node)) {
        continue;
      }
      store(id);
      if (segment == lowering::kNoSegment) {
        saved.layers[id] = kept_by(id);
        saved.weight_copies += weight_copy(node);
      } else if (id == segments[segment].first) {
        saved.layers[id] = keep(node.inputs.front());  // as it is: autocast has not cast the image yet
      }
    }
    saved.loss = loss_bytes();
    return saved;
  }

 private:
  struct Storage {
    std::int64_t elements{};
    base::DType type{};
    bool kept{false};  ///< some layer keeps it already
  };

  /// Of the output: its own, or that of the input which it views or overwrites.
  void store(graph::NodeId id) {
    const graph::Node& node = network_.nodes[id];
    const bool copied =
        std::holds_alternative<graph::Flatten>(node.kind) && lowering::flatten_copies(node, job_.layout);
    if (copied || graph::output_bytes(node, type_).count() > 0) {
      storage_of_[id] = storages_.size();
      storages_.push_back({job_.batch * node.output.elements(), type_of(node)});
    } else {
      storage_of_[id] = storage_of_[node.inputs.front()];
    }
  }

  /// Under autocast convolutions and Linear layers yield 16 bits, a resize fp32, the rest the widest of what it reads.
  [[nodiscard]] base::DType type_of(const graph::Node& node) const {
    if (!autocast_ || std::holds_alternative<graph::Convolution>(node.kind) ||
        std::holds_alternative<graph::Linear>(node.kind)) {
      return type_;
    }
    const bool wide =
        std::holds_alternative<graph::Resize>(node.kind) || std::ranges::any_of(node.inputs, [&](graph::NodeId input) {
          return storages_[storage_of_[input]].type == base::DType::f32;
        });
    return wide ? base::DType::f32 : type_;
  }

  base::Bytes keep(graph::NodeId value) {
    Storage& storage = storages_[storage_of_[value]];
    const bool first = !std::exchange(storage.kept, true);
    return base::Bytes(first ? storage.elements * base::size_of(storage.type) : 0);
  }

  /// Convolution and Linear keep their input; under autocast a 16-bit copy where it is wider.
  base::Bytes keep_operand(graph::NodeId value) {
    const Storage& storage = storages_[storage_of_[value]];
    return storage.type != type_ ? base::Bytes(storage.elements * base::size_of(type_)) : keep(value);
  }

  /// The result of ReLU, sigmoid and tanh, and of what lies in place of its input but for a clone; else the input.
  base::Bytes kept_by_activation(graph::NodeId id, const graph::Activation& activation) {
    using graph::Function;
    const Function function = activation.function;
    if (function == Function::relu || function == Function::sigmoid || function == Function::tanh) {
      return keep(id);
    }
    if (!activation.in_place) {
      return keep(network_.nodes[id].inputs.front());
    }
    const Storage& storage = storages_[storage_of_[id]];
    return function == Function::leaky_relu ? keep(id) : base::Bytes(storage.elements * base::size_of(storage.type));
  }

  base::Bytes kept_by(graph::NodeId id) {
    const graph::Node& node = network_.nodes[id];
    const std::int64_t outputs = job_.batch * node.output.elements();
    if (std::holds_alternative<graph::Convolution>(node.kind) || std::holds_alternative<graph::Linear>(node.kind)) {
      return keep_operand(node.inputs.front());
    }
    if (const auto* norm = std::get_if<graph::BatchNorm>(&node.kind)) {
      // Mean and inverse deviation of the batch, fp32 in every precision.
      return keep(node.inputs.front()) + base::Bytes(2 * norm->channels * base::size_of(base::DType::f32));
    }
    if (const auto* activation = std::get_if<graph::Activation>(&node.kind)) {
      return kept_by_activation(id, *activation);
    }
    if (std::holds_alternative<graph::Multiply>(node.kind)) {
      return keep(node.inputs[0]) + keep(node.inputs[1]);
    }
    if (std::holds_alternative<graph::AveragePool>(node.kind)) {
      return keep(node.inputs.front());
    }
    if (std::holds_alternative<graph::MaxPool>(node.kind)) {
      return keep(node.inputs.front()) + base::Bytes(outputs * base::size_of(base::DType::i64));
    }
    if (const auto* pool = std::get_if<graph::AdaptiveAveragePool>(&node.kind)) {
      // adaptive_avg_pool2d to 1x1 is done by mean(), whose backward needs the shape alone.
      return pool->height == 1 && pool->width == 1 ? base::Bytes{} : keep(node.inputs.front());
    }
    if (const auto* dropout = std::get_if<graph::Dropout>(&node.kind)) {
      return base::Bytes(dropout->passes_through() ? 0 : outputs);  // a mask of one byte each
    }
    return base::Bytes{};  // a flatten, a sum, a concatenation
  }

  /// Weights that autocast casts: not those of batch norm, which runs in fp32. That of a Linear layer is kept for the
  /// gradient of its input, which the image lacks.
  [[nodiscard]] base::Bytes weight_copy(const graph::Node& node) const {
    const std::vector<graph::ParameterTensor> tensors = graph::parameter_tensors(node);
    const bool reads_image = std::holds_alternative<graph::Linear>(node.kind) && node.inputs.front() == 0;
    const bool cast =
        autocast_ && !tensors.empty() && !std::holds_alternative<graph::BatchNorm>(node.kind) && !reads_image;
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
  std::vector<Storage> storages_{};
  std::vector<std::size_t> storage_of_{};  ///< by node
};

}  // namespace vggplan::support
