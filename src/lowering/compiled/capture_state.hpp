// SPDX-License-Identifier: MIT
// The state of a capture: what each value is made of, while nodes are gone through.
#pragma once

#include <variant>

#include "lowering/compiled/capture.hpp"

namespace vggplan::lowering::compiled {

/// A value of forward or a gradient of backward: a buffer, or what a pointwise kernel would make of others, which is
/// not made before somebody needs it.
struct Value {
  BufferId buffer{kNoBuffer};
  std::vector<BufferId> sources{};
  std::int64_t inner{0};         ///< see Kernel::inner
  std::int64_t least{0};         ///< see Capture::pointwise
  std::vector<BufferId> over{};  ///< of the sources, whose storage the kernel may take
  [[nodiscard]] bool exists() const { return buffer != kNoBuffer || !sources.empty(); }
};

/// What forward keeps of a node for its backward: buffers of forward.
struct Keeps {
  BufferId input{kNoBuffer};
  BufferId weight{kNoBuffer};  ///< a copy in 16 bits or of another layout
  BufferId result{kNoBuffer};  ///< of an activation
  BufferId offsets{kNoBuffer};
  std::vector<BufferId> masks{};
  std::vector<BufferId> statistics{};
};

struct Capture {
  explicit Capture(const Step& step_);

  const Step& step;
  Captured result{};
  bool training{};
  bool turned{};                       ///< convolutions run in channels_last
  std::vector<bool> last{};            ///< by node: its map lies channels_last
  std::vector<int> readers{};          ///< by node
  std::vector<NodeId> first_reader{};  ///< by node, the first of them; itself where none is
  std::vector<Value> values{};         ///< by node
  std::vector<Value> gradients{};
  std::vector<Keeps> keeps{};
  std::vector<BufferId> weights{};       ///< by node: the copy that a convolution reads
  BufferId image{kNoBuffer};             ///< as convolutions read it
  BufferId seeds{kNoBuffer};             ///< of all dropouts
  std::map<BufferId, BufferId> saved{};  ///< of forward, their names in backward
  bool in_backward{false};

  [[nodiscard]] const graph::Node& node(NodeId id) const { return step.node(id); }
  [[nodiscard]] base::DType type() const { return job::activation_type(step.job.precision); }
  [[nodiscard]] base::DType parameter_type() const { return job::parameter_type(step.job.precision); }
  [[nodiscard]] base::DType value_type(NodeId id) const { return step.wide[id] ? base::DType::f32 : type(); }
  Program& program() { return in_backward ? result.backward : result.forward; }

  BufferId buffer(NodeId id, std::int64_t bytes, base::DType type, memory::Category category);
  BufferId map_buffer(NodeId id, NodeId value, memory::Category category);
  void launch(Kernel kernel, Call call);
  /// Adds a kernel; its work is to read and write its buffers, if that takes longer than its instructions: those are
  /// told as the bytes, `least`, that could be streamed meanwhile.
  void pointwise(NodeId id, Kernel kernel, std::int64_t least = 0);
  /// A call of a library that returns buffers of its own.
  void call_library(NodeId id, std::vector<BufferId> reads, const std::vector<BufferId>& returns, Call call);
  /// Makes a kernel of a pending value.
  BufferId realise(NodeId id, Value& value, NodeId shape, memory::Category category);
  BufferId operand(NodeId reader, NodeId input);
  /// Of forward, for backward.
  BufferId keep(BufferId buffer);
  BufferId recall(BufferId buffer);
  /// A gradient of the output of `input` arrives. Several are added by whoever reads them.
  void deliver(NodeId input, const Value& gradient);
  /// The gradient of a parameter of the node.
  void hand_over(NodeId id, std::size_t which, BufferId gradient);
  /// Who reads a convolution's output: where that lies contiguous, so does the gradient.
  [[nodiscard]] NodeId contiguous_reader(NodeId id) const {
    return std::holds_alternative<graph::Loss>(node(first_reader[id]).kind) ? id : first_reader[id];
  }
  [[nodiscard]] timing::Op convolution_op(NodeId id, timing::OpKind kind) const;
  [[nodiscard]] timing::Op average_op(NodeId id, timing::OpKind kind) const;
  [[nodiscard]] timing::Op product_op(NodeId id, timing::OpKind kind) const;
  [[nodiscard]] timing::Op stream(base::DType type, std::int64_t read, std::int64_t written) const;
};

/// products.cpp
void convolve(Capture& capture, NodeId id);
void convolve_backward(Capture& capture, NodeId id);
void multiply_rows(Capture& capture, NodeId id);
void multiply_rows_backward(Capture& capture, NodeId id);
/// Contiguous weights that backward needs as well are turned before all else, the first of them before the image.
void turn_weights(Capture& capture);

/// normalization.cpp
void normalise(Capture& capture, NodeId id);
void normalise_backward(Capture& capture, NodeId id);

/// Its place among the parameters, or that of what follows.
std::size_t parameter_index(const Capture& capture, NodeId id, std::size_t which);

void capture_forward(Capture& capture);
void capture_backward(Capture& capture);

}  // namespace vggplan::lowering::compiled
