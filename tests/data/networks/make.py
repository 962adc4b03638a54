#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the fixtures beside it (README.md): small networks as PyTorch exports them, and PyTorch's own counts of them.

make.py onnx    torch.onnx.export
make.py pt2     torch.export.save (PyTorch 2.9 or later)"""
import io, json, pathlib, sys, zipfile
import torch, torch.nn as nn, torch.nn.functional as F, torchvision

HERE = pathlib.Path(__file__).parent
SIZE = 64

class Vgg(nn.Module):
    """VGG11 of a sixteenth of the widths."""
    def __init__(self, norm):
        super().__init__()
        layers, channels = [], 3
        for width in (4, "M", 8, "M", 16, 16, "M", 32, 32, "M", 32, 32, "M"):
            if width == "M":
                layers.append(nn.MaxPool2d(2, 2))
                continue
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            layers += [nn.BatchNorm2d(width)] if norm else []
            layers.append(nn.ReLU(inplace=True))
            channels = width
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1) if norm else (2, 2))
        self.classifier = nn.Sequential(nn.Linear(32 * (1 if norm else 4), 24), nn.ReLU(True), nn.Dropout(), nn.Linear(24, 10))
    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))

class Residual(nn.Module):
    """A stem and one block of ResNet, which halves the map."""
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        self.conv2, self.bn2 = nn.Conv2d(8, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16)
        self.conv3, self.bn3 = nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        self.downsample = nn.Sequential(nn.Conv2d(8, 16, 1, 2, bias=False), nn.BatchNorm2d(16))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(16, 10)
    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        out = self.bn3(self.conv3(self.relu(self.bn2(self.conv2(x)))))
        out += self.downsample(x)
        return self.fc(torch.flatten(self.avgpool(self.relu(out)), 1))

class UNet(nn.Module):
    """Three ways up: nearest, bilinear, transposed convolution; each with a skip."""
    def __init__(self):
        super().__init__()
        self.enc = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in ((3, 4), (4, 8), (8, 16), (16, 16)))
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2, bias=False)
        self.dec = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in ((32, 16), (24, 8), (12, 4)))
        self.out = nn.Conv2d(4, 5, 1)
    def forward(self, x):
        skips = []
        for level, conv in enumerate(self.enc):
            x = F.relu(conv(x if level == 0 else F.max_pool2d(x, 2)))
            skips.append(x)
        x = F.relu(self.dec[0](torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skips[2]], 1)))
        x = F.relu(self.dec[1](torch.cat([F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), skips[1]], 1)))
        x = F.relu(self.dec[2](torch.cat([self.up(x), skips[0]], 1)))
        return self.out(x)

class Mobile(nn.Module):
    """What small networks use: depthwise, ReLU6, SiLU, Hardswish, squeeze and excitation, mean, dropout."""
    def __init__(self):
        super().__init__()
        self.stem, self.act = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.Hardswish(inplace=True)
        self.depth, self.relu6 = nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False), nn.ReLU6(inplace=True)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.squeeze, self.excite = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.silu, self.gate, self.hard = nn.SiLU(inplace=True), nn.Sigmoid(), nn.Hardsigmoid()
        self.point = nn.Conv2d(8, 12, 1)
        self.drop, self.fc = nn.Dropout(0.2), nn.Linear(12, 6)
    def forward(self, x):
        x = self.relu6(self.depth(self.act(self.stem(x))))
        x = x * self.gate(self.excite(self.silu(self.squeeze(self.pool(x)))))
        x = self.hard(F.avg_pool2d(self.point(x), 2))
        return self.fc(self.drop(x.mean([2, 3])))

class View(nn.Module):
    """What older code writes: view by the batch, padding by nothing, log_softmax."""
    def __init__(self):
        super().__init__()
        self.c, self.f = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8 * 16 * 16, 10)
    def forward(self, x):
        x = F.pad(F.max_pool2d(F.leaky_relu(self.c(x)), 2), [0, 0, 0, 0])
        return F.log_softmax(self.f(x.view(x.size(0), -1)), 1)

class Sizes(nn.Module):
    """Sizes that follow the image, which ONNX reckons with."""
    def __init__(self):
        super().__init__()
        self.down, self.out, self.f = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 3, 1), nn.Linear(3 * 32 * 32, 10)
    def forward(self, x):
        y = self.out(F.leaky_relu(self.down(x)))
        y = F.max_pool2d(F.interpolate(y, size=x.shape[2:], mode="bilinear", align_corners=False), 2)
        return F.log_softmax(self.f(y.view(x.size(0), -1)), 1)

class SSD300(nn.Module):
    """Single-shot detector on VGG16: rows of boxes and classes from six maps."""
    def __init__(self, classes=21):
        super().__init__()
        relu, widths = lambda: nn.ReLU(inplace=True), (64, 64, "M", 128, 128, "M", 256, 256, 256, "C", 512, 512, 512, "M", 512, 512, 512)
        layers, channels = [], 3
        for width in widths:
            if isinstance(width, str):
                layers.append(nn.MaxPool2d(2, 2, ceil_mode=width == "C"))
                continue
            layers += [nn.Conv2d(channels, width, 3, padding=1), relu()]
            channels = width
        self.a = nn.Sequential(*layers[:23])
        self.b = nn.Sequential(*layers[23:], nn.MaxPool2d(3, 1, 1), nn.Conv2d(512, 1024, 3, padding=6, dilation=6), relu(),
                               nn.Conv2d(1024, 1024, 1), relu())
        self.ex = nn.ModuleList(nn.Sequential(nn.Conv2d(i, m, 1), relu(), nn.Conv2d(m, o, 3, stride=s, padding=p), relu())
                                for i, m, o, s, p in ((1024, 256, 512, 2, 1), (512, 128, 256, 2, 1), (256, 128, 256, 1, 0), (256, 128, 256, 1, 0)))
        maps = list(zip((512, 1024, 512, 256, 256, 256), (4, 6, 6, 6, 4, 4)))
        self.loc = nn.ModuleList(nn.Conv2d(c, n * 4, 3, padding=1) for c, n in maps)
        self.cls = nn.ModuleList(nn.Conv2d(c, n * classes, 3, padding=1) for c, n in maps)
        self.classes = classes
    def forward(self, x):
        maps = [self.a(x)]
        maps.append(self.b(maps[0]))
        for extra in self.ex:
            maps.append(extra(maps[-1]))
        rows = lambda heads, values: torch.cat([m(v).permute(0, 2, 3, 1).reshape(v.shape[0], -1, values) for m, v in zip(heads, maps)], 1)
        return rows(self.loc, 4), rows(self.cls, self.classes)

def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at

def as_varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])

def without_weights(data, path=(7, 5, 9)):
    """A protobuf without the bytes of large fields at `path`: ModelProto.graph.initializer.raw_data."""
    out, at = bytearray(), 0
    while at < len(data):
        start, (key, at) = at, varint(data, at)
        if key & 7 != 2:
            at = varint(data, at)[1] if key & 7 == 0 else at + (4 if key & 7 == 5 else 8)
            out += data[start:at]
            continue
        size, at = varint(data, at)
        part, at = data[at:at + size], at + size
        if key >> 3 == path[0]:
            part = without_weights(part, path[1:]) if len(path) > 1 else part if size <= 64 else b""
        out += as_varint(key) + as_varint(len(part)) + part
    return bytes(out)

def networks():
    return {"vgg11_narrow": Vgg(False), "vgg11_narrow_bn": Vgg(True), "residual": Residual(), "unet": UNet(), "mobile": Mobile()}

def side_of(name):
    return {"ssd300": 300, "view": 32, "efficientnet_b0": 224}.get(name, SIZE)

def counts(net, size=SIZE):
    """Parameters and multiply-accumulates, from hooks on modules."""
    macs = []
    def conv(module, inputs, output):
        places = inputs[0] if isinstance(module, nn.ConvTranspose2d) else output
        macs.append(module.weight.numel() * places.shape[2] * places.shape[3])
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.register_forward_hook(conv)
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda module, inputs, output: macs.append(module.weight.numel()))
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, size, size))
    return {"parameters": sum(p.numel() for p in net.parameters()), "macs": sum(macs)}

def main():
    if sys.argv[1] == "onnx":
        nets = networks() | {"sizes": Sizes(), "ssd300": SSD300()}
        table = {name: counts(net, side_of(name)) for name, net in (nets | {"view": View()}).items()}
        (HERE / "counts.json").write_text(json.dumps(table, indent=2) + "\n")
        modes = torch.onnx.TrainingMode
        for name, net in nets.items():
            torch.onnx.export(net.train(), torch.zeros(2, 3, side_of(name), side_of(name)), str(HERE / f"{name}.onnx"), opset_version=14,
                              training=modes.TRAINING, do_constant_folding=False, input_names=["x"] if name == "sizes" else None,
                              dynamic_axes={"x": {0: "batch", 2: "height", 3: "width"}} if name == "sizes" else None)
        torch.onnx.export(Vgg(True).eval(), torch.zeros(2, 3, SIZE, SIZE), str(HERE / "vgg11_narrow_bn_eval.onnx"), opset_version=14)
        for file in HERE.glob("*.onnx"):
            file.write_bytes(without_weights(file.read_bytes()))
    else:
        made = networks()
        made["residual"].conv1.requires_grad_(False)
        made |= {"view": View(), "ssd300": SSD300(), "efficientnet_b0": torchvision.models.efficientnet_b0(weights=None)}
        for name, net in made.items():
            write_archive(name, net.train())
        write_archive("vgg11_narrow_bn_eval", Vgg(True).eval())

def without_stacks(text):
    """A program without the lines of Python that its nodes come from: they name folders of the machine."""
    program = json.loads(text)
    for node in program["graph_module"]["graph"]["nodes"]:
        node["metadata"].pop("stack_trace", None)
    return json.dumps(program)

def write_archive(name, net):
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(net, (torch.zeros(2, 3, side_of(name), side_of(name)),)), buffer)
    with zipfile.ZipFile(buffer) as full, zipfile.ZipFile(HERE / f"{name}.pt2", "w") as small:
        for info in full.infolist():
            if info.filename.endswith((".json", "version", "archive_format")):
                text = full.read(info)
                text = without_stacks(text) if info.filename.endswith("/model.json") else text
                small.writestr(zipfile.ZipInfo(info.filename), text, zipfile.ZIP_DEFLATED)

if __name__ == "__main__":
    main()
