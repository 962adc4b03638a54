#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fits which of cuDNN's kernels runs, by sizes, for the workspace rules that say "fitted".

    scripts/workspaces.py            tells how many measured convolutions each of them meets
    scripts/workspaces.py --write    writes them into the framework's file
    scripts/workspaces.py --check    fails where that would change the file

How many bytes a kernel takes is a formula (docs/how-memory-is-counted.md); which kernel runs is up to heuristics of
cuDNN that nobody published. What is known of them: they look at sizes alone. So a rule's kernels are a decision tree
over pixels, images, the map of one image and whether the pixels are whole vectors, no deeper than pays: a leaf more
must explain `PAYS` shapes more. "held_out" beside it is the share that a tree of every other shape meets, to 1.5 kB,
of the shapes between them.
"""
import argparse, collections, json, math, pathlib, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FRAMEWORK = ROOT / "configs/frameworks/pytorch-2.11.json"
MEASUREMENTS = ROOT / "tests/data/measurements"
FILES = ["convolutions", "convolutions_2", "convolutions_2_held_out", "small_maps", "channels"]
PASSES = {"conv_forward": "forward", "conv_input_grad": "input-gradient", "conv_weight_grad": "weight-gradient"}
CHUNK = 2**31  # elements from which on cuDNN runs a batch in chunks: other rules
PAYS, SMALLEST_LEAF, NEAR = 4, 3, 1500
WAVES = ((132, 1), (132, 2), (120, 16), (120, 8), (120, 4))  # tiles in a wave, and the cluster they come in
TILES = ((64, 256), (128, 128), (256, 128), (128, 256), (64, 128), (128, 64))
RAGGED = 64  # pixels that some kernels take at a time
TILE = 128  # sides of the tiles that partial sums of a weight gradient come in
LEAST_STEPS = {"tf32": (4, 8), "fp16": (4, 8, 9), "bf16": (72,)}

Shape = collections.namedtuple("Shape", "math layout rule_pass images inputs outputs height width workspace")


def pixels(shape):
    return shape.images * shape.height * shape.width


def shapes():
    """Each measured 3x3 once."""
    seen = {}
    for name in FILES:
        for line in (MEASUREMENTS / f"{name}.jsonl").open():
            row = json.loads(line)
            if row.get("op") in PASSES and "workspace" in row:
                shape = Shape(row["precision"], row["layout"], PASSES[row["op"]], row["n"], row["c"], row["k"], row["h"], row["w"], row["workspace"])
                seen.setdefault(shape[:-1], shape)
    for line in (MEASUREMENTS / "workspaces.jsonl").open():
        row = json.loads(line)
        precision, layout, *sizes = row["convolution"]
        for rule_pass, workspace in zip(PASSES.values(), row["workspaces"]):
            if workspace is not None:
                shape = Shape(precision, layout, rule_pass, *sizes, workspace)
                seen.setdefault(shape[:-1], shape)
    return [s for s in seen.values() if max(s.inputs, s.outputs) * pixels(s) <= CHUNK]


def sizes(shape):
    """What a kernel's bounds are about, by their names in the file."""
    return {"pixels": pixels(shape), "images": shape.images, "map": shape.height * shape.width, "ragged": int(pixels(shape) % RAGGED > 0)}


