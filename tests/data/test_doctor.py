"""The data doctor: sound folders pass, every fault has its sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from spadework.cli import app
from spadework.data.doctor import diagnose
from spadework.palette import Palette


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
    assert "a.png: unreadable" in found.faults[0]
    assert "ids 15 are not in palette landscape" in found.faults[1]
    assert "every id seems one too large" in found.faults[1]
    assert CliRunner().invoke(app, ["data", "check", str(folder)]).exit_code == 1


def test_missing_partners_are_a_fault(folder: Path) -> None:
    (folder / "train" / "labels" / "a.png").unlink()
    assert "1 photos have no label map: a" in diagnose(folder).faults[0]


def test_suspicions(folder: Path, write_pair: Callable[..., None]) -> None:
    shutil.copy(folder / "train" / "images" / "a.png", folder / "val" / "images" / "d.png")
    Image.fromarray(np.where(np.arange(56) > 20, 255, 0).astype(np.uint8)[None].repeat(40, 0)).save(
        folder / "train" / "labels" / "b.png"
    )
    words = "\n".join(diagnose(folder).warnings)
    assert "b: only ids 0 and 255" in words
    assert "a and d: the same photo, in train and val: it leaks" in words
