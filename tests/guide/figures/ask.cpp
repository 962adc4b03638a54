// SPDX-License-Identifier: MIT
#include "guide/figures/ask.hpp"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <stdexcept>

#include "cli/fake_world.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::guide {

const std::vector<Card>& cards() {
  static const std::vector<Card> kCards{{"a100-sxm4-40gb", "A100 40 GB"},
                                        {"a100-sxm4-80gb", "A100 80 GB"},
                                        {"h100-sxm5-80gb", "H100 80 GB"},
                                        {"h200-sxm-141gb", "H200 141 GB"}};
  return kCards;
}

const json& ask(const std::string& arguments) {
  static std::map<std::string, json> known;
  const auto found = known.find(arguments);
  if (found != known.end()) {
    return found->second;
  }
  const test::Ran ran = test::run(arguments + " --json");
  if (ran.code > app::kNo) {
    throw std::runtime_error("vggplan " + arguments + ": " + ran.err);
  }
  return known.emplace(arguments, json::parse(ran.out)).first->second;
}

const json& plan_of(const std::string& gpu, int count) {
  return ask(fmt::format("plan {} --gpus {} --gpu-count {}", kSize, gpu, count));
}

void require(bool holds, const std::string& claim) {
  if (!holds) {
    throw std::runtime_error("the guide says what is no longer so, rewrite it: " + claim);
  }
}

double number(const json& quantity) {
  return quantity.is_object() ? quantity.at("value").get<double>() : quantity.get<double>();
}

double rate(const json& answer) { return number(answer.at("time").at("images_per_second")); }

std::string reserved(const json& answer) { return gib(number(answer.at("memory").at("reserved_peak_bytes"))); }

std::string gib(double bytes) { return base::format_bytes(base::Bytes(static_cast<std::int64_t>(bytes))); }

std::string gb(double bytes) { return base::format_decimal_bytes(base::Bytes(static_cast<std::int64_t>(bytes))); }

std::string digits(double value, int significant) {
  const int before = value < 1 ? 1 : static_cast<int>(std::floor(std::log10(value))) + 1;
  return fmt::format("{:.{}f}", value, std::max(0, significant - before));
}

std::string duration(double seconds) { return base::format_seconds(base::Seconds(seconds)); }

std::string settings(const json& launch) {
  std::string text = launch.at("precision").get<std::string>() + ", " + launch.at("layout").get<std::string>();
  if (launch.at("checkpointing") != "none") {
    text += ", checkpointing " + launch.at("checkpointing").get<std::string>();
  }
  return text;
}

Table::Table(const std::vector<std::string>& heads) {
  row(heads);
  text_ += "|";
  for (std::size_t i = 0; i < heads.size(); ++i) {
    text_ += i == 0 ? "---|" : "--:|";
  }
  text_ += "\n";
}

Table& Table::row(const std::vector<std::string>& cells) {
  text_ += "|";
  for (const std::string& cell : cells) {
    text_ += " " + cell + " |";
  }
  text_ += "\n";
  return *this;
}

}  // namespace vggplan::guide
