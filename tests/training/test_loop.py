"""The training loop from outside: what it learns, writes, refuses and survives."""

import importlib.util
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small import PHOTOS, differing, run, small, snapshot
from torch import Tensor

from spadework.data.geometry import Geometry
from spadework.data.loader import collate
from spadework.data.sample import Batch
from spadework.data.toy import ToyLandscapes
from spadework.fast.memory import keep_freed_memory
from spadework.nn.labels import Labels
from spadework.picture import Picture
from spadework.sketch.palette import Palette
from spadework.training import painting
from spadework.training.loop import Progress, TrainingDiverged, train
from spadework.training.objectives import PatchObjective
from spadework.training.painting import PainterTraining, split
from spadework.training.recipes import changed, toy
from spadework.training.rundir import RunDir
from spadework.training.samples import sample_grid
from spadework.training.state import new_state


def test_a_toy_run_beats_the_mean_colour(tmp_path: Path):
    """Pictures that training never saw, painted in their own style, against each photo's own mean colour.

    That baseline has seen the photo; its distance is the least that any single colour can have, give or take.
    """
    settings = [
        "size=32",
        "batch_size=4",
        "total_images=320",
        "lr=0.002",
        "lambda_color=50",
        "init_gain=null",
    ]
    recipe = changed(
        toy(), [*settings, "encoder_norm=batch", "encoder_size=32", "ndf=2", "sample_every=1000"]
    )
    state = train(PainterTraining(recipe, ToyLandscapes(128, recipe.size, seed=1)), tmp_path)
    unseen = ToyLandscapes(24, recipe.size, seed=2)
    batch = collate(list(unseen))
    segmap = Labels.of(batch.labels, recipe.semantics).segmap
    generator, encoder = state.average["generator"], state.average["encoder"]
    style = encoder(batch.image)[0]

    def distance(picture: Tensor) -> float:
        return float((picture - batch.image).abs().mean() / 2)

    ours = distance(generator(Labels(segmap), style))
    assert ours < 0.9 * distance(batch.image.mean((2, 3), keepdim=True))
    assert 1.1 * ours < distance(generator(Labels(segmap), style.roll(1, 0)))  # another photo's style
    assert 1.1 * ours < distance(generator(Labels(segmap.roll(1, 0)), style))  # another photo's labels


def test_a_listener_hears_every_step(tmp_path: Path):
    heard: list[Progress] = []
    run(small("total_images=12"), tmp_path, listener=heard.append)
    assert [p.step for p in heard] == [1, 2, 3]
    assert [p.images_seen for p in heard] == [4, 8, 12]
    assert heard[-1].seconds_left == 0
    assert all(p.images_per_s > 0 for p in heard)
    assert heard[0].seconds_left == pytest.approx(8 / heard[0].images_per_s)
    assert set(heard[0].losses) == {"kl", "g_gan", "g_feat", "g_color", "d_real", "d_fake"}
    line = json.loads((tmp_path / "stats.jsonl").read_text().splitlines()[0])
    assert line == {"step": 1, "images": 4, "seconds": line["seconds"], "contexts": [32], **heard[0].losses}


def test_stopping_saves(tmp_path: Path):
    state = run(small(), tmp_path, steps=2)
    loaded = new_state(small())
    loaded.load(RunDir(tmp_path).state)
    assert (loaded.step, loaded.images_seen) == (2, 8)
    assert differing(snapshot(state), snapshot(loaded)) == []


def test_states_are_saved_on_the_way(tmp_path: Path):
    ages: list[int | None] = []

    def look(progress: Progress) -> None:
        path = RunDir(tmp_path).state
        if not path.exists():
            return ages.append(None)
        saved = new_state(recipe)
        saved.load(path)
        ages.append(saved.step)

    recipe = small("total_images=20", "save_every=6")  # after images 8, 12 and 20; the last is the end's
    with torch.random.fork_rng():
        run(recipe, tmp_path, listener=look)
    assert ages == [None, None, 2, 3, 3]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] == ".") == []


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="TensorBoard is not installed")
def test_curves_are_written(tmp_path: Path):
    run(small("total_images=8"), tmp_path)
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"d_fake" in events.read_bytes()


@pytest.mark.parametrize(("style", "columns"), [("z_dim=4", 4), ("z_dim=null", 3)])
def test_a_sample_grid_shows_sketch_styles_and_photo(tmp_path: Path, style: str, columns: int):
    recipe = small("total_images=8", "sample_every=4", style)
    previews = [PHOTOS[i] for i in (5, 6, 7)]
    state = run(recipe, tmp_path, previews=previews)
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == ["00000004.png", "00000008.png"]
    picture = Picture.read(RunDir(tmp_path).sample(8))
    grid = picture.pixels
    assert picture.provenance["recipe"] == "toy"
    assert picture.provenance["images_seen"] == "8"
    assert grid.shape == (3 * 32, columns * 32, 3)
    for row, sample in enumerate(previews):
        crop = Geometry.center(sample.labels.shape, recipe.size)(sample)
        line = grid[row * 32 : (row + 1) * 32]
        assert np.array_equal(line[:, :32], Palette.load("landscape").colorize(crop.labels))
        assert np.array_equal(line[:, -32:], crop.image)
    assert np.array_equal(grid, sample_grid(state, recipe, previews).pixels)  # random styles stay the same


