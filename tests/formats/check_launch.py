#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run folders read by readers that are not ours: check_launch.py VGGPLAN. YAML by PyYAML, held to closed schemas of what
the engines document; TrainJob to the schema of its CRD as well; scripts by bash and, where it is, shellcheck."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import jsonschema
import yaml

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "schemas"
# What is asked, and what every engine has to be told: machines, GPUs of one, the name.
PLANS = {
    "one GPU": ("--size 512x512 --gpus l4 --reserve 10%", 1, 1, "vgg16-512x512"),
    "four GPUs": ("--size 4024x3036 --gpu a100 --gpu-count 4 --images 50000 --epochs 30", 1, 4, "vgg16-4024x3036"),
    "two machines": ("--size 4024x3036 --gpu h100 --gpu-count 16 --nodes 2 --batch 1 --layout nhwc --checkpointing block",
                     2, 8, "vgg16-4024x3036"),
    "sharded": ("--size 1024x768 --gpu h200 --gpu-count 2 --sharding fsdp2 --accumulation 2 --checkpointing block "
                "--model vgg19_bn", 1, 2, "vgg19-bn-1024x768"),
    "alternatives": ("--size 1024x1024 --gpus a100x4,h100x4 --batch 4 --precision amp-bf16 --layout nhwc "
                     "--checkpointing none", 1, 4, "vgg16-1024x1024"),
}


def closed(properties, required=None):
    return {"type": "object", "additionalProperties": False, "properties": properties,
            "required": list(properties) if required is None else required}


NAME = {"type": "string", "pattern": "^[a-z][a-z0-9-]{1,40}$"}  # dstack's rule, the strictest
TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 1}
AT_LEAST = {"type": "string", "pattern": r"^[1-9][0-9]*\+$"}
ACCELERATOR = {"type": "string", "pattern": r"^[A-Z][A-Za-z0-9-]*:[1-9][0-9]*$"}
# docs.skypilot.co/en/latest/reference/yaml-spec.html, 2026-11
SKYPILOT = closed({
    "name": NAME, "num_nodes": COUNT, "workdir": TEXT, "setup": TEXT, "run": TEXT, "envs": {"type": "object"},
    "resources": closed({
        "accelerators": ACCELERATOR, "cpus": AT_LEAST, "memory": AT_LEAST, "disk_size": COUNT,
        "ordered": {"type": "array", "minItems": 2, "items": closed({"accelerators": ACCELERATOR})},
    }, ["cpus", "memory", "disk_size"]),
})
# dstack.ai/docs/reference/dstack.yml/task, 0.21
DSTACK = closed({
    "type": {"const": "task"}, "name": NAME, "nodes": COUNT, "python": {"enum": ["3.10", "3.11", "3.12", "3.13"]},
    "files": {"type": "array", "items": {"type": "string", "pattern": "^[^:]+:/[^:]+$"}},
    "env": {"type": "array", "items": {"type": "string", "pattern": "^[A-Z]+=.*$"}},
    "commands": {"type": "array", "minItems": 1, "items": TEXT},
    "resources": closed({
        "gpu": {"type": "string", "pattern": "^[A-Z][A-Za-z0-9]*(:[0-9]+GB)?:[1-9][0-9]*$"},
        "cpu": {"type": "string", "pattern": r"^[1-9][0-9]*\.\.$"},
        "memory": {"type": "string", "pattern": r"^[1-9][0-9]*GB\.\.$"},
        "shm_size": {"type": "string", "pattern": "^[1-9][0-9]*GB$"},
        "disk": {"type": "string", "pattern": r"^[1-9][0-9]*GB\.\.$"},
    }),
})
# The fields of ClusterConfig in accelerate/commands/config/config_args.py, 1.14: others stop the launch.
ACCELERATE = closed({
    "compute_environment": {"const": "LOCAL_MACHINE"}, "distributed_type": {"enum": ["NO", "MULTI_GPU"]},
    "num_machines": COUNT, "num_processes": COUNT, "machine_rank": {"const": 0}, "main_process_port": COUNT,
    "rdzv_backend": {"const": "static"}, "same_network": {"const": True}, "mixed_precision": {"const": "no"},
    "use_cpu": {"const": False},
})


