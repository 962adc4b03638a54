#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""job.sbatch on a real Slurm of one node: check_slurm.py VGGPLAN. Starts munge and Slurm of this machine's packages with
settings of its own, submits the file with a stub in place of torchrun, and ends them. Needs root, as their daemons do."""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

GPUS = 2
STUB = """#!/usr/bin/env python3
import json, os, sys
keep = {name: value for name, value in os.environ.items() if name.startswith(("SLURM_", "SRUN_", "CUDA_"))}
cores = sorted(os.sched_getaffinity(0))
print("stub " + json.dumps({"arguments": sys.argv[1:], "folder": os.getcwd(), "environment": keep, "cores": cores}))
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def settings(root, host, cpus):
    """slurm.conf: no accounting, no cgroups, one node whose GPUs are device files that every Linux has."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    (root / "gres.conf").write_text(f"NodeName={host} Name=gpu File=/dev/null,/dev/zero\n")
    (root / "slurm.conf").write_text("\n".join((
        "ClusterName=check", f"SlurmctldHost={host}(127.0.0.1)", f"SlurmctldPort={free_port()}", f"SlurmdPort={free_port()}",
        "SlurmUser=root", "SlurmdUser=root", "AuthType=auth/munge", f"AuthInfo=socket={root}/munge.socket",
        "CredType=cred/munge", f"StateSaveLocation={root}/state", f"SlurmdSpoolDir={root}/spool",
        f"SlurmctldPidFile={root}/slurmctld.pid", f"SlurmdPidFile={root}/slurmd.pid", f"SlurmctldLogFile={root}/slurmctld.log",
        f"SlurmdLogFile={root}/slurmd.log", "ProctrackType=proctrack/pgid", "TaskPlugin=task/none", "GresTypes=gpu",
        "SelectType=select/cons_tres", "SelectTypeParameters=CR_CPU_Memory", "ReturnToService=2", "SlurmdParameters=config_overrides",
        f"NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:{GPUS} State=UNKNOWN",
        f"PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP", "")))


class Slurm:
    def __init__(self, root):
        self.root, self.processes, self.cpus = root, [], os.cpu_count()
        self.host = socket.gethostname().split(".")[0]
        for name in ("state", "spool", "bin"):
            (root / name).mkdir()
        settings(root, self.host, self.cpus)
        (root / "munge.key").write_bytes(os.urandom(1024))
        (root / "munge.key").chmod(0o400)
        self.environment = dict(os.environ, SLURM_CONF=str(root / "slurm.conf"), PATH=f"{root}/bin:{os.environ['PATH']}")

    def __enter__(self):
        self.start("munged", "--foreground", "--force", f"--key-file={self.root}/munge.key", f"--socket={self.root}/munge.socket",
                   f"--pid-file={self.root}/munge.pid", f"--log-file={self.root}/munge.log", f"--seed-file={self.root}/munge.seed")
        self.wait("munge", lambda: (self.root / "munge.socket").exists())
        self.start("slurmctld", "-D", "-c")
        self.start("slurmd", "-D", "-c")
        self.wait("the node", lambda: "idle" in self.ask("sinfo", "-h", "-o", "%T"))
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()

    def start(self, *command):
        log = open(self.root / f"{command[0]}.out", "w")
        self.processes.append(subprocess.Popen(command, env=self.environment, stdout=log, stderr=log))

    def ask(self, *command, **more):
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=30, **more).stdout

    def wait(self, what, ready):
        for _ in range(150):
            if ready():
                return
            time.sleep(0.2)
        for log in sorted(self.root.glob("*.log")) + sorted(self.root.glob("*.out")):
            print(f"--- {log.name}", *log.read_text().splitlines()[-15:], sep="\n", file=sys.stderr)
        sys.exit(f"slurm: {what} did not come up")

    def submit(self, folder, *arguments):
        """What the job printed, when it is done."""
        answer = self.ask("sbatch", "--parsable", "job.sbatch", *arguments, cwd=folder)
        job = answer.strip()
        if not job.isdigit():
            self.wait(f"a job of {folder} (sbatch says {answer!r})", lambda: False)
        self.wait(f"the end of job {job}", lambda: not self.ask("squeue", "-h", "-j", job).strip())
        return int(job), next(folder.glob(f"*-{job}.log")).read_text()


def faults(job, log, folder, host):
    """What the stub saw that the plan does not say."""
    seen = next((json.loads(line[5:]) for line in log.splitlines() if line.startswith("stub ")), None)
    if seen is None:
        return [f"torchrun was not started: {log!r}"]
    plan = json.loads((folder / "plan.json").read_text())["recommendation"]
    environment, workers = seen["environment"], plan["launch"]["workers"]
    expected = {
        "arguments": ["--nnodes", "1", "--nproc-per-node", str(GPUS), "--rdzv-id", str(job), "--rdzv-backend", "c10d",
                      "--rdzv-endpoint", f"{host}:{29400 + job % 1000}", "train.py", "--synthetic", "--steps", "3"],
        "folder": str(folder.resolve())}
    found = [f"{name} is {seen[name]}, not {value}" for name, value in expected.items() if seen[name] != value]
    cpus = environment.get("SLURM_CPUS_PER_TASK")
    if cpus is None or int(cpus) < GPUS + workers or environment.get("SRUN_CPUS_PER_TASK") != cpus:
        found.append(f"a task has {cpus} CPUs for {GPUS} processes and {workers} workers")
    if environment.get("CUDA_VISIBLE_DEVICES") != "0,1" or environment.get("SLURM_NTASKS") != "1":
        found.append(f"the task sees GPUs {environment.get('CUDA_VISIBLE_DEVICES')} of {environment.get('SLURM_NTASKS')} tasks")
    return found


def main(program):
    with tempfile.TemporaryDirectory() as name, Slurm(pathlib.Path(name)) as slurm:
        folder = slurm.root / "run"
        subprocess.run([program, "launch", "--size", "224x224", "--batch", "32", "--gpus", "h200x2", "--workers", "0", "--images", "1000",
                        "--engine", "slurm", "--quiet", "--output", str(folder)], check=True, stdout=subprocess.DEVNULL)
        stub = slurm.root / "bin" / "torchrun"
        stub.write_text(STUB)
        stub.chmod(0o755)
        job, log = slurm.submit(folder, "--synthetic", "--steps", "3")
        found = faults(job, log, folder, slurm.host)
        stub.write_text("#!/bin/sh\nexit 7\n")
        _, log = slurm.submit(folder, "--synthetic")
        if "exit code 7" not in log:
            found.append(f"a run that fails is not told: {log!r}")
    for fault in found:
        print(f"slurm: {fault}", file=sys.stderr)
    print(f"slurm: 2 jobs, {len(found)} faults", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    if os.getuid() != 0 and shutil.which("sudo"):
        os.execvp("sudo", ["sudo", sys.executable, *sys.argv])
    if os.getuid() != 0 or not all(map(shutil.which, ("munged", "slurmctld", "slurmd", "sbatch"))):
        sys.exit("slurm: this check needs root, and slurm-wlm and munge of Debian")
    sys.exit(main(sys.argv[1]))
