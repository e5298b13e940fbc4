"""Inception-v3 as the Fréchet Inception Distance uses it: the user's weight file, never a download.

Szegedy et al. 2015 (arXiv 1512.00567) as TensorFlow's graph of 2015-12-05 has it, which differs from the
paper in two ways: averages leave the padding out, and the last block takes a maximum instead of an average.
Names are those of `pt_inception-2015-12-05-6726825d.pth`. Shapes: B batch, C features, (H, W) pixels.
"""

from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spadework.frozen.vgg import load_state

Step = tuple[str, int, tuple[int, int]]
"""A convolution of a branch: its name, its width and its kernel (h, w)."""

POINT, SQUARE, ROW, COLUMN = (1, 1), (3, 3), (1, 7), (7, 1)


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, fin: int, fout: int, kernel: tuple[int, int], stride: int = 1, pad: bool = True):
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2) if pad else 0
        self.conv = nn.Conv2d(fin, fout, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(fout, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) -> (B, C_out, h, w)."""
        return F.relu(self.bn(self.conv(x)))


def mean_pool(x: Tensor) -> Tensor:
    """The mean of the 3x3 neighbourhood, of those pixels that exist."""
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def max_pool(x: Tensor) -> Tensor:
    """The maximum of the 3x3 neighbourhood."""
    return F.max_pool2d(x, 3, 1, 1)


class Mixed(nn.Module):
    """Chains of convolutions side by side and a pooled branch, concatenated.

    The steps of a chain whose names end in "a" and "b" read the same input, and both are given out.
    """

    def __init__(self, fin: int, chains: list[list[Step]], pooled: int, pool: Callable[[Tensor], Tensor]):
        super().__init__()
        self.chains, self.pool = chains, pool
        for chain in chains:
            width = fin
            for name, fout, kernel in chain:
                setattr(self, name, ConvNorm(width, fout, kernel))
                width = width if name.endswith("a") else fout
        self.branch_pool = ConvNorm(fin, pooled, POINT)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) -> (B, C_out, H, W)."""
        outputs = [y for chain in self.chains for y in self._run(chain, x)]
        return torch.cat([*outputs, self.branch_pool(self.pool(x))], 1)

    def _run(self, chain: list[Step], x: Tensor) -> list[Tensor]:
        names = [name for name, _, _ in chain]
        ends = [name for name in names if name.endswith(("a", "b"))]
        for name in names[: len(names) - len(ends)]:
            x = getattr(self, name)(x)
        return [getattr(self, name)(x) for name in ends] or [x]


class Reduced(nn.Module):
    """Chains whose last convolution halves the grid, beside a maximum that halves it too."""

    def __init__(self, fin: int, chains: list[list[Step]]):
        super().__init__()
        self.chains = chains
        for chain in chains:
            width = fin
            for name, fout, kernel in chain:
                last = name == chain[-1][0]
                setattr(self, name, ConvNorm(width, fout, kernel, 2 if last else 1, pad=not last))
                width = fout

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) -> (B, C_out, (H - 1) // 2, (W - 1) // 2)."""
        outputs = []
        for chain in self.chains:
            y = x
            for name, _, _ in chain:
                y = getattr(self, name)(y)
            outputs.append(y)
        return torch.cat([*outputs, F.max_pool2d(x, 3, 2)], 1)


def _fine(fin: int, pooled: int) -> Mixed:
    """Figure 5 of the paper, on the grid of 35 x 35."""
    chains: list[list[Step]] = [
        [("branch1x1", 64, POINT)],
        [("branch5x5_1", 48, POINT), ("branch5x5_2", 64, (5, 5))],
        [("branch3x3dbl_1", 64, POINT), ("branch3x3dbl_2", 96, SQUARE), ("branch3x3dbl_3", 96, SQUARE)],
    ]
    return Mixed(fin, chains, pooled, mean_pool)


def _middle(width: int) -> Mixed:
    """Figure 6 of the paper, on the grid of 17 x 17."""
    double: list[Step] = [("branch7x7dbl_1", width, POINT)]
    double += [(f"branch7x7dbl_{i}", width, kernel) for i, kernel in ((2, COLUMN), (3, ROW), (4, COLUMN))]
    single: list[Step] = [("branch7x7_1", width, POINT), ("branch7x7_2", width, ROW)]
    chains = [
        [("branch1x1", 192, POINT)],
        [*single, ("branch7x7_3", 192, COLUMN)],
        [*double, ("branch7x7dbl_5", 192, ROW)],
    ]
    return Mixed(768, chains, 192, mean_pool)


def _coarse(fin: int, pool: Callable[[Tensor], Tensor]) -> Mixed:
    """Figure 7 of the paper, on the grid of 8 x 8."""
    row, column = (1, 3), (3, 1)
    single: list[Step] = [("branch3x3_1", 384, POINT)]
    double: list[Step] = [("branch3x3dbl_1", 448, POINT), ("branch3x3dbl_2", 384, SQUARE)]
    chains: list[list[Step]] = [
        [("branch1x1", 320, POINT)],
        [*single, ("branch3x3_2a", 384, row), ("branch3x3_2b", 384, column)],
        [*double, ("branch3x3dbl_3a", 384, row), ("branch3x3dbl_3b", 384, column)],
    ]
    return Mixed(fin, chains, 192, pool)


class InceptionV3(nn.Module):
    """The network up to its pooled features, which are 2048."""

    def __init__(self):
        super().__init__()
        double: list[Step] = [("branch3x3dbl_1", 64, POINT), ("branch3x3dbl_2", 96, SQUARE)]
        long: list[Step] = [
            (f"branch7x7x3_{i}", 192, k) for i, k in enumerate((POINT, ROW, COLUMN, SQUARE), 1)
        ]
        self.Conv2d_1a_3x3 = ConvNorm(3, 32, SQUARE, 2, pad=False)
        self.Conv2d_2a_3x3 = ConvNorm(32, 32, SQUARE, pad=False)
        self.Conv2d_2b_3x3 = ConvNorm(32, 64, SQUARE)
        self.maxpool1 = nn.MaxPool2d(3, 2)
        self.Conv2d_3b_1x1 = ConvNorm(64, 80, POINT)
        self.Conv2d_4a_3x3 = ConvNorm(80, 192, SQUARE, pad=False)
        self.maxpool2 = nn.MaxPool2d(3, 2)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _fine(192, 32), _fine(256, 64), _fine(288, 64)
        self.Mixed_6a = Reduced(
            288, [[("branch3x3", 384, SQUARE)], [*double, ("branch3x3dbl_3", 96, SQUARE)]]
        )
        self.Mixed_6b, self.Mixed_6c = _middle(128), _middle(160)
        self.Mixed_6d, self.Mixed_6e = _middle(160), _middle(192)
        self.Mixed_7a = Reduced(768, [[("branch3x3_1", 192, POINT), ("branch3x3_2", 320, SQUARE)], long])
        self.Mixed_7b, self.Mixed_7c = _coarse(1280, mean_pool), _coarse(2048, max_pool)
        self.requires_grad_(False)

    @classmethod
    def from_file(cls, path: str | Path) -> "InceptionV3":
        """From a state dict (.pth, .safetensors). Raises ValueError if it is not this network's."""
        net, state = cls(), load_state(path, "the FID's Inception weights, pt_inception-2015-12-05")
        needed = {name for name in net.state_dict() if not name.endswith("num_batches_tracked")}
        if missing := sorted(needed - set(state)):
            raise ValueError(
                f"{path} has no {missing[0]} (nor {len(missing) - 1} others): give "
                "pt_inception-2015-12-05-6726825d.pth, as pytorch-fid and torch-fidelity publish it"
            )
        try:
            net.load_state_dict({name: state[name] for name in needed}, strict=False)
        except RuntimeError as error:
            raise ValueError(
                f"{path} is of another network ({error}): give pt_inception-2015-12-05"
            ) from error
        return net.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (B, 3, 299, 299) in [-1, 1] -> (B, 2048)."""
        for part in self.children():
            x = part(x)
        return x.mean((2, 3))
