"""`spadework train` with the published flags: one epoch of every layout, and the recipe that flags make."""

import json
import math
from pathlib import Path

import pytest
from layouts import write_layout
from typer.testing import CliRunner, Result

from spadework.cli import app
from spadework.nvlabs.flags import TrainFlags
from spadework.training import export
from spadework.training.published import recipe_of

SMALL = ["--ngf", 2, "--ndf", 2, "--crop_size", 64, "--batchSize", 2, "--set", "hidden=2"]


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, words)])


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(export, "STATISTICS_IMAGES", 2)
    monkeypatch.setattr(export, "STYLE_IMAGES", 4)


@pytest.mark.parametrize("mode", ["coco", "ade20k", "cityscapes", "facades", "custom"])
def test_one_epoch_of_every_layout(mode: str, tmp_path: Path) -> None:
    data = write_layout(mode, tmp_path / "data", "train")
    custom = ["--label_dir", data / "train_label", "--image_dir", data / "train_img", "--no_instance"]
    place = custom if mode == "custom" else ["--dataroot", data]
    if mode == "cityscapes":
        place += ["--aspect_ratio", 1]
    result = run("--name", "mine", "--dataset_mode", mode, *place, "--niter", 1, "--lambda_kld", 0, *SMALL)
    assert result.exit_code == 0, result.output
    lines = Path("checkpoints/mine/stats.jsonl").read_text().splitlines()
    losses = [{k: v for k, v in json.loads(line).items() if k != "contexts"} for line in lines]
    assert all(math.isfinite(value) for line in losses for value in line.values())
    assert Path("checkpoints/mine/model-00000002.safetensors").is_file()
    assert f"published_{mode}" in result.output
    assert json.loads(Path("checkpoints/mine/config.json").read_text())["lambda_kl"] == 0
    assert "already holds a run" in run("--name", "mine", "--dataset_mode", mode, *place, *SMALL).stderr


def test_the_recipe_of_the_flags() -> None:
    words = {"dataset_mode": "coco", "niter": 6, "niter_decay": 2, "use_vae": True, "batchSize": 4}
    recipe = recipe_of(TrainFlags.model_validate(words), photos=100)
    assert (recipe.total_images, recipe.decay_from, recipe.batch_size) == (800, 0.75, 4)
    assert (recipe.semantics.semantic_nc, recipe.z_dim, recipe.size) == (184, 256, (256, 256))
    assert (recipe.scale[1], recipe.ttur, recipe.palette) == (286 / 256, True, "coco_stuff")
    ade = recipe_of(TrainFlags(dataset_mode="ade20k", no_TTUR=True), photos=1)
    assert (ade.label_nc, ade.unknown, ade.z_dim, ade.ttur) == (151, False, None, False)
    city = recipe_of(TrainFlags(dataset_mode="cityscapes"), photos=1)
    assert (city.size, city.semantics.semantic_nc) == ((256, 512), 36)


def test_what_is_said_when_it_cannot_be_done(tmp_path: Path) -> None:
    data = write_layout("facades", tmp_path / "data", "train")
    facades = ["--dataset_mode", "facades", "--dataroot", data, "--name", "x"]
    cases = {
        "give --dataset_mode too": ["--niter", 3, "--out", "x"],
        "takes the place of RECIPE": ["toy", *facades],
        "ids that the model has no channel for": [*facades, "--label_nc", 12],
        "no label maps": [*facades, "--phase", "val"],
    }
    for words, arguments in cases.items():
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert words in result.stderr
        assert not (tmp_path / "checkpoints").exists()
