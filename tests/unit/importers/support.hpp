// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "support/catch.hpp"
#include "support/files.hpp"
#include "vggplan/importers/importers.hpp"

namespace vggplan::importers {

inline std::string fixture(const std::string& name) { return test::repository_file("tests/data/networks/" + name); }

inline base::Result<Imported> read(const std::string& bytes, graph::Shape image = {3, 64, 64}) {
  const auto file = open_network(bytes, "net");
  return file ? (*file)->read(image) : base::Result<Imported>(file.error());
}

inline Imported imported(const std::string& bytes, graph::Shape image = {3, 64, 64}) {
  auto network = read(bytes, image);
  if (!network) {
    throw std::invalid_argument(network.error().place + ": " + network.error().rule);
  }
  return std::move(network).value();
}

inline base::Diagnostic error_of(const std::string& bytes, graph::Shape image = {3, 64, 64}) {
  const auto network = read(bytes, image);
  REQUIRE(!network.has_value());
  return network.error();
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
