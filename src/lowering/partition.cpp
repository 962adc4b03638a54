// SPDX-License-Identifier: MIT
#include "lowering/partition.hpp"

#include <algorithm>
#include <numeric>

#include "vggplan/base/checked.hpp"

namespace vggplan::lowering {

std::vector<Group> groups_of(const std::vector<std::int64_t>& sizes, std::int64_t first_limit, std::int64_t limit) {
  std::vector<Group> groups;
  Group open;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    open.bytes += sizes[i];
    open.last = i;
    if (open.bytes >= (groups.empty() ? first_limit : limit)) {
      groups.push_back(open);
      open = {};
    }
  }
  if (open.bytes > 0) {
    groups.push_back(open);
  }
  return groups;
}

std::vector<std::size_t> owners_of(const std::vector<std::int64_t>& elements, std::int64_t ranks) {
  std::vector<std::size_t> order(elements.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return elements[a] > elements[b]; });
  // Ranks beyond the number of tensors get none.
  std::vector<std::int64_t> held(std::min(static_cast<std::size_t>(ranks), elements.size()), 0);
  std::vector<std::size_t> owners(elements.size());
  for (const std::size_t index : order) {
    const auto least = std::min_element(held.begin(), held.end());
    *least += elements[index];
    owners[index] = static_cast<std::size_t>(least - held.begin());
  }
  return owners;
}

std::size_t emptiest_rank(const std::vector<std::int64_t>& elements, const std::vector<std::size_t>& owners,
                          std::int64_t ranks) {
  std::vector<std::int64_t> held(static_cast<std::size_t>(ranks), 0);
  for (std::size_t i = 0; i < elements.size(); ++i) {
    held[owners[i]] += elements[i];
  }
  return static_cast<std::size_t>(std::min_element(held.begin(), held.end()) - held.begin());
}

Share held_gradients(const graph::Network& network, const job::Job& job) {
  const job::Parallel& parallel = job.parallel;
  const std::int64_t parts = parallel.sharding == job::Sharding::fsdp2 ? parallel.gpus : 1;
  Share held;
  if (network.nodes.front().trained) {  // the images of the batch are one tensor
    held = {job.batch * network.input.elements(), 1};
  }
  for (const graph::ParameterTensor& tensor : graph::trained_tensors(network)) {
    held.elements += tensor.elements / tensor.rows * base::ceil_div(tensor.rows, parts);
    ++held.tensors;
  }
  return held;
}

Share fullest_update(const graph::Network& network, const job::Job& job) {
  const job::Parallel& parallel = job.parallel;
  if (parallel.sharding != job::Sharding::zero1) {
    return held_gradients(network, job);
  }
  std::vector<std::int64_t> elements;
  for (const graph::ParameterTensor& tensor : graph::trained_tensors(network)) {
    elements.push_back(tensor.elements);
  }
  const std::vector<std::size_t> owners = owners_of(elements, parallel.gpus);
  std::vector<Share> ranks(elements.size());  // those beyond the tensors own none
  for (std::size_t i = 0; i < elements.size(); ++i) {
    ranks[owners[i]].elements += elements[i];
    ++ranks[owners[i]].tensors;
  }
  return *std::max_element(ranks.begin(), ranks.end(),
                           [](const Share& a, const Share& b) { return a.elements < b.elements; });
}

}  // namespace vggplan::lowering
