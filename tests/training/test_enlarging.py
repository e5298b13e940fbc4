"""Training of enlargers: it learns, resumes bit for bit, and begins with a painter's judge."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small import BACKBONE, PHOTOS, differing, needs_backbone, small, snapshot
from tiny_model import card, networks

from spadework.data.loader import collate
from spadework.data.toy import ToyLandscapes
from spadework.enlarger.enlarger import Enlarger
from spadework.model import Checkpoint
from spadework.modelfile import kind_in
from spadework.nn.labels import Labels
from spadework.training.enlarger_recipe import EnlargerRecipe
from spadework.training.enlarging import (
    EnlargerTraining,
    discriminator_recipe,
    export_enlarger,
    new_enlarger_state,
    small_pictures,
)
from spadework.training.inputs import maps_of
from spadework.training.loop import train
from spadework.training.recipes import named
from spadework.training.state import TrainState, new_state

pytestmark = needs_backbone

SETTINGS = [
    *("size=64", "batch_size=4", "total_images=24", "save_every=1000", "sample_every=1000", "warm_up=0"),
    *("width=4", "fine=4", "blocks=1", "backbone=1", "discriminator_widths=[4,4,4,4,4]", "precision=float32"),
]
PAIRS = ToyLandscapes(length=24, size=(64, 80), seed=3)


def recipe(*changes: str) -> EnlargerRecipe:
    made = named("enlarger_landscape", [*SETTINGS, *changes])
    assert isinstance(made, EnlargerRecipe)
    return made


def painter() -> Checkpoint:
    return Checkpoint(card(), *networks())


def run(made: EnlargerRecipe, out: Path, steps: int | None = None, **options: Any) -> TrainState:
    seen: list[int] = []
    listener = lambda progress: seen.append(progress.step)  # noqa: E731
    training = EnlargerTraining(made, PAIRS, painter())
    return train(training, out, listener=listener, stop=lambda: len(seen) == steps, **options)


@pytest.mark.soak
def test_it_learns_to_make_photos_of_small_photos(tmp_path: Path) -> None:
    """By the paired terms alone the error to the photo falls below bicubic's."""
    alone = ["lambda_gan=0", "lambda_statistics=0", "lambda_pixel=0", "lambda_phase=0", "lambda_spectrum=0"]
    made = recipe("total_images=640", "painted_share=0", "lr=0.003", "ema=0.9", "width=16", *alone)
    state = run(made, tmp_path / "run")
    batch = collate(list(ToyLandscapes(length=6, size=(64, 64), seed=9)))
    _, segmap = maps_of(batch, discriminator_recipe(made))
    small = F.avg_pool2d(batch.image, 2)
    with torch.inference_mode():
        ours = state.average["enlarger"](small, segmap)
    bicubic = F.interpolate(small, scale_factor=2, mode="bicubic").clamp(-1, 1)
    assert F.l1_loss(ours, batch.image) < 0.97 * F.l1_loss(bicubic, batch.image)


def test_a_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = snapshot(run(recipe(), tmp_path / "whole"))
    run(recipe(), tmp_path / "parts", steps=2)
    parts = snapshot(run(recipe(), tmp_path / "parts", resume=True))
    assert differing(whole, parts) == []


def test_half_of_the_small_pictures_are_paintings() -> None:
    made = recipe()
    batch, judge = collate(list(ToyLandscapes(length=4, size=(64, 64), seed=5))), discriminator_recipe(made)
    _, segmap = maps_of(batch, judge)
    torch.manual_seed(3)
    small = small_pictures(painter(), judge, batch.image, segmap, painted=2)
    assert small.shape == (4, 3, 32, 32)
    assert torch.equal(small[2:], F.avg_pool2d(batch.image[2:], 2))
    torch.manual_seed(3)
    nets = painter()
    assert nets.encoder is not None
    with torch.inference_mode():
        z = nets.encoder(batch.image[:2])[0]
        expected = nets.generator(Labels(segmap[:2, :, ::2, ::2].contiguous()), z)
    assert torch.allclose(small[:2], expected, atol=1e-5)


def test_it_begins_with_a_painters_judge(tmp_path: Path) -> None:
    from spadework.cli.planning import _with_discriminator
    from spadework.training.lightstate import read_light, write_light

    judge = small(*BACKBONE)
    other = new_state(judge)
    light = tmp_path / "light.safetensors"
    write_light(light, other, judge)
    state = new_enlarger_state(recipe())
    _with_discriminator([read_light(light)], "enlarger")(state)
    ours, theirs = (s.objective.discriminator.state_dict() for s in (state, other))
    assert all(torch.allclose(ours[key], theirs[key].half().float()) for key in theirs)
    with pytest.raises(ValueError, match="give --from a light state"):
        _with_discriminator([painter()], "enlarger")


def test_what_comes_out_is_an_enlarger(tmp_path: Path) -> None:
    made = recipe("total_images=8")
    state = run(made, tmp_path / "run")
    path = tmp_path / "e.safetensors"
    export_enlarger(state, made, path, "toys", "free")
    assert kind_in(path) == "enlarger"
    found = Enlarger.load(path)
    assert (found.card.training.images_seen, found.card.licence_weights) == (8, "free")
    pixels = PHOTOS[0].image[:8, :8].copy()
    assert found.enlarge(pixels, np.zeros((16, 16), np.uint8)).shape == (16, 16, 3)
