// SPDX-License-Identifier: MIT
// The networks that ship beside VGG. Each is built as its Python source runs: modules in the order of forward(), in
// place where the source works in place, and `held` where a variable of forward(), or the argument of a module that is
// being called, outlives the last use.
#pragma once

#include <string>
#include <vector>

#include "vggplan/graph/builder.hpp"

namespace vggplan::graph {

/// A square convolution without bias, of the channels that the last node yields.
Convolution convolution(const Builder& builder, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                        std::int64_t padding);

/// Convolution and batch norm behind the last node.
void append_conv_norm(Builder& builder, std::string conv, std::string norm, const Convolution& kind);

/// The `block`-th of VGG16, from 0, without its pool.
void append_vgg16_block(Builder& builder, std::size_t block);
/// `stages` of them, without the pool after the last; yields their last ReLUs.
std::vector<NodeId> append_vgg16(Builder& builder, std::size_t stages);

// Each adds its nodes and returns what the loss reads; nothing stands for the last node.
std::vector<NodeId> append_unet(Builder& builder, std::int64_t classes);
std::vector<NodeId> append_fcn8s(Builder& builder, std::int64_t classes);
std::vector<NodeId> append_csrnet(Builder& builder);
std::vector<NodeId> append_ssd300(Builder& builder, std::int64_t classes);
std::vector<NodeId> append_resnet(Builder& builder, std::int64_t classes, const std::vector<std::int64_t>& blocks,
                                  bool bottleneck);
std::vector<NodeId> append_mobilenet_v2(Builder& builder, std::int64_t classes);
std::vector<NodeId> append_densenet121(Builder& builder, std::int64_t classes);

base::Result<Network> build_architecture(const ModelSpec& spec, Shape image, std::int64_t classes, Head head);

}  // namespace vggplan::graph
