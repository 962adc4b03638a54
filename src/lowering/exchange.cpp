// SPDX-License-Identifier: MIT
#include <algorithm>
#include <variant>
#include <vector>

#include "lowering/partition.hpp"
#include "vggplan/lowering/ops.hpp"

namespace vggplan::lowering {
namespace {

using base::Bytes;

/// Whose backward is the last.
std::size_t first_trained(const graph::Network& network) {
  const auto first = std::find_if(network.nodes.begin(), network.nodes.end(), [](const graph::Node& node) {
    return node.trained && !graph::parameter_tensors(node).empty();
  });
  return static_cast<std::size_t>(first - network.nodes.begin());
}

}  // namespace

timing::Exchange exchange_of(const graph::Network& network, const job::Job& job, const Framework& framework) {
  timing::Exchange exchange;
  exchange.sharding = job.parallel.sharding;
  exchange.bucket_view = job.parallel.bucket_view;
  exchange.rounds = job.parallel.sharding == job::Sharding::fsdp2 ? job.accumulation : 1;
  const std::int64_t size = base::size_of(job::parameter_type(job.precision));
  std::vector<std::int64_t> sizes;       // of the tensors, in the order in which their gradients become ready
  std::vector<std::size_t> gradient_of;  // of each tensor, the index in `gradients`
  for (std::size_t i = network.nodes.size(); i-- > 0;) {
    const std::vector<graph::ParameterTensor> tensors =
        network.nodes[i].trained ? graph::parameter_tensors(network.nodes[i]) : std::vector<graph::ParameterTensor>{};
    std::int64_t bytes = 0;
    for (auto tensor = tensors.rbegin(); tensor != tensors.rend(); ++tensor) {
      sizes.push_back(tensor->elements * size);
      gradient_of.push_back(exchange.gradients.size());
      bytes += sizes.back();
    }
    if (!tensors.empty()) {
      // A compiled backward hands out all gradients when it returns.
      const std::size_t ready = job.compile == job::Compile::none ? i : first_trained(network);
      exchange.gradients.push_back({ready, Bytes(bytes), std::holds_alternative<graph::Linear>(network.nodes[i].kind)});
    }
  }
  for (const Group& group : groups_of(sizes, framework.first_bucket.count(), job.parallel.bucket.count())) {
    exchange.buckets.push_back({Bytes(group.bytes), gradient_of[group.last]});
  }
  return exchange;
}

}  // namespace vggplan::lowering
