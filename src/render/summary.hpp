// SPDX-License-Identifier: MIT
// The answer in words, the same in text, Markdown and HTML.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "render/table.hpp"
#include "vggplan/render/render.hpp"

namespace vggplan::render {

enum class Tone { good, warn, bad };

struct Fact {
  std::string label{};
  std::string value{};
  std::string range{};  ///< how sure; may be empty
};

struct Summary {
  std::string subject{};  ///< "vgg16, 4024 x 3036, training"
  std::string machine{};  ///< "4 x NVIDIA A100 SXM4 80 GB"
  Tone tone{Tone::good};
  std::string verdict{};   ///< "Fits"
  std::string detail{};    ///< what follows the verdict: a sentence, or empty
  std::string settings{};  ///< "batch 4 per GPU (16 in all), amp-bf16, nhwc ..."
  std::vector<Fact> facts{};
};

/// `estimate`: an estimate report, or the recommendation of a plan.
Summary summarise_estimate(const Document& estimate);
/// A plan for which nothing fits.
Summary summarise_refusal(const Document& plan);

/// Heading of a refusal's remedies: whether it is memory that lacks, or a limit that is missed.
std::string remedies_title(const Document& plan);

std::string subject(const Document& job);
std::string machine_name(const Document& machine);
std::string settings(const Document& settings);  ///< of a job, a launch or an alternative

/// The warnings of a report, and of the recommendation inside a plan, each once.
std::vector<Document> all_warnings(const Document& report);

/// One part of the memory of a GPU. The parts follow each other and end at the usable memory, or past it.
struct MemoryPart {
  std::string label{};
  double bytes{};
  enum class Kind { category, cached, free } kind{Kind::category};
};
std::vector<MemoryPart> memory_parts(const Document& memory);

/// One part of a step's time.
struct TimePart {
  std::string label{};
  std::string key{};
  Document seconds{};
};
std::vector<TimePart> time_parts(const Document& time);

/// Key of what one turn of the training loop takes, input included; older reports have the GPU's step alone.
std::string_view whole_step(const Document& time);

/// "the GPU", "the data loader's workers" ... for time.bound_by.
std::string bound_by_words(const std::string& bound_by);

}  // namespace vggplan::render
