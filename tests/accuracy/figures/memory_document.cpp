// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "accuracy/figures/document.hpp"
#include "accuracy/figures/memory_figures.hpp"

namespace vggplan::accuracy {

namespace {

using Which = std::function<bool(const job::Job&)>;

constexpr double kGiB = 1073741824.0;

std::string percent(double share, int digits = 2) { return fmt::format("{:.{}f} %", 100 * share, digits); }

double in_gib(base::Bytes bytes) { return bytes.as_double() / kGiB; }

struct Group {
  std::string name{};
  Which holds{};
};

std::vector<Group> groups() {
  using job::Precision;
  const auto of = [](Precision precision, base::Layout layout) {
    return [=](const job::Job& job) { return job.precision == precision && job.layout == layout; };
  };
  std::vector<Group> all{{"all", [](const job::Job&) { return true; }}};
  for (const auto& precision : base::NameTable<Precision>::table) {
    if (precision.value != Precision::fp32) {
      for (const auto& layout : base::NameTable<base::Layout>::table) {
        all.push_back({fmt::format("{} {}", precision.name, layout.name), of(precision.value, layout.value)});
      }
    }
  }
  all.push_back(
      {"checkpointing", [](const job::Job& job) { return job.checkpointing.kind != job::Checkpointing::Kind::none; }});
  all.push_back({"batch norm", [](const job::Job& job) { return job.model.batch_norm; }});
  all.push_back({"optimizers but momentum foreach", [](const job::Job& job) {
                   return job.optimizer != job::Optimizer::momentum ||
                          job.optimizer_impl != job::OptimizerImpl::foreach;
                 }});
  all.push_back({"other heads, channels, classes", [](const job::Job& job) {
                   return job.head != graph::Head::adaptive || job.image.channels != 3 || job.classes != 1000;
                 }});
  all.push_back({"expandable segments", [](const job::Job& job) { return job.expandable_segments; }});
  all.push_back({"inference", [](const job::Job& job) { return job.mode == job::Mode::infer; }});
  return all;
}

/// Largest of the errors of phases, whichever phase it is.
double worst_phase(const Steps& steps) {
  double worst = 0;
  for (const Peak peak : {Peak::first_step, Peak::after_forward, Peak::forward, Peak::backward, Peak::optimizer}) {
    worst = std::max(worst, errors_of({&steps}, peak).worst());
  }
  return worst;
}

std::string table_by_setting(const Steps& steps) {
  std::string text =
      "| Setting | Steps | Allocated: median | worst | within 0.01 % | too low | Reserved: median | worst | within "
      "0.01 % | "
      "Phases: worst |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
  for (const Group& group : groups()) {
    Steps some;
    std::ranges::copy_if(steps, std::back_inserter(some), [&](const Step& step) { return group.holds(step.job); });
    const Errors allocated = errors_of({&some}, Peak::allocated);
    const Errors reserved = errors_of({&some}, Peak::reserved);
    if (allocated.count() > 0) {
      text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n", group.name, allocated.count(),
                          percent(allocated.median(), 4), percent(allocated.worst(), 3), allocated.within(1e-4),
                          allocated.under(), percent(reserved.median(), 4), percent(reserved.worst(), 1),
                          reserved.within(1e-4), percent(worst_phase(some), 2));
    }
  }
  return text;
}

struct Worst {
  std::string label{};
  MemoryCompared compared{};
};

std::vector<Worst> worst_of(Peak peak, std::size_t most) {
  std::vector<Worst> rows;
  for (const Steps* steps : {&fitted_peaks(), &other_peaks()}) {
    for (const Step& step : *steps) {
      if (!step.free_choice && step.peaks.count(peak) > 0) {
        rows.push_back({step.label, step.peaks.at(peak)});
      }
    }
  }
  std::ranges::stable_sort(
      rows, [](const Worst& a, const Worst& b) { return std::abs(a.compared.error()) > std::abs(b.compared.error()); });
  const auto same =
      std::unique(rows.begin(), rows.end(), [](const Worst& a, const Worst& b) { return a.label == b.label; });
  rows.erase(same, rows.end());
  rows.resize(std::min(rows.size(), most));
  return rows;
}

std::string worst_rows(Peak peak, std::size_t most) {
  std::string text = "| Step | Measured | Predicted | Error | In the range |\n|---|--:|--:|--:|---|\n";
  for (const Worst& row : worst_of(peak, most)) {
    text += fmt::format("| {} | {} | {} | {:+.3f} % | {} |\n", row.label, row.compared.measured.count(),
                        row.compared.predicted.value.count(), 100 * row.compared.error(),
                        row.compared.inside() ? "yes" : "no");
  }
  return text;
}

std::string share_in_range(Peak peak) {
  const Errors errors = errors_of({&fitted_peaks(), &other_peaks()}, peak);
  return fmt::format("{} of {}", errors.inside(), errors.count());
}

std::string free_choice_rows() {
  std::string text = "| Step | Measured GiB | Range GiB | |\n|---|--:|--:|---|\n";
  for (const Steps* steps : {&fitted_peaks(), &other_peaks()}) {
    for (const Step& step : *steps) {
      if (step.free_choice) {
        const MemoryCompared& peak = step.peaks.at(Peak::allocated);
        text += fmt::format("| {} | {:.2f} | {:.2f} to {:.2f} | {}{} |\n", step.label, in_gib(peak.measured),
                            in_gib(peak.predicted.low), in_gib(peak.predicted.high),
                            peak.inside() ? "inside" : "outside", step.fft ? ", FFT possible" : "");
      }
    }
  }
  const Errors errors = errors_of({&fitted_peaks(), &other_peaks()}, Peak::allocated, true);
  return fmt::format("{} of {} measured peaks are inside the range.\n\n", errors.inside(), errors.count()) + text;
}

std::string batch_rows() {
  std::string text = "| Job | Limit GiB | Measured | Predicted | without cache flushes |\n|---|--:|--:|--:|--:|\n";
  std::size_t exact = 0;
  for (const BatchCell& cell : batch_cells()) {
    exact += cell.hard == cell.measured ? 1U : 0U;
    text +=
        fmt::format("| {} | {} | {} | {} | {} |\n", cell.label, cell.limit_gib, cell.measured, cell.hard, cell.steady);
  }
  return fmt::format("{} of {} are exact.\n\n", exact, batch_cells().size()) + text;
}

std::string rank_rows(const std::string& file) {
  std::string text =
      "| Job | Rank | Measured GiB | Range GiB | Error of the range's nearer end |\n|---|--:|--:|--:|--:|\n";
  for (const RankPeak& rank : rank_peaks(file)) {
    const MemoryCompared& peak = rank.allocated;
    const double low = peak.predicted.low.as_double() / peak.measured.as_double() - 1;
    const double high = peak.predicted.high.as_double() / peak.measured.as_double() - 1;
    text += fmt::format("| {} | {} | {:.3f} | {:.3f} to {:.3f} | {:+.2f} % |\n", rank.label, rank.rank,
                        in_gib(peak.measured), in_gib(peak.predicted.low), in_gib(peak.predicted.high),
                        100 * (std::abs(low) < std::abs(high) ? low : high));
  }
  return text;
}

std::string other_tools() {
  std::string text =
      "| Step | Allocated, measured GiB | Reserved, measured GiB | torchinfo | MemTracker | vggplan, allocated | "
      "vggplan, reserved |\n"
      "|---|--:|--:|--:|--:|--:|--:|\n";
  for (const Steps* steps : {&fitted_peaks(), &other_peaks()}) {
    for (const Step& step : *steps) {
      const auto torchinfo = answer_of("torchinfo", step.label, "total");
      const auto mem_tracker = answer_of("memtracker", step.label, "total");
      if (!torchinfo && !mem_tracker) {
        continue;
      }
      const MemoryCompared& allocated = step.peaks.at(Peak::allocated);
      const MemoryCompared& reserved = step.peaks.at(Peak::reserved);
      const auto error = [&](const std::optional<double>& answer) {
        return answer ? fmt::format("{:+.1f} %", 100 * (*answer / allocated.measured.as_double() - 1))
                      : std::string("-");
      };
      text += fmt::format("| {} | {:.2f} | {:.2f} | {} | {} | {:+.3f} % | {:+.3f} % |\n", step.label,
                          in_gib(allocated.measured), in_gib(reserved.measured), error(torchinfo), error(mem_tracker),
                          100 * allocated.error(), 100 * reserved.error());
    }
  }
  return text;
}

std::string workspace_rows() {
  std::string text = "| Type and layout | Convolutions | Equal to 4 KiB | Within 1 % or 1 MiB |\n|---|--:|--:|--:|\n";
  for (const auto& [setting, share] : workspace_shares()) {
    const auto of = [rows = share.rows](std::size_t count) {
      return percent(static_cast<double>(count) / static_cast<double>(rows), 0);
    };
    text += fmt::format("| {} | {} | {} | {} |\n", setting, share.rows, of(share.equal), of(share.close));
  }
  return text;
}

}  // namespace

