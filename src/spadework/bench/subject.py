"""One network in its versions: as published, plain dense, and our painter; all with the same weights."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from spadework.bench.maps import Map
from spadework.bench.shapes import Shape
from spadework.engine import model_file
from spadework.fast.cpu import Painter
from spadework.fast.labels import label_symbols
from spadework.model import load_checkpoint
from spadework.nn.generator import Generator
from spadework.nn.labels import Labels
from spadework.nn.spectral import fold_spectral_norm

VERSIONS = ("published", "dense", "engine")


Made = TypeVar("Made")


def seconds(work: Callable[[], Made]) -> tuple[float, Made]:
    """Wall time of one call, and what it made."""
    began = time.perf_counter()
    made = work()
    return time.perf_counter() - began, made


def weights(shape: Shape) -> tuple[Generator | None, Generator]:
    """The network as published, and plain dense: channels_last, spectral norm folded.

    Random weights are the same at every call. Files keep folded weights: shipped models have only the second.
    """
    if shape.model is not None:
        return None, load_checkpoint(model_file(shape.model)).generator
    torch.manual_seed(0)
    published = Generator(shape.generator).eval().requires_grad_(False)
    return published, fold_spectral_norm(published).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@dataclass
class Subject:
    """One network in its versions. `compiled` stands for dense where that turned out faster."""

    shape: Shape
    published: Generator | None
    dense: Generator
    painter: Painter
    compiled: Callable[..., Tensor] | None = None

    @classmethod
    def of(cls, shape: Shape, dtype: torch.dtype) -> "Subject":
        """The painter in `dtype`, the others in float32."""
        published, dense = weights(shape)
        return cls(shape, published, dense, Painter(dense, shape.semantics.edges, dtype))

    def inputs(self, one: Map, seed: int = 0) -> tuple[Tensor | None, list[Tensor] | None]:
        """Style and noise of a seed."""
        rng, config = torch.Generator().manual_seed(seed), self.shape.generator
        z = torch.randn(1, config.z_dim, generator=rng) if config.z_dim else None
        size = (one[0].shape[1], one[0].shape[2])
        fields = [torch.randn(1, 1, h, w, generator=rng) for h, w in config.grids(size)]
        return z, fields if config.noise else None

    def plain(self, one: Map, seed: int = 0) -> Tensor:
        """The better of eager and compiled, from ids, as a program that has a map would call it."""
        with torch.inference_mode():
            labels = Labels.of(one[0], self.shape.semantics, one[1])
            # asked for None, as the truth value of a compiled network is an error
            network = self.dense if self.compiled is None else self.compiled
            return network(labels, *self.inputs(one, seed))

    def original(self, one: Map, seed: int = 0) -> Tensor:
        """The published version, from ids."""
        assert self.published is not None
        with torch.inference_mode():
            labels = Labels(Labels.of(one[0], self.shape.semantics, one[1]).segmap.contiguous())
            return self.published(labels, *self.inputs(one, seed))

    def paint(self, one: Map, seed: int = 0) -> Tensor:
        """The painter, from ids."""
        return self.painter(label_symbols(one[0], self.shape.semantics, one[1]), *self.inputs(one, seed))

    def try_compiled(self, one: Map) -> str:
        """Compiles dense with its weights frozen, and keeps that if it is faster; says which, and why."""
        from torch._inductor import config as inductor

        eager_s = min(seconds(lambda: self.plain(one))[0] for _ in range(2))
        torch._dynamo.reset()  # or the compiler gives up at its ninth network
        try:
            with inductor.patch(freezing=True):
                self.compiled = torch.compile(self.dense)
                seconds(lambda: self.plain(one))  # the compiling
        except Exception as error:  # a compiler is missing, or does not know this machine
            self.compiled = None
            return f"eager, torch.compile failed: {type(error).__name__}"
        compiled_s = min(seconds(lambda: self.plain(one))[0] for _ in range(2))
        if compiled_s >= eager_s:
            self.compiled = None
        faster = "eager" if self.compiled is None else "compiled"
        return f"{faster}, eager {eager_s:.3f} s, compiled {compiled_s:.3f} s"
