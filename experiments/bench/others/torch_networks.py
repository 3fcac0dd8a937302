"""The networks of this project as a lean PyTorch loop, to compare with; imports nothing but PyTorch."""

import math

import torch
from torch import nn
from torch.nn import functional


class Spectral(nn.Module):
    """A linear map scaled to a norm of at most `bound`, by one power iteration a step on the map itself."""

    def __init__(self, bound, transform, transpose, weight, in_shape):
        """The map and its transpose as functions of (weight, input)."""
        super().__init__()
        self.bound, self.transform, self.transpose = bound, transform, transpose
        self.weight = nn.Parameter(weight)
        with torch.no_grad():
            self.v = functional.normalize(torch.randn(1, *in_shape).flatten(), dim=0).view(1, *in_shape)
            self.u = torch.randn_like(transform(weight, self.v))

    def forward(self, x):
        """The scaled map."""
        with torch.no_grad():
            v = self.transpose(self.weight, self.u, self.v.shape)
            self.v = v / v.norm()
            u = self.transform(self.weight, self.v)
            self.u = u / u.norm()
        sigma = (self.u * self.transform(self.weight, self.v)).sum()
        return self.transform(self.weight * torch.clamp(self.bound / sigma, max=1.0), x)


def dense(width, bound):
    """Spectral dense layer without its bias."""
    weight = torch.empty(width, width).uniform_(-(width**-0.5), width**-0.5)
    return Spectral(bound, lambda w, x: x @ w.t(), lambda w, u, _: u @ w, weight, (width,))


def convolution(inputs, outputs, size, in_shape, bound, **settings):
    """Spectral convolution over images or series."""
    scale = (inputs * size ** len(in_shape)) ** -0.5
    weight = torch.empty(outputs, inputs, *(size,) * len(in_shape)).uniform_(-scale, scale)
    conv = functional.conv2d if len(in_shape) == 2 else functional.conv1d
    grad = nn.grad.conv2d_input if len(in_shape) == 2 else nn.grad.conv1d_input

    def transform(weight, x):
        return conv(x, weight, **settings)

    def transpose(weight, u, shape):
        return grad(shape, weight, u, **settings)

    return Spectral(bound, transform, transpose, weight, (inputs, *in_shape))


class MLP(nn.Module):
    """Residual MLP of width 128."""

    out = 128

    def __init__(self, in_dim):
        """Two spectral layers after a plain one."""
        super().__init__()
        self.first = nn.Linear(in_dim, 128)
        self.layers = nn.ModuleList(dense(128, 1.0) for _ in range(2))
        self.biases = nn.ParameterList(torch.zeros(128) for _ in range(2))

    def forward(self, x):
        """Features [N, 128]."""
        h = torch.relu(self.first(x))
        for layer, bias in zip(self.layers, self.biases, strict=True):
            h = torch.relu(layer(h) + bias) + h
        return h


class Block(nn.Module):
    """Basic block of stride 2 with a shortcut."""

    def __init__(self, inputs, outputs, size):
        """Images of `size` x `size` come in."""
        super().__init__()
        half = (-(-size // 2),) * 2
        self.first = convolution(inputs, outputs, 3, (size, size), 6.0, stride=2, padding=1)
        self.second = convolution(outputs, outputs, 3, half, 6.0, padding=1)
        self.shortcut = convolution(inputs, outputs, 1, (size, size), 6.0, stride=2)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs) for _ in range(3))

    def forward(self, x):
        """Half the size."""
        h = torch.relu(self.norms[0](self.first(x)))
        return torch.relu(self.norms[1](self.second(h)) + self.norms[2](self.shortcut(x)))


class ResNet6(nn.Module):
    """Stem of 6 channels, blocks of 16 and 32."""

    out = 32

    def __init__(self, size):
        """Grey images of `size` x `size`."""
        super().__init__()
        self.stem = nn.Conv2d(1, 6, 5, padding=2, bias=False)
        self.norm = nn.BatchNorm2d(6)
        self.blocks = nn.Sequential(Block(6, 16, size), Block(16, 32, size // 2))

    def forward(self, x):
        """Features [N, 32]."""
        return self.blocks(torch.relu(self.norm(self.stem(x[:, None])))).mean((2, 3))


class TCN(nn.Module):
    """Three residual blocks of two causal convolutions of 64 channels."""

    out = 64

    def __init__(self, length):
        """Series of one channel."""
        super().__init__()
        self.blocks, self.biases = nn.ModuleList(), nn.ParameterList()
        for block in range(3):
            dilation = 2**block
            padded = length + 2 * dilation
            first = convolution(64 if block else 1, 64, 3, (padded,), 6.0, dilation=dilation)
            second = convolution(64, 64, 3, (padded,), 6.0, dilation=dilation)
            shortcut = nn.Identity() if block else convolution(1, 64, 1, (length,), 6.0)
            self.blocks.append(nn.ModuleList([first, second, shortcut]))
            self.biases.extend(torch.zeros(64, 1) for _ in range(2))

    def forward(self, x):
        """Features [N, 64]."""
        h = x[:, None]
        for i, (first, second, shortcut) in enumerate(self.blocks):
            pad = (2 * 2**i, 0)
            moved = torch.relu(first(functional.pad(h, pad)) + self.biases[2 * i])
            h = torch.relu(second(functional.pad(moved, pad)) + self.biases[2 * i + 1] + shortcut(h))
        return h.mean(2)


class SNGP(nn.Module):
    """A backbone, 1024 random Fourier features, a head without bias."""

    def __init__(self, backbone, classes):
        """Draws the random features."""
        super().__init__()
        self.backbone = backbone
        self.kernel, self.bias = torch.randn(backbone.out, 1024), 2 * math.pi * torch.rand(1024)
        self.head = nn.Linear(1024, classes, bias=False)

    def forward(self, x):
        """Logits [N, classes]."""
        return self.head(math.sqrt(2 / 1024) * torch.cos(self.backbone(x) @ self.kernel + self.bias))


def trainer(network, shape, classes, batch, rows):
    """A function that trains for so many epochs."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, y = torch.randn(rows, *shape), torch.randint(0, classes, (rows,))
    model = SNGP({"mlp": MLP, "resnet6": ResNet6, "tcn": TCN}[network](shape[0]), classes)
    if network == "tcn":
        optimizer = torch.optim.Adam(model.parameters(), 1e-3, weight_decay=1e-3)
    else:
        optimizer = torch.optim.SGD(model.parameters(), 1e-3, momentum=0.9, nesterov=True, weight_decay=1e-3)

    def run_epochs(epochs):
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        for _ in range(epochs):
            order = torch.randperm(rows)
            for i in range(0, rows, batch):
                chosen = order[i : i + batch]
                loss = functional.cross_entropy(model(x[chosen]), y[chosen])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            schedule.step()

    return run_epochs
