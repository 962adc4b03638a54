// SPDX-License-Identifier: MIT
// What plans of round numbers put into the files; the expectations are counted by hand.
#include <algorithm>

#include "support/catch.hpp"
#include "vggplan/launch/launch.hpp"

namespace vggplan::launch {
namespace {

using report::Document;

/// 2 machines of 8 GPUs, 16 workers and 20 GiB on each; 10 hours at most.
Document two_machines() {
  return Document::parse(R"({
    "job": {"mode": "train"},
    "recommendation": {
      "job": {"model": "vgg16", "height": 512, "width": 384, "gpu_count": 16, "nodes": 2, "framework": "pytorch-2.11",
              "data": {}},
      "machine": {"gpu": "a100-sxm4-80gb", "gpu_title": "NVIDIA A100 SXM4 80GB"},
      "input": {"host_memory_bytes": 21474836480},
      "storage": {"total_bytes": 49500000000},
      "run": {"total_seconds": {"value": 30000, "low": 20000, "high": 36000}},
      "launch": {"gpu": "a100-sxm4-80gb", "gpu_count": 16, "nodes": 2, "batch": 4, "global_batch": 64,
                 "precision": "tf32", "layout": "nchw", "workers": 16}
    },
    "alternatives": []
  })");
}

Document one_gpu() {
  Document plan = two_machines();
  Document& best = plan["recommendation"];
  best.erase("run");
  best["machine"] = {{"gpu", "t4"}};
  for (const char* part : {"job", "launch"}) {
    best[part]["gpu_count"] = best[part]["nodes"] = 1;
  }
  best["launch"]["gpu"] = "t4";
  best["launch"]["workers"] = 3;
  best["launch"]["global_batch"] = 4;
  return plan;
}

const File& file(const std::vector<File>& files, std::string_view name) {
  const auto found = std::ranges::find_if(files, [&](const File& row) { return row.name == name; });
  REQUIRE(found != files.end());
  return *found;
}

std::string text(const Document& plan, std::string_view name) { return file(run_folder(plan, {}), name).text; }

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

void check_lines(const std::string& text, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    INFO(line << "\nin\n" << text);
    CHECK(has_line(text, line));
  }
}

std::vector<std::string> names(const std::vector<File>& files) {
  std::vector<std::string> all;
  for (const File& row : files) {
    all.push_back(row.name);
  }
  return all;
}

TEST_CASE("the folder has a file for each engine, or that of one") {
  CHECK(names(run_folder(two_machines(), {})) ==
        std::vector<std::string>{"train.py", "settings.py", "run.sh", "job.sbatch", "trainjob.yaml", "sky.yaml",
                                 "dstack.yml", "accelerate.yaml", "requirements.txt", "README.md"});
  CHECK(names(run_folder(two_machines(), Engine::dstack)) ==
        std::vector<std::string>{"train.py", "settings.py", "dstack.yml", "requirements.txt", "README.md"});
  const std::string readme = file(run_folder(two_machines(), Engine::dstack), "README.md").text;
  CHECK(readme.find("dstack.yml") != std::string::npos);
  CHECK(readme.find("sbatch") == std::string::npos);
}

TEST_CASE("what is run by its name may be run, and nothing else") {
  for (const File& row : run_folder(two_machines(), {})) {
    INFO(row.name);
    CHECK(row.executable == (row.name == "run.sh" || row.name == "train.py"));
    CHECK((!row.executable || row.text.starts_with("#!")));
  }
}

TEST_CASE("Slurm gets nodes, GPUs, cores, memory and time of the plan") {
  const std::string job = text(two_machines(), "job.sbatch");
  check_lines(job, {"#SBATCH --job-name=vgg16-512x384", "#SBATCH --nodes=2", "#SBATCH --ntasks-per-node=1",
                    "#SBATCH --gres=gpu:8", "export SRUN_CPUS_PER_TASK=24",
                    "#SBATCH --cpus-per-task=24",   // 16 workers and 8 processes
                    "#SBATCH --mem=25G",            // 20 GiB and a quarter
                    "#SBATCH --time=0-12:40:00"});  // 10 h and a quarter, and 10 minutes
  CHECK(job.find("--nnodes 2 --nproc-per-node 8") != std::string::npos);
  CHECK(job.find("localhost") == std::string::npos);
  CHECK(job.find("hostname --ip") == std::string::npos);
}

TEST_CASE("a run whose time is not known gets no limit") {
  CHECK(text(one_gpu(), "job.sbatch").find("--time") == std::string::npos);
  CHECK(has_line(text(one_gpu(), "job.sbatch"), "#SBATCH --gres=gpu:1"));
}

TEST_CASE("a machine is not asked for more than it has") {
  Document plan = two_machines();
  plan["recommendation"]["machine"]["vcpus"] = 20;
  plan["recommendation"]["machine"]["ram_bytes"] = 24LL << 30U;
  check_lines(text(plan, "job.sbatch"), {"#SBATCH --cpus-per-task=20", "#SBATCH --mem=24G"});
  plan["recommendation"]["job"]["data"] = {{"cpus", 12}, {"ram_bytes", 22LL << 30U}};
  check_lines(text(plan, "job.sbatch"), {"#SBATCH --cpus-per-task=12", "#SBATCH --mem=22G"});
}

