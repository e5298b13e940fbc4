"""Every door makes the same of a file, or refuses it, or says what it did: never other classes in silence."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from misread import DOORS, FILES, LANDSCAPE, Answer, answers, answers_to, data_set, file_of, truth
from PIL import Image

from spadework.data.doctor import diagnose
from spadework.data.folder import PairedFolder
from spadework.sketch.blends import smoothed

EXACT = ("paint", "data check", "train")
"""Doors that repair nothing but edges."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPADEWORK_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", FILES)
def test_all_doors_agree(name: str) -> None:
    file, found = FILES[name], answers(name)
    shown = file.shows()
    for door, answer in found.items():
        assert_honest(door, answer, shown)
    for door in EXACT:
        ids = found[door].ids
        assert (ids is not None) == file.right, f"{door}: {found[door].said}"
        assert ids is None or np.array_equal(ids, shown), door
    if file.right:
        assert all(answer.ids is not None for answer in found.values())
    label, studio = found["label"], found["studio"]
    assert (label.ids is None) == (studio.ids is None) or studio.asks or file.beside(), "one of them refuses"
    agreed = {answer.ids.tobytes() for answer in (found["label"], found["studio"]) if answer.ids is not None}
    assert len(agreed) <= 1, "label and studio repair the same way"


def assert_honest(door: str, answer: Answer, shown: np.ndarray) -> None:
    assert "silent" not in answer.verdict(shown), f"{door} reads other classes and says nothing"
    words = " ".join(answer.said)
    assert not [sign for sign in ("Traceback", "<_io", "object at 0x", "array(") if sign in words], words
    assert answer.ids is not None or len(words) > 20, f"{door} refuses without a reason"


def test_every_door_is_asked() -> None:
    assert len(FILES) >= 50
    assert set(EXACT) < set(DOORS)


@pytest.mark.parametrize("filter", ["BILINEAR", "BICUBIC", "LANCZOS"])
def test_ids_that_were_resized_smoothly_are_doubted(filter: str) -> None:
    smooth = Image.fromarray(truth()).resize((200, 150), Image.Resampling[filter])
    data = file_of(np.asarray(smooth) % 15)
    found = answers_to(data, ".png")
    for door in ("paint", "label", "studio"):
        assert any("its edges pass through ids in between" in line for line in found[door].said), door
    for lines in doubts_of_sets(data):
        assert any("its edges pass through ids in between" in line for line in lines)
    for sharp in ("NEAREST", "BOX"):
        plain = np.asarray(Image.fromarray(truth()).resize((200, 150), Image.Resampling[sharp]))
        assert not smoothed(plain)
    assert not smoothed(np.random.default_rng(0).integers(0, 15, (64, 64)).astype(np.uint8))


def doubts_of_sets(data: bytes) -> tuple[list[str], list[str]]:
    """What `data check` and a training say of a map."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.png"
        path.write_bytes(data)
        root = data_set(path)
        return diagnose(root, LANDSCAPE).warnings, PairedFolder(root, palette=LANDSCAPE).decode().doubts()


DATA = os.environ.get("SPADEWORK_DATA")
SHOWN = {"colour-profile", "indexed-ids-beyond-plain-png", "jpeg-label-maps-in-training"}
"""Cases with a truth.png that all their maps show."""


def cases() -> list[Path]:
    """The label maps of the public reports."""
    files = sorted((Path(DATA) / "cases").rglob("*")) if DATA else []
    photos = {"img", "images"}
    return [f for f in files if f.suffix in (".png", ".tif", ".jpg", ".svg") and not photos & {*f.parts}]


@pytest.mark.skipif(not DATA, reason="SPADEWORK_DATA names no folder with cases/")
@pytest.mark.parametrize("path", cases(), ids=lambda path: "-".join(path.parts[-2:]))
def test_maps_of_public_reports(path: Path) -> None:
    found = answers_to(path.read_bytes(), path.suffix)
    exact = [found[door].ids for door in EXACT]
    assert len({None if ids is None else ids.tobytes() for ids in exact if ids is not None}) <= 1
    case = next(part for part in path.parts[::-1] if (Path(DATA or "") / "cases" / part).is_dir())
    if case in SHOWN and path.name != "truth.png":
        with Image.open(Path(DATA or "") / "cases" / case / "truth.png") as image:
            shown = np.array(image)
        assert [
            door for door in EXACT if exact[0] is not None and not np.array_equal(found[door].ids, shown)
        ] == []
    for door, answer in found.items():
        if answer.ids is None:
            assert_honest(door, answer, np.zeros((4, 4)))
