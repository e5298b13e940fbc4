"""Maps that are painted together: the very pictures that each is alone, with contexts found once for all."""

import pytest
import torch
from tiny_model import GENERATOR, networks

from spadework.fast import together
from spadework.fast.contexts import Level
from spadework.fast.cpu import Painter
from spadework.fast.together import paint_together
from spadework.nn.generator import GeneratorConfig

SIZE = (64, 96)


def maps(count: int, busy: bool = False) -> torch.Tensor:
    """(count, *SIZE): blocks of random symbols, or a symbol of its own for every pixel."""
    rng = torch.Generator().manual_seed(count)
    blocks = SIZE if busy else (4, 6)
    coarse = torch.randint(0, GENERATOR.semantic_nc, (count, 1, *blocks), generator=rng)
    return torch.nn.functional.interpolate(coarse.float(), SIZE).long()[:, 0]


def arguments(
    config: GeneratorConfig, symbols: torch.Tensor
) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
    """Another style and other noise for every map."""
    rng = torch.Generator().manual_seed(1)
    z = None if config.z_dim is None else torch.randn(len(symbols), config.z_dim, generator=rng)
    grids = config.grids(SIZE)
    return z, [torch.randn(len(symbols), 1, h, w, generator=rng) for h, w in grids]


def painted_alone(painter: Painter, symbols: torch.Tensor, z, noise: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat(
        [
            painter(symbols[b : b + 1], None if z is None else z[b : b + 1], [n[b : b + 1] for n in noise])
            for b in range(len(symbols))
        ]
    )


@pytest.mark.parametrize("busy", [False, True], ids=["tables", "dense"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"z_dim": None}, {"style_blocks": True, "bilinear_ups": 2}, {"padding": "replicate"}],
    ids=["plain", "no-style", "style-blocks", "replicate"],
)
def test_each_is_what_it_is_alone(changes: dict[str, object], busy: bool) -> None:
    config = GENERATOR.model_copy(update=changes)
    painter = Painter(networks(config=config)[0])
    symbols = maps(3, busy)
    z, noise = arguments(config, symbols)
    alone = painted_alone(painter, symbols, z, noise)
    assert (alone[0] - alone[1]).abs().max() > 0.01  # so mixed-up pictures would show
    painter.forget()
    assert torch.equal(paint_together(painter, symbols, z, noise), alone)


def test_contexts_are_found_once_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    painter = Painter(networks()[0])
    found: list[int] = []
    of = Level.of

    def counted(symbols: torch.Tensor, *rest) -> Level:
        found.append(len(symbols))
        return of(symbols, *rest)

    monkeypatch.setattr(together.Level, "of", counted)
    symbols = maps(5)
    paint_together(painter, symbols, *arguments(GENERATOR, symbols))
    assert found == [5] * len(set(GENERATOR.grids(SIZE)))
