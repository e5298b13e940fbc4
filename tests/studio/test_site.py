"""A site is written whole, or a sentence says why it is not."""

import errno
import shutil
from pathlib import Path
from typing import NoReturn

import pytest
from tiny_model import write

from spadework.model import Checkpoint, load_checkpoint
from spadework.service.moods import MOODS
from spadework.studio.facts import mood_rules
from spadework.studio.runtime import PLAIN, WEBGPU, Runtime
from spadework.studio.site import write_site

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

RUNTIME = Runtime({name: name.encode() for name in (*PLAIN, *WEBGPU)}, "MIT")


@pytest.fixture
def tiny(tmp_path: Path) -> Checkpoint:
    return load_checkpoint(write(tmp_path / "tiny.safetensors"))


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, tiny: Checkpoint) -> None:
    with pytest.raises(ValueError, match="has other files in it: name an empty folder"):
        write_site(tiny, tmp_path, RUNTIME)
    assert [file.name for file in tmp_path.iterdir()] == ["tiny.safetensors"]


def test_a_site_is_written_anew_over_an_older_one(tmp_path: Path, tiny: Checkpoint) -> None:
    first = write_site(tiny, tmp_path / "site", RUNTIME)
    (first.folder / "parts" / "old.part").write_bytes(b"old")
    again = write_site(tiny, tmp_path / "site", RUNTIME, docs="https://example.org/?a&b")
    assert not (again.folder / "parts" / "old.part").exists()
    assert 'href="https://example.org/?a&amp;b"' in (again.folder / "index.html").read_text()
    assert first.files == again.files == sum(path.is_file() for path in again.folder.rglob("*"))


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path, tiny: Checkpoint) -> None:
    where = tmp_path / "tiny.safetensors" / "site"
    with pytest.raises(ValueError, match=r"cannot write .*site: a part of the path is a file, not a folder"):
        write_site(tiny, where, RUNTIME)


def test_a_full_disk_is_told(tmp_path: Path, tiny: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(ValueError, match=r"cannot write the site to .*: the disk is full: free some space"):
        write_site(tiny, tmp_path / "site", RUNTIME)
    monkeypatch.undo()
    write_site(tiny, tmp_path / "site", RUNTIME)  # what was begun is no folder with other files


def test_moods_travel_as_they_are() -> None:
    rules = mood_rules()["moods"]
    assert [rule["name"] for rule in rules] == [mood.name for mood in MOODS]
    night = {"apart": {"light": [None, -25]}, "itself": {"light": [None, 75]}}
    assert {key: rules[0][key] for key in night} == night
