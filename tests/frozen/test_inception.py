"""The FID's network against its graph written out, and the files it takes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from spadework.frozen.inception import InceptionV3

State = dict[str, Tensor]


def random_state(seed: int = 0) -> State:
    """Weights under which features neither vanish nor explode, batch norms with all four parts."""
    rng = torch.Generator().manual_seed(seed)
    state = {}
    for name, value in InceptionV3().state_dict().items():
        drawn = torch.randn(value.shape, generator=rng)
        if name.endswith("conv.weight"):
            state[name] = drawn * (2 / value[0].numel()) ** 0.5
        elif name.endswith(("bn.weight", "running_var")):
            state[name] = drawn.abs() / 2 + 0.6
        elif value.is_floating_point():
            state[name] = drawn / 5
    return state


@pytest.fixture(scope="module")
def state() -> State:
    return random_state()


@pytest.fixture(scope="module")
def file(state: State, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As published: with a classifier that nobody asks for."""
    path = tmp_path_factory.mktemp("inception") / "pt_inception.pth"
    torch.save(state | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, path)
    return path


def mean3(x: Tensor) -> Tensor:
    """Sum over the 3x3 neighbourhood by the number of pixels in it that exist."""
    kernel = torch.ones(x.shape[1], 1, 3, 3, dtype=x.dtype)
    total, count = (
        F.conv2d(F.pad(y, (1, 1, 1, 1)), kernel, groups=x.shape[1]) for y in (x, torch.ones_like(x))
    )
    return total / count


def max3(x: Tensor) -> Tensor:
    low = F.pad(x, (1, 1, 1, 1), value=-np.inf)
    h, w = x.shape[2:]
    return torch.stack([low[:, :, i : i + h, j : j + w] for i in range(3) for j in range(3)]).amax(0)


def published(state: State, x: Tensor, last_pool: Callable[[Tensor], Tensor] = max3) -> Tensor:
    """The graph of 2015-12-05, one line per block, as float64 formulas."""
    state = {name: value.double() for name, value in state.items()}

    def unit(x: Tensor, name: str, stride: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
        y = F.conv2d(x, state[f"{name}.conv.weight"], None, stride, pad)
        mean, var, scale, shift = (
            state[f"{name}.bn.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return ((y - mean) / (var + 1e-3).sqrt() * scale + shift).clamp(min=0)

    def a(x: Tensor, n: str) -> Tensor:
        five = unit(unit(x, f"{n}.branch5x5_1"), f"{n}.branch5x5_2", 1, (2, 2))
        three = unit(unit(x, f"{n}.branch3x3dbl_1"), f"{n}.branch3x3dbl_2", 1, (1, 1))
        three = unit(three, f"{n}.branch3x3dbl_3", 1, (1, 1))
        return torch.cat([unit(x, f"{n}.branch1x1"), five, three, unit(mean3(x), f"{n}.branch_pool")], 1)

    def b(x: Tensor, n: str) -> Tensor:
        three = unit(unit(x, f"{n}.branch3x3dbl_1"), f"{n}.branch3x3dbl_2", 1, (1, 1))
        parts = unit(x, f"{n}.branch3x3", 2), unit(three, f"{n}.branch3x3dbl_3", 2)
        return torch.cat([*parts, F.max_pool2d(x, 3, 2)], 1)

    def c(x: Tensor, n: str) -> Tensor:
        row, column = (0, 3), (3, 0)
        one = unit(unit(x, f"{n}.branch7x7_1"), f"{n}.branch7x7_2", 1, row)
        one = unit(one, f"{n}.branch7x7_3", 1, column)
        two = unit(unit(x, f"{n}.branch7x7dbl_1"), f"{n}.branch7x7dbl_2", 1, column)
        two = unit(unit(two, f"{n}.branch7x7dbl_3", 1, row), f"{n}.branch7x7dbl_4", 1, column)
        two = unit(two, f"{n}.branch7x7dbl_5", 1, row)
        return torch.cat([unit(x, f"{n}.branch1x1"), one, two, unit(mean3(x), f"{n}.branch_pool")], 1)

    def d(x: Tensor, n: str) -> Tensor:
        one = unit(unit(x, f"{n}.branch3x3_1"), f"{n}.branch3x3_2", 2)
        two = unit(unit(x, f"{n}.branch7x7x3_1"), f"{n}.branch7x7x3_2", 1, (0, 3))
        two = unit(unit(two, f"{n}.branch7x7x3_3", 1, (3, 0)), f"{n}.branch7x7x3_4", 2)
        return torch.cat([one, two, F.max_pool2d(x, 3, 2)], 1)

    def e(x: Tensor, n: str, pool: Callable[[Tensor], Tensor]) -> Tensor:
        one = unit(x, f"{n}.branch3x3_1")
        two = unit(unit(x, f"{n}.branch3x3dbl_1"), f"{n}.branch3x3dbl_2", 1, (1, 1))
        forks = [
            unit(y, f"{n}.{name}{end}", 1, pad)
            for y, name in ((one, "branch3x3_2"), (two, "branch3x3dbl_3"))
            for end, pad in (("a", (0, 1)), ("b", (1, 0)))
        ]
        return torch.cat([unit(x, f"{n}.branch1x1"), *forks, unit(pool(x), f"{n}.branch_pool")], 1)

    x = unit(unit(unit(x, "Conv2d_1a_3x3", 2), "Conv2d_2a_3x3"), "Conv2d_2b_3x3", 1, (1, 1))
    x = unit(unit(F.max_pool2d(x, 3, 2), "Conv2d_3b_1x1"), "Conv2d_4a_3x3")
    x = b(a(a(a(F.max_pool2d(x, 3, 2), "Mixed_5b"), "Mixed_5c"), "Mixed_5d"), "Mixed_6a")
    for name in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
        x = c(x, name)
    x = e(e(d(x, "Mixed_7a"), "Mixed_7b", mean3), "Mixed_7c", last_pool)
    return x.mean((2, 3))


def test_it_is_the_published_graph(state: State, file: Path):
    pictures = torch.rand(2, 3, 107, 91, generator=torch.Generator().manual_seed(1)) * 2 - 1
    ours = InceptionV3.from_file(file)(pictures)
    expected = published(state, pictures.double())
    assert ours.shape == (2, 2048)
    assert expected.abs().mean() > 0.1
    torch.testing.assert_close(ours.double(), expected, rtol=1e-3, atol=1e-4)
    wrong = published(state, pictures.double(), last_pool=mean3)  # as other Inceptions have it
    assert (ours - wrong).abs().max() > 0.01


def test_it_is_frozen(file: Path):
    net = InceptionV3.from_file(file)
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())


def test_other_files_are_refused(state: State, tmp_path: Path):
    with pytest.raises(ValueError, match=r"no weight file at .*nowhere.pth; give the path of the FID's"):
        InceptionV3.from_file(tmp_path / "nowhere.pth")
    part = tmp_path / "part.pth"
    torch.save({k: v for k, v in state.items() if "Mixed_7c" not in k}, part)
    with pytest.raises(ValueError, match=r"has no Mixed_7c.* give pt_inception-2015-12-05-6726825d.pth"):
        InceptionV3.from_file(part)
    torch.save(state | {"Conv2d_1a_3x3.conv.weight": torch.zeros(32, 3, 5, 5)}, part)
    with pytest.raises(ValueError, match="is of another network"):
        InceptionV3.from_file(part)
