#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures a GPU for vggplan: the operations of a VGG training step one by one, then whole steps.

    python3 measure.py --out measurements.jsonl
    vggplan calibrate measurements.jsonl --gpu NAME --output NAME.json
    vggplan estimate --gpu NAME --calibration NAME.json ...

Needs torch and torchvision, templates/settings.py (beside this file where only the two are copied to a machine) and one CUDA
GPU that nothing else uses. Takes about 20 minutes; --quick takes five and gives a rougher calibration. Stop it when you
like: started again with the same --out it goes on where it was.

Every line of the output is one JSON object. Operations: kernel time in microseconds ("us"), launch gaps left out,
through CUPTI. Steps: milliseconds by phase and back to back, bytes of memory. The host: microseconds that Python and
PyTorch take to issue each phase of steps that leave the GPU idle ("host_fwd_us"), and one addition ("host_add_us"), which
tells how fast the host is. The input side: milliseconds of one core. Words are those of vggplan's command line; "precision" of an operation is the type that it runs in.
"""
import argparse
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time

import torch
import torch.nn.functional as F
import torchvision
from PIL import Image
from torch.profiler import ProfilerActivity, profile

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "templates"))
from settings import LAYOUTS, TYPES, build, optimizer_of, set_arithmetic  # noqa: E402: what plans mean in PyTorch

ATEN = torch.ops.aten
# Channels in and out, and by how many halvings the map is smaller than the image.
LEVELS = [(3, 64, 0), (64, 64, 0), (64, 128, 1), (128, 128, 1), (128, 256, 2), (256, 256, 2), (256, 512, 3), (512, 512, 3),
          (512, 512, 4)]
IMAGES = [(224, 224, 32), (1024, 1024, 4), (224, 224, 1), (224, 224, 8), (224, 224, 128), (512, 512, 8), (4024, 3036, 1),
          (333, 517, 5), (2048, 1536, 2), (97, 131, 7), (640, 960, 10), (1000, 1000, 1), (64, 64, 2), (4024, 3036, 2),
          (224, 224, 64), (3000, 2000, 2), (320, 480, 3), (1536, 1536, 1), (256, 256, 64), (32, 32, 64), (4024, 3036, 4)]
QUICK_IMAGES = [(224, 224, 32), (1024, 1024, 4), (224, 224, 1), (512, 512, 8), (4024, 3036, 1)]


# ---- the file of results -----------------------------------------------------------------------------------------

class Output:
    """The file, and what it holds already."""

    def __init__(self, path):
        self.done = set()
        if os.path.exists(path):
            with open(path) as f:
                self.done = {self.key(json.loads(line)) for line in f if line.strip()}
        self.file = open(path, "a")

    @staticmethod
    def key(row):
        results = ("us", "kernels", "set", "oom", "bytes_written")
        return json.dumps({k: v for k, v in row.items()
                           if k not in results and not k.startswith(("ms", "peak", "mem", "reserved", "mp_s", "gb_s", "host_"))}, sort_keys=True)

    def has(self, row):
        return self.key(row) in self.done

    def write(self, row):
        self.done.add(self.key(row))
        self.file.write(json.dumps(row) + "\n")
        self.file.flush()


def say(text):
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


# ---- single operations -------------------------------------------------------------------------------------------

def half_zero(*shape, dtype, layout):
    """What flows in a step: after ReLU, and so in gradients, half of the numbers are zero."""
    x = torch.randn(*shape, device="cuda", dtype=dtype).clamp_min_(0)
    # A copy: contiguous() takes a map of one pixel for both layouts, and kernels are chosen by its strides.
    return torch.empty_like(x, memory_format=torch.channels_last).copy_(x) if layout == "nhwc" else x


def fits(elements, dtype):
    free, _ = torch.cuda.mem_get_info()
    cached = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
    return elements * torch.empty(0, dtype=dtype).element_size() < 0.8 * (free + cached)


def convolutions(images, precisions):
    """Pairs of a row and a function to time, one case after the other."""
    for (h, w, n), precision, layout, (c, k, level) in itertools.product(images, precisions, ("nchw", "nhwc"), LEVELS):
        h2, w2 = h >> level, w >> level
        if min(h2, w2) < 1 or not fits(4 * n * (c + k) * h2 * w2, TYPES[precision]):
            continue
        row = dict(precision=precision, layout=layout, n=n, c=c, k=k, h=h2, w=w2)
        ops = ["conv_forward"] + (["conv_input_grad"] if c > 3 else []) + ["conv_weight_grad"]
        yield [dict(row, op=op) for op in ops], lambda r=row: convolution_case(**r)


def convolution_case(precision, layout, n, c, k, h, w):
    set_arithmetic(precision)
    dtype = TYPES[precision]
    x = half_zero(n, c, h, w, dtype=dtype, layout=layout)
    g = half_zero(n, k, h, w, dtype=dtype, layout=layout)
    weight = half_zero(k, c, 3, 3, dtype=dtype, layout=layout).sub_(0.4).mul_(0.05)

    def backward(mask):
        return lambda: ATEN.convolution_backward(g, x, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask)

    calls = [lambda: ATEN.convolution(x, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)]
    if c > 3:
        calls.append(backward([True, False, False]))
    return calls + [backward([False, True, False])]


def maps(images, precisions):
    names = ["bias_add", "bias_grad", "relu_forward", "relu_backward", "max_pool_forward", "max_pool_backward",
             "batch_norm_inference", "batch_norm_forward", "batch_norm_backward", "fill", "copy"]
    widths = [(64, 0), (128, 1), (256, 2), (512, 3), (512, 4)]
    for (h, w, n), precision, layout, (c, level) in itertools.product(images, precisions, ("nchw", "nhwc"), widths):
        h2, w2 = h >> level, w >> level
        if min(h2, w2) < 2 or not fits(10 * n * c * h2 * w2, TYPES[precision]):
            continue
        row = dict(precision=precision, layout=layout, n=n, c=c, k=c, h=h2, w=w2)
        yield [dict(row, op=op) for op in names], lambda r=row: map_case(r["precision"], r["layout"], r["n"], r["c"], r["h"], r["w"])
        if level == 4:
            for side in (7, 1):
                pool = dict(row, h=h2 // 2, w=w2 // 2, k=side)
                yield ([dict(pool, op=op) for op in ("avg_pool_forward", "avg_pool_backward")],
                       lambda r=pool: pool_case(**r))


def map_case(precision, layout, n, c, h, w):
    dtype = TYPES[precision]
    x = half_zero(n, c, h, w, dtype=dtype, layout=layout)
    g = half_zero(n, c, h, w, dtype=dtype, layout=layout)
    bias = torch.zeros(1, c, 1, 1, device="cuda", dtype=dtype)
    pooled, index = ATEN.max_pool2d_with_indices(x, [2, 2], [2, 2])
    mean, var, scale = (torch.full((c,), v, device="cuda") for v in (0.0, 1.0, 1.0))
    # Autograd refuses what was changed in place since, so the graph has tensors of its own.
    inputs = [t.clone().requires_grad_() for t in (x, scale, mean)]
    normed = F.batch_norm(inputs[0], mean.clone(), var.clone(), inputs[1], inputs[2], True)
    spare = torch.empty_like(x)
    other = torch.channels_last if layout == "nchw" else torch.contiguous_format
    return [
        lambda: x.add_(bias), lambda: g.sum((0, 2, 3)), lambda: x.clamp_min_(0), lambda: ATEN.threshold_backward(g, x, 0),
        lambda: ATEN.max_pool2d_with_indices(x, [2, 2], [2, 2]),
        lambda: ATEN.max_pool2d_with_indices_backward(pooled, x, [2, 2], [2, 2], [0, 0], [1, 1], False, index),
        lambda: F.batch_norm(x, mean, var, scale, scale, False), lambda: F.batch_norm(x, mean, var, scale, scale, True),
        lambda: torch.autograd.grad(normed, inputs, g, retain_graph=True), lambda: spare.zero_(),
        lambda: x.contiguous(memory_format=other)]


def pool_case(precision, layout, n, c, k, h, w):
    x = half_zero(n, c, h, w, dtype=TYPES[precision], layout=layout).requires_grad_()
    out = F.adaptive_avg_pool2d(x, k)
    g = torch.ones_like(out)
    return [lambda: F.adaptive_avg_pool2d(x.detach(), k), lambda: torch.autograd.grad(out, x, g, retain_graph=True)]


def linears(batches, precisions):
    layers = [(25088, 4096), (4096, 4096), (4096, 1000), (4096, 10), (512, 1000), (512, 10), (131072, 4096)]
    names = ["linear_forward", "linear_input_grad", "linear_weight_grad", "bias_grad", "dropout_forward", "dropout_backward"]
    for precision, (c, k), n in itertools.product(precisions, layers, batches):
        if not fits(3 * c * k, TYPES[precision]):
            continue
        row = dict(precision=precision, layout="nchw", n=n, c=c, k=k, h=1, w=1)
        rows = [dict(row, op=op) for op in names[:3]] + [dict(row, op="bias_grad", layout="nhwc", c=k)]
        rows += [dict(row, op=op, c=k) for op in names[4:]]
        yield rows, lambda r=row: linear_case(r["precision"], r["n"], r["c"], r["k"])


def linear_case(precision, n, c, k):
    set_arithmetic(precision)
    dtype = TYPES[precision]
    weight = torch.randn(k, c, device="cuda", dtype=dtype).mul_(0.02)
    bias = torch.zeros(k, device="cuda", dtype=dtype)
    x, g = (torch.randn(n, m, device="cuda", dtype=dtype).clamp_min_(0) for m in (c, k))
    _, mask = ATEN.native_dropout(g, 0.5, True)
    return [lambda: F.linear(x, weight, bias), lambda: g.mm(weight), lambda: g.t().mm(x), lambda: g.sum(0, keepdim=True),
            lambda: ATEN.native_dropout(g, 0.5, True), lambda: ATEN.native_dropout_backward(g, mask, 2.0)]


def casts(half):
    for n in [64, 36864, 589824, 2359296, 2**24, 2**26, 102760448, 2**28]:
        row = dict(layout="nchw", n=n, c=1, k=1, h=1, w=1)
        rows = [dict(row, op="cast", precision=half), dict(row, op="cast", precision="fp32"),
                dict(row, op="fill", precision="fp32"), dict(row, op="grad_accumulate", precision="fp32")]
        yield rows, lambda m=n: cast_case(m, TYPES[half])


def cast_case(n, half):
    wide = torch.zeros(n, device="cuda")
    narrow = wide.to(half)
    return [lambda: wide.to(half), narrow.float, lambda: wide.zero_(), lambda: wide.add_(wide)]


# Passes over the parameters, tensors read, tensors written: what torch.optim's update rules do.
RULES = {("sgd", False): (1, 2, 1), ("sgd", True): (1, 2, 1), ("momentum", False): (4, 7, 4), ("momentum", True): (1, 3, 2),
         ("adam", False): (7, 11, 7), ("adam", True): (1, 4, 3), ("adamw", False): (8, 12, 8), ("adamw", True): (1, 4, 3)}


def optimizers(precisions):
    for precision, whole, name, impl in itertools.product(precisions, (True, False), ("momentum", "sgd", "adam", "adamw"),
                                                          ("foreach", "fused", "loop")):
        with torch.device("meta"):
            model = torchvision.models.vgg16(weights=None, init_weights=False)
        shapes = [p.shape for p in (model if whole else model.features).parameters()]
        passes, reads, writes = RULES[name, impl == "fused"]
        row = dict(op="optimizer", precision=precision, optimizer=name, impl=impl, parameters=sum(s.numel() for s in shapes),
                   tensors=len(shapes), passes=passes, reads=reads, writes=writes)
        if fits(6 * row["parameters"], TYPES[precision]):
            yield [row], lambda s=shapes, r=row: optimizer_case(s, r)


def optimizer_case(shapes, row):
    parameters = [torch.nn.Parameter(torch.zeros(s, device="cuda", dtype=TYPES[row["precision"]])) for s in shapes]
    for p in parameters:
        p.grad = torch.ones_like(p)
    kind, arguments = optimizer_of(row["optimizer"], row["impl"])
    return [kind(parameters, lr=1e-5, **arguments).step]


def kernel_groups(events, marks):
    """Kernel times between marks, which are the spin kernels of torch.cuda._sleep."""
    groups, current = [], 0.0
    for event in sorted(events, key=lambda e: e["ts"]):
        if "spin_kernel" in event["name"] or "sleep" in event["name"].lower():
            groups.append(current)
            current = 0.0
        else:
            current += event["dur"]
    return groups if len(groups) == marks else None


def traced(work):
    with profile(activities=[ProfilerActivity.CUDA]) as trace:
        marks = work()
        torch.cuda.synchronize()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.json")
        trace.export_chrome_trace(path)
        with open(path) as f:
            events = json.load(f)["traceEvents"]
    kernels = [e for e in events if e.get("cat") in ("kernel", "gpu_memset", "gpu_memcpy")]
    return kernel_groups(kernels, marks)


def time_cases(cases, out, title, deadline):
    """Times batches of cases: each function runs once to warm up and twice between marks."""
    cases = ((rows, make) for rows, make in cases if not all(out.has(r) for r in rows))
    count = 0
    while time.time() < deadline:
        batch = []

        def work():
            marks = 0
            for rows, make in itertools.islice(cases, 40):
                try:
                    calls = make()
                    for call in calls:
                        call()
                except torch.OutOfMemoryError:
                    torch.cuda.empty_cache()
                    continue
                for call in calls:
                    for _ in range(2):
                        torch.cuda._sleep(100)
                        call()
                    torch.cuda._sleep(100)
                    marks += 3
                batch.append((rows, len(calls)))
                del calls
                if time.time() > deadline:
                    break
            return marks

        groups = traced(work)
        if not batch:
            break
        if groups is None:
            say(f"{title}: the profiler lost kernels; {len(batch)} cases are left out")
            continue
        at = 0
        for rows, calls in batch:
            for row in rows[:calls]:
                out.write(dict(row, us=round(0.5 * (groups[at + 1] + groups[at + 2]), 3)))
                at += 3
        count += len(batch)
        say(f"{title}: {count} cases")
        torch.cuda.empty_cache()


# ---- whole steps -------------------------------------------------------------------------------------------------

def step_cases(images, halves, quick):
    base = dict(arch="vgg16", layout="nchw", optimizer="momentum", checkpoint="none", benchmark=False, in_channels=3,
                num_classes=1000, head="adaptive", mode="train")
    precisions = ["tf32"] + [f"amp-{h}" for h in halves] + (["bf16"] if "bf16" in halves else [])
    for (h, w, batch), precision, layout in itertools.product(images, precisions, ("nchw", "nhwc")):
        yield dict(base, h=h, w=w, batch=batch, precision=precision, layout=layout)
    if quick:
        return
    for arch, optimizer in (("vgg11", "sgd"), ("vgg19", "adamw"), ("vgg16_bn", "momentum-fused"), ("vgg16", "adamw-loop")):
        yield dict(base, h=512, w=512, batch=4, arch=arch, optimizer=optimizer, precision="tf32")
    yield dict(base, h=512, w=512, batch=8, precision="fp32")
    yield dict(base, h=1024, w=1024, batch=2, checkpoint="block", precision="tf32")
    yield dict(base, h=224, w=224, batch=1, mode="infer", precision="tf32")
    yield dict(base, h=64, w=64, batch=2, head="gap", precision="tf32")


def job_of(case):
    """A case in the words of plans."""
    return {"model": case["arch"], "height": case["h"], "width": case["w"], "channels": case["in_channels"],
            "classes": case["num_classes"], "head": case["head"], "checkpointing": case["checkpoint"]}


class Trainer:
    def __init__(self, case):
        dtype, self.autocast = set_arithmetic(case["precision"])
        layout = LAYOUTS[case["layout"]]
        self.train = case["mode"] == "train"
        self.model = build(job_of(case), init_weights=False).to(dtype).cuda().to(memory_format=layout).train(self.train)
        self.x = torch.randn(case["batch"], 3, case["h"], case["w"], device="cuda", dtype=dtype).contiguous(memory_format=layout)
        self.y = torch.randint(0, case["num_classes"], (case["batch"],), device="cuda")
        self.scaler = torch.amp.GradScaler("cuda") if self.autocast is torch.float16 and self.train else None
        name, _, impl = case["optimizer"].partition("-")
        kind, arguments = optimizer_of(name, impl or "foreach")
        self.optimizer = kind(self.model.parameters(), lr=1e-5, **arguments) if self.train else None

    def step(self, mark=lambda i: None):
        with torch.set_grad_enabled(self.train):
            mark(0)
            if self.optimizer:
                self.optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cuda", dtype=self.autocast or torch.bfloat16, enabled=self.autocast is not None):
                out = self.model(self.x)
                loss = F.cross_entropy(out, self.y) if self.train else None
            mark(1)
            if self.train:
                (self.scaler.scale(loss) if self.scaler else loss).backward()
            mark(2)
            if self.scaler:
                self.scaler.step(self.optimizer)
                self.scaler.update()
            elif self.optimizer:
                self.optimizer.step()
            mark(3)


def measure_step(case):
    """In a process of its own: a fresh CUDA context, and no cache from the case before."""
    row = dict(case)
    trainer = Trainer(case)
    trainer.step()
    torch.cuda.synchronize()
    row["peak_first_step"] = torch.cuda.max_memory_allocated()
    start = time.time()
    trainer.step()
    torch.cuda.synchronize()
    row["peak"] = torch.cuda.max_memory_allocated()
    steps = max(3, min(15, int(1.0 / max(time.time() - start, 1e-3))))
    phases = []
    for _ in range(steps):
        events = [torch.cuda.Event(enable_timing=True) for _ in range(4)]
        trainer.step(lambda i: events[i].record())
        torch.cuda.synchronize()
        phases.append([events[i].elapsed_time(events[i + 1]) for i in range(3)])
    phases.sort(key=sum)
    row["ms_fwd"], row["ms_bwd"], row["ms_opt"] = (round(v, 4) for v in phases[len(phases) // 2])
    row["ms_step"] = round(sum(phases[len(phases) // 2]), 4)
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    for _ in range(steps):
        trainer.step()
    last.record()
    torch.cuda.synchronize()
    row["ms_loop"] = round(first.elapsed_time(last) / steps, 4)
    row["reserved"] = torch.cuda.max_memory_reserved()
    row["host_add_us"] = addition()
    return row


# ---- the host ----------------------------------------------------------------------------------------------------

def host_cases(halves, quick):
    """Steps so small that the GPU hardly works: each thing that the host pays for, with and without the others."""
    base = dict(arch="vgg16", h=32, w=32, batch=2, precision="tf32", layout="nchw", optimizer="momentum", checkpoint="none",
                benchmark=False, in_channels=3, num_classes=10, head="gap", mode="train")
    precisions = ["tf32"] + [f"amp-{h}" for h in halves] + (["bf16"] if "bf16" in halves else [])
    for arch, precision in itertools.product(("vgg11", "vgg16_bn"), precisions):
        yield dict(base, arch=arch, precision=precision)
        yield dict(base, arch=arch, precision=precision, layout="nhwc")
        yield dict(base, arch=arch, precision=precision, checkpoint="block")
        yield dict(base, arch=arch, precision=precision, mode="infer")
    if quick:
        return
    for name, impl in itertools.product(("sgd", "momentum", "adam", "adamw"), ("", "-fused", "-loop")):
        yield dict(base, optimizer=name + impl)
        yield dict(base, optimizer=name + impl, arch="vgg16_bn", precision=f"amp-{halves[0]}")
    for arch in ("vgg13", "vgg19", "vgg19_bn"):
        yield dict(base, arch=arch)


def addition():
    """Microseconds that the host takes to issue one addition; the median of some, since cores are interrupted."""
    t = torch.zeros(8, device="cuda")
    times = []
    for _ in range(20):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(200):  # fewer than the GPU's queue holds
            t.add_(1.0)
        times.append((time.perf_counter() - start) / 200)
    return round(1e6 * sorted(times)[len(times) // 2], 3)


def measure_host(case):
    row = dict(case)
    trainer = Trainer(case)
    for _ in range(5):
        trainer.step()
    phases = []
    for _ in range(25):
        marks = []
        torch.cuda.synchronize()
        trainer.step(lambda i: marks.append(time.perf_counter()))
        phases.append([1e6 * (b - a) for a, b in zip(marks, marks[1:])])
    row["host_fwd_us"], row["host_bwd_us"], row["host_opt_us"] = (round(sorted(v)[len(v) // 2], 1) for v in zip(*phases))
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(30):
        trainer.step()
    torch.cuda.synchronize()
    row["ms_loop"] = round(1e3 * (time.perf_counter() - start) / 30, 4)
    row["host_add_us"] = addition()
    return row


def time_host(cases, out):
    cases = [case for case in cases if not out.has(case)]
    # A process of its own: where the profiler has run launches take longer.
    run = subprocess.run([sys.executable, os.path.abspath(__file__), "--host-steps", json.dumps(cases)], capture_output=True, text=True)
    lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
    for line in lines:
        out.write(json.loads(line))
    if run.returncode != 0:
        say("host: %s" % (run.stderr.strip().splitlines()[-1:] or "no output"))
    say(f"host: {len(lines)} measured")


def time_steps(cases, out, deadline):
    count = 0
    for case in cases:
        if out.has(case):
            continue
        if time.time() > deadline:
            say("steps: out of time; start again to go on")
            return
        # The parent holds a context of its own, but no tensors by now.
        run = subprocess.run([sys.executable, os.path.abspath(__file__), "--one-step", json.dumps(case)], capture_output=True, text=True)
        line = run.stdout.strip().splitlines()[-1] if run.stdout.strip() else ""
        if run.returncode == 0 and line.startswith("{"):
            out.write(json.loads(line))
            count += 1
        elif "OutOfMemoryError" in run.stderr:
            out.write(dict(case, oom="out of memory"))
        else:
            say("steps: %s failed: %s" % (case, run.stderr.strip().splitlines()[-1:] or "no output"))
    say(f"steps: {count} measured")


# ---- the input side ----------------------------------------------------------------------------------------------

def repeat(call, seconds=1.0):
    call()
    start, n = time.time(), 0
    while time.time() - start < seconds:
        call()
        n += 1
    return 1e3 * (time.time() - start) / n


def decode_on_gpu(data):
    torchvision.io.decode_jpeg(data, device="cuda")
    torch.cuda.synchronize()


def time_input(out, quick):
    torch.set_num_threads(1)
    seconds = 0.2 if quick else 1.0
    for h, w in ((224, 224), (1024, 1024), (4024, 3036)):
        rough = torch.nn.functional.interpolate(torch.rand(1, 3, 16, 16), (h, w), mode="bicubic")[0]
        noisy = ((rough.clamp(0, 1) * 255) + torch.randint(-6, 7, (3, h, w))).clamp(0, 255).to(torch.uint8)
        image = torchvision.transforms.functional.to_pil_image(noisy)
        for fmt, options in (("JPEG", {"quality": 90}), ("PNG", {}), ("TIFF", {})):
            buffer = io.BytesIO()
            image.save(buffer, fmt, **options)
            raw = buffer.getvalue()
            row = dict(kind="decode-pil", h=h, w=w, format=fmt, **options)
            if not out.has(row):
                out.write(dict(row, ms=round(repeat(lambda: Image.open(io.BytesIO(raw)).convert("RGB").load(), seconds), 4)))
            decode = {"JPEG": torchvision.io.decode_jpeg, "PNG": torchvision.io.decode_png}.get(fmt)
            row = dict(row, kind="decode-torchvision")
            if decode and not out.has(row):
                data = torch.frombuffer(bytearray(raw), dtype=torch.uint8)
                out.write(dict(row, ms=round(repeat(lambda: decode(data), seconds), 4)))
            row = dict(row, kind="decode-nvjpeg")
            if fmt == "JPEG" and not out.has(row):
                out.write(dict(row, ms=round(repeat(lambda: decode_on_gpu(data), seconds), 4)))
        row = dict(kind="pil-totensor-normalize", h=h, w=w)
        functional = torchvision.transforms.functional
        if not out.has(row):
            call = lambda: functional.normalize(functional.to_tensor(image), [.485, .456, .406], [.229, .224, .225])
            out.write(dict(row, ms=round(repeat(call, seconds), 4)))
        host = torch.empty(1, 3, h, w, pin_memory=True)
        device = torch.empty(1, 3, h, w, device="cuda")

        def copy():
            device.copy_(host, non_blocking=True)
            torch.cuda.synchronize()
        row = dict(kind="h2d", pinned=True, bytes=host.numel() * 4)
        if not out.has(row):
            out.write(dict(row, ms=round(repeat(copy, seconds), 4)))
    say("input: done")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", metavar="FILE", help="where rows are added")
    parser.add_argument("--parts", default="ops,input,host,steps", help="which of ops, input, host and steps (default: all)")
    parser.add_argument("--minutes", type=float, default=60, help="stop after so many minutes (default 60)")
    parser.add_argument("--quick", action="store_true", help="few sizes: five minutes, and a rougher calibration")
    parser.add_argument("--one-step", metavar="CASE", help=argparse.SUPPRESS)
    parser.add_argument("--host-steps", metavar="CASES", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("no CUDA GPU is visible to torch")
    if options.one_step:
        print(json.dumps(measure_step(json.loads(options.one_step))))
        return
    if options.host_steps:
        for case in json.loads(options.host_steps):
            print(json.dumps(measure_host(case)), flush=True)
        return
    if not options.out:
        parser.error("--out FILE is needed")
    unknown = set(options.parts.split(",")) - {"ops", "input", "host", "steps"}
    if unknown:
        parser.error("unknown part: " + ", ".join(sorted(unknown)))
    out = Output(options.out)
    deadline = time.time() + 60 * options.minutes
    images = QUICK_IMAGES if options.quick else IMAGES
    halves = (["bf16"] if torch.cuda.is_bf16_supported(including_emulation=False) else []) + ["fp16"]
    say(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}; {len(out.done)} rows already there")
    if "ops" in options.parts:
        widths = ["fp32"] + halves
        batches = [1, 4, 16, 64] if options.quick else [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256]
        time_cases(optimizers(["fp32"] + halves[:1]), out, "optimizers", deadline)
        time_cases(casts(halves[0]), out, "casts", deadline)
        time_cases(linears(batches, widths), out, "linear", deadline)
        time_cases(maps(images, widths), out, "maps", deadline)
        time_cases(convolutions(images, ["tf32"] + halves + ([] if options.quick else ["fp32"])), out, "convolutions", deadline)
    torch.cuda.empty_cache()
    if "input" in options.parts:
        time_input(out, options.quick)
    if "host" in options.parts:
        time_host(host_cases(halves, options.quick), out)
    if "steps" in options.parts:
        time_steps(step_cases(images[:3] if options.quick else images[:12], halves, options.quick), out, deadline)


if __name__ == "__main__":
    main()
