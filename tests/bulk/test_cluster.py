"""On Ray: an actor that is killed in the middle costs no picture, and none comes twice."""

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_model import write

from spadework.bulk.manifest import LINES, Row
from spadework.bulk.sources import items_in
from spadework.engine import Engine
from spadework.picture import Picture

MAPS = 2000

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds actors in /proc"),
]


def actors(session: int) -> list[int]:
    """The processes of a session that paint, or wait for maps."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title, own = (folder / "cmdline").read_bytes(), os.getsid(int(folder.name))
        except (OSError, ProcessLookupError):
            continue
        if own == session and re.match(rb"ray::MapWorker\(.*RayPainter", title):
            found.append(int(folder.name))
    return found


def ids(n: int) -> np.ndarray:
    blocks = np.random.default_rng(n).integers(0, 15, (4, 4), np.uint8)
    return np.kron(blocks, np.ones((10, 14), np.uint8))


def rows(out: Path) -> list[Row]:
    if not (out / LINES).exists():
        return []
    lines = (out / LINES).read_text().splitlines()[1:]
    return [Row.model_validate_json(line) for line in lines if line.endswith("}")]


def test_a_killed_actor_costs_no_picture(tmp_path: Path) -> None:
    """2,000 maps; one of two actors gets kill -9 after the first pictures, and another a little later."""
    pytest.importorskip("ray.data", reason="Ray Data is not installed: pip install 'spadework[ray]'")
    model, maps, out = write(tmp_path / "tiny.safetensors"), tmp_path / "maps", tmp_path / "out"
    maps.mkdir()
    for n in range(MAPS):
        Image.fromarray(ids(n)).save(maps / f"{n:04d}.png")
    words = ["batch", maps, "-o", out, "--model", model, "--ray", "--processes", 2]
    command = [sys.executable, "-m", "spadework", *map(str, words)]
    started = subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True)
    killed = []
    try:
        for after in (1, MAPS // 2):
            while started.poll() is None and len(rows(out)) < after:
                time.sleep(0.05)
            killed.append(actors(started.pid)[0])
            os.kill(killed[-1], signal.SIGKILL)
        _, told = started.communicate(timeout=3000)
    finally:
        started.kill()
    assert started.returncode == 0, told
    assert len(set(killed)) == 2
    done = Counter(row.picture for row in rows(out))
    assert done == Counter(f"{item.name}.png" for item in items_in([maps]))
    assert {file.name for file in out.glob("*.png")} == set(done)
    engine = Engine.load(model, "cpu")
    for n in range(MAPS):
        picture, alone = Picture.read(out / f"{n:04d}.png"), engine.paint(ids(n), 0)
        assert np.abs(picture.pixels.astype(int) - alone.pixels).max() <= 1, n


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """`ray start`, which asks for a token: its address, and the environment of who has that."""
    pytest.importorskip("ray.data", reason="Ray Data is not installed: pip install 'spadework[ray]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_AUTH_MODE": "token"}
    words = f"start --head --block --port {port} --num-cpus 2 --object-store-memory 200000000"
    options = "--include-dashboard=false --disable-usage-stats"
    command = [Path(sys.executable).with_name("ray"), *words.split(), *options.split()]
    with open(tmp_path / "head.log", "w") as log:
        head = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + 60
        while "runtime started" not in (told := (tmp_path / "head.log").read_text()):
            assert time.monotonic() < until, told
            time.sleep(0.1)
        yield f"127.0.0.1:{port}", environment
    finally:
        os.killpg(head.pid, signal.SIGKILL)
        head.wait(60)


def test_a_cluster_that_asks_for_a_token(tmp_path: Path, cluster: tuple[str, dict[str, str]]) -> None:
    address, environment = cluster
    model, maps, out = write(tmp_path / "tiny.safetensors"), tmp_path / "maps", tmp_path / "out"
    maps.mkdir()
    for n in range(12):
        Image.fromarray(ids(n)).save(maps / f"{n:04d}.png")
    words = ["batch", maps, "-o", out, "--model", model, "--address", address]
    command = [sys.executable, "-m", "spadework", *map(str, words)]
    without = {name: value for name, value in environment.items() if name != "RAY_AUTH_MODE"}
    told = subprocess.run(command, env=without, capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert told.stderr.splitlines()[-1].endswith(
        "if it asks for a token, type RAY_AUTH_MODE=token before it all"
    )
    subprocess.run(command, env=environment, check=True, capture_output=True)
    engine = Engine.load(model, "cpu")
    for n in range(12):
        painted = Picture.read(out / f"{n:04d}.png").pixels.astype(int)
        assert np.abs(painted - engine.paint(ids(n), 0).pixels).max() <= 1
