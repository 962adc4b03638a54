// SPDX-License-Identifier: MIT
#include "launch/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <vector>

#include "launch/gpu_names.hpp"
#include "vggplan/base/format.hpp"

namespace vggplan::launch {

namespace {

using report::Document;

std::int64_t number(const Document& part, const char* key) { return part.at(key).get<std::int64_t>(); }
std::string word(const Document& part, const char* key) { return part.at(key).get<std::string>(); }

/// For comments: a name from a file of the user's may hold anything.
std::string title(const Document& best) {
  const Document& job = best.at("job");
  const std::int64_t gpus = number(job, "gpu_count");
  const std::int64_t nodes = number(job, "nodes");
  return base::printable(fmt::format("{} at {} x {} on {} x {}{}", word(job, "model"), number(job, "height"),
                                     number(job, "width"), gpus,
                                     best.at("machine").value("gpu_title", word(best.at("machine"), "gpu")),
                                     nodes > 1 ? fmt::format(" in {} machines", nodes) : ""));
}

/// A name that every engine takes: that of dstack is the strictest, a letter, then at most 40 of a-z, 0-9 and dashes.
std::string run_name(const Document& job) {
  constexpr std::size_t kLongest = 24;  // of the model: the size has to fit in, too
  std::string name;
  for (const char c : word(job, "model")) {
    const auto byte = static_cast<unsigned char>(c);
    const bool kept = byte < 0x80 && std::isalnum(byte) != 0;
    name += kept                                 ? std::string(1, static_cast<char>(std::tolower(byte)))
            : name.empty() || name.back() == '-' ? ""
                                                 : "-";
  }
  name = name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0 ? "net-" + name : name;
  name.resize(std::min(name.size(), kLongest));
  name.resize(name.find_last_not_of('-') + 1);
  return fmt::format("{}-{}x{}", name, number(job, "height"), number(job, "width"));
}

std::int64_t whole_gib(double bytes) { return std::max<std::int64_t>(1, std::llround(std::ceil(bytes / (1U << 30U)))); }

/// What one machine has of something, by the user's word or the machine's record.
std::optional<std::int64_t> owned(const Document& best, const char* of_data, const char* of_machine) {
  const Document& data = best.at("job").at("data");
  const Document& machine = best.at("machine");
  if (data.contains(of_data)) {
    return number(data, of_data);
  }
  return machine.contains(of_machine) ? std::optional(number(machine, of_machine)) : std::nullopt;
}

/// A core for each worker and each training process, where there are as many.
std::int64_t cpus(const Document& best, std::int64_t gpus_per_node) {
  const std::int64_t wanted = number(best.at("launch"), "workers") + gpus_per_node;
  return std::min(wanted, owned(best, "cpus", "vcpus").value_or(wanted));
}

/// What processes on one machine hold, with a quarter above for what they read and write, where there is as much.
std::int64_t memory_gib(const Document& best) {
  constexpr double kMargin = 1.25;
  const double wanted = kMargin * best.at("input").at("host_memory_bytes").get<double>();
  const auto most = owned(best, "ram_bytes", "ram_bytes");
  return most ? std::max<std::int64_t>(1, std::min(whole_gib(wanted), *most >> 30U)) : whole_gib(wanted);
}

/// A limit for the whole run, as Slurm writes it: a quarter above the upper end of its range, and ten minutes to start
/// in. Nothing where the number of images is not known.
std::optional<std::string> time_limit(const Document& best) {
  constexpr double kMargin = 1.25;
  constexpr double kStartMinutes = 10;
  constexpr std::int64_t kHour = 60;
  constexpr std::int64_t kDay = 24 * kHour;
  constexpr double kMost = 365.0 * kDay;  // beyond what any queue gives
  if (!best.contains("run")) {
    return std::nullopt;
  }
  const double seconds = best.at("run").at("total_seconds").at("high").get<double>();
  const std::int64_t minutes = std::llround(std::ceil(std::min(kMost, kMargin * seconds / 60 + kStartMinutes)));
  return fmt::format("{}-{:02}:{:02}:00", minutes / kDay, minutes % kDay / kHour, minutes % kHour);
}

/// Data set and checkpoints, and 100 GB for the system, Python and PyTorch.
std::int64_t disk_gb(const Document& best) {
  return 100 + std::llround(std::ceil(best.at("storage").at("total_bytes").get<double>() / 1e9));
}

/// The settings of a recommendation that alternatives have, too, or those of an alternative; on whatever GPU.
Document settings_of(Document launch) {
  for (const char* key : {"gpu", "workers", "reserve_bytes", "command"}) {
    launch.erase(key);
  }
  return launch;
}

/// The recommended GPU, then those of alternatives that train by the same settings: SkyPilot takes the first that is to
/// be had.
std::string skypilot_accelerators(const Document& plan, const Document& launch, std::int64_t gpus_per_node) {
  const auto row_of = [&](const Document& settings) {
    return fmt::format("accelerators: {}:{}", skypilot_name(word(settings, "gpu")), gpus_per_node);
  };
  std::vector<std::string> ranked{row_of(launch)};
  for (const Document& alternative : plan.at("alternatives")) {
    const Document& other = alternative.at("settings");
    const std::string row = row_of(other);
    if (settings_of(launch) == settings_of(other) && std::ranges::find(ranked, row) == ranked.end()) {
      ranked.push_back(row);
    }
  }
  if (ranked.size() == 1) {
    return ranked.front();
  }
  std::string list = "ordered:";
  for (const std::string& row : ranked) {
    list += "\n  - " + row;
  }
  return list;
}

/// "A100:80GB:4": models that are sold with several memories have theirs in our name.
std::string dstack_gpu(const std::string& gpu, std::int64_t gpus_per_node) {
  const std::size_t dash = gpu.rfind('-');
  const std::string end = dash == std::string::npos ? "" : gpu.substr(dash + 1);
  const std::size_t digits = std::min(end.find_first_not_of("0123456789"), end.size());
  const std::string memory = digits > 0 && end.substr(digits) == "gb" ? ":" + end.substr(0, digits) + "GB" : "";
  return fmt::format("{}{}:{}", dstack_name(gpu), memory, gpus_per_node);
}

/// The minor version of PyTorch 2: 11 of "pytorch-2.11".
std::optional<int> torch_minor(std::string_view framework) {
  constexpr std::string_view kPrefix = "pytorch-2.";
  int minor = 0;
  const char* end = framework.data() + framework.size();
  if (!framework.starts_with(kPrefix)) {
    return std::nullopt;
  }
  const auto [stopped, error] = std::from_chars(framework.data() + kPrefix.size(), end, minor);
  return error == std::errc() && stopped == end && minor >= 0 && minor < 1000 ? std::optional(minor) : std::nullopt;
}

void add_framework(Values& values, const Document& job) {
  const std::optional<int> minor = torch_minor(word(job, "framework"));
  // Each torch 2.N has had its torchvision 0.(15 + N).
  values["TORCH_PIN"] = minor ? fmt::format("==2.{}.*", *minor) : "";
  values["VISION_PIN"] = minor ? fmt::format("==0.{}.*", 15 + *minor) : "";
  // Without an image the job takes that of its runtime.
  values["IMAGE"] =
      minor == 11 ? std::optional<std::string>("pytorch/pytorch:2.11.0-cuda13.0-cudnn9-runtime") : std::nullopt;
}

}  // namespace

Values values_of(const report::Document& plan) {
  const Document& best = plan.at("recommendation");
  const Document& launch = best.at("launch");
  const std::int64_t gpus = number(launch, "gpu_count");
  const std::int64_t nodes = number(launch, "nodes");
  const std::int64_t each = std::max<std::int64_t>(1, gpus / nodes);
  const std::string accelerators = skypilot_accelerators(plan, launch, each);
  Values values{
      {"TITLE", title(best)},
      {"NAME", run_name(best.at("job"))},
      {"GPUS", std::to_string(gpus)},
      {"NODES", std::to_string(nodes)},
      {"GPUS_PER_NODE", std::to_string(each)},
      {"CPUS", std::to_string(cpus(best, each))},
      {"MEMORY_GIB", std::to_string(memory_gib(best))},
      {"SHM_GIB", std::to_string(whole_gib(best.at("input").at("host_memory_bytes").get<double>()))},
      {"DISK_GB", std::to_string(disk_gb(best))},
      {"TIME", time_limit(best)},
      {"SKY_ACCELERATORS", accelerators},
      {"SKY_ANY_GPU", accelerators.starts_with("ordered") ? "--any-gpu " : ""},
      {"DSTACK_GPU", dstack_gpu(word(launch, "gpu"), each)},
      {"DISTRIBUTED_TYPE", gpus > 1 ? "MULTI_GPU" : "NO"},
  };
  add_framework(values, best.at("job"));
  return values;
}

}  // namespace vggplan::launch
