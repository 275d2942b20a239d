"""The three networks in PyTorch: what the recipes train and what the C++ layers are checked against.

The names of the parameters (`state_dict`) are those of the C++ types' visitor; the prefixes in the
exported file are `human2d.`, `pose_prior.` and `shape_prior.`.
"""
import torch
from torch import nn

from smpl_torch import orthonormal, rotation_matrices


class Residual(nn.Module):
    """Pre-activation bottleneck: three times BN, ReLU, convolution (1x1, 3x3, 1x1), plus the skip.

    The skip is the input itself, or a bare 1x1 convolution where the number of channels changes.
    """

    def __init__(self, channels_in, channels_out):
        super().__init__()
        middle = channels_out // 2
        self.norm1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, middle, 1)
        self.norm2 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, middle, 3, padding=1)
        self.norm3 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, channels_out, 1)
        self.skip = nn.Conv2d(channels_in, channels_out, 1) if channels_in != channels_out else None
        # Each residual starts as its skip: the sum over many of them neither grows nor vanishes.
        nn.init.zeros_(self.conv3.weight)
        nn.init.zeros_(self.conv3.bias)

    def forward(self, x):
        y = self.conv1(torch.relu(self.norm1(x)))
        y = self.conv2(torch.relu(self.norm2(y)))
        y = self.conv3(torch.relu(self.norm3(y)))
        return y + (x if self.skip is None else self.skip(x))


def residuals(channels, modules):
    return nn.Sequential(*[Residual(channels, channels) for _ in range(modules)])


class Hourglass(nn.Module):
    """hourglass<Order>: `up` at this resolution; `down`, an inner hourglass, `out` at half of it.

    out = up(x) + upsample(out(inner(down(max_pool(x))))); the innermost one is residual modules. The two inner orders have
    `deep_modules` in place of `modules`: there the maps are small, and more of them cost little.
    """

    def __init__(self, order, channels, modules, deep_modules):
        super().__init__()
        here = deep_modules if order <= 2 else modules
        self.up = residuals(channels, here)
        self.down = residuals(channels, here)
        self.inner = (Hourglass(order - 1, channels, modules, deep_modules) if order > 1
                      else residuals(channels, here))
        self.out = residuals(channels, here)

    def forward(self, x):
        low = nn.functional.max_pool2d(x, 2)
        low = self.out(self.inner(self.down(low)))
        return self.up(x) + nn.functional.interpolate(low, scale_factor=2, mode="nearest")


