// SPDX-License-Identifier: MIT
// Where the memory of a GPU and the time of a step go: parts that follow each other on one line.
#include <fmt/format.h>

#include <algorithm>

#include "render/figures.hpp"
#include "render/pages.hpp"

namespace vggplan::render {

namespace {

struct Part {
  std::string label{};
  double amount{};
  std::string range{};
  Bar::Kind kind{Bar::Kind::part};
};

/// Two parts or more that are less than `share` of `whole` as one: for those who did not ask for all.
std::vector<Part> without_crumbs(const std::vector<Part>& parts, double whole, double share) {
  std::vector<Part> kept;
  Part crumbs;
  std::size_t count = 0;
  for (const Part& part : parts) {
    const bool small = part.kind == Bar::Kind::part && part.amount < share * whole;
    crumbs.amount += small ? part.amount : 0;
    count += small ? 1 : 0;
    if (!small) {
      kept.push_back(part);
    }
  }
  if (count < 2) {
    return parts;
  }
  crumbs.label = fmt::format("{} smaller ones", count);
  const auto after = std::ranges::find_if(kept, [](const Part& part) { return part.kind != Bar::Kind::part; });
  kept.insert(after, crumbs);
  return kept;
}

double sum_of(const std::vector<Part>& parts) {
  double sum = 0;
  for (const Part& part : parts) {
    sum += part.amount;
  }
  return sum;
}

/// Each part behind the one before. Shares are of `whole`; the line is as long as the parts, or `whole` where that is
/// more.
std::vector<Bar> in_a_row(const std::vector<Part>& parts, double whole, std::string (*shown)(double)) {
  const double line = std::max(sum_of(parts), whole);
  std::vector<Bar> bars;
  double from = 0;
  for (const Part& part : parts) {
    const double to = from + part.amount;
    bars.push_back(
        {part.label, shown(part.amount), percent(part.amount / whole), part.range, from / line, to / line, part.kind});
    from = to;
  }
  return bars;
}

/// The parts of a GPU's memory. They end at the usable memory, or past it.
std::vector<Part> memory_parts(const Document& memory) {
  std::vector<Part> parts;
  for (const auto& [name, bytes] : memory.at("breakdown_at_peak").items()) {
    if (bytes != 0) {
      parts.push_back({words(name), number(bytes)});
    }
  }
  // A stable order: what is largest matters most, and the names decide between equals.
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.amount > b.amount; });
  const double allocated = sum_of(parts);
  const double reserved = std::max(number(memory.at("reserved_peak_bytes")), allocated);
  const double usable = number(memory.at("usable_bytes"));
  if (reserved > allocated) {
    parts.push_back({"cached by allocator", reserved - allocated, "", Bar::Kind::space});
  }
  if (usable > reserved) {
    parts.push_back({"free", usable - reserved, "", Bar::Kind::space});
  }
  return parts;
}

std::string device_line(const Document& memory) {
  // Reports before 1.1 have the peak of the first two steps alone.
  const Document& allocated = memory.at(has(memory, "run_peak_bytes") ? "run_peak_bytes" : "allocated_peak_bytes");
  return fmt::format("allocated {}, reserved {} ({}), on the device {} with the CUDA context",
                     figure("_bytes", allocated), figure("_bytes", memory.at("reserved_peak_bytes")),
                     memory.at("reserved_peak_bytes").at("basis").get<std::string>(),
                     figure("_bytes", memory.at("device_used_bytes")));
}

std::vector<Part> time_parts(const Document& time) {
  constexpr std::pair<const char*, const char*> kRows[] = {{"forward_seconds", "forward"},
                                                           {"backward_seconds", "backward"},
                                                           {"optimizer_seconds", "optimizer"},
                                                           {"communication_exposed_seconds", "communication, exposed"},
                                                           {"parallel_overhead_seconds", "parallel overhead"},
                                                           {"input_exposed_seconds", "images, exposed"}};
  std::vector<Part> parts;
  for (const auto& [key, label] : kRows) {
    if (has(time, key) && number(time.at(key)) > 0) {
      parts.push_back({label, number(time.at(key)), range("_seconds", time.at(key))});
    }
  }
  return parts;
}

/// What one turn of the training loop takes, input included; older reports have the GPU's step alone.
const char* whole_step(const Document& time) {
  return has(time, "iteration_seconds") ? "iteration_seconds" : "step_seconds";
}