def test_a_palette_is_not_needed(tmp_path: Path):
    recipe = small("total_images=4", "sample_every=4", "palette=null")
    run(recipe, tmp_path, previews=[PHOTOS[0]])
    assert Picture.read(RunDir(tmp_path).sample(4)).size == (32, 4 * 32)


def nan_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The given step's generator loss is not a number."""
    steps = iter(range(1, 100))
    whole = painting.step_generator

    def broken(*args: Any) -> Any:
        losses, fakes = whole(*args)
        return (losses | {"g_feat": torch.tensor(math.nan)} if next(steps) == step else losses), fakes

    monkeypatch.setattr(painting, "step_generator", broken)


def test_nan_stops_and_keeps_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    recipe = small("save_every=8")
    nan_at(5, monkeypatch)
    with pytest.raises(TrainingDiverged) as caught:
        run(recipe, tmp_path)
    said = str(caught.value)
    assert "step 5 " in said
    assert "after 16 images" in said
    assert "g_feat = nan in batch toy-000" in said
    assert (
        f"the last good state is {tmp_path / 'state.safetensors'}: resume it with a smaller --set lr" in said
    )
    assert isinstance(caught.value, ValueError)
    assert len((tmp_path / "stats.jsonl").read_text().splitlines()) == 4
    monkeypatch.undo()
    assert run(recipe, tmp_path, resume=True, steps=2).step == 6
    assert all(
        value.isfinite().all() for value in snapshot(run(recipe, tmp_path, resume=True, steps=1)).values()
    )


def test_nan_before_any_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    nan_at(1, monkeypatch)
    with pytest.raises(TrainingDiverged, match=r"step 1 .*no state was saved: start with a smaller --set lr"):
        run(small(), tmp_path)
    assert not RunDir(tmp_path).state.exists()


def test_a_rate_far_too_high_diverges(tmp_path: Path):
    with pytest.raises(TrainingDiverged, match=r"training diverged at step \d"):
        run(small("lr=1e30"), tmp_path)


def test_an_infinite_gradient_never_reaches_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A root of zero is finite, its slope is not: the weights are lost one step before the loss says so."""
    recipe = small("save_every=4")
    run(recipe, tmp_path, steps=2)
    before = RunDir(tmp_path).state.read_bytes()
    whole = PatchObjective.discriminator_losses

    def broken(self: PatchObjective, inputs: Any, painting: Any) -> Any:
        weight = next(self.discriminator.parameters())
        return whole(self, inputs, painting) | {"d_root": (weight - weight.detach()).sum().sqrt()}

    monkeypatch.setattr(PatchObjective, "discriminator_losses", broken)
    with pytest.raises(
        TrainingDiverged, match=r"step 3 .*1 weights are not finite, the first is discriminator\."
    ):
        run(recipe, tmp_path, resume=True)
    assert RunDir(tmp_path).state.read_bytes() == before


def test_errors_of_the_data_come_through(tmp_path: Path):
    with pytest.raises(ValueError, match="holds id 255; this model knows 0 to 14; it has no unknown class"):
        run(small("unknown=false", "scale=[1,1]"), tmp_path)


def test_split_keeps_every_sample_in_order():
    samples = [PHOTOS[i] for i in range(5)]
    batch = collate(samples)
    batch = Batch(batch.labels, batch.image, batch.labels.int() + 1, batch.names)
    for parts, lengths in ((1, [5]), (2, [3, 2]), (3, [2, 2, 1]), (5, [1] * 5), (9, [1] * 5)):
        pieces = split(batch, parts)
        assert [len(piece) for piece in pieces] == lengths
        assert [name for piece in pieces for name in piece.names] == batch.names
        for field in ("labels", "image", "instances"):
            assert torch.equal(torch.cat([getattr(piece, field) for piece in pieces]), getattr(batch, field))
    assert split(collate(samples), 2)[1].instances is None


@pytest.mark.parametrize("judge", ["discriminator=patch", "norm=instance"])
def test_accumulation_runs_to_the_end(tmp_path: Path, judge: str):
    recipe = small("accumulate=2", "total_images=8", "size=64", judge)
    assert run(recipe, tmp_path).step == 2


def test_keep_freed_memory_says_whether_it_could():
    assert isinstance(keep_freed_memory(), bool)