class Stem(nn.Module):
    """7x7 stride 2, BN, ReLU; residual; 2x2 max-pool; two residuals: a quarter of the input's size."""

    def __init__(self, features):
        super().__init__()
        self.conv = nn.Conv2d(3, features // 4, 7, stride=2, padding=3)
        self.norm = nn.BatchNorm2d(features // 4)
        self.residual1 = Residual(features // 4, features // 2)
        self.residual2 = Residual(features // 2, features // 2)
        self.residual3 = Residual(features // 2, features)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        x = nn.functional.max_pool2d(self.residual1(x), 2)
        return self.residual3(self.residual2(x))


class Stack(nn.Module):
    """One hourglass, `modules` residuals, two 1x1 heads, and (but for the last) the re-injection."""

    def __init__(self, joints, features, modules, deep_modules, last):
        super().__init__()
        self.hourglass = Hourglass(4, features, modules, deep_modules)
        self.features = residuals(features, modules)
        self.heatmaps = nn.Conv2d(features, joints, 1)
        self.silhouette = nn.Conv2d(features, 2, 1)
        for head in (self.heatmaps, self.silhouette):
            nn.init.normal_(head.weight, std=0.001)
            nn.init.zeros_(head.bias)
        if not last:
            self.merge_heatmaps = nn.Conv2d(joints, features, 1)
            self.merge_silhouette = nn.Conv2d(2, features, 1)


class Human2D(nn.Module):
    """Picture [B, 3, S, S] (rgb / 255 - 0.5) to heat maps [B, J, S/4, S/4] and silhouette logits
    [B, 2, S/4, S/4] (channel 0 body, channel 1 background), one pair a stack.

    The silhouette enters the re-injection as logits.
    """

    def __init__(self, joints=16, features=256, stacks=2, modules=3, deep_modules=None):
        super().__init__()
        deep_modules = deep_modules or modules
        self.architecture = dict(joints=joints, features=features, stacks=stacks, modules=modules,
                                 deep_modules=deep_modules)
        self.stem = Stem(features)
        self.stacks = nn.ModuleList(
            [Stack(joints, features, modules, deep_modules, last=s == stacks - 1) for s in range(stacks)])

    def forward(self, picture):
        stem = self.stem(picture)
        x, outputs = stem, []
        for stack in self.stacks:
            feature = stack.features(stack.hourglass(x))
            heatmaps, silhouette = stack.heatmaps(feature), stack.silhouette(feature)
            outputs.append((heatmaps, silhouette))
            if hasattr(stack, "merge_heatmaps"):
                x = (feature + stem + stack.merge_heatmaps(heatmaps)
                     + stack.merge_silhouette(silhouette))
        return outputs


class Bilinear(nn.Module):
    """The bilinear unit: twice linear, BN, ReLU, dropout; the input is added to the result."""

    def __init__(self, width, dropout):
        super().__init__()
        self.linear1 = nn.Linear(width, width)
        self.norm1 = nn.BatchNorm1d(width)
        self.linear2 = nn.Linear(width, width)
        self.norm2 = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        y = self.dropout(torch.relu(self.norm1(self.linear1(x))))
        return x + self.dropout(torch.relu(self.norm2(self.linear2(y))))


class PosePrior(nn.Module):
    """Joints [B, 3J] (x, y in [-1, 1] of the crop, confidence; joint by joint) to the pose in the camera frame.

    `rotation` says how the pose leaves the network: "six_d", the first two columns of 24 matrices before they are made
    orthonormal [B, 144] (Zhou et al. 2019), or "axis_angle" [B, 72], the paper's. An upright person's root is half a turn
    about x. The rest are variants that were measured: `shapes` more inputs for beta; `hypotheses` answers with a score each.
    """

    def __init__(self, joints=16, width=1024, dropout=0.1, rotation="six_d", shapes=0, hypotheses=1):
        super().__init__()
        self.architecture = dict(joints=joints, width=width, dropout=dropout, rotation=rotation, shapes=shapes,
                                 hypotheses=hypotheses)
        numbers = {"six_d": 144, "axis_angle": 72}[rotation]
        self.input = nn.Linear(3 * joints + shapes, width)
        self.norm = nn.BatchNorm1d(width)
        self.blocks = nn.ModuleList([Bilinear(width, dropout) for _ in range(2)])
        self.output = nn.Linear(width, hypotheses * numbers)
        if hypotheses > 1:
            self.score = nn.Linear(width, hypotheses)
        self.dropout = nn.Dropout(dropout)
        with torch.no_grad():
            self.output.weight.mul_(0.1)
            self.output.bias.zero_()
            if rotation == "axis_angle":
                self.output.bias[0::72] = torch.pi
            else:
                self.output.bias[0::6] = 1
                self.output.bias[4::6] = 1
                self.output.bias[4::144] = -1

    def features(self, x):
        x = self.dropout(torch.relu(self.norm(self.input(x))))
        for block in self.blocks:
            x = block(x)
        return x

    def forward(self, x):
        return self.output(self.features(x))

    def rotations(self, output):
        """The matrices [..., 24, 3, 3] of an output of this network."""
        if self.architecture["rotation"] == "axis_angle":
            return rotation_matrices(output.unflatten(-1, (24, 3)))
        return orthonormal(output.unflatten(-1, (24, 6)))


class ShapePrior(nn.Module):
    """Silhouette [B, 1, 64, 64] (probability of body) to beta [B, 10].

    Five residuals (8, 16, 32, 32, 32 channels), each followed by a 2x2 max-pool: 2x2x32 = 128
    values in [C, H, W] order, then linear layers of 512 and one bilinear unit. Without the last pool, a variant that was
    measured, 4x4x32.
    """

    def __init__(self, shapes=10, width=512, dropout=0.1, last_pool=True):
        super().__init__()
        self.last_pool = last_pool
        channels = [1, 8, 16, 32, 32, 32]
        self.convolutions = nn.ModuleList(
            [Residual(a, b) for a, b in zip(channels[:-1], channels[1:])])
        self.input = nn.Linear(128 if last_pool else 512, width)
        self.norm = nn.BatchNorm1d(width)
        self.block = Bilinear(width, dropout)
        self.output = nn.Linear(width, shapes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, silhouette):
        x = silhouette
        for residual in self.convolutions:
            x = residual(x)
            if self.last_pool or residual is not self.convolutions[-1]:
                x = nn.functional.max_pool2d(x, 2)
        x = self.dropout(torch.relu(self.norm(self.input(x.flatten(1)))))
        return self.output(self.block(x))
