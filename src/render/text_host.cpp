// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "render/figures.hpp"
#include "render/text_parts.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::render {

namespace {

std::string host_line(const Document& input) {
  const auto workers = input.at("workers").get<std::int64_t>();
  const auto needed = input.at("workers_needed").get<std::int64_t>();
  const double per_worker = number(input.at("decode_images_per_second_per_worker"));
  return fmt::format("{} for {}, {} needed at {} each", workers == 1 ? "1 worker" : fmt::format("{} workers", workers),
                     rate(number(input.at("images_per_second_needed")), "images/s"), needed,
                     rate(per_worker, "images/s"));
}

std::string decimal_size(const Document& object, const char* key) {
  return base::format_decimal_bytes(base::Bytes(object.at(key).get<std::int64_t>()));
}

/// What the GPUs take, and what the job's storage gives.
std::string reading(const Document& estimate) {
  const Document& storage = estimate.at("storage");
  const Document& data = estimate.at("job").at("data");
  std::string text = figure("bytes_per_second", storage.at("read_bytes_per_second"));
  text += has(data, "decoded_cache") ? " of decoded images"
                                     : fmt::format(", {} an image", decimal_size(storage, "bytes_per_image"));
  if (has(data, "storage") && has(storage, "profiles")) {
    const Document& profiles = storage.at("profiles");
    const auto chosen = std::find_if(profiles.begin(), profiles.end(),
                                     [&](const Document& profile) { return profile.at("name") == data.at("storage"); });
    if (chosen != profiles.end()) {
      text += fmt::format("; {} delivers {}", chosen->at("name").get<std::string>(),
                          figure("bytes_per_second", chosen->at("read_bytes_per_second")));
    }
  }
  return text;
}

}  // namespace

std::string text_host(const Document& estimate, const Style& style) {
  const Document& input = estimate.at("input");
  const Document& storage = estimate.at("storage");
  std::vector<Fact> facts;
  facts.push_back({"data loading", host_line(input), ""});
  facts.push_back({"host memory", figure("_bytes", input.at("host_memory_bytes")), ""});
  if (has(storage, "dataset_bytes")) {
    facts.push_back({"data set", decimal_size(storage, "dataset_bytes"), ""});
  }
  if (has(storage, "cache_bytes")) {
    facts.push_back({"decoded cache", decimal_size(storage, "cache_bytes"), ""});
  }
  if (has(storage, "checkpoint_bytes")) {
    const double one = number(storage.at("checkpoint_bytes"));
    const double all = number(storage.at("checkpoints_bytes"));
    facts.push_back({"checkpoints",
                     decimal_size(storage, "checkpoint_bytes") +
                         (all > one ? " each, " + decimal_size(storage, "checkpoints_bytes") + " kept" : ""),
                     ""});
  }
  facts.push_back({"reading", reading(estimate), ""});
  std::string text = heading(style, "Storage and host", decimal_size(storage, "total_bytes") + " to store");
  for (const Fact& fact : facts) {
    text += fact_line(style, fact, 13);
  }
  return text;
}

}  // namespace vggplan::render
