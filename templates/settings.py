# SPDX-License-Identifier: MIT
"""What the words of a plan mean in PyTorch. train.py reads its settings through this file, and so does scripts/measure.py of
vggplan: a plan, a measurement and a run mean the same."""
import fnmatch
import functools

import torch
import torchvision
from PIL import Image
from torch import nn
from torch.utils.checkpoint import checkpoint
from torchvision.transforms import functional

TYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
READ = torchvision.io.ImageReadMode
CHANNELS = {1: ("L", READ.GRAY), 3: ("RGB", READ.RGB), 4: ("RGBA", READ.RGB_ALPHA)}  # as PIL and torchvision call them


def set_arithmetic(precision):
    """What PyTorch keeps for the process. The type of weights and images, and that of autocast or None."""
    torch.backends.cudnn.allow_tf32 = precision != "fp32"
    torch.backends.cuda.matmul.allow_tf32 = False
    autocast = TYPES[precision[len("amp-"):]] if precision.startswith("amp-") else None
    return TYPES["fp32" if autocast else precision], autocast


def optimizer_of(name, impl):
    """The class and its arguments, without the learning rate."""
    options = {"foreach": {}, "fused": {"fused": True}, "loop": {"foreach": False}}[impl]
    if name == "momentum":
        options.update(momentum=0.9, weight_decay=5e-4)
    kinds = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "rmsprop": torch.optim.RMSprop}
    return kinds.get(name, torch.optim.SGD), options


def rerun(layers, cuts):
    """Backward runs the layers of a Sequential again, those between two cuts by themselves."""
    layers = list(layers)
    first, rest = nn.Sequential(*layers[:cuts[0]]), nn.Sequential(*layers[cuts[-1]:])
    parts = [nn.Sequential(*layers[i:j]) for i, j in zip(cuts, cuts[1:])]

    def forward(x):
        x = first(x)
        for part in parts:
            x = checkpoint(part, x, use_reentrant=False)
        return rest(x)

    return forward


def checkpoint_model(model, name, how):
    """Each block of ResNet, inverted residual of MobileNetV2 (those without a sum in one), dense block with its transition;
    VGG's features up to each pool (block), or the first N - 1 of N equal parts (seq:N)."""
    if name.startswith("resnet"):
        for layers in (model.layer1, model.layer2, model.layer3, model.layer4):
            layers.forward = rerun(layers, range(len(layers) + 1))
        return
    layers = model.features
    if how != "block":
        count = int(how[len("seq:"):])
        cuts = [i * (len(layers) // count) for i in range(count)]
    elif name.startswith("vgg"):
        cuts = [0] + [i + 1 for i, layer in enumerate(layers) if isinstance(layer, nn.MaxPool2d)]
    else:
        cuts = {"mobilenet-v2": [0, *range(3, 18), 19], "densenet121": [4, 6, 8, 10, 12]}[name]
    layers.forward = rerun(layers, cuts)


def build(job, **options):
    """torchvision's network with the channels, classes, head and checkpointing of the job."""
    model = getattr(torchvision.models, job["model"].replace("-", "_"))(weights=None, num_classes=job["classes"], **options)
    if job["channels"] != 3:
        name, old = next((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d))
        new = nn.Conv2d(job["channels"], old.out_channels, old.kernel_size, old.stride, old.padding, bias=old.bias is not None)
        setattr(model.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2], new)
    if job["checkpointing"] != "none":
        checkpoint_model(model, job["model"], job["checkpointing"])
    if job["head"] == "flatten":
        model.avgpool = nn.Identity()
        model.classifier[0] = nn.Linear(512 * (job["height"] // 32) * (job["width"] // 32), 4096)
    elif job["head"] == "gap":
        model.avgpool, model.classifier = nn.AdaptiveAvgPool2d(1), nn.Linear(512, job["classes"])
    elif job["head"] == "linear":
        model.classifier = nn.Linear(512 * 7 * 7, job["classes"])
    return model.features if job["head"] == "none" else model


def freeze(model, job):
    """After model.train(). Names are those of the plan: torchvision's, but VGG's layers are counted by block."""
    layers, block, position, linear, convolutions = {}, 1, 0, 0, 0
    for name, layer in model.named_modules():
        if job["model"].startswith("vgg"):
            block, position = (block + 1, 0) if isinstance(layer, nn.MaxPool2d) else (block, position)
            position, linear = position + isinstance(layer, nn.Conv2d), linear + isinstance(layer, nn.Linear)
            name = {nn.Conv2d: f"conv{block}_{position}", nn.Linear: f"fc{linear}"}.get(type(layer), f"bn{block}_{position}")
        if list(layer.parameters(recurse=False)):
            layers[name] = layer
    what, norms = job.get("freeze", "none"), job.get("freeze_norm", "none")
    for name, layer in layers.items():
        convolutions += isinstance(layer, nn.Conv2d)
        if what == "features":
            frozen = not name.startswith(("fc", "classifier"))
        elif what == "all-but-last":
            frozen = name != list(layers)[-1]
        elif what.startswith("first:"):
            frozen = 0 < convolutions <= int(what[len("first:"):]) and not isinstance(layer, nn.Linear)
        else:
            frozen = fnmatch.fnmatchcase(name, what)  # no layer is named none
        if norms != "none" and isinstance(layer, nn.BatchNorm2d):
            layer.eval()  # by its running statistics
            frozen = frozen or norms == "all"
        layer.requires_grad_(not frozen)


@functools.lru_cache(None)  # a copy in each step would wait for the GPU
def scale_of(channels, device, dtype):
    """Mean and deviation of ImageNet, or a guess."""
    figures = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)) if channels == 3 else ((0.5,), (0.5,))
    return [torch.tensor(figure, device=device, dtype=dtype).view(-1, 1, 1) for figure in figures]


class Images(torchvision.datasets.ImageFolder):
    """A folder for each class. Workers make 8 bits in the plan's size, for pil-float normalised; for nvjpeg they read."""

    def __init__(self, folder, job):
        super().__init__(folder, loader=self.read)
        self.size, self.pipeline = [job["height"], job["width"]], job["data"]["pipeline"]
        self.pil, self.mode = CHANNELS[job["channels"]]

    def read(self, path):
        if self.pipeline == "nvjpeg":
            with open(path, "rb") as file:  # read_file maps it, and a worker cannot pass a map on
                return torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
        if self.pipeline == "tv-uint8" and path.lower().endswith((".jpg", ".jpeg", ".png")):
            return self.sized(torchvision.io.read_image(path, self.mode))
        with Image.open(path) as file:
            image = self.sized(functional.pil_to_tensor(file.convert(self.pil)))
        return self.normalized(image, torch.float32) if self.pipeline == "pil-float" else image

    def sized(self, image):
        return image if list(image.shape[1:]) == self.size else functional.resize(image, self.size, antialias=True)

    def normalized(self, images, dtype):
        mean, std = scale_of(images.shape[-3], images.device, dtype)
        return images.to(dtype).div_(255).sub_(mean).div_(std)

    def collate(self, rows):
        images, targets = zip(*rows)
        return images if self.pipeline == "nvjpeg" else torch.stack(images), torch.tensor(targets)

    def placed(self, images, device, dtype):
        """What is left to do in front of the network."""
        if self.pipeline == "nvjpeg":
            images = torch.stack([self.sized(torchvision.io.decode_jpeg(i, self.mode, device=device.type)) for i in images])
        images = images.to(device, non_blocking=True)
        return images.to(dtype) if self.pipeline == "pil-float" else self.normalized(images, dtype)
