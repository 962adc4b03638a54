#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs train.py on CPUs, by plans of the program: all settings for one tiny step, every network and way to freeze, real images,
two processes, SIGTERM and resume, machines that are not the plan's. Debian's PyTorch 1.13 will do, which has no FSDP2.

    check_train.py build/release/vggplan [TEST...]
"""
import contextlib
import io
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import warnings

import torch
import torchvision
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "templates"))
import settings  # noqa: E402
import train  # noqa: E402

PROGRAM = "vggplan"
SMALL = ("--model", "vgg11", "--head", "gap", "--classes", "3", "--size", "32x32")
# Debian's torchrun 1.13 cannot read its own defaults of these two under Python 3.11.
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "-r", "1", "-t", "1"]
OLD = torch.__version__ < "2"
torch.set_num_threads(1)


def ask(*arguments):
    run = subprocess.run([PROGRAM, *arguments, "--json"], capture_output=True, text=True)
    assert run.returncode in (0, 1) and run.stdout, f"vggplan {' '.join(arguments)}: {run.stderr}"
    return json.loads(run.stdout)


@contextlib.contextmanager
def quick_weights():
    """Weights are what the allocator gives: drawing them takes longer than a step."""
    kept = {name: getattr(torch.nn.init, name) for name in dir(torch.nn.init) if name.endswith("_") and name[0] != "_"}
    for name in kept:
        setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(torch.nn.init, name, function)


def children(parent):
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, _, rest = stat.read_text().partition(" (")
            found += [int(pid)] if int(rest.rpartition(") ")[2].split()[1]) == parent else []
    return found


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def plan(self, *arguments):
        report = ask("plan", *arguments)
        self.assertIn("recommendation", report, arguments)
        (self.folder / "plan.json").write_text(json.dumps(report))
        return report["recommendation"]

    def main(self, *arguments):
        """train.py in this process, by the plan of this test's folder: what it prints, or the sentence that it ends with."""
        train.HERE, sys.argv = self.folder, ["train.py", "--device", "cpu", *arguments]
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of GradScaler, which PyTorch 1.13 has for GPUs alone
                train.main()
        except SystemExit as end:
            return str(end)
        finally:
            if torch.distributed.is_initialized():
                torch.distributed.destroy_process_group()
        return out.getvalue()

    def run_folder(self):
        for name in ("train.py", "settings.py"):
            shutil.copy(ROOT / "templates" / name, self.folder)
        return str(self.folder / "train.py")

    def lines(self, name="run.jsonl"):
        return [json.loads(line) for line in (self.folder / name).read_text().splitlines()]

    def draw_images(self, suffix, count=11):
        """Three classes, sizes that differ, and one image in grey."""
        for i in range(count):
            path = self.folder / "images" / "abc"[i % 3] / f"{i}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L" if i == 4 else "RGB", (32 + 8 * (i % 2), 32), 20 * i).save(path)
        return str(self.folder / "images")


class Matrix(Case):
    def test_all_that_can_be_recommended_makes_a_step(self):
        precisions, layouts, checkpointings = ("fp32", "tf32", "amp-bf16", "amp-fp16", "bf16", "fp16"), ("nchw", "nhwc"), ("none", "block", "seq:4")
        optimizers = itertools.cycle([*itertools.product(("sgd", "momentum", "adam", "adamw"), ("foreach", "fused", "loop")),
                                      ("rmsprop", "foreach"), ("rmsprop", "loop")])
        accumulations = itertools.cycle(("1", "2", "1"))
        count = 0
        with quick_weights():
            for precision, layout, checkpointing, sharding in itertools.product(precisions, layouts, checkpointings, (None, "ddp", "zero1", "fsdp2")):
                if (sharding, layout) == ("fsdp2", "nhwc"):
                    continue  # which the planner refuses
                if precision in ("bf16", "fp16") and sharding in ("ddp", "zero1") and OLD:
                    continue  # gloo sends no bfloat16 there
                name, impl = next(optimizers)
                arguments = ("--precision", precision, "--layout", layout, "--checkpointing", checkpointing, "--optimizer", name,
                             "--optimizer-impl", impl, "--accumulation", next(accumulations), "--batch", "4", "--gpus", "h200x2" if sharding else "h200")
                job = self.plan(*SMALL, *arguments, *(("--sharding", sharding) if sharding else ()))["job"]
                self.assertEqual([job.get(k) for k in ("precision", "layout", "checkpointing", "sharding", "optimizer", "optimizer_impl")],
                                 [precision, layout, checkpointing, sharding, name, impl])
                said = self.main("--dry-run")
                if sharding == "fsdp2" and OLD:
                    self.assertIn("fsdp2 needs PyTorch 2.6", said)
                else:
                    self.assertIn("dry run: one step", said, arguments)
                count += 1
        self.assertEqual(count, 6 * (2 * 3 * 3 + 3) - (24 if OLD else 0))


