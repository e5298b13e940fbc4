"""Files for the tests of the data room; every test gets a pixel cache of its own."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WritePair = Callable[..., None]


@pytest.fixture(autouse=True)
def pixel_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPADEWORK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def write_pair() -> WritePair:
    """write_pair(folder, name, seed=0, size=(H, W)): a photo and its map in images/ and labels/."""

    def write(
        folder: Path, name: str, seed: int = 0, size: tuple[int, int] = (40, 56), suffix: str = ".png"
    ) -> None:
        rng = np.random.default_rng(seed)
        for kind in ("images", "labels"):
            (folder / kind).mkdir(parents=True, exist_ok=True)
        photo = Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8))
        photo.save(folder / "images" / (name + suffix), lossless=True)
        labels = rng.integers(0, 15, size, dtype=np.uint8)
        Image.fromarray(labels).save(folder / "labels" / f"{name}.png")

    return write


@pytest.fixture
def folder(tmp_path: Path, write_pair: WritePair) -> Path:
    """train/ with three pairs and val/ with one."""
    for seed, name in enumerate(["b", "a", "c"]):
        write_pair(tmp_path / "set" / "train", name, seed)
    write_pair(tmp_path / "set" / "val", "d", 3)
    return tmp_path / "set"


@pytest.fixture
def pack() -> Callable[[Path, Path, str], Path]:
    """pack(folder, tar, prefix): the folder's files as a tar."""

    def pack(folder: Path, path: Path, prefix: str) -> Path:
        with tarfile.open(path, "w") as tar:
            tar.add(folder, arcname=prefix)
        return path

    return pack
