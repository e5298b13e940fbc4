"""Instance maps from COCO annotations: numbers over the label map, crowds left out, errors explained."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from spadework.cli import app

SQUARE = [2.0, 2.0, 6.0, 2.0, 6.0, 6.0, 2.0, 6.0]
TWO_PARTS = [[8.0, 0.0, 12.0, 0.0, 12.0, 4.0, 8.0, 4.0], [8.0, 8.0, 12.0, 8.0, 12.0, 12.0, 8.0, 12.0]]
CROWD = {"counts": [0, 192], "size": [12, 16]}


def annotate(path: Path, **changes: Any) -> Path:
    """A photo of 16x12 with a square, a crowd over all of it, and a thing of two parts, in this order."""
    segments = [(1, [SQUARE], 0), (1, CROWD, 1), (1, TWO_PARTS, 0), (2, [SQUARE], 0)]
    content = {
        "images": [{"id": 1, "file_name": "000000000139.jpg", "height": 12, "width": 16}],
        "annotations": [{"image_id": i, "segmentation": s, "iscrowd": c} for i, s, c in segments],
    }
    path.write_text(json.dumps(content | changes))
    return path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["data", "coco-instances", *map(str, words)])


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """A label map of class 7 above 130, and one that is not annotated."""
    folder = tmp_path / "val_label"
    folder.mkdir()
    ids = np.full((12, 16), 7, np.uint8)
    ids[6:] = 130
    for name in ("000000000139.png", "000000000140.png"):
        Image.fromarray(ids).save(folder / name)
    return folder


def test_instances_are_numbered_over_the_label_map(labels: Path, tmp_path: Path) -> None:
    out = tmp_path / "val_inst"
    result = run(annotate(tmp_path / "i.json"), "--labels", labels, "--out", out)
    assert result.exit_code == 0, result.output
    assert "1 instance maps with 2 instances" in result.output
    assert [path.name for path in out.iterdir()] == ["000000000139.png"]
    with Image.open(out / "000000000139.png") as image:
        assert image.mode == "L"
        made = np.array(image)
    expected = np.full((12, 16), 7)
    expected[6:] = 130
    expected[2:6, 2:6] = 0
    expected[0:4, 8:12] = expected[8:12, 8:12] = 1
    assert np.array_equal(made, expected)


def test_what_is_said_when_it_cannot_be_done(
    labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = annotate(tmp_path / "good.json")
    text = tmp_path / "text.json"
    text.write_text("no JSON")
    other = [{"id": 1, "file_name": "000000000142.jpg", "height": 12, "width": 16}]
    small = [{"id": 1, "file_name": "000000000139.jpg", "height": 6, "width": 8}]
    cases = {
        "text.json is no COCO annotations": text,
        "(KeyError 'segmentation'): expected JSON": annotate(tmp_path / "a.json", annotations=[{}]),
        "none of the 2 label maps": annotate(tmp_path / "b.json", images=other),
        "000000000139.png is 16x12, its photo 8x6": annotate(tmp_path / "c.json", images=small),
    }
    for words, file in cases.items():
        result = run(file, "--labels", labels, "--out", tmp_path / "out")
        assert result.exit_code == 2, result.output
        assert words in result.stderr
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    assert "pip install 'spadework[coco]'" in run(good, "--labels", labels, "--out", tmp_path).stderr
