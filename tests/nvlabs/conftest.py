"""Data sets in the published layouts and small published checkpoints, made here."""

import os
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


@pytest.fixture
def checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """checkpoint(name, channels, **options): a checkpoint folder with a random generator."""

    def write(name: str, channels: int, **options: object) -> Path:
        folder = tmp_path / "checkpoints" / name
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(generator_state(channels, **options), folder / "latest_net_G.pth")
        return folder

    return write