def up(value, step):
    return -(-value // step) * step


def element(shape):
    return 4 if shape.math in ("tf32", "fp32") else 2


def copied(shape):
    vector = 16 // element(shape)
    inputs, outputs = up(shape.inputs, vector), up(shape.outputs, vector)
    nchw = shape.layout == "nchw"
    maps = (inputs if nchw or inputs != shape.inputs else 0) + (outputs if nchw or outputs != shape.outputs else 0)
    return (maps * pixels(shape) + 9 * inputs * outputs) * element(shape) + 16 if maps else 0


def partial_sums(stream_k, shape):
    forward = shape.rule_pass == "forward"
    produced, summed = (shape.outputs, shape.inputs) if forward else (shape.inputs, shape.outputs)
    tile = stream_k["tile_pixels"] * stream_k["tile_channels"]
    tiles = -(-pixels(shape) // stream_k["tile_pixels"]) * -(-produced // stream_k["tile_channels"])
    partial = up(tiles, stream_k["cluster"]) % stream_k["slots"]
    steps = 9 * summed // 32
    most = min(stream_k["slots"] // partial, steps // stream_k["iterations"]) if partial else 0
    return partial * -(-steps // -(-steps // most)) * tile * 4 if most > 1 else 0


def workspace(kernel, shape):
    align = kernel.get("align") or 16 // element(shape)
    inputs, outputs = up(shape.inputs, align), up(shape.outputs, align)
    operands = kernel.get("input", 0) * inputs * pixels(shape) + kernel.get("weight", 0) * 9 * inputs * outputs
    sums = partial_sums(kernel["stream_k"], shape) if "stream_k" in kernel else 0
    return int(operands * element(shape)) + kernel.get("bytes", 0) + sums + (copied(shape) if kernel.get("copies") else 0)


def meets(kernel, shape):
    return abs(workspace(kernel, shape) - shape.workspace) < NEAR


def candidates(rule, group):
    """Kernels that may run: of those that split the last wave the few that explain most; of sums their sizes."""
    base = {"copies": True}
    if rule["pass"] != "weight-gradient":
        split = [{**base, "bytes": 131, "stream_k": dict(tile_pixels=p, tile_channels=c, slots=s, cluster=k, iterations=i)}
                 for p, c in TILES for s, k in WAVES for i in LEAST_STEPS[rule["math"][0]]]
        alone = [{"input": 1, "weight": 1, "bytes": 16}] if rule.get("layout") == "nchw" else []
        return few([{**base, "bytes": 131}] + alone, split, group)
    if rule["in_channels"][1] <= 16:
        unit = lambda s: 9 * up(s.inputs, 8) * up(s.outputs, 8) * element(s)
        slices = collections.Counter(round((s.workspace - copied(s) - 128) / unit(s) / 2) for s in group)
        return few([], [{**base, "weight": 2 * n, "bytes": 128, "align": 8} for n, _ in slices.most_common(24)], group)
    unit = lambda s: 9 * up(s.inputs, TILE) * up(s.outputs, TILE) * element(s)
    sums = collections.Counter((round((s.workspace - copied(s)) // 1024 * 1024 / unit(s), 4), (s.workspace - copied(s)) % 1024) for s in group)
    return few([], [{**base, "weight": n, "align": TILE, "bytes": rest} if n else base for (n, rest), _ in sums.most_common(60)], group)


def few(always, others, group):
    kept, left = list(always), [s for s in group if not any(meets(k, s) for k in always)]
    while left:
        best = max(others, key=lambda kernel: sum(meets(kernel, s) for s in left))
        rest = [s for s in left if not meets(best, s)]
        if kept and len(left) - len(rest) < max(SMALLEST_LEAF, len(group) / 200):
            break
        kept.append(best)
        left = rest
    return kept


def tree(group, kernels):
    """Leaves (bounds by axis, kernel), grown by the split that leaves the purest sides, and cut back where that does not pay."""
    hits = [[meets(kernel, s) for s in group] for kernel in kernels]
    axes = [sizes(s) for s in group]

    def counts(indices):
        return [sum(row[i] for i in indices) for row in hits]

    def purity(hit, size):
        return sum(n * n for n in hit) / size

    def split(indices):
        best = None
        for axis in axes[0]:
            order = sorted(indices, key=lambda i: axes[i][axis])
            total, left = counts(order), [0] * len(kernels)
            for at in range(1, len(order) - SMALLEST_LEAF + 1):
                left = [n + row[order[at - 1]] for n, row in zip(left, hits)]
                low, high = axes[order[at - 1]][axis], axes[order[at]][axis]
                if at >= SMALLEST_LEAF and low != high:
                    gain = purity(left, at) + purity([t - n for t, n in zip(total, left)], len(order) - at)
                    if best is None or gain > best[0]:
                        best = (gain, axis, max(low + 1, math.isqrt(low * high)), order[:at], order[at:])
        return best

    def grow(indices, bounds):
        found = counts(indices)
        leaf = [(bounds, kernels[found.index(max(found))])]
        missed = len(indices) - max(found)
        cut = split(indices) if missed else None
        if cut is None:
            return leaf, missed
        _, axis, at, low, high = cut
        first, end = bounds.get(axis, (0, None))
        (left, left_missed), (right, right_missed) = (
            grow(high, {**bounds, axis: (at, end)}), grow(low, {**bounds, axis: (first, at)}))
        if missed - left_missed - right_missed < PAYS * (len(left) + len(right) - 1):
            return leaf, missed
        return left + right, left_missed + right_missed

    return grow(list(range(len(group))), {})[0]


def written(leaf):
    """Leaves of multiples come after those of other pixels, and need not say so."""
    bounds, kernel = leaf
    ranges = {axis: [low] if high is None else [low, high - 1] for axis, (low, high) in bounds.items() if axis != "ragged"}
    return {**ranges, **({"ragged": RAGGED} if bounds.get("ragged", (0, None))[0] else {}), **kernel}


def runs(kernel, shape):
    inside = lambda axis, size: axis not in kernel or kernel[axis][0] <= size <= (kernel[axis] + [size])[1]
    return all(inside(axis, size) for axis, size in sizes(shape).items() if axis != "ragged") and (
        "ragged" not in kernel or pixels(shape) % kernel["ragged"] > 0)


def grown(rule, group):
    return [written(leaf) for leaf in tree(group, candidates(rule, group))]


def fit(rule, group):
    trial, held_out = grown(rule, group[::2]), group[1::2]
    met = sum(meets(next(k for k in trial if runs(k, s)), s) for s in held_out)
    rule["kernels"] = grown(rule, group)
    rule["fitted"] = {"shapes": len(group), "held_out": round(met / max(1, len(held_out)), 2)}


def of(rule, shape):
    inside = lambda key, size: key not in rule or rule[key][0] <= size <= rule[key][-1]
    return (shape.math in rule["math"] and shape.rule_pass == rule["pass"] and rule.get("layout", shape.layout) == shape.layout
            and inside("in_channels", shape.inputs) and inside("out_channels", shape.outputs))


def text_with(rules, text):
    """The file with these rules: a rule a line, of fitted ones a kernel a line."""
    start = text.index('  "convolution_workspace": [') + len('  "convolution_workspace": [\n')
    end = text.index("\n  ],", start)
    lines = []
    for rule in rules:
        if "kernels" not in rule:
            lines.append("    " + json.dumps(rule))
            continue
        head = json.dumps({key: value for key, value in rule.items() if key != "kernels"})
        lines.append("    " + head[:-1] + ', "kernels": [\n' + ",\n".join("      " + json.dumps(k) for k in rule["kernels"]) + "]}")
    return text[:start] + ",\n".join(lines) + text[end:]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--write", action="store_true")
    arguments.add_argument("--check", action="store_true")
    chosen = arguments.parse_args()
    text = FRAMEWORK.read_text()
    rules, measured = json.loads(text)["convolution_workspace"], shapes()
    for rule in rules:
        if "fitted" in rule:
            fit(rule, [shape for shape in measured if of(rule, shape)])
            print(*rule["math"], rule.get("layout", ""), rule["pass"], rule["in_channels"], rule["out_channels"], len(rule["kernels"]), "kernels", rule["fitted"])
    result = text_with(rules, text)
    if chosen.write:
        FRAMEWORK.write_text(result)
    if chosen.check and result != text:
        sys.exit(f"workspaces.py: {FRAMEWORK.name} differs from what its measurements give; run scripts/workspaces.py --write")


if __name__ == "__main__":
    main()