class Networks(Case):
    HEADS = (("vgg11", "adaptive"), ("vgg13", "flatten"), ("vgg16_bn", "gap"), ("vgg19", "linear"), ("vgg11_bn", "none"), ("resnet18", "adaptive"),
             ("resnet34", "adaptive"), ("resnet50", "adaptive"), ("resnet101", "adaptive"), ("mobilenet-v2", "adaptive"), ("densenet121", "adaptive"))

    def test_parameters_are_those_that_the_program_counts(self):
        with quick_weights():
            for (model, head), channels in itertools.product(self.HEADS, ("3", "5")):
                report = ask("layers", "--model", model, "--head", head, "--channels", channels, "--classes", "7", "--size", "96x64")
                built = settings.build(report["job"])
                self.assertEqual(sum(p.numel() for p in built.parameters()), report["model"]["parameters"], (model, head, channels))

    def test_frozen_are_the_layers_that_the_plan_freezes(self):
        """By hand: what is trained, by torchvision's names."""
        first = {"features.0.weight", "features.0.bias"}
        for model, what, norm, frozen in (
                ("vgg11", "features", "none", lambda n: n.startswith("features")),
                ("vgg11", "all-but-last", "none", lambda n: not n.startswith("classifier.6")),
                ("vgg11", "conv1_*", "none", lambda n: n in first),
                ("vgg11", "fc2", "none", lambda n: n.startswith("classifier.3")),
                ("vgg11", "conv3_2", "none", lambda n: n.startswith("features.8.")),
                ("vgg11_bn", "first:1", "none", lambda n: n.startswith(("features.0.", "features.1."))),
                ("vgg11_bn", "bn2_1", "all", lambda n: n.split(".")[1] in ("1", "5", "9", "12", "16", "19", "23", "26") and "fea" in n),
                ("resnet18", "features", "none", lambda n: not n.startswith("fc")),
                ("resnet18", "layer2.0.*", "none", lambda n: n.startswith("layer2.0.")),
                ("resnet18", "first:2", "none", lambda n: n.startswith(("conv1", "bn1", "layer1.0.conv1", "layer1.0.bn1"))),
                ("mobilenet-v2", "all-but-last", "none", lambda n: not n.startswith("classifier.1")),
                ("densenet121", "features", "all", lambda n: not n.startswith("classifier")),
                ("densenet121", "none", "statistics", lambda n: False)):
            job = dict(model=model, classes=5, channels=3, head="adaptive", checkpointing="none", freeze=what, freeze_norm=norm)
            with quick_weights():
                network = settings.build(job).train()
            settings.freeze(network, job)
            for name, parameter in network.named_parameters():
                self.assertEqual(parameter.requires_grad, not frozen(name), (model, what, norm, name))
            for layer in network.modules():
                if isinstance(layer, torch.nn.BatchNorm2d):
                    self.assertEqual(layer.training, norm == "none", (model, norm))

    def test_recomputing_changes_no_gradient(self):
        torch.manual_seed(3)
        images = torch.randn(2, 3, 32, 32)
        for model, how in (*(("vgg11", how) for how in ("block", "seq:1", "seq:4", "seq:8")),
                           *((name, "block") for name in ("resnet18", "resnet50", "mobilenet-v2", "densenet121"))):
            job = dict(model=model, classes=3, channels=3, head="gap" if model == "vgg11" else "adaptive", checkpointing="none")
            plain = settings.build(job).eval()
            again = settings.build(dict(job, checkpointing=how)).eval()
            again.load_state_dict(plain.state_dict())
            runs = []  # of convolutions
            for network in (plain, again):
                runs.append([])
                for layer in network.modules():
                    if isinstance(layer, torch.nn.Conv2d):
                        layer.register_forward_hook(lambda *_, calls=runs[-1]: calls.append(1))
                network(images).sum().backward()
            self.assertEqual(len(runs[1]) > 1.4 * len(runs[0]), how != "seq:1", (model, how))
            for (name, a), b in zip(plain.named_parameters(), again.parameters()):
                self.assertTrue(torch.equal(a.grad, b.grad), (model, how, name))

    def test_what_torchvision_has_not_is_refused_in_a_sentence(self):
        for arguments in (("--model", "unet-vgg16"), ("--until", "relu3_3"), ("--train", "image")):
            self.plan("--size", "64x64", "--gpus", "h200", *arguments)
            said = self.main("--synthetic")
            self.assertRegex(said, r"^train\.py: train\.py trains whole networks of torchvision[^\n]*$")


