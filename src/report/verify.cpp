// SPDX-License-Identifier: MIT
// A plan against a run, component by component: totals may agree though their parts do not.

#include <algorithm>
#include <array>
#include <cmath>

#include "report/values.hpp"
#include "report/verify_hints.hpp"
#include "vggplan/base/ascii.hpp"
#include "vggplan/report/build.hpp"

namespace vggplan::report {

namespace {

std::string written(const Document& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

/// What the plan says of a setting of the run; null where it says nothing.
Document planned_setting(const Document& plan, const std::string& name) {
  const std::string key = name == "gpus" ? "gpu_count" : name;
  const Document none = Document::object();
  const Document& job = plan.at("job");
  const Document launch = plan.value("launch", none);
  for (const Document& part : {job, job.value("data", none), launch}) {
    if (part.contains(key) && !part.at(key).is_structured()) {
      return part.at(key);
    }
  }
  // Reports leave these out where nothing is frozen or compiled.
  const bool left_out = name == "freeze" || name == "freeze_norm" || name == "compile";
  return left_out ? Document("none") : Document();
}

/// "nvidia-a100-sxm4-80gb" has the word "a100", and "tesla v100-..." no "a100".
bool has_word(std::string_view text, std::string_view word) {
  const auto joins = [](char c) { return base::is_letter(c) || base::is_digit(c); };
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !joins(text[at - 1])) && (end == text.size() || !joins(text[end]))) {
      return true;
    }
  }
  return false;
}

/// Whether the driver's name is one for the chip that the catalogue's name begins with: "h200", "rtx-4090", "titan-v".
/// Of the forms only SXM goes without saying: "NVIDIA H100 PCIe", but "NVIDIA H100 80GB HBM3".
bool names_gpu(std::string_view driver_name, std::string_view gpu) {
  const std::string text = base::lower(driver_name);
  for (const std::string_view form : {"pcie", "nvl"}) {
    if (has_word(text, form) != has_word(gpu, form)) {
      return false;
    }
  }
  for (const std::string_view word : base::split(gpu, '-')) {
    if (word.find_first_of("0123456789") != std::string_view::npos) {
      return has_word(text, word);
    }
  }
  return has_word(text, gpu.substr(0, gpu.find('-')));
}

bool is_same(const std::string& name, const std::string& planned, const std::string& measured) {
  if (name == "gpu") {
    return names_gpu(measured, planned);
  }
  if (name == "gpu_memory_bytes") {
    // Driver, torch and nvidia-smi each keep back a little: 143771 MiB, 143156 MiB and 150.1 GB are one H200.
    constexpr double kShare = 0.03;
    const double theirs = std::strtod(measured.c_str(), nullptr);
    const double ours = std::strtod(planned.c_str(), nullptr);
    return std::abs(theirs - ours) <= kShare * ours;
  }
  return planned == measured;
}

Document differing_settings(const Document& plan, const runs::Run& run) {
  Document rows = Document::array();
  const Document& machine = plan.at("machine");
  for (const auto& [name, measured] : run.settings) {
    const Document planned = name == "gpu"                ? machine.at("gpu")
                             : name == "gpu_memory_bytes" ? machine.value("memory_total_bytes", Document())
                                                          : planned_setting(plan, name);
    if (!planned.is_null() && !is_same(name, written(planned), measured)) {
      rows.push_back({{"name", name}, {"planned", written(planned)}, {"measured", measured}});
    }
  }
  const bool planned_expandable = plan.at("job").value("expandable_segments", false);
  if (run.trace && run.trace->expandable_segments != planned_expandable) {
    rows.push_back({{"name", "expandable_segments"},
                    {"planned", planned_expandable ? "true" : "false"},
                    {"measured", planned_expandable ? "false" : "true"}});
  }
  return rows;
}

struct Range {
  double value{};
  double low{};
  double high{};
};

std::optional<Range> planned_range(const Document& plan, std::string_view section, std::string_view key) {
  const Document& part = plan.at(std::string(section));
  const auto found = part.find(std::string(key));
  if (found == part.end()) {
    return std::nullopt;
  }
  return Range{found->at("value").get<double>(), found->at("low").get<double>(), found->at("high").get<double>()};
}

/// Counted things stay integers.
Document number(double value, std::string_view unit) {
  return unit == "bytes" ? Document(static_cast<std::int64_t>(std::llround(value))) : plain(value);
}

