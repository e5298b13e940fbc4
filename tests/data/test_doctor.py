"""The data doctor: sound folders pass, every fault has its sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from nvlabs.layouts import put, write_layout
from PIL import Image
from typer.testing import CliRunner

from spadework.cli import app
from spadework.data.doctor import diagnose, near_pairs
from spadework.nvlabs.layouts import PublishedLayout
from spadework.sketch.palette import Palette


def test_a_sound_folder(folder: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["data", "check", str(folder), "--palette", "landscape", "--json", str(tmp_path / "f.json")]
    )
    assert result.exit_code == 0, result.output
    assert "train 3, val 1" in result.output
    found = json.loads((tmp_path / "f.json").read_text())
    assert (found["label_nc"], found["unknown"], found["faults"]) == (15, None, [])
    assert sum(found["shares"].values()) > 0.999


def test_faults(folder: Path) -> None:
    (folder / "train" / "images" / "a.png").write_bytes(b"no picture")
    shifted = np.full((40, 56), 15, np.uint8)
    shifted[:20] = 1
    for name in "bc":
        Image.fromarray(shifted).save(folder / "train" / "labels" / f"{name}.png")
    shutil.rmtree(folder / "val")
    found = diagnose(folder, Palette.load("landscape"))
    assert "a.png is not a picture that can be read" in found.faults[0]
    assert "ids 15 are not in palette landscape" in found.faults[1]
    assert "every id seems one too large" in found.faults[1]
    assert CliRunner().invoke(app, ["data", "check", str(folder)]).exit_code == 1


def test_missing_partners_are_a_fault(folder: Path) -> None:
    (folder / "train" / "labels" / "a.png").unlink()
    assert "1 photos have no label map: a" in diagnose(folder).faults[0]


def test_near_pairs_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    hashes = [int(value) for value in rng.integers(0, 2**64, 2500, np.uint64)]
    for place, other, flips in [(1030, 5, 6), (2400, 1999, 1), (2499, 2498, 0), (70, 60, 7)]:
        hashes[place] = hashes[other] ^ ((1 << flips) - 1) << 20
    assert list(near_pairs(hashes)) == [(5, 1030), (1999, 2400), (2498, 2499)]
    assert list(near_pairs([7, 7, 7])) == [(0, 1), (0, 2)]
    assert list(near_pairs([])) == []


@pytest.mark.parametrize("mode", ["coco", "ade20k", "cityscapes", "facades"])
def test_published_layouts(mode: str, tmp_path: Path) -> None:
    root = write_layout(mode, tmp_path / "set", "train", count=3)
    words = ["data", "check", str(root), "--dataset_mode", mode]
    result = CliRunner().invoke(app, words)
    assert (result.exit_code, "train 3" in result.output) == (0, True), result.output
    write_layout(mode, root, "val", count=1)
    told = "\n".join(diagnose(root, layout=PublishedLayout(mode)).warnings)
    assert "in train and val: it leaks" in told
    for photo in [path for path in root.rglob("*") if "img" in path.parent.name or path.suffix == ".jpg"]:
        photo.unlink()
    shutil.rmtree(root / "leftImg8bit", ignore_errors=True)
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "fault: the label maps of train have no photos" in result.output


def test_ids_beyond_a_published_data_set(tmp_path: Path) -> None:
    root = write_layout("facades", tmp_path / "set", "train")
    put(root / "train_label" / "a_000000_000019.png", np.full((48, 64), 13, np.uint8))
    told = diagnose(root, layout=PublishedLayout("facades")).faults
    assert told == [
        "ids 13 have no channel: facades has 0..12: train with a larger --label_nc, or with "
        "--contain_dontcare_label if 255 means unknown"
    ]


def test_a_layout_that_is_not_there(tmp_path: Path) -> None:
    assert "no label maps: expected" in diagnose(tmp_path, layout=PublishedLayout("coco")).faults[0]
    result = CliRunner().invoke(app, ["data", "check", str(tmp_path), "--dataset_mode", "coca"])
    assert "no layout 'coca': choose one of coco" in result.stderr


def test_suspicions(folder: Path, write_pair: Callable[..., None]) -> None:
    shutil.copy(folder / "train" / "images" / "a.png", folder / "val" / "images" / "d.png")
    Image.fromarray(np.where(np.arange(56) > 20, 255, 0).astype(np.uint8)[None].repeat(40, 0)).save(
        folder / "train" / "labels" / "b.png"
    )
    words = "\n".join(diagnose(folder).warnings)
    assert "b: only ids 0 and 255" in words
    assert "a and d: the same photo, in train and val: it leaks" in words
