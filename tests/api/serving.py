"""An API of the tiny model, addressed as a program on this machine would."""

import io
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_engine import FakeEngine
from fastapi.testclient import TestClient
from httpx2 import Response
from PIL import Image
from tiny_model import write

from spadework.api.app import create_api
from spadework.api.gate import Limits
from spadework.api.shelf import Shelf
from spadework.api.wire import Runs
from spadework.engine import Engine
from spadework.picture import Picture
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette
from spadework.studio import create_studio

HERE = "http://127.0.0.1:7430"


class Gated(Engine):
    """An engine that paints when it is told to."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.started, self.go, self.together = threading.Event(), threading.Event(), list[int]()
        self.go.set()

    def paint(self, ids: Any, seed: int = 0, *rest: Any, **more: Any) -> Picture:
        self._wait(1)
        if seed == 666:
            raise RuntimeError("broken")
        return super().paint(ids, seed, *rest, **more)

    def paint_many(
        self, sketches: Sequence[Any], seeds: Sequence[int], *rest: Any, **more: Any
    ) -> list[Picture]:
        self._wait(len(sketches))
        if 666 in seeds:
            raise RuntimeError("broken")
        return super().paint_many(sketches, seeds, *rest, **more)

    def _wait(self, count: int) -> None:
        self.together.append(count)
        self.started.set()
        assert self.go.wait(20)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="module")
def engine(model: Path) -> Gated:
    return Gated.load(model, "cpu")


@pytest.fixture
def client(engine: Gated, model: Path) -> Iterator[TestClient]:
    shelf = Shelf({"tiny": model, "other": model}, load=lambda path: engine)
    limits = Limits(body_bytes=100_000, pixels=200 * 200, waiting=3, together=4, body_seconds=1)
    with TestClient(create_api(shelf, limits), HERE, raise_server_exceptions=False) as client:
        yield client
        engine.go.set()


@pytest.fixture
def fake() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def faked(fake: FakeEngine, model: Path) -> Iterator[TestClient]:
    """A studio whose engine remembers what it was asked for."""
    limits = Limits(body_bytes=100_000, pixels=200 * 200)
    app = create_studio(Shelf({"tiny": model}, load=lambda _: fake), limits=limits)
    with TestClient(app, HERE, raise_server_exceptions=False) as client:
        yield client
        fake.go.set()


def packed(ids: np.ndarray) -> dict[str, Any]:
    """Ids as they travel."""
    return Runs.of(ids).model_dump(mode="json")


def in_base64(data: bytes) -> str:
    """A file as it travels."""
    return b64encode(data).decode()


def photo(value: int = 90) -> bytes:
    """A grey JPEG."""
    out = io.BytesIO()
    Image.new("RGB", (30, 20), (value, value, value)).save(out, format="JPEG")
    return out.getvalue()


def refused(response: Response, status: int, words: str = "") -> str:
    """The sentence and the remedy of a refusal."""
    assert response.status_code == status, response.text
    told = response.json()
    assert set(told) == {"sentence", "remedy"}
    assert told["sentence"]
    assert told["remedy"]
    said = f"{told['sentence']}: {told['remedy']}"
    assert words in said
    return said


class Darkness:
    """A segmenter: dark is rock, bright is sky."""

    def __init__(self, palette: Palette) -> None:
        self.palette = palette

    def label(self, image: np.ndarray) -> LabelMap:
        dark = image.mean(2) < 128
        names = ("rock", "sky")
        return LabelMap(np.where(dark, *map(self.palette.id_of, names)).astype(np.uint8), self.palette)


def sketch(seed: int = 0, size: tuple[int, int] = (40, 56)) -> np.ndarray:
    """Blocks of random classes."""
    blocks = np.random.default_rng(seed).integers(0, 15, (4, 4), np.uint8)
    rows, columns = (np.arange(side) * 4 // side for side in size)
    return blocks[rows[:, None], columns]