class Machine(Case):
    # What torch.cuda.get_device_name() says, from public logs.
    NAMES = {"h200-sxm-141gb": "NVIDIA H200", "h100-sxm5-80gb": "NVIDIA H100 80GB HBM3", "h100-pcie-80gb": "NVIDIA H100 PCIe",
             "a100-sxm4-40gb": "NVIDIA A100-SXM4-40GB", "a100-sxm4-80gb": "NVIDIA A100-SXM4-80GB", "a100-pcie-80gb": "NVIDIA A100 80GB PCIe",
             "v100-sxm2-16gb": "Tesla V100-SXM2-16GB", "t4": "Tesla T4", "l4": "NVIDIA L4", "a10": "NVIDIA A10", "a10g": "NVIDIA A10G",
             "rtx-4090": "NVIDIA GeForce RTX 4090", "rtx-a6000": "NVIDIA RTX A6000", "rtx-6000-ada": "NVIDIA RTX 6000 Ada Generation",
             "gtx-1080-ti": "NVIDIA GeForce GTX 1080 Ti", "titan-x-pascal": "NVIDIA TITAN X (Pascal)", "quadro-rtx-8000": "Quadro RTX 8000"}

    def test_each_gpu_is_known_by_its_name_and_memory(self):
        records = {record["name"]: record for record in ask("gpus")["gpus"]}
        for planned, real in itertools.product(self.NAMES, self.NAMES):
            machine = {"gpu": planned, "gpu_title": records[planned]["title"], "memory_total_bytes": records[planned]["memory_total_bytes"]}
            found = {"gpus": 1, "each": 1, "gpu": self.NAMES[real], "gpu_memory_bytes": records[real]["memory_total_bytes"]}
            said = train.difference({"gpu_count": 1, "nodes": 1}, machine, found)
            self.assertEqual(said is None, planned == real, (planned, real, said))

    def test_another_number_of_processes_is_refused_in_a_sentence(self):
        self.plan(*SMALL, "--gpus", "h200x2", "--batch", "2")
        self.assertEqual(self.main("--synthetic"), "train.py: the plan is for 2 GPUs, 2 on a node, but 1 processes run, 1 here")
        self.main("--synthetic", "--anyway", "--steps", "1", "--output", str(self.folder))
        self.assertEqual([line["kind"] for line in self.lines()], ["environment", "settings", "step", "end"])


class Epochs(Case):
    def test_each_rank_sees_its_share_of_every_image_and_goes_on_where_it_ended(self):
        folder = self.draw_images(".png")
        plan = self.plan(*SMALL, "--gpus", "h200", "--batch", "2", "--accumulation", "2")
        run = train.Run(plan["job"], type("Options", (), {"data": folder, "lr": None}), torch.device("cpu"), 0)
        self.assertEqual(run.steps, 3)  # 11 images, 4 a step
        run.batches(5, 0)
        whole = [list(batch) for batch in run.order]
        self.assertEqual([len(batch) for batch in whole], [2] * 6)
        self.assertEqual(set(itertools.chain(*whole)), set(range(11)))
        run.batches(5, 2)
        self.assertEqual(run.order, whole[4:])
        run.batches(6, 0)
        self.assertNotEqual(run.order, whole)

    def test_images_of_every_pipeline_arrive_alike(self):
        folder, seen = self.draw_images(".jpg"), []
        for pipeline in ("tv-uint8", "pil-float", "nvjpeg"):
            job = dict(height=32, width=32, channels=3, data={"pipeline": pipeline})
            images = settings.Images(folder, job)
            batch, targets = images.collate([images[i] for i in range(len(images))])
            seen.append(images.placed(batch, torch.device("cpu"), torch.float32))
            self.assertEqual(targets.tolist(), [0] * 4 + [1] * 4 + [2] * 3)
            self.assertEqual(list(seen[-1].shape), [11, 3, 32, 32])
            self.assertLess((seen[-1] - seen[0]).abs().max(), 0.05)  # decoders round by themselves


