"""What the shipped generator computes on its way to a picture."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from spadework.engine import MODELS
from spadework.executor import noise_of
from spadework.model import Checkpoint, load_checkpoint
from spadework.nn.labels import Labels
from spadework.nn.spade import SPADE
from spadework.sketch.labelmap import LabelMap

SKETCHES = Path(__file__).parents[2] / "examples" / "sketches"
SIZE = (256, 256)


@cache
def model() -> Checkpoint:
    """The shipped one."""
    return load_checkpoint(MODELS["landscape"])


def sketch(name: str, size: tuple[int, int] = SIZE) -> LabelMap:
    """An example sketch at (H, W)."""
    return LabelMap.read(SKETCHES / f"{name}.png", model().card.palette).resize(size)


def labels_of(ids: Tensor) -> Labels:
    """Ids (H, W) as the generator takes them."""
    return Labels.of(ids[None], model().card.semantics)


def light(seed: int, labels: Labels) -> Tensor:
    """The style (1, Z) of a seed for a map."""
    prior = model().prior
    assert prior is not None
    return prior.draw(labels.segmap, torch.Generator().manual_seed(seed))[None]


@dataclass(frozen=True)
class Steps:
    """One painting. `blocks`: features (C, h, w) that left every block; `norms`: that entered a norm."""

    blocks: dict[str, Tensor]
    norms: dict[str, Tensor]
    labels: Labels
    picture: Tensor


@cache
def steps(name: str) -> Steps:
    """The painting of an example sketch with seed 0."""
    generator, blocks, norms = model().generator, dict[str, Tensor](), dict[str, Tensor]()

    def watch(kept: dict[str, Tensor], key: str, entering: bool):
        def hook(module: nn.Module, given: tuple[Tensor, ...], left: Tensor) -> None:
            kept[key] = (given[0] if entering else left)[0]

        return hook

    hooks = [
        block.register_forward_hook(watch(blocks, key, False)) for key, block in generator.blocks.items()
    ]
    spades = [(key, module) for key, module in generator.named_modules() if isinstance(module, SPADE)]
    hooks += [module.register_forward_hook(watch(norms, key, True)) for key, module in spades]
    labels = labels_of(torch.from_numpy(sketch(name).ids.copy()))
    with torch.inference_mode():
        picture = generator(labels, light(0, labels), noise_of(0, generator.config, SIZE))[0]
    for hook in hooks:
        hook.remove()
    return Steps(blocks, norms, labels, picture)
