// SPDX-License-Identifier: MIT
// The table of layers for people: what a layer reads and what is frozen stand in cells that are there anyway.
#include <fmt/format.h>

#include "render/figures.hpp"
#include "render/pages.hpp"

namespace vggplan::render {

namespace {

/// A layer of a dense block reads dozens.
std::string listed(const std::vector<std::string>& names) {
  return names.size() == 1   ? names.front()
         : names.size() == 2 ? names.front() + ", " + names.back()
                             : fmt::format("{} and {} more", names.front(), names.size() - 1);
}

/// What is read in the place of the layer above, or beside it.
std::string reads(const Document& inputs, const std::string& above) {
  std::vector<std::string> others;
  for (const Document& input : inputs) {
    if (input != above) {
      others.push_back(input.get<std::string>());
    }
  }
  return others.empty() ? "" : (others.size() == inputs.size() ? " from " : " +") + listed(others);
}

Chart chart(const Document& layers) {
  const double rem = 6 + static_cast<double>(layers.size());  // a line of text for each, and a few for axis and legend
  return {"layers", "Time of forward and backward by layer", rem};
}

}  // namespace

void add_layers(Section& section, const Document& holder, Depth depth) {
  Table table = layers_table(holder);
  std::string above = "image";
  std::string joined;
  std::int64_t parameters = 0;
  std::int64_t trained = 0;
  for (std::size_t i = 0; i < holder.at("layers").size(); ++i) {
    const Document& layer = holder.at("layers").at(i);
    const std::string others = reads(layer.value("inputs", Document::array()), above);
    cell_of(table, table.rows[i], "name").shown += others;
    joined += others;
    above = layer.at("name").get<std::string>();
    const auto own = layer.at("parameters").get<std::int64_t>();
    const bool frozen = own > 0 && !layer.value("trained", true);
    parameters += own;
    trained += frozen ? 0 : own;
    std::string& shown = cell_of(table, table.rows[i], "parameters").shown;
    shown = frozen ? "(" + shown + ")" : shown;
  }
  drop_column(table, "inputs");
  drop_column(table, "trained");
  section.blocks.push_back({Depth::full, chart(holder.at("layers"))});
  add_table(section, table, depth);
  add_prose(section,
            joined.empty() ? "" : "A layer reads the one above it; 'from' names others in its place, '+' beside it.",
            depth);
  add_prose(section,
            trained == parameters ? ""
                                  : fmt::format("{} of {} parameters are trained; those in brackets are not.",
                                                figure("parameters", trained), figure("parameters", parameters)),
            depth);
}

}  // namespace vggplan::render
