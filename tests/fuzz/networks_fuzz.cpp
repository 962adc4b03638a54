// SPDX-License-Identifier: MIT
// Any bytes as a JSON graph, an ONNX file or an archive of torch.export: a network that can be counted, or an error
// that can be read.
#include "targets.hpp"
#include "vggplan/importers/importers.hpp"

namespace vggplan::fuzz {

namespace {

void read_any(const std::string& bytes) {
  static_cast<void>(importers::is_network(bytes));
  const auto file = importers::open_network(bytes, "net");
  const auto read = file ? (*file)->read({3, 64, 64}) : base::Result<importers::Imported>(file.error());
  if (read) {
    require(graph::count(read->network).macs >= 0, "network: work below zero");
    return;
  }
  require(!read.error().place.empty() && !read.error().rule.empty(), "network: no message");
  require((read.error().rule + read.error().place).find_first_of(std::string("\x1b\0", 2)) == std::string::npos,
          "network: control characters");
}

}  // namespace

void graphs(const std::string& input) { read_any("{" + input); }
void onnx(const std::string& input) { read_any(input); }
void pt2(const std::string& input) { read_any("PK" + input); }

}  // namespace vggplan::fuzz
