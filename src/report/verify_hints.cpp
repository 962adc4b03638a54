// SPDX-License-Identifier: MIT
#include "report/verify_hints.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "vggplan/base/format.hpp"
#include "vggplan/base/units.hpp"

namespace vggplan::report {

namespace {

/// Boost comes and goes by some percent; below this share of the highest clock something holds the GPU back.
constexpr double kFullClock = 0.9;

double figure(const runs::Run& run, std::string_view name) {
  const auto found = run.figures.find(name);
  return found == run.figures.end() ? 0 : found->second;
}

std::string shown_bytes(double bytes) { return base::format_bytes(base::Bytes(static_cast<std::int64_t>(bytes))); }

bool clocks_are_low(const runs::Run& run) {
  const double most = figure(run, "sm_clock_most_mhz");
  const double clock = figure(run, "sm_clock_mhz");
  return most > 0 && clock > 0 && clock < kFullClock * most;
}

std::string clocks(const runs::Run& run) {
  return fmt::format("GPU clocks are lower: {:.0f} of {:.0f} MHz", figure(run, "sm_clock_mhz"),
                     figure(run, "sm_clock_most_mhz"));
}

/// What is known of a run when its components are judged.
class Hints {
 public:
  Hints(const Document& components, const Document& plan, const runs::Run& run,
        const std::optional<runs::Replay>& replay)
      : components_(components), plan_(plan), run_(run), replay_(replay) {}

  [[nodiscard]] std::string of(const Document& row) const {
    const std::string name = row.at("name").get<std::string>();
    const bool above = row.at("measured").get<double>() > row.at("planned").at("high").get<double>();
    if (name == "reserved_peak") {
      return reserved(above);
    }
    if (name == "device_memory") {
      return device(above);
    }
    if (row.at("unit") == "bytes") {
      return allocated();
    }
    if (name == "exposed_input") {
      return above ? workers() : "images came faster than planned";
    }
    if (name == "communication") {
      return above ? "the GPUs' network is slower than planned: NCCL_DEBUG=INFO tells which path it takes" : "";
    }
    return time(name, name == "speed" ? !above : above);
  }

 private:
  [[nodiscard]] bool is_above(std::string_view name) const {
    return std::ranges::any_of(components_, [&](const Document& row) {
      return row.at("name") == name && row.at("measured").get<double>() > row.at("planned").at("high").get<double>();
    });
  }

  [[nodiscard]] std::string allocated() const {
    if (!replay_) {
      return "a memory snapshot names the first allocation that differs";
    }
    if (!replay_->first_difference) {
      return "";
    }
    const runs::Difference& found = *replay_->first_difference;
    const std::string at = found.layer.empty() ? "" : " at " + found.layer;
    return found.kind == runs::Difference::Kind::workspace
               ? fmt::format("cuDNN took another plan{}", at)
               : fmt::format("the run asks for something else from {} on{}", base::name_of_enum(found.phase), at);
  }

  [[nodiscard]] std::string reserved(bool above) const {
    if (figure(run_, "allocation_retries") > 0) {
      return retries();
    }
    if (is_above("allocated_peak")) {
      return "more is allocated, too";
    }
    if (above && run_.resumed) {
      return "the run went on from a checkpoint: its optimizer state took memory before the first step";
    }
    return above ? "the allocator kept more blocks that fit nothing: expandable segments keep fewer" : "";
  }

  [[nodiscard]] std::string device(bool above) const {
    const double reserved = figure(run_, "reserved_peak_bytes");
    if (!above || is_above("reserved_peak")) {
      return above ? "more is reserved, too" : "samples may have missed the peak, or another process is shown";
    }
    const double measured = figure(run_, "device_used_bytes") - reserved;
    const Document& memory = plan_.at("memory");
    const double planned = memory.at("device_used_bytes").at("value").get<double>() -
                           memory.at("reserved_peak_bytes").at("value").get<double>();
    return reserved > 0 && measured > 0 ? fmt::format("context, NCCL and other processes hold {}, planned {}",
                                                      shown_bytes(measured), shown_bytes(planned))
                                        : "other processes may use the GPU, too";
  }

