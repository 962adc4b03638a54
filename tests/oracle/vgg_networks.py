# SPDX-License-Identifier: MIT
"""The networks on VGG16 that torchvision does not have, in PyTorch's own words: what the program says they are
(src/graph/networks), written a second time. Each with the loss that lowers it."""
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import vgg16

CLASSES = 21


def features(*cuts):
    layers = list(vgg16(weights=None).features)
    return nn.ModuleList(nn.Sequential(*layers[a:b]) for a, b in zip(cuts, cuts[1:]))


def relu_conv(inputs, outputs, kernel=3, **options):
    return [nn.Conv2d(inputs, outputs, kernel, **options), nn.ReLU(inplace=True)]


def pixel_loss(scores):
    return F.cross_entropy(scores, torch.randint(CLASSES, (len(scores), *scores.shape[2:])))


class UNet(nn.Module):
    """Nearest upsampling, concatenation with the map of that size, two convolutions."""

    size, loss = 96, staticmethod(pixel_loss)

    def __init__(self):
        super().__init__()
        self.down, self.up, below = features(0, 4, 9, 16, 23, 30), nn.ModuleList(), 512
        for width in (512, 256, 128, 64):
            self.up.append(nn.Sequential(*relu_conv(below + width, width, padding=1), *relu_conv(width, width, padding=1)))
            below = width
        self.out = nn.Conv2d(64, CLASSES, 1)

    def forward(self, x):
        maps = []
        for part in self.down:
            x = part(x)
            maps.append(x)
        for part, skip in zip(self.up, reversed(maps[:-1])):
            x = part(torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skip], 1))
        return self.out(x)


class Fcn8s(nn.Module):
    size, loss = 96, staticmethod(pixel_loss)

    def __init__(self):
        super().__init__()
        self.parts = features(0, 17, 24, 31)
        self.head = nn.Sequential(*relu_conv(512, 4096, 7, padding=3), nn.Dropout2d(), *relu_conv(4096, 4096, 1), nn.Dropout2d(),
                                  nn.Conv2d(4096, CLASSES, 1))
        self.of_pool3, self.of_pool4 = nn.Conv2d(256, CLASSES, 1), nn.Conv2d(512, CLASSES, 1)
        self.twice, self.again = (nn.ConvTranspose2d(CLASSES, CLASSES, 4, 2, 1, bias=False) for _ in range(2))
        self.eight = nn.ConvTranspose2d(CLASSES, CLASSES, 16, 8, 4, bias=False)

    def forward(self, x):
        pool3 = self.parts[0](x)
        pool4 = self.parts[1](pool3)
        scores = self.twice(self.head(self.parts[2](pool4))) + self.of_pool4(pool4)
        return self.eight(self.again(scores) + self.of_pool3(pool3))


class CsrNet(nn.Module):
    size = 96

    def __init__(self):
        super().__init__()
        widths = (512, 512, 512, 512, 256, 128, 64)
        back = [layer for a, b in zip(widths, widths[1:]) for layer in relu_conv(a, b, padding=2, dilation=2)]
        self.layers = nn.Sequential(*features(0, 23)[0], *back, nn.Conv2d(64, 1, 1))

    def forward(self, x):
        return self.layers(x)

    @staticmethod
    def loss(density):
        return F.mse_loss(density, torch.rand_like(density), reduction="sum")


class Ssd300(nn.Module):
    size = 300

    def __init__(self):
        super().__init__()
        self.stem, self.middle = features(0, 23, 30)
        self.stem[16] = nn.MaxPool2d(2, 2, ceil_mode=True)
        more = [nn.MaxPool2d(3, 1, 1), *relu_conv(512, 1024, padding=6, dilation=6), *relu_conv(1024, 1024, 1)]
        extra = ((1024, 256, 512, 2, 1), (512, 128, 256, 2, 1), (256, 128, 256, 1, 0), (256, 128, 256, 1, 0))
        self.steps = nn.ModuleList([nn.Sequential(*self.middle, *more)] + [
            nn.Sequential(*relu_conv(a, b, 1), *relu_conv(b, c, stride=stride, padding=padding)) for a, b, c, stride, padding in extra])
        del self.middle
        boxes, widths = (4, 6, 6, 6, 4, 4), (512, 1024, 512, 256, 256, 256)
        self.places, self.kinds = (nn.ModuleList(nn.Conv2d(width, n * each, 3, padding=1) for n, width in zip(boxes, widths))
                                   for each in (4, CLASSES))

    def forward(self, x):
        maps = [self.stem(x)]
        for step in self.steps:
            maps.append(step(maps[-1]))

        def listed(heads, each):
            return torch.cat([head(m).permute(0, 2, 3, 1).reshape(len(m), -1, each) for head, m in zip(heads, maps)], 1)

        return listed(self.places, 4), listed(self.kinds, CLASSES)

    @staticmethod
    def loss(output):
        places, kinds = output
        kinds = kinds.reshape(-1, CLASSES)
        return F.smooth_l1_loss(places, torch.rand_like(places)) + F.cross_entropy(kinds, torch.randint(CLASSES, (len(kinds),)))


NETWORKS = {"unet-vgg16": UNet, "fcn8s-vgg16": Fcn8s, "csrnet": CsrNet, "ssd300-vgg16": Ssd300}