class Strict(yaml.SafeLoader):
    """YAML without keys that are given twice."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise yaml.YAMLError(f"a key is given twice among {keys}")
        return super().construct_mapping(node, deep)


def check_folder(folder, nodes, each, name):
    """What is wrong with a run folder of so many machines and GPUs of each."""
    wrong = []

    def expect(what, found, expected):
        if found != expected:
            wrong.append(f"{what} is {found!r}, not {expected!r}")

    def document(file, schema):
        data = yaml.load((folder / file).read_text(encoding="utf-8"), Strict)  # a SafeLoader
        for error in jsonschema.Draft7Validator(schema).iter_errors(data):
            wrong.append(f"{file}: {'/'.join(map(str, error.path))}: {error.message[:100]}")
        return data

    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    best = plan["recommendation"]
    expect("gpu_count", best["launch"]["gpu_count"], nodes * each)
    cpus = best["launch"]["workers"] + each
    shm = -(-best["input"]["host_memory_bytes"] // 2**30)

    job = document("trainjob.yaml", json.loads((DATA / "trainjob.schema.json").read_text(encoding="utf-8")))
    trainer = job["spec"]["trainer"]
    expect("TrainJob's name", job["metadata"]["name"], name)
    expect("numNodes", trainer["numNodes"], nodes)
    expect("numProcPerNode", trainer["numProcPerNode"], each)
    expect("nvidia.com/gpu", trainer["resourcesPerNode"]["limits"]["nvidia.com/gpu"], each)
    expect("cpu", trainer["resourcesPerNode"]["requests"]["cpu"], cpus)
    pod = job["spec"]["runtimePatches"][0]["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"][0]
    pod = pod["template"]["spec"]["template"]["spec"]
    volumes = {row["name"]: row for row in pod["volumes"]}
    expect("shm", volumes["shm"]["emptyDir"], {"medium": "Memory", "sizeLimit": f"{shm}Gi"})
    expect("mounts", {row["name"] for row in pod["containers"][0]["volumeMounts"]}, set(volumes))

    sky = document("sky.yaml", SKYPILOT)
    expect("num_nodes", sky["num_nodes"], nodes)
    rows = sky["resources"].get("ordered") or [sky["resources"]]
    expect("accelerators", {row["accelerators"].split(":")[1] for row in rows}, {str(each)})

    task = document("dstack.yml", DSTACK)
    expect("dstack's nodes", task["nodes"], nodes)
    expect("dstack's GPUs", task["resources"]["gpu"].split(":")[-1], str(each))
    expect("shm_size", task["resources"]["shm_size"], f"{shm}GB")

    accelerate = document("accelerate.yaml", ACCELERATE)
    expect("num_processes", accelerate["num_processes"], nodes * each)
    expect("num_machines", accelerate["num_machines"], nodes)

    for script, shell in (("run.sh", "sh"), ("job.sbatch", "bash")):
        for command in ([shell, "-n", script], ["shellcheck", script]):
            if shutil.which(command[0]):
                ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
                if ran.returncode:
                    wrong.append(f"{' '.join(command)}: {ran.stdout}{ran.stderr}")
    directives = dict(line[len("#SBATCH --"):].split("=", 1) for line in
                      (folder / "job.sbatch").read_text(encoding="utf-8").splitlines() if line.startswith("#SBATCH"))
    expect("--nodes", directives["nodes"], str(nodes))
    expect("--gres", directives["gres"], f"gpu:{each}")
    expect("--cpus-per-task", directives["cpus-per-task"], str(cpus))
    expect("--time", "time" in directives, "run" in best)
    for program in ("train.py", "settings.py"):
        compile((folder / program).read_text(encoding="utf-8"), program, "exec")
    return wrong, best


def stub_run(folder, environment):
    """What run.sh hands to torchrun."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "torchrun").write_text('#!/bin/sh\nfor word; do echo "$word"; done\n', encoding="utf-8")
    (tools / "torchrun").chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    return subprocess.run([str(folder / "run.sh"), "--data", "a b"], capture_output=True, text=True, check=False,
                          env={"PATH": path, **environment})


def check_run_script(folder, nodes, each, name):
    wrong = []
    ran = stub_run(folder, {"HEAD": "node0"} if nodes > 1 else {})
    start = ["--standalone", "--nproc-per-node", str(each)] if nodes == 1 else [
        "--nnodes", str(nodes), "--nproc-per-node", str(each), "--rdzv-id", name, "--rdzv-backend", "c10d",
        "--rdzv-endpoint", "node0"]
    expected = start + [str(folder / "train.py"), "--data", "a b"]
    if ran.stdout.splitlines() != expected:
        wrong.append(f"run.sh starts torchrun {ran.stdout.split()}, not {expected}: {ran.stderr}")
    return wrong


def main():
    program, failures = os.path.abspath(sys.argv[1]), []
    with tempfile.TemporaryDirectory() as parent:
        for what, (question, nodes, each, name) in PLANS.items():
            folder = pathlib.Path(parent) / what.replace(" ", "-")
            ran = subprocess.run([program, "launch", *question.split(), "--output", str(folder)],
                                 cwd=parent, capture_output=True, text=True, check=False)
            if ran.returncode:
                failures.append(f"{what}: exit {ran.returncode}: {ran.stderr}")
                continue
            wrong, best = check_folder(folder, nodes, each, name)
            failures += [f"{what}: {row}" for row in wrong + check_run_script(folder, nodes, each, name)]
            if what == "sharded":
                launch = best["launch"]
                if (launch["sharding"], launch["accumulation"], launch["checkpointing"]) != ("fsdp2", 2, "block"):
                    failures.append(f"{what}: {launch}")
            if what == "alternatives" and "--any-gpu" not in (folder / "sky.yaml").read_text(encoding="utf-8"):
                failures.append(f"{what}: sky.yaml has none")
            # What checks others has to notice what is wrong.
            for file in ("trainjob.yaml", "sky.yaml", "dstack.yml", "accelerate.yaml"):
                text = (folder / file).read_text(encoding="utf-8")
                (folder / file).write_text(text + "unheard_of: 1\n", encoding="utf-8")
                if not check_folder(folder, nodes, each, name)[0]:
                    failures.append(f"{what}: a key that {file} cannot have is not noticed")
                (folder / file).write_text(text, encoding="utf-8")
    for failure in failures:
        print("launch: " + failure, file=sys.stderr)
    print(f"launch: {len(PLANS)} run folders, {len(failures)} failed", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