std::string bound_by_words(const std::string& bound_by) {
  return bound_by == "gpu"       ? "the GPU"
         : bound_by == "host"    ? "the host"
         : bound_by == "workers" ? "the data loader's workers"
         : bound_by == "copy"    ? "the copy of images to the GPU"
                                 : bound_by;
}

std::string bound_line(const Document& time) {
  const double used = number(time.at("model_flops_utilization"));
  std::string bound = fmt::format("bound by {}; {} of the arithmetic peak is used",
                                  bound_by_words(time.at("bound_by").get<std::string>()), percent(used));
  constexpr double kMoreThanAll = 1.005;  // what is not shown as 100 %
  if (used > kMoreThanAll) {
    bound += ", more than all of it: Winograd multiplies less than the direct algorithm that is counted";
  }
  if (has(time, "communication_seconds")) {
    const double sent = number(time.at("communication_seconds"));
    const bool hidden = number(time.at("communication_exposed_seconds")) <= 0.5 * sent;
    bound += fmt::format("; {} of communication, {}", figure("_seconds", time.at("communication_seconds")),
                         hidden ? "most hidden behind backward" : "little of it hidden");
  }
  return bound;
}

/// A step has two times where images are late, and its parts take longer where the host does not keep up.
std::string other_times(const Document& time, double parts) {
  constexpr double kNoticed = 1.005;
  const std::string gpu = figure("_seconds", time.at("step_seconds"));
  const std::string all = figure("_seconds", time.at(whole_step(time)));
  std::string text = gpu == all ? "" : fmt::format("{} on the GPU, {} with what waiting for images adds", gpu, all);
  if (parts > kNoticed * number(time.at(whole_step(time)))) {
    // Phases are timed one by one from an idle GPU, steps back to back: short ones overlap with the host's work.
    text += (text.empty() ? "" : "; ");
    text += "phases are those of a step by itself, in a loop the host starts the next one ahead of time";
  }
  return text;
}

}  // namespace

Section memory_section(const Document& estimate) {
  constexpr double kSmall = 0.02;
  const Document& memory = estimate.at("memory");
  const double usable = number(memory.at("usable_bytes"));
  const std::vector<Part> parts = memory_parts(memory);
  Bars bars{{"at the peak", "bytes", "of usable", ""},
            in_a_row(parts, usable, binary_bytes),
            in_a_row(without_crumbs(parts, usable, kSmall), usable, binary_bytes)};
  if (const double more = sum_of(parts) - usable; more > 0) {
    const double limit = usable / (usable + more);
    for (std::vector<Bar>* rows : {&bars.rows, &bars.brief}) {
      rows->push_back(
          {"beyond the usable", binary_bytes(more), percent(more / usable), "", limit, limit, Bar::Kind::limit});
    }
  }
  Section section{"Memory of one GPU at its peak", {}, true, binary_bytes(usable) + " usable"};
  section.blocks.push_back({Depth::full, Chart{"memory", "Memory by category against the usable memory", 9}});
  section.blocks.push_back({Depth::likely, std::move(bars)});
  add_prose(section, device_line(memory), Depth::spare);
  return section;
}

Section time_section(const Document& estimate) {
  constexpr double kSmall = 0.05;
  const Document& time = estimate.at("time");
  const Fact step = fact("", whole_step(time), time);
  const std::vector<Part> parts = time_parts(time);
  const double whole = std::max(sum_of(parts), number(time.at(whole_step(time))));
  const auto seconds = [](double amount) { return figure("_seconds", amount); };
  Section section{"Time of one step", {}, true, step.value};
  section.title += estimate.at("memory").at("verdict") == "does-not-fit" ? ", if there were room" : "";
  section.title += time.at("forward_seconds").at("basis") == "modelled" ? ", not measured on this GPU" : "";
  section.right += step.range.empty() ? "" : " (" + step.range + ")";
  section.blocks.push_back({Depth::likely, Bars{{"part of a step", "time", "of the step", "range"},
                                                in_a_row(parts, whole, seconds),
                                                in_a_row(without_crumbs(parts, whole, kSmall), whole, seconds)}});
  add_prose(section, bound_line(time), Depth::spare);
  add_prose(section, other_times(time, sum_of(parts)), Depth::spare);
  return section;
}

}  // namespace vggplan::render
