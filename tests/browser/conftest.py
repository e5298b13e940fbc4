"""One browser, one server and one site for all browser tests; each test has a fresh profile.

Tests that ask for `studio`, `open_studio` or `address` run against both painters: the server's, and the one
in the browser. What only a server does is marked `needs_server`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_model import write

from spadework.engine import MODELS

try:
    from driving import PATIENCE, Server, Studio
    from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright
    from sites import Host

    from spadework.bench.studio import browser_file, launched
    from spadework.studio.runtime import Unfetched

    browser_file()
    MISSING = ""
except (ModuleNotFoundError, ValueError) as error:
    MISSING = str(error)
if not MODELS["landscape"].is_file():
    MISSING = MISSING or "the shipped model is not there"

QUICK = "--js-flags=--liftoff-only"
"""Programs in WebAssembly are begun at once, and not made faster meanwhile: no test paints for long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip with a reason where a browser cannot run."""
    for item in items:
        if MISSING and "tests/browser" in item.path.as_posix():
            item.add_marker(pytest.mark.skip(reason=f"browser tests: {MISSING}"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Both painters. `make test` has the second for what is marked so, `make soak` for all that it can do."""
    if "painter" not in metafunc.fixturenames:
        return
    marked = metafunc.definition.get_closest_marker
    site = pytest.param("site", marks=[] if marked("both_painters") else [pytest.mark.soak])
    metafunc.parametrize("painter", ["server"] if marked("needs_server") else ["server", site])


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that paints in a moment, and nothing that one would know: for tests of the page."""
    return write(tmp_path_factory.mktemp("model") / "tiny.safetensors", size=(256, 256))


@pytest.fixture(scope="session")
def server(tiny: Path) -> "Iterator[Server]":
    """Paints with it."""
    server = Server(model=str(tiny))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def shipped_server() -> "Iterator[Server]":
    """Paints photographs."""
    server = Server()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def site(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Host]":
    """The studio of the server's model, without a server."""
    folder = tmp_path_factory.mktemp("site")
    yield from _hosted(lambda: Host(folder, tiny))


@pytest.fixture(scope="session")
def shipped_site(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Host]":
    """As anybody exports it."""
    folder = tmp_path_factory.mktemp("shipped")
    yield from _hosted(lambda: Host(folder, MODELS["landscape"]))


def _hosted(host: "Callable[[], Host]") -> "Iterator[Host]":
    try:
        made = host()
    except Unfetched as error:
        pytest.skip(str(error))
    yield made
    made.close()


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    expect.set_options(timeout=1000 * PATIENCE)
    with sync_playwright() as playwright:
        browser = launched(playwright, "--host-resolver-rules=MAP studio.test 127.0.0.1", QUICK)
        yield browser
        browser.close()


@pytest.fixture
def painter(request: pytest.FixtureRequest) -> str:
    """Who paints: "server", or "site", where the page has nobody but the browser."""
    return request.param


@pytest.fixture
def address(request: pytest.FixtureRequest, painter: str) -> str:
    """Where the studio of a painter is."""
    shipped = "shipped_" if request.node.get_closest_marker("photographs") else ""
    host = request.getfixturevalue(f"{shipped}{painter}")
    return host.url if painter == "server" else f"{host.isolated}studio.html"


@pytest.fixture
def new_context(browser: "Browser") -> "Iterator[Callable[..., BrowserContext]]":
    """Makes profiles. A site's worker would keep the whole site in each of them; it has tests of its own."""
    contexts: list[BrowserContext] = []

    def made(**options: Any) -> BrowserContext:
        contexts.append(browser.new_context(**{"service_workers": "block"} | options))
        return contexts[-1]

    yield made
    for context in contexts:
        context.close()


@pytest.fixture
def open_page(new_context: "Callable[..., BrowserContext]") -> "Iterator[Callable[..., Studio]]":
    """Opens an address in a profile of its own; at the end no console may have had an error or a warning."""
    studios: list[Studio] = []

    def opened(url: str, ready: bool = True, **options: Any) -> Studio:
        options = {"viewport": {"width": 1366, "height": 768}} | options
        studios.append(Studio(new_context(**options).new_page(), url, ready))
        return studios[-1]

    yield opened
    assert not [line for studio in studios for line in studio.trouble]


@pytest.fixture
def open_studio(address: str, open_page: "Callable[..., Studio]") -> "Callable[..., Studio]":
    """Opens the studio of the test's painter, or another one."""

    def opened(url: str | None = None, ready: bool = True, **options: Any) -> Studio:
        return open_page(url or address, ready, **options)

    return opened


@pytest.fixture
def studio(open_studio: "Callable[..., Studio]") -> "Studio":
    return open_studio()
