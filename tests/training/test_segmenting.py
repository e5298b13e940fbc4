"""Training a segmenter: what it learns, ignores, saves and resumes, and the model that comes out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from small import PHOTOS, differing
from torch import Tensor
from typer.testing import CliRunner

from spadework.cli import app
from spadework.data.geometry import Geometry
from spadework.data.loader import collate
from spadework.data.sample import Batch, Sample
from spadework.segmenter.segmenter import Segmenter
from spadework.training import segmenting
from spadework.training.journal import TrainingDiverged
from spadework.training.loop import plan_of, train
from spadework.training.recipes import named
from spadework.training.rundir import RunDir
from spadework.training.segmenter_recipe import SegmenterRecipe
from spadework.training.segmenting import (
    SegmenterTraining,
    census_weights,
    export_segmenter,
    jittered,
    new_segmenter_state,
    step_segmenter,
)
from spadework.training.state import State

SETTINGS = [
    *("size=32", "batch_size=4", "total_images=40", "save_every=1000", "lr=0.01", "precision=float32"),
    *("trunk=[[4,3,2,2,1],[8,3,2,2,1]]", "width=8", "ema=0.9", "trunk_lr=1"),
]


def small(*changes: str) -> SegmenterRecipe:
    recipe = named("segmenter_landscape", [*SETTINGS, *changes])
    assert isinstance(recipe, SegmenterRecipe)
    return recipe


def run(recipe: SegmenterRecipe, out: Path, steps: int | None = None, **options: Any) -> State:
    seen: list[int] = []
    stop = lambda: len(seen) == steps  # noqa: E731
    training = SegmenterTraining(recipe, PHOTOS)
    return train(training, out, listener=lambda p: seen.append(p.step), stop=stop, **options)


def snapshot(state: State) -> dict[str, Tensor]:
    kept = {f"{n}.{k}": v for n, part in state.parts().items() for k, v in part.state_dict().items()}
    for index, slots in state.optimizers["optimizer"].state_dict()["state"].items():
        kept |= {f"optimizer.{index}.{name}": value for name, value in slots.items()}
    return {name: value.clone() for name, value in (kept | {"rng": torch.get_rng_state()}).items()}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_ten_steps_are_five_and_five(precision: str, tmp_path: Path) -> None:
    recipe = small(f"precision={precision}")
    whole = snapshot(run(recipe, tmp_path / "straight"))
    half = run(recipe, tmp_path / "halves", steps=5)
    assert (half.step, half.images_seen) == (5, 20)
    assert differing(whole, snapshot(half))
    torch.manual_seed(99)
    resumed = run(recipe, tmp_path / "halves", resume=True)
    assert (resumed.step, resumed.images_seen) == (10, 40)
    assert differing(whole, snapshot(resumed)) == []
    lines = (tmp_path / "halves" / "stats.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 11))


def test_it_learns_to_read_toys(tmp_path: Path) -> None:
    state = run(small("total_images=480"), tmp_path)
    records = [json.loads(line) for line in (tmp_path / "stats.jsonl").read_text().splitlines()]
    first, last = (np.mean([r["accuracy"] for r in part]) for part in (records[:10], records[-10:]))
    assert last > first + 0.2
    assert state.images_seen == 480


def batch() -> Batch:
    return collate([Geometry.center(PHOTOS[i].labels.shape, (32, 32))(PHOTOS[i]) for i in range(4)])


def test_unknown_pixels_teach_nothing() -> None:
    recipe, weights, seen = small("jitter=0"), torch.ones(15), batch()
    whole = seen.labels.clone()
    whole[:, :16] = 255
    part = seen.labels.clone()
    part[:, :16] = 255
    part[:, 1:16:2] = 3  # rows between those that the loss looks at
    losses = []
    for labels in (whole, part, seen.labels):
        state = new_segmenter_state(recipe)
        losses.append(step_segmenter(state, recipe, Batch(labels, seen.image, None, seen.names), weights))
    assert losses[0] == losses[1] != losses[2]
    nothing = Batch(torch.full_like(seen.labels, 255), seen.image, None, seen.names)
    assert step_segmenter(state, recipe, nothing, weights) == {"cross_entropy": 0.0, "accuracy": 0.0}


def test_rare_classes_weigh_more() -> None:
    labels = np.zeros((4, 8), np.uint8)
    labels[0, :2], labels[1] = 1, 255
    data = [Sample(labels, np.zeros((4, 8, 3), np.uint8), None, "one")]
    weights = census_weights(small("balance=0.5"), data)
    share = np.array([22, 2]) / 24
    ratio = np.sqrt(share[0] / share[1])
    assert float(weights[1] / weights[0]) == pytest.approx(ratio)
    assert float(weights[0]) * 22 + float(weights[1]) * 2 == pytest.approx(24, rel=1e-3)
    assert torch.equal(weights[2:], weights[1].expand(13))  # classes that are not there
    assert torch.equal(census_weights(small("balance=0"), data), torch.ones(15))
    labels[:] = 255
    with pytest.raises(ValueError, match="no pixel of the label maps is one of the 15 classes"):
        census_weights(small(), data)


def test_jitter_is_each_photos_own_and_stays_in_range() -> None:
    torch.manual_seed(0)
    image = torch.rand(3, 3, 8, 8) * 2 - 1
    image[1] = image[0]
    changed = jittered(image, 0.5)
    assert changed.abs().max() <= 1
    assert not torch.equal(changed[0], changed[1])
    assert torch.allclose(jittered(image, 0.0), image, atol=1e-6)


def test_the_rate_rises_and_falls_to_nothing() -> None:
    recipe = small("total_images=100", "warm_up=0.2", "lr=1", "trunk_lr=0.1")
    state = new_segmenter_state(recipe)
    rates = []
    for state.images_seen in range(0, 101, 4):
        segmenting.set_learning_rates(state, recipe)
        rates.append([group["lr"] for group in state.optimizers["optimizer"].param_groups])
    trunk, rest = np.array(rates).T
    assert rest.argmax() in (4, 5)
    assert rest.max() == pytest.approx(1)
    assert rest[0] == pytest.approx(0.2)
    assert rest[-1] == pytest.approx(0, abs=1e-9)
    assert np.allclose(trunk, 0.1 * rest)


def test_a_loss_that_is_lost_ends_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = {"cross_entropy": torch.tensor(float("nan"))}
    monkeypatch.setattr(segmenting, "step_segmenter", lambda *args: lost)
    with pytest.raises(TrainingDiverged, match=r"cross_entropy = nan in batch toy-.*smaller --set lr"):
        run(small(), tmp_path)
    assert not RunDir(tmp_path).state.exists()


def test_its_balance_is_of_pixels_and_repeats_no_pair() -> None:
    assert small().balance > 0
    assert plan_of(small(), PHOTOS).odds is None
    assert plan_of(small("repeat_below=0.9"), PHOTOS).odds is not None


def test_the_model_file_holds_the_average(tmp_path: Path) -> None:
    recipe = small()
    state = run(recipe, tmp_path / "run")
    path = tmp_path / "model.safetensors"
    written = export_segmenter(state, recipe, PHOTOS, path, "toys", "free")
    read = Segmenter.load(path)
    assert read.card == written.card
    record = read.card.training
    assert (record.recipe, record.data, record.terms, record.images_seen) == (
        "segmenter_landscape",
        "toys",
        "free",
        40,
    )
    photo = PHOTOS[0].image
    assert read.label(photo) == written.label(photo)
    exact = state.average["segmenter"](collate([PHOTOS[0]]).image).argmax(1)[0]
    assert (read.label(photo).ids[::4, ::4] == exact.numpy()).mean() > 0.8
    known = [read.realism(PHOTOS[i].image) for i in range(len(PHOTOS))]
    assert -1.2 < np.mean(known) < 0
    assert read.realism(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)) < min(known)


def toy_folder(root: Path) -> Path:
    for split, chosen in (("train", range(6)), ("val", range(6, 9))):
        for kind in ("images", "labels"):
            (root / split / kind).mkdir(parents=True)
        for i in chosen:
            Image.fromarray(PHOTOS[i].image).save(root / split / "images" / f"{i}.png")
            Image.fromarray(PHOTOS[i].labels).save(root / split / "labels" / f"{i}.png")
    return root


def test_the_command_line_trains_and_measures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPADEWORK_CACHE", str(tmp_path / "cache"))
    data, out = toy_folder(tmp_path / "toys"), tmp_path / "run"
    changes = [word for change in [*SETTINGS, "total_images=8"] for word in ("--set", change)]
    words = ["train", "segmenter_landscape", "--data", data, "--out", out, *changes, "--terms", "free"]
    result = CliRunner().invoke(app, [str(word) for word in words], standalone_mode=False)
    assert result.exit_code == 0, result.output
    assert "val_miou" in result.output
    assert "--from-photo PHOTO --segmenter" in result.output
    card = Segmenter.load(out / "model-00000008.safetensors").card
    assert card.metrics["val_images"] == 3
    assert 0 <= float(card.metrics["val_accuracy"]) <= 1
    more = ["train", "--resume", "--data", str(data), "--out", str(out), "--set", "total_images=12"]
    assert CliRunner().invoke(app, more, standalone_mode=False).exit_code == 0
    assert (out / "model-00000012.safetensors").is_file()
    refused = CliRunner().invoke(app, [*more, "--set", "width=9"], standalone_mode=False)
    assert "--set width cannot change on --resume" in refused.stderr


def test_photos_are_kept_as_large_as_they_are_read() -> None:
    assert (small().short_side, small("size=[320,200]").short_side) == (256, 320)
    assert named("landscape").short_side == 256


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ngf=3", "no setting 'ngf'"),
        ("trunk=[[4,2,2,1,1]]", "expected odd kernels"),
        ("backbone=0", "backbone is 0"),
    ],
)
def test_settings_that_make_no_segmenter_are_refused(change: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("[", r"\[")):
        small(change)
