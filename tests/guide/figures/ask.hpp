// SPDX-License-Identifier: MIT
// Runs of the program, and their figures as text.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace vggplan::guide {

using nlohmann::json;

/// The job that the guide is about.
inline const std::string kSize = "--size 4024x3036";
inline constexpr double kImages = 4024;

/// A card that the guide has a row for.
struct Card {
  std::string name{};
  std::string title{};
};
const std::vector<Card>& cards();

/// The JSON report that `vggplan <arguments>` prints. Kept, for several sections ask the same.
const json& ask(const std::string& arguments);

/// The plan for so many GPUs of one model.
const json& plan_of(const std::string& gpu, int count);

/// What a sentence of the guide says besides its figures. Throws where it is no longer true.
void require(bool holds, const std::string& claim);

double number(const json& quantity);  ///< a plain number, or the value of an estimated one

double rate(const json& answer);           ///< images per second of an estimate or recommendation
std::string reserved(const json& answer);  ///< its peak, in GiB

std::string gib(double bytes);  ///< "18.67 GiB"
std::string gb(double bytes);   ///< "7.65 GB", decimal
std::string digits(double value, int significant);
std::string duration(double seconds);

/// "amp-bf16, nhwc, checkpointing block" of a report's settings.
std::string settings(const json& launch);

class Table {
 public:
  explicit Table(const std::vector<std::string>& heads);
  Table& row(const std::vector<std::string>& cells);
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_{};
};

}  // namespace vggplan::guide