TEST_CASE("torchrun starts one machine by itself, and several at a place that is named") {
  const std::string one = text(one_gpu(), "run.sh");
  CHECK(one.find("torchrun --standalone --nproc-per-node 1 ") != std::string::npos);
  const std::string many = text(two_machines(), "run.sh");
  for (const std::string part : {"--nnodes 2", "--nproc-per-node 8", "--rdzv-id \"${RUN_ID:-vgg16-512x384}\"",
                                 "--rdzv-backend c10d", "--rdzv-endpoint \"$HEAD\"", "${HEAD:?"}) {
    INFO(part);
    CHECK(many.find(part) != std::string::npos);
    CHECK(one.find(part) == std::string::npos);
  }
}

TEST_CASE("the other engines get the same figures") {
  check_lines(text(two_machines(), "sky.yaml"),
              {"name: vgg16-512x384", "num_nodes: 2", "  accelerators: A100-80GB:8", "  cpus: 24+", "  memory: 25+",
               "  disk_size: 150"});  // 49.5 GB, and 100
  check_lines(text(two_machines(), "dstack.yml"), {"nodes: 2", "  gpu: A100:80GB:8", "  cpu: 24..", "  memory: 25GB..",
                                                   "  shm_size: 20GB", "  disk: 150GB.."});
  check_lines(text(one_gpu(), "dstack.yml"), {"  gpu: T4:1"});
  check_lines(text(two_machines(), "accelerate.yaml"),
              {"num_processes: 16", "distributed_type: 'MULTI_GPU'"});  // of all machines, unlike torchrun's
  check_lines(text(one_gpu(), "accelerate.yaml"), {"distributed_type: 'NO'"});
  const std::string kubernetes = text(two_machines(), "trainjob.yaml");
  check_lines(kubernetes, {"    numNodes: 2", "    numProcPerNode: 8", "        nvidia.com/gpu: 8", "        cpu: 24",
                           "        memory: 25Gi"});
  CHECK(kubernetes.find("emptyDir: {medium: Memory, sizeLimit: 20Gi}") != std::string::npos);
}

TEST_CASE("SkyPilot may take the GPU of an alternative that trains by the same settings") {
  Document plan = two_machines();
  Document same = plan["recommendation"]["launch"];
  same.erase("workers");
  const auto add = [&](const std::string& gpu, std::int64_t batch) {
    Document settings = same;
    settings["gpu"] = gpu;
    settings["batch"] = batch;
    plan["alternatives"].push_back({{"settings", settings}});
  };
  add("h100-sxm5-80gb", 4);
  add("l4", 2);              // another batch
  add("a100-pcie-80gb", 4);  // the same to SkyPilot
  add("v100-pcie-32gb", 4);
  CHECK(text(plan, "sky.yaml")
            .find("  ordered:\n"
                  "    - accelerators: A100-80GB:8\n"
                  "    - accelerators: H100:8\n"
                  "    - accelerators: V100-32GB:8\n"
                  "  cpus:") != std::string::npos);
}

TEST_CASE("only where SkyPilot has a choice, train.py takes any GPU") {
  Document plan = two_machines();
  CHECK(text(plan, "sky.yaml").find(" train.py $ARGUMENTS\n") != std::string::npos);
  Document other = plan["recommendation"]["launch"];
  other.erase("workers");
  other["gpu"] = "l4";
  plan["alternatives"].push_back({{"settings", other}});
  CHECK(text(plan, "sky.yaml").find(" train.py --any-gpu $ARGUMENTS\n") != std::string::npos);
}

TEST_CASE("names suit the strictest engine, whatever the model's file is called") {
  const auto named = [](const std::string& model) {
    Document plan = one_gpu();
    plan["recommendation"]["job"]["model"] = model;
    const std::string sky = text(plan, "sky.yaml");
    const std::size_t start = sky.find("\nname: ") + 7;
    return sky.substr(start, sky.find('\n', start) - start);
  };
  CHECK(named("unet-vgg16") == "unet-vgg16-512x384");
  CHECK(named("My_Net v2") == "my-net-v2-512x384");
  CHECK(named("3d") == "net-3d-512x384");
  CHECK(named("\xc3\xa9") == "net-512x384");
  CHECK(named(std::string(60, 'a')) == std::string(24, 'a') + "-512x384");
  CHECK(named(std::string(23, 'a') + "-b") == std::string(23, 'a') + "-512x384");
}

TEST_CASE("a stranger's plan cannot put lines of its own into what is run") {
  Document plan = one_gpu();
  plan["recommendation"]["job"]["model"] = "x\ntouch /tmp/owned; $(id) `id`";
  plan["recommendation"]["job"]["framework"] = "pytorch-2.11\nevil";
  plan["recommendation"]["machine"]["gpu_title"] = "y\r\nrm -rf ~";
  plan["recommendation"]["launch"]["gpu"] = "t4\nrun: evil";
  for (const File& row : run_folder(plan, {})) {
    INFO(row.name);
    for (const std::string start : {"touch", "rm -rf", "run: evil", "evil"}) {
      CHECK(row.text.find("\n" + start) == std::string::npos);
    }
  }
}

TEST_CASE("PyTorch is that of the plan, where it is one that we know") {
  CHECK(text(one_gpu(), "requirements.txt") == "torch==2.11.*\ntorchvision==0.26.*\n");
  Document plan = one_gpu();
  plan["recommendation"]["job"]["framework"] = "ours";
  CHECK(text(plan, "requirements.txt") == "torch\ntorchvision\n");
  CHECK(text(plan, "trainjob.yaml").find("image:") == std::string::npos);
}

}  // namespace
}  // namespace vggplan::launch
