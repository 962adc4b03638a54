// SPDX-License-Identifier: MIT
#include <algorithm>
#include <functional>
#include <numeric>
#include <variant>
#include <vector>

#include "vggplan/lowering/ops.hpp"

namespace vggplan::lowering {
namespace {

using base::Bytes;

timing::Sharing sharing_of(job::Sharding sharding) {
  switch (sharding) {
    case job::Sharding::ddp: return timing::Sharing::ddp;
    case job::Sharding::zero1: return timing::Sharing::zero1;
    case job::Sharding::fsdp2: return timing::Sharing::fsdp2;
  }
  return timing::Sharing::ddp;
}

/// Elements of each parameter tensor: weight and bias of every layer that has them.
std::vector<std::int64_t> tensors_of(const graph::Network& network) {
  std::vector<std::int64_t> sizes;
  for (const graph::Layer& layer : network.layers) {
    if (const auto* conv = std::get_if<graph::Conv2d>(&layer.kind)) {
      sizes.insert(sizes.end(), {conv->in_channels * conv->out_channels * 9, conv->out_channels});
    } else if (const auto* linear = std::get_if<graph::Linear>(&layer.kind)) {
      sizes.insert(sizes.end(), {linear->in_features * linear->out_features, linear->out_features});
    } else if (const auto* norm = std::get_if<graph::BatchNorm2d>(&layer.kind)) {
      sizes.insert(sizes.end(), {norm->channels, norm->channels});
    }
  }
  return sizes;
}

/// ZeroRedundancyOptimizer: tensors by size, largest first, each to the GPU with the least so far.
double largest_share(std::vector<std::int64_t> sizes, std::int64_t gpus) {
  std::sort(sizes.begin(), sizes.end(), std::greater<>());
  const std::int64_t all = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  std::vector<std::int64_t> load(static_cast<std::size_t>(std::min<std::int64_t>(
                                     gpus, static_cast<std::int64_t>(std::max<std::size_t>(sizes.size(), 1)))),
                                 0);
  for (const std::int64_t size : sizes) {
    *std::min_element(load.begin(), load.end()) += size;
  }
  return all == 0 ? 1.0 : static_cast<double>(*std::max_element(load.begin(), load.end())) / static_cast<double>(all);
}

}  // namespace

timing::Exchange exchange_of(const graph::Network& network, const job::Job& job) {
  timing::Exchange exchange;
  exchange.sharing = sharing_of(job.parallel.sharding);
  exchange.bucket = job.parallel.bucket;
  exchange.bucket_view = job.parallel.bucket_view;
  const std::int64_t size = base::size_of(job::parameter_type(job.precision));
  for (std::size_t i = network.layers.size(); i-- > 0;) {
    const std::int64_t parameters = graph::count(network, i).parameters;
    if (parameters > 0) {
      exchange.gradients.push_back(
          {i, Bytes(parameters * size), std::holds_alternative<graph::Linear>(network.layers[i].kind)});
    }
  }
  switch (job.parallel.sharding) {
    case job::Sharding::ddp: break;
    case job::Sharding::zero1: exchange.largest_share = largest_share(tensors_of(network), job.parallel.gpus); break;
    case job::Sharding::fsdp2: exchange.largest_share = 1.0 / static_cast<double>(job.parallel.gpus); break;
  }
  return exchange;
}

}  // namespace vggplan::lowering
