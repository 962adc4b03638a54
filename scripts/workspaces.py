#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fits which of cuDNN's kernels runs, by sizes, for the workspace rules that say "fitted".

    scripts/workspaces.py            tells how many measured convolutions each of them meets
    scripts/workspaces.py --write    writes them into the framework's file
    scripts/workspaces.py --check    fails where that would change the file

How many bytes a kernel takes is a formula (docs/how-memory-is-counted.md); which kernel runs is up to heuristics of
cuDNN that nobody published. What is known of them: they look at sizes alone. So a rule lists its kernels, few of those
that may exist, and a decision tree over sizes picks one. A leaf more must explain `PAYS` shapes more.
"""
import argparse, collections, concurrent.futures, heapq, json, math, pathlib, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FRAMEWORK = ROOT / "configs/frameworks/pytorch-2.11.json"
MEASUREMENTS = ROOT / "tests/data/measurements"
FILES = ["convolutions", "convolutions_2", "convolutions_2_held_out", "small_maps", "channels", "workspaces", "workspaces_3"]
HELD_OUT = ["workspaces_3_held_out"]
PASSES = {"conv_forward": "forward", "conv_input_grad": "input-gradient", "conv_weight_grad": "weight-gradient"}
CHUNK = 2**31  # elements from which on cuDNN runs a batch in chunks: other rules

PAYS, SMALLEST_LEAF = 1.5, 3
TRIES = 4  # axes that are tried, the best first, where a cut does not pay
MOST_WEIGHTS = 300  # that a weight gradient is added up of
RARE = 4000  # a kernel is listed where it explains more than one of so many shapes
NEAR, EXACT = 1024, 64  # bytes that a workspace may be off: of a kernel that splits nothing, and of one that does
STEP = 128  # bytes that a kernel multiplies at a time, of either operand
# What splits tiles (StreamK in framework.hpp): tiles, clusters with the blocks that fit on 132 SMs at once, and least steps.
TILES = ((128, 256), (256, 128), (128, 128), (64, 128), (128, 64), (256, 64), (64, 256), (64, 64), (256, 96), (128, 192),
         (64, 192), (128, 32))
CLUSTERS = (((1, 1), 132), ((2, 1), 132), ((1, 2), 132), ((4, 1), 120), ((1, 4), 120), ((2, 2), 120), ((8, 1), 120),
            ((4, 2), 120), ((1, 3), 117), ((5, 1), 110), ((1, 5), 110), ((7, 1), 105), ((1, 1), 96), ((1, 1), 84))
STEPS = (2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 33, 36)

Shape = collections.namedtuple("Shape", "math layout rule_pass images inputs outputs height width workspace")


def pixels(shape):
    return shape.images * shape.height * shape.width


def passes(row):
    """Of a line of a file: pass, sizes and workspace of each convolution in it."""
    if "convolution" in row:
        return [(rule_pass, row["convolution"], bytes) for rule_pass, bytes in zip(PASSES.values(), row["workspaces"])]
    if row.get("op") in PASSES:
        return [(PASSES[row["op"]], [row[key] for key in ("precision", "layout", "n", "c", "k", "h", "w")], row.get("workspace"))]
    return []


def shapes(files):
    """Each measured 3x3 once."""
    seen = {}
    for name in files:
        for line in (MEASUREMENTS / f"{name}.jsonl").open():
            for rule_pass, (precision, layout, *sizes), workspace in passes(json.loads(line)):
                if workspace is not None:
                    shape = Shape(precision, layout, rule_pass, *sizes, workspace)
                    seen.setdefault(shape[:-1], shape)
    return [s for s in seen.values() if max(s.inputs, s.outputs) * pixels(s) <= CHUNK]


def axes_of(shape):
    """What a tree may ask, by the names in the file."""
    area = shape.height * shape.width
    return {"pixels": pixels(shape), "images": shape.images, "map": area, "height": shape.height, "width": shape.width,
            "in_channels": shape.inputs, "out_channels": shape.outputs, "nchw": int(shape.layout == "nchw"),
            "pixels_alignment": alignment(pixels(shape)), "map_alignment": alignment(area),
            "channels_alignment": min(alignment(shape.inputs), alignment(shape.outputs))}


def alignment(size):
    """The largest power of two, up to 64, that divides."""
    return min(64, size & -size)


def up(value, step):
    return -(-value // step) * step


def element(shape):
    return 4 if shape.math in ("tf32", "fp32") else 2


def padded(shape):
    vector = 16 // element(shape)
    return up(shape.inputs, vector), up(shape.outputs, vector)


def copied(shape):
    inputs, outputs = padded(shape)
    nchw = shape.layout == "nchw"
    maps = (inputs if nchw or inputs != shape.inputs else 0) + (outputs if nchw or outputs != shape.outputs else 0)
    return (maps * pixels(shape) + 9 * inputs * outputs) * element(shape) + 16 if maps else 0


def grid(shape):
    """Rows, columns and how often the columns come: the product that a pass is; and the steps of its sums."""
    inputs, outputs = padded(shape)
    products = STEP // element(shape)
    if shape.rule_pass == "weight-gradient":
        return outputs, inputs, 9, -(-pixels(shape) // products)
    rows, summed = (outputs, inputs) if shape.rule_pass == "forward" else (inputs, outputs)
    return pixels(shape), rows, 1, -(-9 * summed // products)


def split_tiles(tile, cluster, slots, sizes):
    rows, columns, times, _ = sizes
    return up(-(-rows // tile[0]), cluster[0]) * up(times * -(-columns // tile[1]), cluster[1]) % slots


def counters(parts):
    """Parts are added two by two, and each addition counts."""
    total = 0
    while parts > 1:
        parts = -(-parts // 2)
        total += parts
    return total


def split_bytes(split, shape):
    sizes = grid(shape)
    tiles = split_tiles(split["tile"], split["cluster"], split["slots"], sizes)
    most = min(split["slots"] // tiles, sizes[3] // split["steps"]) if tiles else 0
    if most <= 1:
        return 0
    parts = -(-sizes[3] // -(-sizes[3] // most))
    return tiles * (parts * split["tile"][0] * split["tile"][1] + counters(parts)) * 4 + 32


def workspace(kernel, shape):
    align = kernel.get("align") or 16 // element(shape)
    inputs, outputs = up(shape.inputs, align), up(shape.outputs, align)
    operands = (kernel.get("input", 0) * inputs + kernel.get("output", 0) * outputs) * pixels(shape) + kernel.get("weight", 0) * 9 * inputs * outputs
    sums = split_bytes(kernel["split"], shape) if "split" in kernel else 0
    return (int(operands * element(shape)) + kernel.get("bytes", 0) + sums + (copied(shape) if kernel.get("copies") else 0)
            + (winograd(shape) if kernel.get("winograd") else 0))


def meets(kernel, shape):
    near = EXACT if "split" in kernel and split_bytes(kernel["split"], shape) else NEAR
    return abs(workspace(kernel, shape) - shape.workspace) < near


def winograd(shape):
    """36 numbers of 4 bytes for 4x4 pixels of either map, and for the taps of each pair of channels. NHWC is copied."""
    images = shape.images if shape.rule_pass == "weight-gradient" else up(shape.images, 16)
    tiles = images * -(-shape.height // 4) * -(-shape.width // 4)
    channels, pairs = shape.inputs + shape.outputs, shape.inputs * shape.outputs
    copies = (channels * pixels(shape) + 9 * pairs) * element(shape) + 16 if shape.layout == "nhwc" else 0
    return 36 * 4 * (tiles * channels + pairs) + copies


def plain_kernels(group):
    """Kernels that split nothing, and those of weight gradients that add up whole weights."""
    kernels = [{"copies": True, "bytes": 131}, {}] + [{"input": 1, "weight": 1, "bytes": 16, **align} for align in ({}, {"align": 1})]
    if group[0].rule_pass != "input-gradient":  # measured five times there, too few to tell where
        kernels.append({"winograd": True})
    if group[0].rule_pass != "weight-gradient":
        return kernels + [{"input": 1, "output": 1, "weight": 1, "bytes": 16, "align": 4}]
    unit = 4 // element(group[0])
    bases = [{"copies": True, "bytes": 128, "align": 16 // element(group[0])}]
    if unit == 1:
        bases.append({"input": 1, "output": 1, "bytes": 144, "align": 4})
    for base in bases:
        weights = collections.Counter()
        for s in group:
            weight = 36 * up(s.inputs, base["align"]) * up(s.outputs, base["align"])
            rest = s.workspace - workspace(base, s)
            if 0 < rest < MOST_WEIGHTS * weight and abs(rest - round(rest / weight) * weight) < NEAR:
                weights[unit * round(rest / weight)] += 1
        kernels += [{**base, "weight": n} for n, _ in weights.most_common(40)]
    thin = [s for s in group if s.inputs <= 16]
    for base in ({"copies": True}, {"output": 1}, {}):  # one channel may be read as it lies
        rests = collections.Counter((s.workspace - workspace(base, s)) // 1024 for s in thin if s.inputs == 1 or "copies" in base)
        kernels += [{**base, "bytes": rest * 1024 + 512} for rest, _ in rests.most_common(12) if 0 < rest < 8192]
    return kernels


def split_kernels(group):
    """Kernels that split tiles, with the shapes (by index) whose workspace each of them explains."""
    found = collections.defaultdict(set)
    for index, shape in enumerate(group):
        rest, sizes = shape.workspace - copied(shape) - 131 - 32, grid(shape)
        if rest < NEAR:
            continue
        for tile in TILES:
            area = tile[0] * tile[1] * 4
            for cluster, slots in CLUSTERS:
                tiles = split_tiles(tile, cluster, slots, sizes)
                parts = rest // (tiles * area) if tiles else 0
                if 1 < parts <= slots // tiles and abs(rest - tiles * (parts * area + 4 * counters(parts))) < EXACT:
                    for steps in STEPS:
                        most = min(slots // tiles, sizes[3] // steps)
                        if most > 1 and -(-sizes[3] // -(-sizes[3] // most)) == parts:
                            found[tile, cluster, slots, steps].add(index)
    return [({"copies": True, "bytes": 131, "split": {"tile": list(tile), "cluster": list(cluster), "slots": slots, "steps": steps}}, hits)
            for (tile, cluster, slots, steps), hits in found.items()]


def few(group):
    """Of all kernels those that explain the shapes, the most useful first; of equally useful ones the simplest."""
    plain = [(kernel, {i for i, s in enumerate(group) if meets(kernel, s)}) for kernel in plain_kernels(group)]
    kernels = plain + split_kernels(group)
    waiting = [(-len(hits), at) for at, (_, hits) in enumerate(kernels)]
    heapq.heapify(waiting)
    chosen, left = [], set(range(len(group)))
    while waiting:
        _, at = heapq.heappop(waiting)
        useful = len(kernels[at][1] & left)
        if waiting and -useful > waiting[0][0]:
            heapq.heappush(waiting, (-useful, at))
            continue
        if chosen and useful < max(SMALLEST_LEAF, len(group) / RARE):
            break
        chosen.append(kernels[at][0])
        left -= kernels[at][1]
    return chosen


def tree(group, kernels):
    """[axis, first of above, below, above] or the index of a kernel: grown by the split that leaves the purest sides, and
    cut back where that does not pay. A shape that several kernels explain counts for each of them in part."""
    hits = [[k for k, kernel in enumerate(kernels) if meets(kernel, s)] for s in group]
    weights = [1 / len(h) if h else 0 for h in hits]
    sizes = [axes_of(s) for s in group]
    columns = {axis: [s[axis] for s in sizes] for axis in sizes[0]}

    def counts(indices, weighted):
        found = [0] * len(kernels)
        for i in indices:
            for k in hits[i]:
                found[k] += weights[i] if weighted else 1
        return found

    def cuts(indices):
        """The best cut along each axis, the best of all first."""
        found, all_counts = [], counts(indices, True)
        for axis, column in columns.items():
            order = sorted(indices, key=column.__getitem__)
            if column[order[0]] == column[order[-1]]:
                continue
            low, high = [0] * len(kernels), list(all_counts)
            low_square, high_square = 0, sum(n * n for n in high)
            best = None
            for at in range(1, len(order) - SMALLEST_LEAF + 1):
                i = order[at - 1]
                weight = weights[i]
                for k in hits[i]:
                    low_square += weight * (2 * low[k] + weight)
                    high_square -= weight * (2 * high[k] - weight)
                    low[k] += weight
                    high[k] -= weight
                if at >= SMALLEST_LEAF and column[i] != column[order[at]]:
                    gain = low_square / at + high_square / (len(order) - at)
                    if best is None or gain > best[0] + 1e-9:
                        best = (gain, axis, max(column[i] + 1, math.isqrt(column[i] * column[order[at]])))
            if best:
                found.append(best)
        return sorted(found, key=lambda cut: -cut[0])

    def grow(indices, tries):
        found = counts(indices, False)
        kernel = found.index(max(found))
        missed = len(indices) - found[kernel]
        if missed < PAYS or len(indices) < 2 * SMALLEST_LEAF:
            return kernel, missed, 1
        for nth, (_, axis, first) in enumerate(cuts(indices)[:tries]):
            fewer = tries if nth == 0 else 1
            below, below_missed, below_leaves = grow([i for i in indices if columns[axis][i] < first], fewer)
            above, above_missed, above_leaves = grow([i for i in indices if columns[axis][i] >= first], fewer)
            if missed - below_missed - above_missed >= PAYS * (below_leaves + above_leaves - 1):
                return [axis, first, below, above], below_missed + above_missed, below_leaves + above_leaves
        return kernel, missed, 1

    return grow(list(range(len(group))), TRIES)[0]


def picked(node, shape):
    sizes = axes_of(shape)
    while isinstance(node, list):
        node = node[3] if sizes[node[0]] >= node[1] else node[2]
    return node


def leaves(node):
    return leaves(node[2]) + leaves(node[3]) if isinstance(node, list) else 1


def met(rule, group):
    """The share of shapes whose workspace the rule tells."""
    kernel = lambda s: rule["kernels"][picked(rule["tree"], s)]
    return round(sum(abs(workspace(kernel(s), s) - s.workspace) < NEAR for s in group) / max(1, len(group)), 3)


def fit(rule, group, held_out):
    rule["kernels"] = few(group)
    rule["tree"] = tree(group, rule["kernels"])
    rule["fitted"] = {"shapes": len(group), "met": met(rule, group), "held_out": met(rule, held_out)}
    return rule


def of(rule, shape):
    inside = lambda key, size: key not in rule or rule[key][0] <= size <= (rule[key] + [size])[1]
    return (shape.math in rule["math"] and shape.rule_pass == rule["pass"] and rule.get("layout", shape.layout) == shape.layout
            and inside("in_channels", shape.inputs) and inside("out_channels", shape.outputs))


def tree_text(node, indent):
    """A node a line, what is below it first."""
    if not isinstance(node, list):
        return str(node)
    axis, first, below, above = node
    sides = [tree_text(side, indent + " ") for side in (below, above)]
    return f'["{axis}", {first},' + "".join(f"\n{indent} {side}" if side[0] == "[" else f" {side}" for side in (sides[0] + ",", sides[1])) + "]"


def rule_text(rule):
    """A rule a line; of fitted ones a kernel and a node a line."""
    if "kernels" not in rule:
        return "    " + json.dumps(rule)
    head = json.dumps({key: value for key, value in rule.items() if key not in ("kernels", "tree")})
    kernels = ",\n".join("      " + json.dumps(kernel) for kernel in rule["kernels"])
    return f'    {head[:-1]}, "kernels": [\n{kernels}],\n      "tree": {tree_text(rule["tree"], "       ")}' + "}"


def text_with(rules, text):
    start = text.index('  "convolution_workspace": [') + len('  "convolution_workspace": [\n')
    end = text.index("\n  ],", start)
    return text[:start] + ",\n".join(map(rule_text, rules)) + text[end:]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--write", action="store_true")
    arguments.add_argument("--check", action="store_true")
    chosen = arguments.parse_args()
    text = FRAMEWORK.read_text()
    rules, measured, held_out = json.loads(text)["convolution_workspace"], shapes(FILES), shapes(HELD_OUT)
    numbers = [i for i, rule in enumerate(rules) if "fitted" in rule]
    groups = [[[shape for shape in shapes_of if of(rules[i], shape)] for i in numbers] for shapes_of in (measured, held_out)]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        for i, rule in zip(numbers, pool.map(fit, [rules[i] for i in numbers], *groups)):
            rules[i] = rule
            print(*rule["math"], rule["pass"], rule.get("in_channels", ""), len(rule["kernels"]), "kernels", leaves(rule["tree"]), "leaves", rule["fitted"])
    result = text_with(rules, text)
    if chosen.write:
        FRAMEWORK.write_text(result)
    if chosen.check and result != text:
        sys.exit(f"workspaces.py: {FRAMEWORK.name} differs from what its measurements give; run scripts/workspaces.py --write")


if __name__ == "__main__":
    main()
