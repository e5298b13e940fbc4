"""One server and one browser for all browser tests; each test has a fresh profile."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tiny_model import write

from spadework.engine import MODELS

try:
    from driving import Server, Studio
    from playwright.sync_api import Browser, sync_playwright

    from spadework.bench.studio import browser_file, launched

    browser_file()
    MISSING = ""
except (ModuleNotFoundError, ValueError) as error:
    MISSING = str(error)
if not MODELS["landscape"].is_file():
    MISSING = MISSING or "the shipped model is not there"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip with a reason where a browser cannot run."""
    for item in items:
        if MISSING and "tests/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.skip(reason=f"browser tests: {MISSING}"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Server]":
    """Paints in a moment, and nothing that one would know: for tests of the page."""
    server = Server(model=str(write(tmp_path_factory.mktemp("model") / "tiny.safetensors", size=(256, 256))))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def shipped_server() -> "Iterator[Server]":
    """Paints photographs."""
    server = Server()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    with sync_playwright() as playwright:
        browser = launched(playwright, "--host-resolver-rules=MAP studio.test 127.0.0.1")
        yield browser
        browser.close()


@pytest.fixture
def open_studio(request: pytest.FixtureRequest, browser: "Browser") -> "Iterator[Callable[..., Studio]]":
    """Opens a studio; at the end no console may have had an error or a warning."""
    shipped = request.node.get_closest_marker("photographs")
    server = request.getfixturevalue("shipped_server" if shipped else "server")
    contexts, studios = [], []

    def opened(url: str | None = None, ready: bool = True, **options: Any) -> Studio:
        options = {"viewport": {"width": 1366, "height": 768}} | options
        contexts.append(browser.new_context(**options))
        studios.append(Studio(contexts[-1].new_page(), url or server.url, ready))
        return studios[-1]

    yield opened
    trouble = [line for studio in studios for line in studio.trouble]
    for context in contexts:
        context.close()
    assert not trouble


@pytest.fixture
def studio(open_studio: "Callable[..., Studio]") -> "Studio":
    return open_studio()
