#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""torchvision's networks on the CPU against the program: torchvision_nets.py VGGPLAN. Parameters, and the bytes that
autograd saves between forward and backward (torch.autograd.graph.saved_tensors_hooks): each storage once, parameters
and buffers left out. Needs torch and torchvision, of any version."""
import json
import subprocess
import sys

import torch
import torchvision

BATCH, SIDE, CLASSES = 2, 96, 1000
NETWORKS = {name: name for name in ("vgg11", "vgg16", "vgg16_bn", "resnet18", "resnet34", "resnet50", "resnet101", "densenet121")}
NETWORKS["mobilenet-v2"] = "mobilenet_v2"


def saved_bytes(net):
    owned = {tensor.data_ptr() for tensor in [*net.parameters(), *net.buffers()]}
    kept = {}

    def pack(tensor):
        storage = tensor.storage()
        if storage.data_ptr() not in owned:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # the tensor keeps the address from being used again
        return tensor

    images, targets = torch.rand(BATCH, 3, SIDE, SIDE), torch.randint(0, CLASSES, (BATCH,))
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = torch.nn.functional.cross_entropy(net(images), targets)
    return sum(size for size, _ in kept.values()), loss


def ours(program, name):
    run = subprocess.run([program, "layers", "--model", name, "--size", f"{SIDE}x{SIDE}", "--batch", str(BATCH), "--gpu",
                          "h200", "--precision", "fp32", "--json", "--quiet"], capture_output=True, text=True, check=True)
    report = json.loads(run.stdout)
    dropout = sum(layer["saved_bytes"] for layer in report["layers"] if layer["kind"] == "Dropout")
    # A mask is bool on the GPU and fp32 on the CPU.
    return report["model"]["parameters"], report["model"]["saved_activation_bytes"] + 3 * dropout


def main():
    failures = 0
    for name, theirs in NETWORKS.items():
        net = getattr(torchvision.models, theirs)(weights=None).train()
        parameters = sum(parameter.numel() for parameter in net.parameters())
        saved, _ = saved_bytes(net)
        mine = ours(sys.argv[1], name)
        if name == "mobilenet-v2" and torch.__version__ < "2":
            saved -= BATCH * 1280 * (SIDE // 32) ** 2 * 4  # keeps the last in-place ReLU6's result beside the clone of its input
        same = mine == (parameters, saved)
        failures += not same
        print(f"{name}: {'the same' if same else f'parameters and saved bytes {mine}, PyTorch {(parameters, saved)}'}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
