#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Trains what plan.json beside this file recommends, with exactly its settings; README.md tells how to start it.

--data FOLDER holds a folder of images for each class; --synthetic trains on one random batch that stays on the GPU.
It goes on from the newest checkpoint in --output, and at SIGTERM ends with one. run.jsonl is for `vggplan verify`.
"""
import argparse
import contextlib
import datetime
import itertools
import json
import os
import pathlib
import re
import signal
import sys
import time

import torch
from torch import distributed, nn
from torch.distributed.elastic.multiprocessing.errors import record

import settings

HERE = pathlib.Path(__file__).resolve().parent
RANK, LOCAL, EACH, WORLD = (int(os.environ.get(name, alone)) for name, alone in (
    ("RANK", 0), ("LOCAL_RANK", 0), ("LOCAL_WORLD_SIZE", 1), ("WORLD_SIZE", 1)))


def not_done(job, data):
    """What of the plan this program cannot do."""
    if job["mode"] != "train" or job.get("train") == "image" or {"until", "forward_passes", "sizes", "max_iter"} & job.keys() or not re.fullmatch(
            r"vgg(11|13|16|19)(_bn)?|resnet(18|34|50|101)|mobilenet-v2|densenet121", job["model"]):
        return f"train.py trains whole networks of torchvision, one forward pass a step of images of one size, which the plan for {job['model']} does not"
    if data and (job["head"] == "none" or job["channels"] not in settings.CHANNELS) or job.get("loss", "cross-entropy") != "cross-entropy":
        return "the plan's network does not tell classes of usual images apart"
    if "compile" in job and not hasattr(torch, "compile"):
        return f"the plan's torch.compile needs PyTorch 2, and this is {torch.__version__}"
    if job["checkpointing"].startswith("seq") and not job["model"].startswith("vgg"):
        return f"train.py cuts VGG alone into {job['checkpointing']}: plan {job['model']} with --checkpointing block"
    if job.get("sharding") == "fsdp2" and tuple(int(n) for n in torch.__version__.split(".")[:2]) < (2, 6):
        return f"the plan's fsdp2 needs PyTorch 2.6, and this is {torch.__version__}"


def difference(job, machine, found, any_gpu=False):
    """The first thing in which the machine is not the plan's."""
    each, forms = job["gpu_count"] // job["nodes"], {"pcie", "nvl"}  # "NVIDIA H100 PCIe"; an SXM5 is "NVIDIA H100 80GB HBM3"
    if (found["gpus"], found["each"]) != (job["gpu_count"], each):
        return f"the plan is for {job['gpu_count']} GPUs, {each} on a node, but {found['gpus']} processes run, {found['each']} here"
    if "gpu" in found and not any_gpu:
        want, have = (set(re.findall(r"[a-z0-9]+", name.lower())) for name in (machine["gpu"], found["gpu"]))
        same = {w for w in want if not re.fullmatch(r"sxm\d*|\d+gi?b", w)} <= have and want & forms == have & forms
        planned, real = machine["memory_total_bytes"] / 2**30, found["gpu_memory_bytes"] / 2**30
        if not (same or machine["gpu_title"] == found["gpu"]) or abs(planned / real - 1) > 0.02:
            return f"the plan is for {machine['gpu_title']} of {planned:.1f} GiB, but this is {found['gpu']} of {real:.1f} GiB"
    return None


