"""What paints for an engine: on which device, how exactly, and from which random numbers."""

from collections.abc import Callable
from typing import Any

import torch

from spadework.files import Fault
from spadework.model import Checkpoint
from spadework.nn.generator import GeneratorConfig
from spadework.nn.labels import Labels

DEVICES = ("auto", "cpu", "cuda", "mps")

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
"""In bfloat16 a CPU paints about twice as fast; its pictures differ by about a grey level."""

MAX_SEED = 2**32 - 1
NOISE_SEED = 0x9E3779B9
"""Separates a seed's stream of pixel noise from its stream of styles."""

Executor = Callable[
    [torch.Tensor, torch.Tensor | None, torch.Tensor | None, list[torch.Tensor] | None], torch.Tensor
]
"""Ids (B, H, W)[, instances (B, H, W)], style (B, Z)[, noise per block] -> (B, 3, H, W) in [-1, 1]."""


def executor_of(checkpoint: Checkpoint, device: torch.device, precision: torch.dtype, fast: bool) -> Executor:
    """The generator as `nn` has it, or where that is possible its painter: the same pictures, sooner."""
    generator, semantics = checkpoint.generator.to(device), checkpoint.card.semantics
    if fast:
        from spadework.fast.cpu import Painter, can_paint
        from spadework.fast.labels import label_symbols
        from spadework.fast.together import paint_together

        if can_paint(generator):
            painter = Painter(generator, semantics.edges, precision)

            def paint_fast(ids: torch.Tensor, instances: torch.Tensor | None, *rest: Any) -> torch.Tensor:
                symbols = label_symbols(ids, semantics, instances)
                return painter(symbols, *rest) if len(ids) == 1 else paint_together(painter, symbols, *rest)

            return paint_fast

    def paint(
        ids: torch.Tensor,
        instances: torch.Tensor | None,
        z: torch.Tensor | None,
        noise: list[torch.Tensor] | None,
    ) -> torch.Tensor:
        with torch.autocast(device.type, precision, precision != torch.float32):
            return generator(Labels.of(ids, semantics, instances), z, noise)

    return paint


def device_of(name: str | None) -> str:
    """The device of a name in DEVICES; None and "auto" take the best there is. Raises ValueError."""
    if name not in (None, *DEVICES):
        raise Fault(f"no device {name!r}", f"choose one of {', '.join(DEVICES)}")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name in (None, "auto"):
        return next(device for device in ("cuda", "mps", "cpu") if there[device])
    if not there[name]:
        raise Fault(f"device {name} is not there", "choose auto or cpu")
    return name


def precision_of(name: str, device: str) -> torch.dtype:
    """The precision of a name in PRECISIONS; "auto" takes what paints faster. Raises ValueError."""
    if name not in ("auto", *PRECISIONS):
        raise Fault(f"no precision {name!r}", f"choose one of auto, {', '.join(PRECISIONS)}")
    if name != "auto":
        return PRECISIONS[name]
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)  # no public name in torch 2.13
    return torch.bfloat16 if device == "cpu" and native() else torch.float32


def noise_of(seed: int, config: GeneratorConfig, size: tuple[int, int]) -> list[torch.Tensor] | None:
    """A seed's field (1, 1, h, w) for every block of a picture of (H, W); None for generators without noise.

    Drawn on the CPU, so that a seed is the same on every device.
    """
    rng = random_of(seed, NOISE_SEED)
    return [torch.randn(1, 1, h, w, generator=rng) for h, w in config.grids(size)] if config.noise else None


def random_of(seed: int, stream: int = 0) -> torch.Generator:
    if not 0 <= seed <= MAX_SEED:
        raise Fault(f"seed {seed} is outside 0..{MAX_SEED}", "choose a number in between")
    return torch.Generator().manual_seed(int(seed) ^ stream)


def place_of(seed: int, doubling: int) -> int:
    """The stream of an enlarger's noise, another for every doubling."""
    return (int(seed) ^ NOISE_SEED) + (doubling + 1 << 32)