std::string memory_section() {
  std::string text = "## Memory of one GPU\n\n";
  text +=
      "Steps whose workspaces follow from rules: every precision but true fp32, without cudnn.benchmark. *Allocated* "
      "is\n"
      "`max_memory_allocated()` after two steps, *reserved* `max_memory_reserved()` of the whole run, *phases* the "
      "peaks of\n"
      "the first step, of forward, backward and optimizer, and what is allocated when forward is over. *Too low*: by "
      "more\n"
      "than 0.01 %, which is what runs repeat to.\n\n"
      "### Steps drawn at random over the whole interface\n\nNothing was fitted to them. 82 were read while the last "
      "rules of workspaces were "
      "made; 200 were measured and looked at after the last rule of memory: 188 of these are within 0.01 %, the others "
      "within 0.24 %. Allocated "
      "peaks are inside their ranges in all, reserved ones in 199.\n\n";
  text += table_by_setting(drawn_peaks());
  text += "\n### An earlier draw and networks of other channels, which were read while rules were made\n\n" +
          table_by_setting(earlier_peaks());
  text += "\n### Fitted steps\n\n";
  text += table_by_setting(fitted_peaks());
  text +=
      "\n### Other sizes, batches and settings\n\nNothing was fitted to `held_out_steps.jsonl`; some rules were "
      "refined "
      "after rows of\n`further_steps.jsonl`.\n\n";
  text += table_by_setting(other_peaks());
  text += "\n### An H100, for which no rule was made\n\n" + table_by_setting(h100_peaks());
  text += "\n### Worst steps\n\nAllocated:\n\n" + worst_rows(Peak::allocated, 8);
  text +=
      "\nReserved. Where one is off, a workspace was: a few MiB decide whether a cached block serves the next request, "
      "too.\n\n";
  text += fmt::format("{} measured reserved peaks are inside the predicted range, {} allocated ones.\n\n",
                      share_in_range(Peak::reserved), share_in_range(Peak::allocated));
  text += worst_rows(Peak::reserved, 12);
  text +=
      "\n### Where cuDNN is free to choose\n\nIn true fp32 cuDNN may choose FFT algorithms with workspaces of many "
      "times the "
      "activations, and\ncudnn.benchmark tries every plan once. The answer is a range. ";
  text += free_choice_rows();
  text += "\n### Workspaces of single convolutions\n\n" + workspace_rows();
  text += "\n## Largest batch under a limit\n\nThe allocator may reserve no more than the limit. " + batch_rows();
  text +=
      "\n## Memory on several GPUs\n\nUnder DDP the first bucket may or may not be gone when the rebuilt ones are "
      "made: a "
      "race, "
      "by one set of\ngradients (0.516 GiB). Under ZeRO-1 the answer is for the fullest rank; its range holds\nthe "
      "emptiest too, unless that is without the first bucket as well.\n\n";
  text += "Two GPUs:\n\n" + rank_rows("two_gpus.jsonl");
  text += "\nFour GPUs, which no rule was made with:\n\n" + rank_rows("four_gpus.jsonl");
  text +=
      "\n## Next to other tools\n\nErrors against the measured allocated peak; vggplan's second one against what was "
      "reserved.\n\n";
  text += other_tools();
  return text;
}

}  // namespace vggplan::accuracy
