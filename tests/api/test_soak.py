"""Long: anything at all may come, and many may come at once, and each gets its own answer."""

import json
import sys
import threading
import time
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import HERE, Gated, sketch
from test_serving import start

from spadework.api.app import create_api
from spadework.api.shelf import Shelf
from spadework.client import Client
from spadework.engine import Engine

pytestmark = pytest.mark.soak

PATHS = (
    "/v1/film",
    "/v1/labels/from-photo",
    "/v1/labels/import",
    "/v1/labels/write",
    "/v1/moods",
    "/v1/open",
    "/v1/paint",
    "/v1/projects/layers",
    "/v1/projects/picture",
    "/v1/style",
    "/v1/style/of-seed",
    "/v1/style/varied",
)
WORDS = st.text(max_size=30) | st.sampled_from(["landscape", "tiny", "../../etc/passwd", "png", "mist", "\0"])
FILES = st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(b"\x89PNG\r\n\x1a\n".__add__))
RUNS = st.fixed_dictionaries(
    {
        "width": st.integers(-1, 9000),
        "height": st.integers(-1, 9000),
        "runs": st.lists(st.tuples(st.integers(-1, 300), st.integers(-1, 10**12)), max_size=4),
    }
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS, lambda inner: st.lists(inner, max_size=3)
)
LIGHTS = (
    st.fixed_dictionaries({"z": st.lists(st.floats(), max_size=9)}, optional={"origin": WORDS})
    | st.fixed_dictionaries({"seed": st.integers(-1, 2**33)})
    | VALUES
)
PROJECTS = st.fixed_dictionaries(
    {"format": st.just("spadework-project") | WORDS, "version": st.integers(0, 2), "palette": WORDS},
    optional={
        "base": st.fixed_dictionaries(
            {"width": st.integers(-1, 40), "height": st.integers(-1, 40), "ids": WORDS | st.just("0*64")}
        ),
        "strokes": VALUES,
        "style": st.fixed_dictionaries({"mood": LIGHTS}, optional={"seed": VALUES, "blend": VALUES}),
        "layers": VALUES,
    },
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "runs": RUNS | VALUES,
        "ids_png": FILES.map(lambda data: b64encode(data).decode()) | VALUES,
        "color_map": FILES.map(lambda data: b64encode(data).decode()) | VALUES,
        "photo": FILES.map(lambda data: b64encode(data).decode()) | VALUES,
        "file": FILES.map(lambda data: b64encode(data).decode()) | VALUES,
        "palette": WORDS,
        "model": WORDS,
        "name": WORDS,
        "seed": VALUES,
        "style": LIGHTS,
        "other": LIGHTS,
        "blend": VALUES,
        "lights": st.fixed_dictionaries({"parts": RUNS, "styles": st.lists(LIGHTS, max_size=3)}) | VALUES,
        "mood": WORDS,
        "width": VALUES,
        "height": VALUES,
        "short": VALUES,
        "form": WORDS,
        "scale": VALUES,
        "judged": VALUES,
        "light": VALUES,
        "count": VALUES,
        "sketches": st.lists(RUNS, max_size=3) | VALUES,
        "project": PROJECTS | VALUES,
        "client": WORDS,
        "live": VALUES,
        "deadline": VALUES,
    },
)


@pytest.fixture(scope="module")
def robust(engine: Gated, model: Path) -> TestClient:
    return TestClient(create_api(Shelf({"tiny": model}, load=lambda _: engine)), HERE)


@settings(max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(PATHS), BODIES)
def test_any_json_is_understood_or_refused(robust: TestClient, path: str, body: dict) -> None:
    content = json.dumps(body).encode()
    response = robust.post(path, content=content, headers={"content-type": "application/json"})
    assert response.status_code == 200 or set(response.json()) == {"sentence", "remedy"}
    assert response.status_code < 500 or response.status_code == 504, response.text


@settings(max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(("GET", "POST", "PUT")), st.text(max_size=40), st.binary(max_size=300))
def test_any_bytes_anywhere_are_refused(robust: TestClient, method: str, path: str, body: bytes) -> None:
    for address in (f"/{quote(path)}", f"/v1/palettes/{quote(path, safe='')}", *PATHS):
        response = robust.request(method, address, content=body)
        assert response.status_code < 500, response.text


SMALL_TABLES = """
from spadework.cli import main
from spadework.fast import cpu

cpu.CACHE_BYTES = 16 * 2**20
main()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_is_flat_over_ten_minutes(model: Path) -> None:
    """Four clients, every sketch another one, in one of nine sizes.

    The tables of label contexts may grow to their limit, for which ten minutes are not enough: so it is less.
    """
    url, served = start(model, program=("-c", SMALL_TABLES))
    until, painted = time.monotonic() + 600, [0, 0, 0, 0]

    def ask(client_number: int) -> None:
        random = np.random.default_rng(client_number)
        with Client(url, retries=1000) as client:
            while time.monotonic() < until:
                size = tuple(map(int, random.integers(1, 4, 2) * 64))
                client.paint(random.integers(0, 15, size, np.uint8), int(random.integers(2**32)))
                painted[client_number] += 1

    log = threading.Thread(target=lambda: served.stderr and served.stderr.read())
    threads = [threading.Thread(target=ask, args=(k,)) for k in range(4)]
    resident: list[float] = []
    with served:
        for thread in (log, *threads):
            thread.start()
        while time.monotonic() < until:
            status = Path(f"/proc/{served.pid}/status").read_text()
            resident.append(int(status.split("VmRSS:")[1].split()[0]) / 1024)
            time.sleep(2)
        for thread in threads:
            thread.join()
        served.terminate()
        log.join()
    minute = len(resident) // 10
    before, after = np.median(resident[2 * minute : 4 * minute]), np.median(resident[-2 * minute :])
    sys.stderr.write(f"{sum(painted):,} pictures: {before:.0f} MiB, {after:.0f} MiB at the end\n")
    assert min(painted) > 100
    assert after < 1.03 * before


@pytest.mark.parametrize("clients", [1, 4, 16, 64])
def test_under_load_everyone_gets_the_own_picture(clients: int, model: Path) -> None:
    """A minute each; pictures a second and latencies are printed, not judged."""
    engine = Engine.load(model, "cpu", precision="auto")
    expected = [engine.paint(sketch(n), n).pixels.astype(int) for n in range(40)]
    url, served = start(model, "--waiting", "48")
    seconds: list[float] = []
    wrong: list[int] = []
    until = time.monotonic() + 60

    def ask(first: int) -> None:
        with Client(url, retries=1000) as client:
            n = first
            while time.monotonic() < until:
                began = time.monotonic()
                painted = client.paint(sketch(n % 40), n % 40).pixels.astype(int)
                seconds.append(time.monotonic() - began)
                away = [int(np.abs(painted - other).max()) for other in expected]
                if away[n % 40] > 1 or min(range(40), key=away.__getitem__) != n % 40:
                    wrong.append(n)
                n += 1

    log = threading.Thread(target=lambda: served.stderr and served.stderr.read())  # else its pipe fills
    threads = [threading.Thread(target=ask, args=(k,)) for k in range(clients)]
    with served:
        for thread in (log, *threads):
            thread.start()
        for thread in threads:
            thread.join()
        served.terminate()
        log.join()
        assert served.wait(30) == 0
    middle, high, most = np.quantile(seconds, [0.5, 0.95, 0.99])
    told = f"{clients} clients: {len(seconds) / 60:.1f}/s, {middle:.3f} {high:.3f} {most:.3f} s"
    sys.stderr.write(f"{told}\n")
    assert not wrong
    assert len(seconds) >= clients
