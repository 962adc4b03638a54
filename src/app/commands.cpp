// SPDX-License-Identifier: MIT
// What each command takes, and examples. The examples are run by a test.
#include <algorithm>
#include <array>

#include "app/flags.hpp"
#include "app/run.hpp"
#include "vggplan/catalog/catalog.hpp"

namespace vggplan::app {

std::vector<std::string> known_gpus() {
  std::vector<std::string> names = catalog::Catalog::built_in().gpu_names();
  for (const catalog::GpuAlias& alias : catalog::gpu_aliases()) {
    names.emplace_back(alias.alias);
  }
  return names;
}

std::vector<std::string> known_machines() { return catalog::Catalog::built_in().machine_names(); }
std::vector<std::string> known_models() { return catalog::Catalog::built_in().model_names(); }

std::vector<std::string> known_schemas() {
  constexpr std::string_view kEnding = ".schema";
  std::vector<std::string> names = catalog::Catalog::built_in().names("schema");
  for (std::string& name : names) {
    name.resize(name.ends_with(kEnding) ? name.size() - kEnding.size() : name.size());
  }
  return names;
}

std::vector<std::string> known_shells() { return {"bash", "zsh", "fish"}; }

std::span<const CommandInfo> commands() {
  static const std::array kCommands = std::to_array<CommandInfo>({
      {{Command::plan, run_plan, "recommend GPUs, batch and settings (the default command)"},
       {{"--height 4024 --width 3036 --gpus a100x4", "the best way to train VGG16 on four A100"},
        {"--size 1024x1024 --gpus any --objective cheapest --images 100000 --epochs 30",
         "the cheapest GPUs for a whole run"},
        {"--size 4024x3036 --gpus a100x8,h100x4 --format html --output plan.html", "a page with charts"}}},
      {{Command::estimate, run_estimate, "memory and time of one job on one machine"},
       {{"estimate --size 1024x1024 --gpu h200 --batch 8", "memory and time of one job"},
        {"estimate --size 4024x3036 --gpus a100x4 --precision amp-bf16 --layout nhwc --json", "the same as JSON"}}},
      {{Command::fit, run_fit, "the largest batch and image that a card holds"},
       {{"fit --size 224 --gpus 8GB", "the largest batch and image on 8 GB"}}},
      {{Command::layers, run_layers, "parameters, work, memory and time layer by layer"},
       {{"layers --model vgg19_bn --size 512x512", "the network, layer by layer"}}},
      {{Command::sweep, run_sweep, "one estimate for each combination of values"},
       {{"sweep --gpu h100 --size 1024x1024 --sweep batch=1,2,4,8 --sweep precision=tf32,amp-bf16", "a table"},
        {"sweep --gpu h100 --width 1024 --sweep height=512:2048:512 --format csv", "the same as CSV"}}},
      {{Command::gpus, run_catalogue, "the GPUs that are known, with sources", "[NAME]", 0, 1},
       {{"gpus", "all GPUs"}, {"gpus a100", "one of them, with sources"}},
       known_gpus},
      {{Command::machines, run_catalogue, "the machines and cloud instances that are known", "[NAME]", 0, 1},
       {{"machines p4d.24xlarge", "one cloud instance, with sources"}},
       known_machines},
      {{Command::models, run_catalogue, "the models that are known", "[NAME|FILE]", 0, 1},
       {{"models", "all models"}, {"models net.onnx", "what is read of a file"}},
       known_models},
      {{Command::show, run_show, "a saved report in another format", "REPORT.json", 1, 1},
       {{"show report.json --format markdown", "a saved report for a comment"}}},
      {{Command::diff, run_diff, "what differs between two saved reports", "OLD.json NEW.json", 2, 2},
       {{"diff old.json new.json", "what changed, and by how much"}}},
      {{Command::check, run_check, "hold a saved report against a budget, for CI", "REPORT.json", 1, 1},
       {{"check new.json --against old.json", "exit code 1 where memory or time grew by more than 5 %"},
        {"check new.json --budget budget.toml --format markdown", "the limits of a file, for a comment"}}},
      {{Command::launch, run_launch, "a folder that trains by a plan, on Slurm, Kubernetes and others", "[PLAN.json]",
        0, 1},
       {{"launch --size 1024x1024 --gpus a100x4 --output run",
         "plans, and writes what trains so: run/README.md tells more"},
        {"launch plan.json --engine slurm --output job", "a saved plan (plan --json), for sbatch"}}},
      {{Command::verify, run_verify, "hold a plan against a run of it", "PLAN.json RUN", 2, 2},
       {{"verify plan.json run.jsonl", "what train.py wrote; exit code 1 outside, 2 where settings differ"},
        {"verify plan.json stats.json", "json.dump(torch.cuda.memory_stats(), file)"},
        {"verify plan.json snapshot.pickle", "torch.cuda.memory._dump_snapshot: the first allocation that differs"},
        {"verify plan.json smi.csv --json", "nvidia-smi --query-gpu=memory.used --format=csv -l 1"}}},
      {{Command::calibrate, run_calibrate, "fit the time model to measurements of a GPU", "MEASUREMENTS.jsonl ...", 1,
        1000},
       {{"calibrate measurements.jsonl --gpu a100 --output a100.json",
         "from rows of scripts/measure.py; use it with --calibration a100.json"}}},
      {{Command::schema, run_schema, "the JSON Schema of the reports and of the data files", "[NAME]", 0, 1},
       {{"schema report", "the JSON Schema of all reports"}},
       known_schemas},
      {{Command::completion, run_completion, "completion for bash, zsh or fish", "SHELL", 1, 1},
       {{"completion bash", "for ~/.bashrc: source <(vggplan completion bash)"}},
       known_shells},
      {{Command::man, run_man, "the manual page"}, {{"man", "troff, for man -l"}}},
  });
  return kCommands;
}

const CommandInfo& info(Command command) { return *std::ranges::find(commands(), command, &CommandInfo::command); }

}  // namespace vggplan::app
