// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace vggplan::launch {

/// One file of a run folder.
struct File {
  std::string name{};
  std::string text{};
  std::string about{};  ///< what it is, or how to start it
  bool executable{false};
};

}  // namespace vggplan::launch
