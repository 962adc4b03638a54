// SPDX-License-Identifier: MIT
// "a100x4, 8xh100, a100-40gb-pcie:8, any": GPUs and how many of them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "vggplan/catalog/catalog.hpp"

namespace vggplan::catalog {

struct GpuRequest {
  GpuChoice choice{};
  std::int64_t count{1};
  bool counted{false};  ///< the count was given, not taken to be one
};

/// The alternatives of a comma-separated list, in its order, each once. `any` stands for every card of
/// the catalogue, laptops' apart. `place` is the flag that errors name.
base::Result<std::vector<GpuRequest>> parse_gpu_request(const Catalog& catalog, std::string_view text,
                                                        std::string_view place);

}  // namespace vggplan::catalog
