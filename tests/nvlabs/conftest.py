"""Data sets in the published layouts and small published checkpoints, made here."""

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from layouts import generator_state


@pytest.fixture(scope="session")
def fixtures() -> Path:
    folder = os.environ.get("SPADEWORK_FIXTURES")
    if not folder:
        pytest.skip("SPADEWORK_FIXTURES names no folder of reference files")
    return Path(folder)


@pytest.fixture(scope="session")
def coco_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real COCO-Stuff sample, unpacked."""
    folder = os.environ.get("SPADEWORK_DATA")
    if not folder:
        pytest.skip("SPADEWORK_DATA names no folder with samples/coco_stuff.tar")
    root = tmp_path_factory.mktemp("data")
    with tarfile.open(Path(folder) / "samples" / "coco_stuff.tar") as tar:
        tar.extractall(root, filter="data")
    return root / "coco_stuff"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """checkpoint(name, channels, **options): a checkpoint folder with a random generator."""

    def write(name: str, channels: int, **options: object) -> Path:
        folder = tmp_path / "checkpoints" / name
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(generator_state(channels, **options), folder / "latest_net_G.pth")
        return folder

    return write
