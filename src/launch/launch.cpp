// SPDX-License-Identifier: MIT
#include "vggplan/launch/launch.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "launch/templates.hpp"
#include "launch/values.hpp"

namespace vggplan::launch {

namespace {

using report::Document;

std::string_view text_of(std::string_view path) {
  for (const base::EmbeddedFile& file : template_files()) {
    if (file.path == path) {
      return file.text;
    }
  }
  throw std::logic_error("no template of this name");
}

/// The file that an engine starts from. With more than one machine, `on_nodes` is said of it, too.
struct Start {
  Engine engine{};
  std::string_view name{};
  std::string_view command{};  ///< with placeholders
  std::string_view on_nodes{};
};

constexpr std::array kStarts = std::to_array<Start>({
    {Engine::torchrun, "run.sh", "./run.sh --data IMAGES", "on each machine, with HEAD=NAME of one of them before it"},
    {Engine::slurm, "job.sbatch", "sbatch job.sbatch --data IMAGES", ""},
    {Engine::kubernetes, "trainjob.yaml",
     "kubectl create configmap @NAME@ --from-file=plan.json --from-file=train.py --from-file=settings.py && "
     "kubectl create -f trainjob.yaml",
     ""},
    {Engine::skypilot, "sky.yaml", "sky launch sky.yaml", ""},
    {Engine::dstack, "dstack.yml", "dstack apply -f dstack.yml", ""},
    {Engine::accelerate, "accelerate.yaml", "accelerate launch --config_file accelerate.yaml train.py --data IMAGES",
     "on each machine, with --main_process_ip HEAD --machine_rank N before train.py"},
});

std::string line_of(std::string_view text, const Values& values) {
  std::string line = fill(text, values);
  line.pop_back();
  return line;
}

}  // namespace

std::vector<File> run_folder(const Document& plan, std::optional<Engine> engine) {
  Values values = values_of(plan);
  const bool nodes = plan.at("recommendation").at("launch").at("nodes").get<std::int64_t>() > 1;
  std::vector<File> files{{"train.py", std::string(text_of("train.py")), "trains by it", true},
                          {"settings.py", std::string(text_of("settings.py")), "how it reads the plan", false}};
  std::string rows;
  for (const Start& start : kStarts) {
    if (engine && *engine != start.engine) {
      continue;
    }
    const std::string command = line_of(start.command, values);
    const std::string where = nodes && !start.on_nodes.empty() ? fmt::format(", {}", start.on_nodes) : "";
    const bool is_script = start.engine == Engine::torchrun;
    values["START"] = command + where;
    files.push_back({std::string(start.name), fill(text_of(is_script && nodes ? "run-nodes.sh" : start.name), values),
                     command + where, is_script});
    rows +=
        fmt::format("{}| {} | `{}`{} |", rows.empty() ? "" : "\n", base::name_of_enum(start.engine), command, where);
  }
  values["STARTS"] = rows;
  files.push_back({"requirements.txt", fill(text_of("requirements.txt"), values), "what pip installs for it", false});
  files.push_back({"README.md", fill(text_of("README.md"), values), "how to start it", false});
  return files;
}

}  // namespace vggplan::launch