class Processes(Case):
    def test_two_processes_train_end_at_sigterm_and_go_on(self):
        folder = self.draw_images(".png", 24)
        self.plan(*SMALL, "--gpus", "h200x2", "--batch", "2", "--sharding", "zero1", "--optimizer", "adam", "--workers", "2", "--images", "24")
        command = [*TORCHRUN, "--nproc_per_node", "2", self.run_folder(), "--data", folder, "--device", "cpu", "--every", "1"]
        with open(self.folder / "log", "w") as log:
            first = subprocess.Popen([*command, "--epochs", "1000"], stderr=log, stdout=log)
            deadline = time.time() + 120
            while time.time() < deadline and first.poll() is None:
                if (self.folder / "run.jsonl").exists() and sum(line["kind"] == "step" for line in self.lines()) >= 4:
                    break
                time.sleep(0.2)
            workers = [worker for rank in children(first.pid) for worker in children(rank)]
            self.assertEqual(len(workers), 2, (self.folder / "log").read_text())
            for process in (*workers, first.pid):  # Slurm sends it to all
                os.kill(process, signal.SIGTERM)
            first.wait(60)
        end = self.lines()[-1]
        self.assertEqual((end["kind"], end["reason"]), ("end", "signal"), (self.folder / "log").read_text())
        self.assertEqual([p.name for p in self.folder.glob("checkpoint*")], [f"checkpoint-{end['steps']:09}.pt"])
        second = subprocess.run([*command, "--steps", str(end["steps"] + 3)], capture_output=True, text=True)
        self.assertEqual(second.returncode, 0, second.stderr)
        steps = [line["step"] for line in self.lines() if line["kind"] == "step"]
        self.assertEqual(steps[-1], end["steps"] + 3)
        self.assertEqual(sorted(set(steps)), steps)
        self.assertEqual(self.lines()[-1], {"kind": "end", "reason": "finished", "steps": end["steps"] + 3})
        self.assertEqual([line["step"] for line in self.lines("run.1.jsonl") if line["kind"] == "step"], steps)
        kinds = [line["kind"] for line in self.lines()]
        self.assertEqual([kinds.count(kind) for kind in ("environment", "settings", "end")], [2, 2, 2])
        state = torch.load(self.folder / f"checkpoint-{end['steps'] + 3:09}.pt")
        self.assertEqual(len(state["optimizer"]["state"]), len(state["model"]))  # of both ranks

    def test_expandable_segments_reach_the_allocator(self):
        """PyTorch reads them from the environment, once."""
        self.plan(*SMALL, "--gpus", "h200", "--batch", "2", "--expandable-segments")
        program = self.run_folder()
        (self.folder / "sitecustomize.py").write_text("import os; print('found', os.environ.get('PYTORCH_ALLOC_CONF'))\n")
        run = subprocess.run([sys.executable, "-u", program, "--dry-run", "--device", "cpu"], capture_output=True, text=True,
                             env=dict(os.environ, PYTHONPATH=str(self.folder)))
        self.assertEqual(run.stdout.splitlines()[:2], ["found None", "found expandable_segments:True"], run.stderr)
        self.assertIn("dry run: one step", run.stdout)

    def test_nodes_that_do_not_see_the_same_checkpoint_stop_in_a_sentence(self):
        self.plan(*SMALL, "--gpus", "h200x2", "--batch", "2")
        program, ranks = self.run_folder(), []
        for rank in range(2):
            world = dict(RANK=str(rank), LOCAL_RANK="0", LOCAL_WORLD_SIZE="1", WORLD_SIZE="2", MASTER_ADDR="localhost", MASTER_PORT="29577")
            options = ["--synthetic", "--anyway", "--device", "cpu", "--output", str(self.folder / str(rank))]
            if rank == 0:
                self.main("--synthetic", "--anyway", "--steps", "2", "--output", options[-1])
            ranks.append(subprocess.Popen([sys.executable, program, *options], env=dict(os.environ, **world), stderr=subprocess.PIPE, text=True))
        for process in ranks:
            self.assertIn("train.py: nodes see checkpoints of different steps", process.communicate(timeout=60)[1])

    def test_a_run_in_two_parts_is_the_run_in_one(self):
        self.plan(*SMALL, "--gpus", "h200", "--batch", "2", "--precision", "fp32", "--optimizer", "adamw")
        weights = []
        for parts in (("4",), ("2", "4")):
            out = self.folder / "-".join(parts)
            for steps in parts:
                self.main("--synthetic", "--steps", steps, "--output", str(out))
            weights.append(torch.load(out / "checkpoint-000000004.pt")["model"])
        for name, tensor in weights[0].items():
            self.assertTrue(torch.equal(tensor, weights[1][name]), name)


if __name__ == "__main__":
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    unittest.main(verbosity=2)