  [[nodiscard]] std::string retries() const {
    return fmt::format("allocation retries: the cache was flushed {}",
                       base::format_times(static_cast<std::int64_t>(figure(run_, "allocation_retries"))));
  }

  [[nodiscard]] std::string workers() const {
    const std::string bound = "workers bound the step";
    const auto input = plan_.find("input");
    return input == plan_.end()
               ? bound
               : fmt::format("{}: {} were planned to deliver {:.0f} images/s each", bound, input->at("workers").dump(),
                             input->at("decode_images_per_second_per_worker").get<double>());
  }

  [[nodiscard]] std::string time(std::string_view name, bool slower) const {
    if (!slower) {
      return "faster than modelled: vggplan calibrate fits the model to this GPU";
    }
    const bool whole = name == "step" || name == "speed";
    if (whole && is_above("exposed_input")) {
      return workers();
    }
    if (whole && is_above("communication")) {
      return "communication bounds the step";
    }
    if (figure(run_, "allocation_retries") > 0) {
      return retries();
    }
    return clocks_are_low(run_) ? clocks(run_)
                                : "look at clocks.sm in nvidia-smi; vggplan calibrate fits the model to this GPU";
  }

  const Document& components_;
  const Document& plan_;
  const runs::Run& run_;
  const std::optional<runs::Replay>& replay_;
};

Document warning(std::string code, std::string message, std::string hint) {
  return {{"code", std::move(code)}, {"message", std::move(message)}, {"hint", std::move(hint)}};
}

/// "pytorch-2.11" is of "2.11.0+cu130", and not of "2.1.0".
bool is_version(const std::string& framework, const std::string& torch) {
  const std::string version = framework.substr(framework.rfind('-') + 1);
  return torch == version || torch.starts_with(version + ".");
}

}  // namespace

void add_hints(Document& components, const Document& plan, const runs::Run& run,
               const std::optional<runs::Replay>& replay) {
  const Hints hints(components, plan, run, replay);
  for (Document& row : components) {
    const std::string hint = row.at("inside").get<bool>() ? "" : hints.of(row);
    if (!hint.empty()) {
      row["hint"] = hint;
    }
  }
}

Document run_warnings(const Document& plan, const runs::Run& run, const std::optional<runs::Replay>& replay) {
  Document warnings = Document::array();
  if (const double failed = figure(run, "out_of_memory"); failed > 0) {
    warnings.push_back(
        warning("out-of-memory",
                fmt::format("the run ran out of memory {}", base::format_times(static_cast<std::int64_t>(failed))),
                "vggplan plan --usable-memory SIZE plans for what is left by others"));
  }
  const std::int64_t planned = plan.at("memory").value("cache_flushes_per_step", std::int64_t{0});
  if (const double retries = figure(run, "allocation_retries"); retries > 0 && planned == 0) {
    warnings.push_back(warning("allocation-retries",
                               fmt::format("the allocator flushed its cache {}, and the plan has no flush",
                                           base::format_times(static_cast<std::int64_t>(retries))),
                               "each costs time; a smaller batch or --expandable-segments avoids them"));
  }
  if (clocks_are_low(run)) {
    warnings.push_back(
        warning("low-clocks", clocks(run), "nvidia-smi -q -d PERFORMANCE tells what holds the GPU back"));
  }
  const std::string framework = plan.at("job").value("framework", "");
  if (!run.torch.empty() && !framework.empty() && !is_version(framework, run.torch)) {
    warnings.push_back(
        warning("other-framework",
                fmt::format("the run had torch {}, and the plan is for {}", base::quoted(run.torch), framework),
                "workspaces and times may differ between versions"));
  }
  if (replay && !replay->aligned) {
    warnings.push_back(warning("late-history", "the history begins where nothing of the plan does",
                               "call torch.cuda.memory._record_memory_history() before the model is made"));
  }
  return warnings;
}

}  // namespace vggplan::report
