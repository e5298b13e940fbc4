"""Whether dense is a fair opponent: its speed beside that of one lone convolution."""

import torch
import torch.nn.functional as F
from torch import Tensor

from spadework.bench.shapes import Shape
from spadework.bench.subject import seconds
from spadework.nn.generator import Generator


def gigaflops(repeats: int = 5) -> float:
    """Of a lone 3x3 convolution of 1024 channels on a 32x32 grid, channels_last: what this machine gives."""
    x = torch.randn(1, 1024, 32, 32).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(1024, 1024, 3, 3).contiguous(memory_format=torch.channels_last)
    best = min(seconds(lambda: F.conv2d(x, weight, padding=1))[0] for _ in range(repeats))
    return 2 * 1024 * 1024 * 9 * 32 * 32 / best / 1e9


def multiply_adds(shape: Shape) -> int:
    """Of one dense picture of the shape's size: all its convolutions."""
    total = 0
    net = Generator(shape.generator)

    def count(module: torch.nn.Module, _: object, out: Tensor) -> None:
        assert isinstance(module, torch.nn.Conv2d)
        nonlocal total
        total += module.weight[0].numel() * out[0].numel()

    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    with torch.inference_mode():
        net.eval()(torch.zeros(1, shape.generator.semantic_nc, *shape.generator.size))
    return total
