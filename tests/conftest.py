"""For every test: hypothesis without deadlines (in CI always the same examples), torch on one thread."""

import os
import tarfile
from functools import cache
from pathlib import Path

import pytest
import torch
import typer.testing
from hypothesis import settings

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

typer.testing._get_command = cache(typer.testing._get_command)
"""Each call would build the table of all commands anew, which takes longer than most commands."""

torch.set_num_threads(1)  # tiny networks gain nothing from more, and several sessions share a machine


@pytest.fixture(autouse=True)
def seed() -> None:
    """The same initial weights in every run."""
    torch.manual_seed(0)


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
