"""`spadework test`: the published command's pictures, its layouts, and what it says when it cannot."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from layouts import write_layout
from PIL import Image
from typer.testing import CliRunner, Result

from spadework.cli import app
from spadework.nvlabs.presets import label_colors

CHANNELS = {"coco": 184, "ade20k": 151, "cityscapes": 36, "facades": 13, "custom": 13}


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["test", *map(str, words), "--gpu_ids", "-1"])


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image).astype(int)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def reference_run(fixtures: Path, data: Path) -> Result:
    words = ["--name", "tiny_coco", "--dataset_mode", "coco", "--dataroot", data, "--ngf", 2]
    result = run(*words, "--checkpoints_dir", fixtures / "test_command" / "checkpoints")
    assert result.exit_code == 0, result.output
    return result


def assert_published_pictures(fixtures: Path) -> None:
    made = Path("results/tiny_coco/test_latest/images")
    expected = sorted((fixtures / "test_command" / "expected").glob("*.png"))
    assert [path.name for path in expected] == sorted(p.name for p in (made / "synthesized_image").iterdir())
    for path in expected:
        difference = np.abs(pixels(path) - pixels(made / "synthesized_image" / path.name))
        assert difference.max() <= 1
        assert (difference == 0).mean() >= 0.999
        labels = fixtures / "test_command" / "expected_labels" / path.name
        assert np.array_equal(pixels(labels), pixels(made / "input_label" / path.name))


def test_the_published_run_with_and_without_photos(fixtures: Path, coco_sample: Path, tmp_path: Path) -> None:
    result = reference_run(fixtures, coco_sample)
    assert "instance edges: from the instance maps" in result.output
    assert_published_pictures(fixtures)
    assert len(list(Path("results/tiny_coco/test_latest/images/photo").iterdir())) == 8
    page = Path("results/tiny_coco/test_latest/index.html").read_text()
    assert "000000000139" in page
    assert 'src="images/synthesized_image/000000000139.png"' in page
    assert "http" not in page

    shutil.rmtree("results")
    bare = tmp_path / "bare"
    for kind in ("val_label", "val_inst"):
        shutil.copytree(coco_sample / kind, bare / kind)
    reference_run(fixtures, bare)
    assert_published_pictures(fixtures)
    assert not Path("results/tiny_coco/test_latest/images/photo").exists()

    shutil.rmtree(bare / "val_inst")
    assert "instance edges: no instance maps, so from the label maps" in reference_run(fixtures, bare).output
    with pytest.raises(AssertionError):  # other edges, other pictures: the comparison can fail
        assert_published_pictures(fixtures)


@pytest.mark.parametrize("mode", CHANNELS)
def test_every_layout(mode: str, tmp_path: Path, checkpoint: Callable[..., Path]) -> None:
    data = write_layout(mode, tmp_path / "data", "val")
    custom = ["--label_dir", data / "val_label", "--image_dir", data / "val_img", "--no_instance"]
    place = custom if mode == "custom" else ["--dataroot", data]
    checkpoint("mine", CHANNELS[mode])
    result = run("--name", "mine", "--dataset_mode", mode, *place, "--crop_size", 64)
    assert result.exit_code == 0, result.output
    pictures = sorted(Path("results/mine/test_latest/images/synthesized_image").iterdir())
    assert len(pictures) == 2
    assert pixels(pictures[0]).shape == ((32 if mode == "cityscapes" else 64), 64, 3)
    assert np.ptp(pixels(pictures[0])) > 0
    assert ("from the instance maps" in result.output) == (mode in ("coco", "cityscapes"))


def test_painting_a_data_set_with_a_model_of_other_classes(tmp_path: Path) -> None:
    from tiny_model import write

    model = write(tmp_path / "tiny.safetensors")
    data = write_layout("ade20k", tmp_path / "data", "val")
    result = run("--name", model, "--dataset_mode", "ade20k", "--dataroot", data)
    assert result.exit_code == 0, result.output
    assert "classes by name" in result.output
    assert len(list(Path("results/tiny/test_latest/images/synthesized_image").iterdir())) == 2


def test_what_is_said_when_it_cannot_be_done(tmp_path: Path, checkpoint: Callable[..., Path]) -> None:
    data = write_layout("coco", tmp_path / "data", "val")
    checkpoint("mine", 184)
    coco = ["--dataset_mode", "coco", "--dataroot", data]
    cases = {
        "no longer offered for download; put one that you have there": ["--name", "coco_pretrained", *coco],
        "--name landscape": ["--name", "coco_pretrained", *coco],
        "it has latest: choose with --which_epoch": ["--name", "mine", *coco, "--which_epoch", "5"],
        "the weights have ngf 2, but 64 is stated": ["--name", "mine", *coco, "--ngf", 64],
        "take 184 semantic channels, coco gives 186 = 184 classes + 1 unknown + 1 instance edges": [
            *["--name", "mine", *coco, "--label_nc", 184]
        ],
        "no data set 'coca': choose one of": ["--name", "mine", "--dataset_mode", "coca", "--dataroot", data],
        "needs --label_dir": ["--name", "mine", "--dataset_mode", "custom"],
        "no label maps: expected": ["--name", "mine", *coco, "--phase", "train"],
        "there is no folder nowhere": ["--name", "mine", "--dataset_mode", "coco", "--dataroot", "nowhere"],
        "give --name and --dataset_mode": ["--name", "mine"],
        "--crop_size 0: Input should be greater": ["--name", "mine", *coco, "--crop_size", 0],
        "--preprocess_mode fit: Input should be": ["--name", "mine", *coco, "--preprocess_mode", "fit"],
        "No such option: --nmae": ["--nmae", "mine"],
    }
    for words, arguments in cases.items():
        result = run(*arguments)
        assert result.exit_code == 2, result.output
        assert result.stderr.count("\n") == 1
        assert words.lower() in result.stderr.lower(), result.stderr
        assert not Path("results").exists()


def test_flags_without_meaning_here_are_noted(tmp_path: Path, checkpoint: Callable[..., Path]) -> None:
    data = write_layout("facades", tmp_path / "data", "val")
    checkpoint("mine", 13)
    words = ["--name", "mine", "--dataset_mode", "facades", "--dataroot", data, "--crop_size", 64]
    result = run(*words, "--nThreads", 4, "--serial_batches", "--how_many", 1)
    told = "without effect here: --nThreads (loading has threads of its own), --serial_batches ("
    assert told in result.output
    spare = CliRunner().invoke(app, ["test", *map(str, words), "--results_dir", "auto"])
    assert spare.exit_code == 0, spare.output  # without --gpu_ids: the best device there is
    assert len(list(Path("results/mine/test_latest/images/input_label").iterdir())) == 1


def test_label_colours_deal_bits_to_channels() -> None:
    table = label_colors()
    known = {0: (128, 0, 0), 63: (32, 0, 0), 77: (96, 128, 128), 182: (128, 224, 192)}
    assert {channel: tuple(table[channel].tolist()) for channel in known} == known
