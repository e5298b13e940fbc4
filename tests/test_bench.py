"""`spadework bench` on a tiny network: the figures are there and the pictures agree."""

import json

import pytest
from typer.testing import CliRunner

from spadework.bench import engine
from spadework.cli import app


def figures(*words: str) -> dict:
    result = CliRunner().invoke(app, ["bench", *words, "--repeats", "2", "--json", "-"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_painting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "gigaflops", lambda: 1.0)
    made = figures("engine", "--case", "engine-tiny", "--case", "repaint-tiny")
    assert [case["name"] for case in made["cases"]] == ["engine-tiny", "repaint-tiny"]
    for case in made["cases"]:
        assert case["maps"] == 8
        assert case["max_abs_diff"] < 1e-5
        assert min(case["engine_s"], case["dense_s"], case["published_s"]) > 0


def test_training() -> None:
    (case,) = figures("train", "--case", "train-tiny")["cases"]
    assert case["grad_rel_diff"] < 1e-4
    assert case["images_per_s"] > 0


def test_an_unknown_case_is_one_line() -> None:
    result = CliRunner().invoke(app, ["bench", "engine", "--case", "nothing"], standalone_mode=False)
    assert "no case begins with nothing: known are engine-coco" in result.stderr


def test_the_landscape_shape_is_the_recipes() -> None:
    from spadework.training.recipes import named

    assert named("landscape").generator == engine.LANDSCAPE
