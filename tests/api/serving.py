"""An API of the tiny model, or of a fake engine, addressed as a program on this machine would."""

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

HERE = "http://127.0.0.1:7430"
LIMITS = Limits(body_bytes=100_000, pixels=200 * 200, waiting=3, together=4, body_seconds=1)


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


class Darkness:
    """A segmenter: dark is rock, bright is sky."""

    def __init__(self, palette: Palette) -> None:
        self.palette = palette

    def label(self, image: np.ndarray) -> LabelMap:
        dark = image.mean(2) < 128
        names = ("rock", "sky")
        return LabelMap(np.where(dark, *map(self.palette.id_of, names)).astype(np.uint8), self.palette)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model") / "tiny.safetensors")


@pytest.fixture(scope="module")
def engine(model: Path) -> Gated:
    return Gated.load(model, "cpu")


@pytest.fixture(scope="module")
def _served(engine: Gated, model: Path) -> Iterator[TestClient]:
    shelf = Shelf({"tiny": model, "other": model}, load=lambda path: engine)
    with TestClient(create_api(shelf, LIMITS), HERE, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(_served: TestClient, engine: Gated) -> Iterator[TestClient]:
    """An API of the tiny model."""
    yield _served
    engine.go.set()


@pytest.fixture(scope="module")
def _faked(model: Path) -> Iterator[tuple[TestClient, FakeEngine]]:
    fake = FakeEngine()
    app = create_api(Shelf({"fake": model}, load=lambda _: fake), LIMITS)
    with TestClient(app, HERE, raise_server_exceptions=False) as client:
        yield client, fake


@pytest.fixture
def fake(_faked: tuple[TestClient, FakeEngine]) -> Iterator[FakeEngine]:
    """The engine of `quick`, which has forgotten what was asked before."""
    fake = _faked[1]
    fake.forget()
    yield fake
    fake.go.set()


@pytest.fixture
def quick(_faked: tuple[TestClient, FakeEngine], fake: FakeEngine) -> TestClient:
    """An API of the fake engine."""
    return _faked[0]


def sketch(seed: int = 0, size: tuple[int, int] = (40, 56)) -> np.ndarray:
    """Blocks of random classes."""
    blocks = np.random.default_rng(seed).integers(0, 15, (4, 4), np.uint8)
    rows, columns = (np.arange(side) * 4 // side for side in size)
    return blocks[rows[:, None], columns]


def runs(ids: np.ndarray) -> dict[str, Any]:
    return Runs.of(ids).model_dump()


def file_of(pixels: np.ndarray, form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **options)
    return out.getvalue()


def coded(data: bytes) -> str:
    """As files travel."""
    return b64encode(data).decode()


def packed(pixels: np.ndarray, form: str = "PNG") -> str:
    return coded(file_of(pixels, form))


def refused(response: Response, status: int, sentence: str) -> str:
    """The sentence and the remedy, in which `sentence` must be."""
    assert response.status_code == status, response.text
    told = response.json()
    assert set(told) == {"sentence", "remedy"}
    assert told["sentence"]
    assert told["remedy"]
    said = f"{told['sentence']}: {told['remedy']}"
    assert sentence in said
    return said
