// SPDX-License-Identifier: MIT
// One job on one machine: the answer first, then where memory and time go, then what the host needs.
#include <fmt/format.h>

#include "render/figures.hpp"
#include "render/pages.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::render {

namespace {

std::int64_t whole(const Document& object, const char* key) { return object.at(key).get<std::int64_t>(); }

/// What PyTorch's error tells.
std::string out_of_memory(const Document& failed) {
  if (!has(failed, "tried_to_allocate_bytes")) {
    return "";  // a report of before
  }
  const auto bytes = [&](const char* key) { return binary_bytes(number(failed.at(key))); };
  return fmt::format("; it would say: tried to allocate {}, {} allocated, {} reserved, {} free",
                     bytes("tried_to_allocate_bytes"), bytes("allocated_bytes"), bytes("reserved_bytes"),
                     bytes("free_bytes"));
}

void describe_verdict(Headline& head, const Document& memory) {
  const std::string verdict = text_of(memory, "verdict");
  if (verdict == "fits") {
    head.tone = Tone::good;
    head.verdict = "Fits";
    head.detail = fmt::format("{} of {} usable per GPU stay free", binary_bytes(number(memory.at("headroom_bytes"))),
                              binary_bytes(number(memory.at("usable_bytes"))));
  } else if (verdict == "fits-with-cache-flushes") {
    const std::int64_t flushes = whole(memory, "cache_flushes_per_step");
    head.tone = Tone::warn;
    head.verdict = "Fits only just";
    head.detail =
        fmt::format("the allocator must flush its cache {} in every step, which is slow", base::format_times(flushes));
  } else {
    head.tone = Tone::bad;
    head.verdict = "Does not fit";
    if (has(memory, "shortfall")) {
      const Document& failed = memory.at("shortfall");
      const std::int64_t step = whole(failed, "step");
      head.detail = fmt::format("{} short; the first allocation that fails asks for {} in {}{}{}",
                                binary_bytes(-number(memory.at("headroom_bytes"))),
                                binary_bytes(number(failed.at("requested_bytes"))), text_of(failed, "phase"),
                                has(failed, "layer") ? " at " + text_of(failed, "layer") : "",
                                step > 2 ? fmt::format(" of step {}", step) : "");
      head.detail += out_of_memory(failed);
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
  facts.push_back(has(run, "cost_usd") ? fact("cost", "cost_usd", run) : fact("GPU-hours", "gpu_hours", run));
  if (has(run, "cost_usd")) {
    add_price(facts, estimate);
  }
}

std::string host_line(const Document& input) {
  const std::int64_t workers = whole(input, "workers");
  return fmt::format("{} for {}, {} needed at {} each", workers == 1 ? "1 worker" : fmt::format("{} workers", workers),
                     rate(number(input.at("images_per_second_needed")), "images/s"), whole(input, "workers_needed"),
                     rate(number(input.at("decode_images_per_second_per_worker")), "images/s"));
}

std::string decimal_size(const Document& object, const char* key) {
  return base::format_decimal_bytes(base::Bytes(whole(object, key)));
}

/// What the GPUs take, and what the job's storage gives.
std::string reading(const Document& estimate) {
  const Document& storage = estimate.at("storage");
  const Document& data = estimate.at("job").at("data");
  std::string text = figure("bytes_per_second", storage.at("read_bytes_per_second"));
  text += has(data, "decoded_cache") ? " of decoded images"
                                     : fmt::format(", {} an image", decimal_size(storage, "bytes_per_image"));
  for (const Document& offer : storage.value("profiles", Document::array())) {
    if (has(data, "storage") && offer.at("name") == data.at("storage")) {
      text += fmt::format("; {} delivers {}", text_of(offer, "name"),
                          figure("bytes_per_second", offer.at("read_bytes_per_second")));
    }
  }
  return text;
}

/// Where a day was given to tell it by.
std::string age_of(const Document& price) {
  if (!has(price, "age_days")) {
    return "";
  }
  const std::string least = has(price, "age_days_least") ? fmt::format("{} to ", whole(price, "age_days_least")) : "";
  const std::string today = has(price, "today") ? " on " + text_of(price, "today") : "";
  return fmt::format(", {}{} days old{}", least, whole(price, "age_days"), today);
}

}  // namespace

void add_price(std::vector<Fact>& facts, const Document& estimate) {
  if (!has(estimate, "price")) {
    return;
  }
  const Document& price = estimate.at("price");
  const auto whose = [&] {
    if (text_of(price, "source") == "--price") {
      return text_of(price, "of") + ", yours";
    }
    const std::string region = has(price, "region") ? " in " + text_of(price, "region") : "";
    const std::string kind = price.at("spot").get<bool>() ? "spot" : "on demand";
    const std::string date = has(price, "date") ? "as of " + text_of(price, "date") : "of unknown date";
    return fmt::format("{}{}, {}, {}{}", text_of(price, "of"), region, kind, date, age_of(price));
  };
  facts.push_back({"price", figure("usd_per_hour", price.at("usd_per_hour")) + " an hour", whose()});
}

Fact fact(std::string label, std::string_view key, const Document& object) {
  const Document& value = object.at(std::string(key));
  return {std::move(label), figure(key, value), range(key, value)};
}

namespace {

std::string smaller_sizes(const Document& job) {
  if (!has(job, "sizes")) {
    return "";
  }
  const std::string sizes = text_of(job, "sizes");
  const auto smaller = std::count(sizes.begin(), sizes.end(), ',');
  return fmt::format(" and {} smaller size{}", smaller, smaller == 1 ? "" : "s");
}

}  // namespace

std::string subject(const Document& job) {
  const std::int64_t channels = whole(job, "channels");
  return fmt::format("{} {} at {} x {}{}{}{}", text_of(job, "mode") == "train" ? "Training" : "Inference of",
                     text_of(job, "model"), whole(job, "height"), whole(job, "width"), smaller_sizes(job),
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
  if (has(settings, "compile")) {
    text += ", compile " + text_of(settings, "compile");
  }
  if (has(settings, "sharding")) {
    text += ", " + text_of(settings, "sharding");
  }
  return text;
}

Headline headline(const Document& estimate) {
  const Document& memory = estimate.at("memory");
  Headline head;
  head.title = subject(estimate.at("job"));
  head.on = machine_name(estimate.at("machine"));
  head.settings = settings(estimate.at("job"));
  describe_verdict(head, memory);
  const bool runs = head.tone != Tone::bad;
  head.facts.push_back(fact(runs ? "memory per GPU" : "memory it would take", "reserved_peak_bytes", memory));
  head.facts.back().value += fmt::format(" of {} usable", figure("usable_bytes", memory.at("usable_bytes")));
  if (runs) {
    head.facts.push_back(fact("speed", "images_per_second", estimate.at("time")));
    add_run(head.facts, estimate);
  }
  return head;
}

Section host_section(const Document& estimate) {
  const Document& input = estimate.at("input");
  const Document& storage = estimate.at("storage");
  Facts facts;
  facts.rows.push_back({"data loading", host_line(input), ""});
  facts.rows.push_back(fact("host memory", "host_memory_bytes", input));
  if (has(storage, "dataset_bytes")) {
    facts.rows.push_back({"data set", decimal_size(storage, "dataset_bytes"), ""});
  }
  if (has(storage, "cache_bytes")) {
    facts.rows.push_back({"decoded cache", decimal_size(storage, "cache_bytes"), ""});
  }
  if (has(storage, "checkpoint_bytes")) {
    const bool several = number(storage.at("checkpoints_bytes")) > number(storage.at("checkpoint_bytes"));
    const std::string all = several ? " each, " + decimal_size(storage, "checkpoints_bytes") + " kept" : "";
    facts.rows.push_back({"checkpoints", decimal_size(storage, "checkpoint_bytes") + all, ""});
  }
  facts.rows.push_back({"reading", reading(estimate), ""});
  return {"Storage and host", {{Depth::spare, facts}}, true, decimal_size(storage, "total_bytes") + " to store"};
}

void add_details(Page& page, const Document& estimate) {
  const Document& memory = estimate.at("memory");
  Section phases{"Memory over one step", {}, true, ""};
  if (has(memory, "timeline") && !memory.at("timeline").empty()) {
    phases.blocks.push_back(
        {Depth::full,
         Chart{"timeline", "Memory by category over the allocations of the first step and of a later one"}});
  }
  Facts peaks;
  for (const auto& [name, peak] : memory.at("phases").items()) {
    peaks.rows.push_back({"peak in " + words(name), figure("_bytes", peak), range("_bytes", peak)});
  }
  phases.blocks.push_back({Depth::full, std::move(peaks)});
  add(page, std::move(phases));
  if (has(estimate, "by_batch")) {
    Section batches{"Memory and speed by batch", {}, true, ""};
    batches.blocks.push_back({Depth::full, Chart{"batch", "Memory reserved and images per second by batch"}});
    add_table(batches, by_batch_table(estimate), Depth::full);
    add(page, std::move(batches));
  }
  if (has(estimate, "layers")) {
    Section layers{"Layers", {}, true, ""};
    add_layers(layers, estimate, Depth::full);
    add(page, std::move(layers));
  }
}

Page estimate_page(const Document& report) {
  Page page{headline(report), {}};
  add(page, memory_section(report));
  add(page, time_section(report));
  add_warnings(page, report);
  add(page, host_section(report));
  add_details(page, report);
  add_assumptions(page, report);
  return page;
}

}  // namespace vggplan::render