Document component(std::string_view name, std::string_view unit, const Range& planned, double measured) {
  return {{"name", name},
          {"unit", unit},
          {"planned",
           {{"value", number(planned.value, unit)},
            {"low", number(planned.low, unit)},
            {"high", number(planned.high, unit)}}},
          {"measured", number(measured, unit)},
          {"inside", planned.low <= measured && measured <= planned.high}};
}

/// A component that the run tells of as a whole.
struct Whole {
  std::string_view name{};
  std::string_view unit{};
  std::string_view figure{};  ///< of the run
  std::string_view section{};
  std::string_view key{};  ///< of the plan
};
constexpr std::array kMemory{
    Whole{"allocated_peak", "bytes", "allocated_peak_bytes", "memory", "run_peak_bytes"},
    Whole{"reserved_peak", "bytes", "reserved_peak_bytes", "memory", "reserved_peak_bytes"},
    Whole{"device_memory", "bytes", "device_used_bytes", "memory", "device_used_bytes"},
};
constexpr std::array kTime{
    Whole{"forward", "seconds", "forward_seconds", "time", "forward_seconds"},
    Whole{"backward", "seconds", "backward_seconds", "time", "backward_seconds"},
    Whole{"optimizer", "seconds", "optimizer_seconds", "time", "optimizer_seconds"},
    Whole{"communication", "seconds", "communication_seconds", "time", "communication_seconds"},
    Whole{"exposed_input", "seconds", "data_wait_seconds", "time", "input_exposed_seconds"},
    Whole{"step", "seconds", "step_seconds", "time", "iteration_seconds"},
    Whole{"speed", "images_per_second", "images_per_second", "time", "images_per_second"},
};

/// A wait for images is lost in the step where it is shorter than what is not known of the step.
Range with_slack_of_step(Range exposed, const Document& plan) {
  const std::optional<Range> step = planned_range(plan, "time", "iteration_seconds");
  const double slack = step ? step->high - step->value : 0;
  return {exposed.value, std::max(0.0, exposed.low - slack), exposed.high + slack};
}

/// Later steps may hold more than the first two, and a short run does not come to them.
Range allocated_range(Range whole_run, const Document& plan) {
  const std::optional<Range> early = planned_range(plan, "memory", "allocated_peak_bytes");
  return {whole_run.value, std::min(whole_run.low, early ? early->low : whole_run.low), whole_run.high};
}

/// A run that was resumed has its optimizer state before the first step. No block that activations left behind can
/// hold that state then, so that at most its bytes are reserved beside what was planned.
Range reserved_range(Range planned, const Document& plan, const runs::Run& run) {
  const auto state = plan.at("memory").at("breakdown_at_peak").value("optimizer_state", 0.0);
  return {planned.value, planned.low, planned.high + (run.resumed ? state : 0.0)};
}

/// Where a phase waits for other GPUs is not planned, only how long all phases do: a phase may hold none of it, or all.
Range phase_range(Range planned, std::string_view phase, const Document& plan) {
  const std::string sharding = plan.at("job").value("sharding", std::string());
  const bool communicates = phase == "backward" || (phase == "forward" && sharding == "fsdp2") ||
                            (phase == "optimizer" && sharding == "zero1");
  for (const std::string_view wait : {"communication_exposed_seconds", "parallel_overhead_seconds"}) {
    const std::optional<Range> extra = communicates ? planned_range(plan, "time", wait) : std::nullopt;
    planned.high += extra ? extra->high : 0.0;
  }
  return planned;
}

/// A run that never waits for images, since it trains on one batch that stays, has the step of the GPU alone.
Range unfed(const Whole& row, Range step, const Document& plan) {
  if (row.name == "step") {
    return step;
  }
  const auto images = plan.at("job").value("global_batch", 0.0);
  return {images / step.value, images / step.high, images / step.low};
}

/// What a run as a whole was planned to take, as far as `run` can show it.
std::optional<Range> planned_whole(const Whole& row, const Document& plan, const runs::Run& run) {
  const std::optional<Range> planned = planned_range(plan, row.section, row.key);
  const std::optional<Range> step = planned_range(plan, "time", "step_seconds");
  if (!planned || !step) {
    return planned;
  }
  const bool fed = run.figures.contains("data_wait_seconds");
  const bool whole_step = row.name == "step" || row.name == "speed";
  if (row.name == "exposed_input") {
    return with_slack_of_step(*planned, plan);
  }
  if (row.name == "allocated_peak") {
    return allocated_range(*planned, plan);
  }
  if (row.name == "reserved_peak" || row.name == "device_memory") {
    return reserved_range(*planned, plan, run);
  }
  if (whole_step) {
    return !fed && step->low > 0 ? unfed(row, *step, plan) : *planned;
  }
  return phase_range(*planned, row.name, plan);
}

