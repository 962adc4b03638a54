#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""torchvision's networks, and those of vgg_networks.py, on the CPU against the program: torchvision_nets.py VGGPLAN. Parameters, and the bytes that
autograd saves between forward and backward (torch.autograd.graph.saved_tensors_hooks): each storage once, parameters
and buffers left out; the same with checkpointed blocks, whose inputs are kept beside them. Needs torch and torchvision,
of any version."""
import json
import subprocess
import sys

import torch
import torchvision
import vgg_networks
from torch.utils.checkpoint import checkpoint

BATCH, SIDE, CLASSES = 2, 96, 1000
NETWORKS = {name: name for name in ("vgg11", "vgg16", "vgg16_bn", "resnet18", "resnet34", "resnet50", "resnet101", "densenet121")}
NETWORKS["mobilenet-v2"] = "mobilenet_v2"


class Checkpointed(torch.nn.Module):
    """Runs `modules` one after the other under one checkpoint. `keep` is told of its input, which none of autograd's hooks sees."""

    def __init__(self, modules):
        super().__init__()
        self.inner = torch.nn.Sequential(*modules)

    def forward(self, x):
        self.keep(x)
        return checkpoint(self.inner, x, use_reentrant=False)


def of_layers(net):
    for name in ("layer1", "layer2", "layer3", "layer4"):
        setattr(net, name, torch.nn.Sequential(*[Checkpointed([block]) for block in getattr(net, name)]))


def of_features(*cuts):
    """Checkpoints the children of `features` between the cuts: from the first up to the second, and so on."""

    def cut(net):
        children = list(net.features)
        parts = [Checkpointed(children[a:b]) for a, b in zip(cuts, cuts[1:])]
        net.features = torch.nn.Sequential(*children[: cuts[0]], *parts, *children[cuts[-1] :])

    return cut


def of_pools(net):
    pools = [i for i, layer in enumerate(net.features) if isinstance(layer, torch.nn.MaxPool2d)]
    of_features(0, *[i + 1 for i in pools])(net)


# DenseNet: each dense block with what follows it. MobileNetV2: inverted residuals, those without a sum in a row at once.
BLOCKS = {"vgg16": of_pools, "vgg16_bn": of_pools, "resnet18": of_layers, "resnet50": of_layers,
          "densenet121": of_features(4, 6, 8, 10, 12), "mobilenet-v2": of_features(0, *range(3, 18), 19)}


def class_loss(scores):
    return torch.nn.functional.cross_entropy(scores, torch.randint(0, CLASSES, (BATCH,)))


def saved_bytes(net, side, lowered_by):
    owned = {tensor.data_ptr() for tensor in [*net.parameters(), *net.buffers()]}
    kept = {}

    def pack(tensor):
        storage = tensor.storage()
        if storage.data_ptr() not in owned:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # the tensor keeps the address from being used again
        return tensor

    for module in net.modules():
        if isinstance(module, Checkpointed):
            module.keep = pack
    images = torch.rand(BATCH, 3, side, side)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = lowered_by(net(images))
    return sum(size for size, _ in kept.values()), loss


def ours(program, name, side, checkpointing):
    run = subprocess.run([program, "layers", "--model", name, "--size", f"{side}x{side}", "--batch", str(BATCH), "--gpu",
                          "h200", "--precision", "fp32", "--checkpointing", checkpointing, "--json", "--quiet"], capture_output=True, text=True, check=True)
    report = json.loads(run.stdout)
    dropout = sum(layer["saved_bytes"] for layer in report["layers"] if layer["kind"] == "Dropout")
    # A mask is bool on the GPU and fp32 on the CPU.
    return report["model"]["parameters"], report["model"]["saved_activation_bytes"] + 3 * dropout


def compare(program, name, cut):
    own = vgg_networks.NETWORKS.get(name)
    net = (own() if own else getattr(torchvision.models, NETWORKS[name])(weights=None)).train()
    side, loss = (own.size, own.loss) if own else (SIDE, class_loss)
    parameters = sum(parameter.numel() for parameter in net.parameters())
    if cut:
        cut(net)
    saved, _ = saved_bytes(net, side, loss)
    mine = ours(program, name, side, "block" if cut else "none")
    if torch.__version__ < "2" and name in NETWORKS and not name.startswith("vgg") and (cut or name == "mobilenet-v2"):
        last = [module for module in net.modules() if isinstance(module, torch.nn.Linear)][-1]
        saved -= BATCH * last.in_features * (SIDE // 32) ** 2 * 4  # the mean's input, of which later versions keep the sizes alone
    same = mine == (parameters, saved)
    what = f"{name}, checkpointed" if cut else name
    print(f"{what}: {'the same' if same else f'parameters and saved bytes {mine}, PyTorch {(parameters, saved)}'}")
    return same


def main():
    program = sys.argv[1]
    same = [compare(program, name, None) for name in [*NETWORKS, *vgg_networks.NETWORKS]] + [compare(program, *block) for block in BLOCKS.items()]
    return 0 if all(same) else 1


if __name__ == "__main__":
    sys.exit(main())
