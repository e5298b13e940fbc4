"""What training on label contexts does at a pixel, against the plain formula and PyTorch's batch norm."""

import logging
import os
import shutil
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch._dynamo.exc import TorchDynamoException

from spadework.fast import modulate as fused
from spadework.fast.contexts import Level, codes_of
from spadework.fast.modulate import modulate
from spadework.nn.together import BatchNorm

CLASSES = 3


@pytest.fixture
def level() -> Level:
    ids = torch.randint(0, CLASSES, (2, 6, 7), generator=torch.Generator().manual_seed(0))
    return Level.of(ids, codes_of(CLASSES, False), 3)


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an earlier test has found out about the compiler."""
    monkeypatch.setattr(fused._Compiled, "works", True)


def features(memory: torch.memory_format = torch.channels_last, dtype: torch.dtype = torch.float64) -> Tensor:
    x = 3 + 2 * torch.randn(2, 4, 6, 7, dtype=dtype, generator=torch.Generator().manual_seed(1))
    return x.contiguous(memory_format=memory).requires_grad_()


def tables(level: Level, count: int, dtype: torch.dtype = torch.float64) -> list[tuple[Tensor, Tensor]]:
    rng = torch.Generator().manual_seed(2)
    shapes = ((len(level.patches), 8), (8,))
    return [
        tuple(torch.randn(shape, dtype=dtype, generator=rng).requires_grad_() for shape in shapes)  # type: ignore[misc]
        for _ in range(count)
    ]


def plain(x: Tensor, level: Level, table: tuple[Tensor, Tensor], slope: float) -> Tensor:
    rows = (table[0] + table[1])[level.index].view(2, 6, 7, 8).permute(0, 3, 1, 2)
    scale, shift = rows.chunk(2, 1)
    return F.leaky_relu(x * scale + shift, slope)


def losses() -> Iterator[Callable[[Tensor], Tensor]]:
    yield torch.sum
    yield lambda y: (y * torch.linspace(-1, 1, y.numel(), dtype=y.dtype).view_as(y)).sum()
    yield lambda y: y.transpose(2, 3).square().sum()


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("slopes", [(1.0,), (0.2,), (0.2, 1.0)])
def test_it_is_the_formula(level: Level, memory: torch.memory_format, slopes: tuple[float, ...]):
    x, given = features(memory), tables(level, len(slopes))
    every = [x, *(t for pair in given for t in pair)]
    for loss in losses():
        ours = sum(map(loss, modulate(x, level, given, slopes)))
        pairs = zip(given, slopes, strict=True)
        theirs = sum(loss(plain(x, level, table, slope)) for table, slope in pairs)
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
        for a, b in zip(torch.autograd.grad(ours, every), torch.autograd.grad(theirs, every), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("slopes", [(0.2,), (0.2, 1.0)])
def test_batch_norm_before_it_is_pytorchs(level: Level, slopes: tuple[float, ...], momentum: float | None):
    x, given = features(), tables(level, len(slopes))
    every = [x, *(t for pair in given for t in pair)]
    mine, theirs = (
        [BatchNorm(4, momentum=momentum, affine=False).double() for _ in slopes] for _ in range(2)
    )
    for loss in losses():
        ours = sum(map(loss, modulate(x, level, given, slopes, mine)))
        each = zip(theirs, given, slopes, strict=True)
        expected = sum(loss(plain(norm(x), level, table, slope)) for norm, table, slope in each)
        torch.testing.assert_close(ours, expected, rtol=1e-11, atol=1e-11)
        for a, b in zip(torch.autograd.grad(ours, every), torch.autograd.grad(expected, every), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-10)
    for a, b in zip(mine, theirs, strict=True):
        for name, value in a.state_dict().items():
            torch.testing.assert_close(value, b.state_dict()[name], rtol=1e-12, atol=1e-12)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("dtype", [torch.float32, pytest.param(torch.bfloat16, marks=pytest.mark.soak)])
def test_compiled_it_is_the_same(level: Level, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch):
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        pytest.skip("torch.compile needs a C++ compiler")

    def run() -> list[Tensor]:
        x, given = features(dtype=dtype), tables(level, 2, torch.float32)
        outs = modulate(x, level, given, (0.2, 1.0), [BatchNorm(4), BatchNorm(4)])
        total = sum((y.float().sin()).sum() for y in outs)
        return [
            *(y.detach() for y in outs),
            *torch.autograd.grad(total, [x, *(t for pair in given for t in pair)]),
        ]

    expected = run()
    monkeypatch.setattr(fused, "LARGE", 0)
    found = run()
    assert fused._Compiled.works
    for a, b in zip(found, expected, strict=True):
        error = float((a.float() - b.float()).norm() / b.float().norm())
        assert error < (1e-5 if dtype == torch.float32 else 0.02)


def test_without_a_compiler_it_says_so_once(
    level: Level, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def missing(*_: object, **__: object) -> Callable:
        def fail(*_: object) -> None:
            raise TorchDynamoException("No working C++ compiler found")

        return fail

    x, given = features(), tables(level, 1)
    (expected,) = modulate(x, level, given, [0.2])
    monkeypatch.setattr(fused, "LARGE", 0)
    monkeypatch.setattr(torch, "compile", missing)
    for function in (fused._fold, fused._look_up):
        monkeypatch.setattr(function, "compiled", None)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            (found,) = modulate(x, level, given, [0.2])
            assert torch.equal(found, expected)
    assert [record.message.partition(": ")[0] for record in caplog.records] == [
        "training is slower than it could be"
    ]
