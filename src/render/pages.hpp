// SPDX-License-Identifier: MIT
// From reports to pages, one builder for each kind. Reports are cleaned of control characters before.
#pragma once

#include <string>

#include "render/page.hpp"

namespace vggplan::render {

Page page_of(const Document& report);

/// Points of a sweep as the program writes them one by one, which `show` repeats: the one page that is not built whole.
std::string text_points(const Document& points, const TextOptions& options);

// What follows is shared by the builders.
Page estimate_page(const Document& report);
Page plan_page(const Document& report);
Page fit_page(const Document& report);
Page diff_page(const Document& report);
Page check_page(const Document& report);
Page verify_page(const Document& report);

std::string subject(const Document& job);           ///< "Training vgg16 at 4024 x 3036"
std::string machine_name(const Document& machine);  ///< "4 x NVIDIA A100 SXM4 80GB"
std::string settings(const Document& settings);     ///< of a job, a launch or an alternative
Fact fact(std::string label, std::string_view key, const Document& object);

/// `estimate`: an estimate report, or the recommendation of a plan.
Headline headline(const Document& estimate);
/// Whose figures are compared: of the new report. Those before 1.1 do not say.
void name_job(Headline& head, const Document& report);
/// Which price costs are reckoned with, and how old it is.
void add_price(std::vector<Fact>& facts, const Document& estimate);
Section memory_section(const Document& estimate);
Section time_section(const Document& estimate);
Section host_section(const Document& estimate);
/// Memory over a step, with other batches, and layers.
void add_details(Page& page, const Document& estimate);
/// Chart and table of the layers of a report, an estimate or a recommendation.
void add_layers(Section& section, const Document& holder, Depth depth);
/// What would help where a plan fails, or nothing fits.
Section remedies(const Document& report);
/// The warnings of a report, and of the recommendation inside a plan, each once.
void add_warnings(Page& page, const Document& report);
void add_assumptions(Page& page, const Document& report);

/// A section, unless it has no blocks.
void add(Page& page, Section section);
/// Facts or a list as the only block of a section; none where they are empty.
template <class Content>
std::vector<Block> block(Depth depth, Content content) {
  return content.empty() ? std::vector<Block>() : std::vector<Block>{{depth, std::move(content)}};
}
/// A section of a table, without blocks where that has no rows. What is not for the first screen is folded.
Section titled(std::string title, const Table& table, Depth depth = Depth::always);
void add_table(Section& section, const Table& table, Depth depth = Depth::always);
/// The same without what all rows share, which stands below it in a sentence.
void add_condensed(Section& section, const Table& table, Depth depth = Depth::always);
/// A paragraph, unless it is empty.
void add_prose(Section& section, std::string text, Depth depth = Depth::always);

}  // namespace vggplan::render
