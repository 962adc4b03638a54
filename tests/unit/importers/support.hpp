// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "support/catch.hpp"
#include "support/files.hpp"
#include "vggplan/importers/importers.hpp"

namespace vggplan::importers {

inline std::string fixture(const std::string& name) { return test::repository_file("tests/data/networks/" + name); }

inline Imported imported(const std::string& bytes, graph::Shape image = {3, 64, 64}) {
  auto read = read_network(bytes, "net", image);
  if (!read) {
    throw std::invalid_argument(read.error().place + ": " + read.error().rule);
  }
  return std::move(read).value();
}

inline base::Diagnostic error_of(const std::string& bytes, graph::Shape image = {3, 64, 64}) {
  const auto read = read_network(bytes, "net", image);
  REQUIRE(!read.has_value());
  return read.error();
}

inline const graph::Node& node_named(const graph::Network& network, std::string_view name) {
  for (const graph::Node& node : network.nodes) {
    if (node.name == name) {
      return node;
    }
  }
  throw std::invalid_argument("no node " + std::string(name));
}

}  // namespace vggplan::importers
