// SPDX-License-Identifier: MIT
#include "render/summary.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "render/figures.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::render {

namespace {

std::string text_of(const Document& object, std::string_view key) {
  return object.at(std::string(key)).get<std::string>();
}

std::int64_t whole(const Document& object, std::string_view key) {
  return object.at(std::string(key)).get<std::int64_t>();
}

Fact fact(std::string label, std::string_view key, const Document& object) {
  const Document& value = object.at(std::string(key));
  return {std::move(label), figure(key, value), range(key, value)};
}

void describe_verdict(Summary& summary, const Document& memory) {
  const std::string verdict = text_of(memory, "verdict");
  if (verdict == "fits") {
    summary.tone = Tone::good;
    summary.verdict = "Fits";
    summary.detail = fmt::format("{} of {} usable per GPU stay free", binary_bytes(number(memory.at("headroom_bytes"))),
                                 binary_bytes(number(memory.at("usable_bytes"))));
  } else if (verdict == "fits-with-cache-flushes") {
    const std::int64_t flushes = whole(memory, "cache_flushes_per_step");
    summary.tone = Tone::warn;
    summary.verdict = "Fits only just";
    summary.detail =
        fmt::format("the allocator must flush its cache {} in every step, which is slow", base::format_times(flushes));
  } else {
    summary.tone = Tone::bad;
    summary.verdict = "Does not fit";
    if (has(memory, "shortfall")) {
      const Document& failed = memory.at("shortfall");
      const std::int64_t step = whole(failed, "step");
      summary.detail = fmt::format("{} short; the first allocation that fails asks for {} in {}{}{}",
                                   binary_bytes(-number(memory.at("headroom_bytes"))),
                                   binary_bytes(number(failed.at("requested_bytes"))), text_of(failed, "phase"),
                                   has(failed, "layer") ? " at " + text_of(failed, "layer") : "",
                                   step > 2 ? fmt::format(" of step {}", step) : "");
    }
  }
}

void add_run(std::vector<Fact>& facts, const Document& estimate) {
  if (!has(estimate, "run")) {
    return;
  }
  const Document& run = estimate.at("run");
  const std::int64_t epochs = whole(estimate.at("job").at("data"), "epochs");
  Fact total = fact("whole run", "total_seconds", run);
  total.value += epochs == 1 ? " (1 epoch)"
                             : fmt::format(" ({} epochs of {})", base::format_count(epochs),
                                           figure("epoch_seconds", run.at("epoch_seconds")));
  facts.push_back(std::move(total));
  if (has(run, "cost_usd")) {
    facts.push_back(fact("cost", "cost_usd", run));
  } else {
    facts.push_back(fact("GPU-hours", "gpu_hours", run));
  }
}

}  // namespace

std::string subject(const Document& job) {
  const std::int64_t channels = whole(job, "channels");
  return fmt::format("{} {} at {} x {}{}{}", text_of(job, "mode") == "train" ? "Training" : "Inference of",
                     text_of(job, "model"), whole(job, "height"), whole(job, "width"),
                     channels == 3 ? "" : fmt::format(" x {} channels", channels),
                     text_of(job, "head") == "adaptive" ? "" : fmt::format(", head {}", text_of(job, "head")));
}

std::string machine_name(const Document& machine) {
  const std::string gpu = has(machine, "gpu_title") ? text_of(machine, "gpu_title") : text_of(machine, "gpu");
  const std::int64_t count = whole(machine, "gpu_count");
  const std::int64_t nodes = has(machine, "nodes") ? whole(machine, "nodes") : 1;
  return fmt::format("{}{}{}{}", count == 1 ? "" : fmt::format("{} x ", count), gpu,
                     nodes == 1 ? "" : fmt::format(" in {} nodes", nodes),
                     has(machine, "name") ? fmt::format(" ({})", text_of(machine, "name")) : "");
}

std::string settings(const Document& settings) {
  const std::int64_t batch = whole(settings, "batch");
  const std::int64_t global = whole(settings, "global_batch");
  const std::int64_t accumulation = has(settings, "accumulation") ? whole(settings, "accumulation") : 1;
  std::string text = fmt::format("batch {}", batch);
  if (global != batch) {
    text += fmt::format(" per GPU{}, {} in all",
                        accumulation == 1 ? "" : fmt::format(" x {} micro-batches", accumulation), global);
  }
  text += fmt::format(", {}, {}", text_of(settings, "precision"), text_of(settings, "layout"));
  if (has(settings, "checkpointing")) {
    const std::string checkpointing = text_of(settings, "checkpointing");
    text += checkpointing == "none" ? ", no checkpointing" : ", checkpointing " + checkpointing;
  }
  if (has(settings, "sharding")) {
    text += ", " + text_of(settings, "sharding");
  }
  return text;
}

