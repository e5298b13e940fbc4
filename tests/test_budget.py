"""What a training needs, told before it begins: real steps, the line through them, and what fits."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from spadework.bench import budget, cost
from spadework.bench.cost import Cost, Seen
from spadework.cli import app
from spadework.training import export
from spadework.training.recipes import AnyRecipe, changed, landscape, named, segmenter_landscape, toy
from spadework.training.rundir import RunDir

TINY = ["size=32", "batch_size=4", "ngf=1", "hidden=2", "encoder_ngf=1", "ndf=1", "total_images=4"]

KEPT = Cost(Seen(2, 1000, 900, 1.0), Seen(4, 1400, 950, 1.5))
AGAIN = Cost(Seen(2, 800, 700, 1.5), Seen(4, 900, 700, 2.5))


def measure(recipe: AnyRecipe) -> Cost:
    """600 MiB and 200 a picture; computed again 700 and 50."""
    return AGAIN if getattr(recipe, "recompute", False) else KEPT


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_line_goes_through_what_was_seen() -> None:
    assert [KEPT.mib(n) for n in (1, 2, 4, 16)] == [900, 1000, 1400, 3800]
    assert [KEPT.seconds(n) for n in (2, 4, 10)] == [1.0, 1.5, 3.0]
    flat = Cost(Seen(2, 1000, 0, 1.0), Seen(4, 990, 0, 0.9))  # noise
    assert flat.mib(8) == 1000
    assert flat.seconds(8) > 1


def test_parts_are_so_large_that_every_picture_keeps_its_role() -> None:
    assert landscape().least_part == 4
    assert changed(landscape(), ["lambda_seek=0"]).least_part == 2
    assert toy().least_part == 1


@pytest.mark.parametrize(
    ("mib", "accumulate", "recompute"),
    [(2200, 1, False), (2199, 1, True), (1100, 1, True), (1099, 2, True), (899, 4, True), (760, 8, True)],
)
def test_less_memory_means_features_computed_again_and_then_more_parts(
    mib: int, accumulate: int, recompute: bool
) -> None:
    """Eight pictures need 2200, four 1400, two 1000; computed again 1100, 900, 800, and one 750."""
    recipe, asked = changed(toy(), ["batch_size=8"]), []

    def counted(way: AnyRecipe) -> Cost:
        asked.append(getattr(way, "recompute", False))
        return measure(way)

    found = budget.fitted(recipe, math.ceil(mib / budget.SHARE), counted)
    assert found.recipe == recipe.model_copy(update={"accumulate": accumulate, "recompute": recompute})
    assert asked == [False, True][: 1 + recompute]  # each is measured once


def test_what_was_said_stays_and_what_cannot_fit_is_told() -> None:
    recipe = changed(toy(), ["batch_size=8"])
    found = budget.fitted(recipe, 1800, measure, frozenset(["accumulate"]))
    assert (found.recipe.accumulate, found.recipe.recompute) == (1, True)  # type: ignore[union-attr]
    with pytest.raises(ValueError, match=r"toy needs about 0\.8 GB, and 0\.5 GB are given"):
        budget.fitted(recipe, 512, measure)
    segmenter = segmenter_landscape()
    assert budget.fitted(segmenter, 2000, measure).recipe.batch_size == 6


def test_a_plan_is_told_and_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "measure", lambda recipe, data, device: measure(recipe))
    result = run("train", "toy", "--plan", "--set", "batch_size=8", "total_images=18000", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "about 2,200 MiB of" in result.output
    assert "3.20" in result.output
    assert "1:34 hours to 18,000 images" in result.output
    assert "no --data: toy pictures" in run("train", "landscape", "--plan", "--device", "cpu").output
    for words, told in {
        ("toy", "--memory", "much"): "--memory much: give GB",
        ("tyo",): "did you mean toy?",
        ("--dataset_mode", "custom"): "are of a RECIPE in one process",
    }.items():
        assert told in run("train", *words, "--plan").stderr


def test_a_training_takes_what_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "measure", lambda recipe, data, device: measure(recipe))
    monkeypatch.setattr(export, "STATISTICS_IMAGES", 4)
    monkeypatch.setattr(export, "STYLE_IMAGES", 16)
    changes = [word for change in TINY for word in ("--set", change)]
    result = run("train", "toy", *changes, "--memory", "1.0", "--out", tmp_path / "run", "--device", "cpu")
    assert result.exit_code == 0, result.output
    recipe = RunDir(tmp_path / "run").recipe()
    assert (recipe.accumulate, recipe.recompute, recipe.batch_size) == (1, True, 4)  # type: ignore[union-attr]
    assert recipe.precision == budget.precision_for("cpu")
    words = ["--set", "recompute=true", "--compile", "--out", tmp_path / "other"]
    assert "exclude each other" in run("train", "toy", *words).stderr


def test_steps_are_those_of_a_training() -> None:
    recipe = changed(toy(), TINY)
    seen = cost.steps(recipe, cost.pairs_of(recipe, None), "cpu")
    assert (seen.images, seen.mib > 100, seen.between > 100, seen.seconds > 0) == (4, True, True, True)
    ids = {
        int(i)
        for pair in cost.pairs_of(changed(toy(), ["label_nc=3", "palette=null"]), None)
        for i in set(pair.labels.flat)
    }
    assert ids <= {0, 1, 2}


REAL = """
import json, sys
from spadework.bench.peak import peak_mib
from spadework.cli import app
app(["train", *sys.argv[1:]], standalone_mode=False)
print(peak_mib())
"""


@pytest.mark.soak
@pytest.mark.parametrize("recompute", ["false", "true"])
def test_the_estimate_is_within_a_fifth_of_the_real_peak(recompute: str, tmp_path: Path) -> None:
    """Of a whole training on toy pictures, in a process of its own."""
    changes = ["size=128", "ngf=24", "batch_size=24", "total_images=72", f"recompute={recompute}"]
    estimate = cost.measure(named("toy", changes), None, "cpu").mib(24)
    words = ["toy", "--out", str(tmp_path / "run"), "--device", "cpu"]
    words += [word for change in changes for word in ("--set", change)]
    told = subprocess.run([sys.executable, "-c", REAL, *words], capture_output=True, text=True, check=True)
    real = json.loads(told.stdout.splitlines()[-1])
    assert real > 1500
    assert estimate == pytest.approx(real, rel=0.2)