template <class Rows>
void add_wholes(Document& components, const Rows& rows, const Document& plan, const runs::Run& run) {
  for (const Whole& row : rows) {
    const auto measured = run.figures.find(row.figure);
    const std::optional<Range> planned = planned_whole(row, plan, run);
    if (measured == run.figures.end() || !planned) {
      continue;
    }
    components.push_back(component(row.name, row.unit, *planned, measured->second));
  }
}

/// Workspaces are the library's choice, and carry all that is not known of the peak; the rest is counted.
Range category_range(const runs::CategoryBytes& row, const Document& plan) {
  const auto bytes = static_cast<double>(row.planned);
  if (row.category != memory::Category::convolution_workspace) {
    return {bytes, bytes, bytes};
  }
  const Range peak = planned_range(plan, "memory", "run_peak_bytes").value_or(Range());
  return {bytes, std::max(0.0, bytes - (peak.value - peak.low)), bytes + (peak.high - peak.value)};
}

void add_categories(Document& components, const runs::Replay& replay, const Document& plan) {
  for (const runs::CategoryBytes& row : replay.at_peak) {
    components.push_back(component(base::name_of_enum(row.category), "bytes", category_range(row, plan),
                                   static_cast<double>(row.measured)));
  }
}

Document first_difference(const runs::Difference& difference) {
  const bool workspace = difference.kind == runs::Difference::Kind::workspace;
  const bool frees = difference.measured.value_or(0) < 0;
  return object_of({{"event", difference.event},
                    {"what", workspace ? "workspace"
                             : frees   ? "free"
                                       : "allocation"},
                    {"step", difference.step},
                    {"phase", base::name_of_enum(difference.phase)},
                    {"layer", plain(difference.layer)},
                    {"planned_bytes", plain(difference.planned)},
                    {"measured_bytes", plain(difference.measured)}});
}

Document components_of(const Document& plan, const runs::Run& run, const std::optional<runs::Replay>& replay) {
  Document components = Document::array();
  runs::Run told = run;
  if (replay) {
    add_categories(components, *replay, plan);
    if (replay->allocated_peak) {
      told.figures["allocated_peak_bytes"] = replay->allocated_peak->as_double();
    }
  }
  add_wholes(components, kMemory, plan, told);
  add_wholes(components, kTime, plan, told);
  return components;
}

}  // namespace

std::optional<double> slowdown(const Document& plan, const runs::Run& run) {
  double planned = 0;
  double measured = 0;
  const auto add = [&](std::string_view key, double seconds) {
    if (const std::optional<Range> range = planned_range(plan, "time", key)) {
      planned += range->value;
      measured += seconds;
    }
  };
  const bool several = planned_range(plan, "time", "communication_seconds").has_value();  // phases wait for other GPUs
  for (const std::string_view phase : {"forward_seconds", "backward_seconds", "optimizer_seconds"}) {
    if (const auto found = run.figures.find(phase); !several && found != run.figures.end()) {
      add(phase, found->second);
    }
  }
  if (const auto step = run.figures.find("step_seconds"); planned <= 0 && step != run.figures.end()) {
    const auto wait = run.figures.find("data_wait_seconds");
    add("step_seconds", step->second - (wait == run.figures.end() ? 0 : wait->second));
  }
  return planned > 0 && measured > 0 ? std::optional(measured / planned) : std::nullopt;
}

base::Bytes workspace_slack(const Document& plan) {
  const Range peak = planned_range(plan, "memory", "run_peak_bytes").value_or(Range());
  return base::Bytes(std::llround(peak.high - peak.value));
}

Document build_verify(const Document& plan, const runs::Run& run, const std::optional<runs::Replay>& replay) {
  Document settings = differing_settings(plan, run);
  const bool comparable = settings.empty();
  Document components = comparable ? components_of(plan, run, replay) : Document::array();
  add_hints(components, plan, run, replay);
  const bool inside = std::ranges::all_of(components, [](const Document& row) { return row.at("inside").get<bool>(); });
  Document report = start(Kind::verify, plan);
  add(report,
      {{"format", enum_name(run.format)},
       {"comparable", comparable},
       {"passed", comparable && inside},
       {"components", std::move(components)},
       {"settings", std::move(settings)},
       {"first_difference",
        comparable && replay && replay->first_difference ? first_difference(*replay->first_difference) : Document()},
       {"compared_events", comparable && replay && replay->aligned ? Document(replay->compared) : Document()},
       {"warnings", filled(run_warnings(plan, run, replay))}});
  return report;
}

}  // namespace vggplan::report