Summary summarise_estimate(const Document& estimate) {
  const Document& job = estimate.at("job");
  const Document& memory = estimate.at("memory");
  const Document& time = estimate.at("time");
  Summary summary;
  summary.subject = subject(job);
  summary.machine = machine_name(estimate.at("machine"));
  describe_verdict(summary, memory);
  summary.settings = settings(job);
  const bool runs = text_of(memory, "verdict") != "does-not-fit";
  summary.facts.push_back(fact(runs ? "memory per GPU" : "memory it would take", "reserved_peak_bytes", memory));
  summary.facts.back().value += fmt::format(" of {} usable", figure("usable_bytes", memory.at("usable_bytes")));
  if (runs) {
    summary.facts.push_back(fact("speed", "images_per_second", time));
    summary.facts.push_back(fact("one step", whole_step(time), time));
    add_run(summary.facts, estimate);
  }
  return summary;
}

Summary summarise_refusal(const Document& plan) {
  Summary summary;
  summary.subject = subject(plan.at("job"));
  summary.tone = Tone::bad;
  for (const Document& candidate : plan.at("candidates")) {
    summary.machine += (summary.machine.empty() ? "" : " or ") + machine_name(candidate);
  }
  const Document failure = plan.value("failure", Document::object());
  summary.verdict = failure.value("message", "No plan is possible");
  summary.detail = failure.value("detail", "");
  for (const Document& row : plan.at("rejected")) {
    if (row.at("reason") == failure.value("reason", "") && has(row, "nearest_miss_bytes")) {
      summary.facts.push_back(fact("nearest miss", "nearest_miss_bytes", row));
      summary.facts.back().value += has(row, "example") ? " short with " + text_of(row, "example") : " short";
    }
  }
  return summary;
}

std::string remedies_title(const Document& plan) {
  const std::string reason = plan.value("failure", Document::object()).value("reason", "memory");
  return reason.starts_with("memory") ? "What would make it fit" : "What would help";
}

std::vector<Document> all_warnings(const Document& report) {
  std::vector<Document> warnings;
  const auto add = [&](const Document& list) {
    for (const Document& warning : list) {
      if (std::find(warnings.begin(), warnings.end(), warning) == warnings.end()) {
        warnings.push_back(warning);
      }
    }
  };
  add(has(report, "warnings") ? report.at("warnings") : Document::array());
  if (has(report, "recommendation")) {
    add(report.at("recommendation").at("warnings"));
  }
  return warnings;
}

std::vector<MemoryPart> memory_parts(const Document& memory) {
  std::vector<MemoryPart> parts;
  double allocated = 0;
  for (const auto& [name, bytes_of_part] : memory.at("breakdown_at_peak").items()) {
    parts.push_back({words(name), number(bytes_of_part), MemoryPart::Kind::category});
    allocated += parts.back().bytes;
  }
  // A stable order: what is largest matters most, and the names decide between equals.
  std::stable_sort(parts.begin(), parts.end(),
                   [](const MemoryPart& a, const MemoryPart& b) { return a.bytes > b.bytes; });
  std::erase_if(parts, [](const MemoryPart& part) { return part.bytes == 0; });
  const double reserved = number(memory.at("reserved_peak_bytes"));
  if (reserved > allocated) {
    parts.push_back({"cached by allocator", reserved - allocated, MemoryPart::Kind::cached});
  }
  const double usable = number(memory.at("usable_bytes"));
  if (usable > std::max(reserved, allocated)) {
    parts.push_back({"free", usable - std::max(reserved, allocated), MemoryPart::Kind::free});
  }
  return parts;
}

std::vector<TimePart> time_parts(const Document& time) {
  struct Row {
    std::string_view key;
    std::string_view label;
  };
  constexpr Row kRows[] = {{"forward_seconds", "forward"},
                           {"backward_seconds", "backward"},
                           {"optimizer_seconds", "optimizer"},
                           {"communication_exposed_seconds", "communication, exposed"},
                           {"parallel_overhead_seconds", "parallel overhead"},
                           {"input_exposed_seconds", "images, exposed"}};
  std::vector<TimePart> parts;
  for (const Row& row : kRows) {
    if (has(time, row.key)) {
      parts.push_back({std::string(row.label), std::string(row.key), time.at(std::string(row.key))});
    }
  }
  return parts;
}

std::string_view whole_step(const Document& time) {
  return has(time, "iteration_seconds") ? "iteration_seconds" : "step_seconds";
}

std::string bound_by_words(const std::string& bound_by) {
  if (bound_by == "gpu") {
    return "the GPU";
  }
  if (bound_by == "workers") {
    return "the data loader's workers";
  }
  if (bound_by == "copy") {
    return "the copy of images to the GPU";
  }
  return bound_by;
}

}  // namespace vggplan::render