def start_worker(_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the step in hand needs its images


class Run:
    def __init__(self, job, options, device, workers):
        self.job, self.device, self.data, self.stopped = job, device, options.data, False
        self.sharding, self.layout = job.get("sharding", "ddp" if WORLD > 1 else None), settings.LAYOUTS[job["layout"]]
        as_run = "bf16" if (device.type, job["precision"]) == ("cpu", "fp16") else job["precision"]  # which CPUs have not
        self.dtype, self.autocast = settings.set_arithmetic(as_run)
        torch.backends.cudnn.benchmark = job["cudnn_benchmark"]
        torch.manual_seed(0)  # the same weights on all ranks
        self.model = settings.build(job).to(self.dtype).to(device).to(memory_format=self.layout).train()
        settings.freeze(self.model, job)
        self.prepare_images(workers)
        torch.manual_seed(RANK)
        self.prepare_steps(options.lr)

    def prepare_images(self, workers):
        job, batch, self.steps = self.job, self.job["batch"], 1000  # of an epoch
        if self.data:
            self.images, self.order = settings.Images(self.data, job), []
            self.sampler = torch.utils.data.DistributedSampler(self.images, WORLD, RANK)
            self.steps = -(-len(self.sampler) // (batch * job["accumulation"]))
            self.loader = torch.utils.data.DataLoader(
                self.images, batch_sampler=self.order, num_workers=workers, persistent_workers=workers > 0,
                collate_fn=self.images.collate, pin_memory=self.device.type == "cuda", worker_init_fn=start_worker)
        else:
            kind = {"device": self.device, "dtype": self.dtype}
            images = torch.randn(batch, job["channels"], job["height"], job["width"], **kind).contiguous(memory_format=self.layout)
            features = torch.zeros(batch, 512, job["height"] // 32, job["width"] // 32, **kind) if job["head"] == "none" else None
            self.fixed = images, torch.randint(job["classes"], (batch,), device=self.device) if features is None else features

    def close(self):  # the workers are deaf to SIGTERM, also to the one that ends Python
        if self.data and self.loader._iterator:
            self.loader._iterator._shutdown_workers()

    def prepare_steps(self, lr):
        job = self.job
        self.net = torch.compile(self.model, mode=job["compile"]) if "compile" in job else self.model  # inside of DDP
        if self.sharding == "fsdp2":
            from torch.distributed.fsdp import fully_shard  # since 2.6
            for layer in [m for m in self.model.modules() if isinstance(m, nn.Linear)] + [self.model]:
                fully_shard(layer)
        elif self.sharding:
            ids, bucket = [LOCAL] if self.device.type == "cuda" else None, job.get("bucket_bytes", 25 * 2**20) / 2**20
            self.net = nn.parallel.DistributedDataParallel(
                self.net, ids, bucket_cap_mb=bucket, gradient_as_bucket_view=job.get("bucket_view", False))
        fused = job["optimizer_impl"] == "fused" and self.device.type == "cpu"  # of which there is none
        kind, arguments = settings.optimizer_of(job["optimizer"], "foreach" if fused else job["optimizer_impl"])
        arguments["lr"] = lr or (1e-2 if kind is torch.optim.SGD else 1e-4)
        if self.sharding == "zero1":
            from torch.distributed.optim import ZeroRedundancyOptimizer
            kind, arguments["optimizer_class"] = ZeroRedundancyOptimizer, kind
        self.optimizer = kind([p for p in self.model.parameters() if p.requires_grad], **arguments)
        make = getattr(torch.amp, "GradScaler", None) or (lambda _, enabled: torch.cuda.amp.GradScaler(enabled=enabled))  # since 2.3
        self.scaler = make(self.device.type, enabled=self.autocast is torch.float16)  # disabled it hands all through

    def batches(self, epoch, done):
        """Those behind the first `done` steps of an epoch, which is filled up to whole steps."""
        if not self.data:
            return itertools.repeat(self.fixed)
        batch, step = self.job["batch"], self.job["batch"] * self.job["accumulation"]
        self.sampler.set_epoch(epoch)
        mine = list(self.sampler) * (step // len(self.sampler) + 2)
        self.order[:] = [mine[i:i + batch] for i in range(done * step, self.steps * step, batch)]
        return iter(self.loader)

    def step(self, batches):
        self.optimizer.zero_grad(set_to_none=True)
        for left in reversed(range(self.job["accumulation"])):
            self.micro_batch(*next(batches), last=left == 0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.mark("optimizer_seconds")

    def micro_batch(self, images, targets, last):
        if self.data:
            images = self.images.placed(images, self.device, self.dtype).contiguous(memory_format=self.layout)
            targets = targets.to(self.device, non_blocking=True)
            self.mark("data_wait_seconds")
        criterion = nn.functional.mse_loss if self.job["head"] == "none" else nn.functional.cross_entropy
        half = self.autocast if self.device.type == "cuda" else torch.bfloat16  # which is what CPUs have
        with contextlib.nullcontext() if last or not hasattr(self.net, "no_sync") else self.net.no_sync():
            with torch.autocast(self.device.type, half or torch.bfloat16, enabled=self.autocast is not None):
                loss = criterion(outputs := self.net(images), targets)  # which, as in the plan's steps, lives on
            self.loss = loss.detach()
            self.mark("forward_seconds")
            loss = loss / self.job["accumulation"] if self.job["accumulation"] > 1 else loss
            self.scaler.scale(loss).backward()
        self.mark("backward_seconds")

    def mark(self, phase):
        """On the GPU's own line of time: what ends here began at the mark before."""
        if self.device.type == "cuda":
            self.marks.append((phase, torch.cuda.Event(enable_timing=True)))
            self.marks[-1][1].record()

    def window(self, batches, steps):
        """Means over so many steps, and the memory so far."""
        self.marks, start = [], time.perf_counter()
        self.mark("")
        for _ in range(steps):
            self.step(batches)
        figures = {"loss": self.loss.item(), "step_seconds": (time.perf_counter() - start) / steps}  # item() waits for the GPU
        figures["images_per_second"] = WORLD * self.job["batch"] * self.job["accumulation"] / figures["step_seconds"]
        for (_, a), (phase, b) in zip(self.marks, self.marks[1:]):
            figures[phase] = figures.get(phase, 0.0) + a.elapsed_time(b) / 1e3 / steps
        if self.device.type == "cuda":
            free, total = torch.cuda.mem_get_info()
            figures.update(allocated_peak_bytes=torch.cuda.max_memory_allocated(), device_used_bytes=total - free,
                           reserved_peak_bytes=torch.cuda.max_memory_reserved(),
                           allocation_retries=torch.cuda.memory_stats()["num_alloc_retries"])
        return figures

    def largest(self, *values):  # over all processes
        values = torch.tensor(values, dtype=torch.float64, device=self.device)
        if distributed.is_initialized():
            distributed.all_reduce(values, distributed.ReduceOp.MAX)
        return values.tolist()

    def save(self, folder, step):
        """Rank 0 writes. FSDP2 and ZeRO-1 gather first what the others hold."""
        state = {"step": step, "scaler": self.scaler.state_dict()}
        if self.sharding == "zero1":
            self.optimizer.consolidate_state_dict(0)
        if self.sharding == "fsdp2":
            from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict
            state["model"], state["optimizer"] = get_state_dict(
                self.model, self.optimizer, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
        elif RANK == 0:
            state.update(model=self.model.state_dict(), optimizer=self.optimizer.state_dict())
        if RANK == 0:
            torch.save(state, folder / "checkpoint.tmp")
            os.replace(folder / "checkpoint.tmp", folder / f"checkpoint-{step:09}.pt")
            for old in sorted(folder.glob("checkpoint-*.pt"))[:-self.job["data"]["keep_checkpoints"]]:
                old.unlink()

    def resume(self, folder):
        """The step after which the newest checkpoint was written."""
        if (newest := max(folder.glob("checkpoint-*.pt"), default=None)) is None:
            return 0
        state = torch.load(newest, map_location="cpu", weights_only=torch.__version__ >= "2")
        if self.sharding == "fsdp2":
            from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict
            set_state_dict(self.model, self.optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"],
                           options=StateDictOptions(full_state_dict=True))
        else:
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        return state["step"]


def train(run, options, write):
    """In windows of --every steps, or of five seconds: torchrun kills 30 seconds after SIGTERM. The first has two steps."""
    step, size = run.resume(options.output), 2
    if sum(run.largest(step, -step)) != 0:
        sys.exit("train.py: nodes see checkpoints of different steps: --output must be one folder for all")
    total = options.steps or (options.epochs or run.job["data"]["epochs"]) * run.steps
    while step < total and not run.stopped:
        epoch, done = divmod(step, run.steps)
        batches, last = run.batches(epoch, done), min(total, (epoch + 1) * run.steps)
        while step < last and not run.stopped:
            figures, step = run.window(batches, min(size, last - step)), min(step + size, last)
            run.stopped, seconds = run.largest(run.stopped, figures["step_seconds"])
            size = max(1, min(options.every, int(5 / seconds)))
            write("step", step=step, epoch=epoch, **figures)
            if RANK == 0:
                left = datetime.timedelta(seconds=round((total - step) * figures["step_seconds"]))
                print("step {} of {}  epoch {}  loss {loss:.4f}  {images_per_second:.1f} images/s  {} left".format(
                    step, total, epoch + 1, left, **figures), file=sys.stderr)
        if run.stopped or step == total or (epoch + 1) % run.job["data"].get("checkpoint_every", 1) == 0:
            run.save(options.output, step)
    write("end", reason="signal" if run.stopped else "finished", steps=step)


@record
def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="FOLDER", help="images, in a folder for each class")
    parser.add_argument("--synthetic", action="store_true", help="one random batch instead")
    parser.add_argument("--output", metavar="FOLDER", type=pathlib.Path, default=HERE, help="of run.jsonl and checkpoints")
    parser.add_argument("--epochs", type=int, help="default: those of the plan")
    parser.add_argument("--steps", type=int, help="in all, instead of epochs")
    parser.add_argument("--every", type=int, default=10, help="steps between lines of run.jsonl")
    parser.add_argument("--lr", type=float, help="default: 0.01 for SGD, 0.0001 for Adam")
    parser.add_argument("--anyway", action="store_true", help="go on where the machine is not the plan's")
    parser.add_argument("--any-gpu", action="store_true", help="take another GPU than the plan's, but as many")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--dry-run", action="store_true", help="build all, make one tiny step, write nothing")
    options = parser.parse_args()
    plan = json.loads((HERE / "plan.json").read_text())["recommendation"]
    job, machine, launch, cuda = plan["job"], plan["machine"], plan["launch"], options.device == "cuda"
    name, value = plan["memory"].get("allocator_settings", "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True").split("=")
    if job["expandable_segments"] and not {name, "PYTORCH_CUDA_ALLOC_CONF"} & set(os.environ):  # PyTorch may have read it by now
        os.environ[name] = value
        os.execv(sys.executable, sys.orig_argv)
    if options.dry_run:
        job.update(batch=2, height=min(64, job["height"]), width=min(64, job["width"]), accumulation=min(2, job["accumulation"]))
    elif not options.data and not options.synthetic:
        parser.error("give --data FOLDER or --synthetic")
    found = {"torch": torch.__version__, "python": sys.version.split()[0], "gpus": WORLD, "nodes": WORLD // EACH}
    sentence = not_done(job, options.data)
    if cuda and torch.cuda.device_count() <= LOCAL:
        sentence = f"the plan is for a GPU for each process, but this machine has {torch.cuda.device_count()}"
    elif cuda:
        torch.cuda.set_device(LOCAL)
        driver = pathlib.Path("/proc/driver/nvidia/version")
        driver = re.search(r"\d+\.\d+(\.\d+)?", driver.read_text()).group() if driver.exists() else "unknown"
        found.update(gpu=torch.cuda.get_device_name(), gpu_memory_bytes=torch.cuda.mem_get_info()[1], driver=driver,
                     cuda=torch.version.cuda, cudnn=str(torch.backends.cudnn.version()))
    sentence = sentence or (not options.anyway and not options.dry_run and difference(job, machine, dict(found, each=EACH), options.any_gpu))
    if sentence:
        time.sleep(2 * (LOCAL > 0))  # torchrun ends all when one ends: let the first say why
        sys.exit(f"train.py: {sentence}" if LOCAL == 0 else 1)
    if cuda:
        cap = machine["usable_bytes"] - launch.get("reserve_bytes", 0)
        torch.cuda.set_per_process_memory_fraction(min(1.0, cap / found["gpu_memory_bytes"]))
    if job.get("sharding") or WORLD > 1:
        alone = {} if "RANK" in os.environ else {"store": distributed.HashStore(), "rank": 0, "world_size": 1}
        distributed.init_process_group("nccl" if cuda else "gloo", **alone)
    run = Run(job, options, torch.device("cuda", LOCAL) if cuda else torch.device("cpu"), launch["workers"] // EACH)
    if options.dry_run:
        return print("dry run: one step, loss {loss:.4f}".format(**run.window(run.batches(0, 0), 1)))
    signal.signal(signal.SIGTERM, lambda *_: setattr(run, "stopped", True))
    options.output.mkdir(parents=True, exist_ok=True)
    with open(options.output / ("run.jsonl" if RANK == 0 else f"run.{RANK}.jsonl"), "a") as log:
        def write(kind, **values):
            print(json.dumps({"kind": kind, **values}), file=log, flush=True)
        write("environment", **found)
        write("settings", **dict(job, gpus=WORLD, nodes=WORLD // EACH, pipeline=job["data"]["pipeline"], workers=launch["workers"],
                                 reserve_bytes=launch.get("reserve_bytes", 0)))
        with contextlib.closing(run):
            train(run, options, write)
    if distributed.is_initialized():
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
