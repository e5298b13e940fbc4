"""A service of the fake engine, addressed as a browser on this machine would."""

from collections.abc import Iterator

import pytest
from fake_engine import FakeEngine
from fastapi.testclient import TestClient
from spadework.service.app import create_app
from spadework.service.limits import Limits

HERE = "http://127.0.0.1:7420"


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def client(engine: FakeEngine) -> Iterator[TestClient]:
    app = create_app(engine, Limits(body_bytes=100_000, pixels=200 * 200, styles=2))
    with TestClient(app, HERE, raise_server_exceptions=False) as client:
        yield client
