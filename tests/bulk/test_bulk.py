"""A batch paints what `paint` paints, once each, wherever maps lie and whatever ends the process."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_model import write

from spadework.bulk.cluster import demand_answer
from spadework.bulk.manifest import LINES
from spadework.bulk.sources import items_in
from spadework.cli import app
from spadework.engine import Engine
from spadework.picture import Picture


def png(seed: int) -> bytes:
    """A map of blocks."""
    blocks = np.random.default_rng(seed).integers(0, 15, (4, 4), np.uint8)
    out = io.BytesIO()
    Image.fromarray(np.kron(blocks, np.ones((10, 14), np.uint8))).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten maps, some in a folder below."""
    for n in range(10):
        file = tmp_path / "maps" / ("far" if n % 2 else ".") / f"map-{n}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(n))
    return tmp_path / "maps"


def run(*words: object) -> int:
    return app([*map(str, words)], standalone_mode=False) or 0


def rows(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / LINES).read_text().splitlines()[1:]]


def pictures(out: Path) -> set[str]:
    return {file.relative_to(out).as_posix() for file in out.rglob("*.png")}


def test_folders_files_and_tars_give_their_maps_by_name(folder: Path, tmp_path: Path) -> None:
    tar = tmp_path / "shards" / "some.tar"
    tar.parent.mkdir()
    with tarfile.open(tar, "w") as file:
        for name, n in (("20.png", 20), ("21.png", 21), ("21.seg.png", 22)):
            data = png(n)
            entry = tarfile.TarInfo(f"shard/{name}")
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
        file.addfile(tarfile.TarInfo("shard/20.json"))
    (only,) = items_in([tar.parent], field="seg.png")
    assert (only.name, only.read()) == ("shard/21", png(22))
    items = items_in([folder, tar])
    assert [item.name for item in items] == [
        *(f"far/map-{n}" for n in (1, 3, 5, 7, 9)),
        *(f"map-{n}" for n in (0, 2, 4, 6, 8)),
        "shard/20",
        "shard/21",
        "shard/21.seg",
    ]
    assert items[-2].read() == png(21)
    assert items[0].read() == png(1)
    with pytest.raises(ValueError, match=r"two maps are called map-0"):
        items_in([folder, folder / "map-0.png"])
    with pytest.raises(ValueError, match="has no PNG"):
        items_in([tmp_path / "nowhere"])


@pytest.mark.parametrize("name", ["../out.png", "/etc/out.png"])
def test_members_that_lead_outside(name: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as file:
        file.addfile(tarfile.TarInfo(name))
    with pytest.raises(ValueError, match="painted outside the folder"):
        items_in([tmp_path / "bad.tar"])
    (tmp_path / "zipped.tar").write_bytes(b"\x1f\x8b" * 600)
    with pytest.raises(ValueError, match="no uncompressed tar"):
        items_in([tmp_path / "zipped.tar"])


@pytest.mark.soak
def test_a_batch_is_what_paint_paints_and_goes_on_after_a_kill(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed as soon as some pictures are there; a broken map and a lost picture are seen to afterwards."""
    model, out = write(tmp_path / "tiny.safetensors"), tmp_path / "out"
    (folder / "broken.png").write_bytes(png(0)[:60])
    words = ["batch", folder, "-o", out, "--model", model, "--seeds", 4, "--seed", 3, "--processes", 1]
    command = [sys.executable, "-m", "spadework", *map(str, words)]
    started = subprocess.Popen(command, start_new_session=True)
    until = time.monotonic() + 60
    while time.monotonic() < until and len(pictures(out)) < 2:
        time.sleep(0.01)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    early = {name: (out / name).stat().st_mtime_ns for name in pictures(out)}
    assert len(early) >= 2
    told = {row["picture"] for row in rows(out) if "picture" in row}
    assert run(*words) == 2
    assert "error: broken is a damaged or truncated PNG" in capsys.readouterr().err
    assert all((out / name).stat().st_mtime_ns == early[name] for name in told)
    expected = {f"{item.name}-{seed}.png" for item in items_in([folder]) for seed in range(3, 7)}
    expected = {name for name in expected if not name.startswith("broken")}
    assert pictures(out) == expected
    done = [row["picture"] for row in rows(out) if "picture" in row]
    assert sorted(done) == sorted(expected)
    engine = Engine.load(model, "cpu")
    for name in ("map-2-5.png", "far/map-9-3.png"):
        stem, _, seed = name.removesuffix(".png").rpartition("-")
        ids = np.asarray(Image.open(folder / f"{stem}.png"))
        assert Picture.read(out / name) == engine.paint(ids, int(seed))


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.soak
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds the process in /proc")
def test_a_painting_process_that_is_killed_is_told(folder: Path, tmp_path: Path) -> None:
    model = write(tmp_path / "tiny.safetensors")
    words = ["batch", folder, "-o", tmp_path / "out", "--model", model, "--seeds", 400, "--processes", 1]
    command = [sys.executable, "-m", "spadework", *map(str, words)]
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while time.monotonic() < until and not pictures(tmp_path / "out"):
        time.sleep(0.01)
    (painter,) = [own for child in children(started.pid) for own in children(child)]
    os.kill(painter, signal.SIGKILL)
    _, told = started.communicate(timeout=60)
    assert started.returncode == 2
    assert "a painting process was killed: type the same command again, it goes on" in told


def test_a_cluster_that_is_not_there_is_told_at_once() -> None:
    for address in ("hello", ":6379", "127.0.0.1:port"):
        with pytest.raises(
            ValueError, match=f"{address} is no address of a Ray cluster: give --address HOST:PORT"
        ):
            demand_answer(address)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = "127.0.0.1:{1}".format(*listener.getsockname())
        demand_answer(address)
    with pytest.raises(ValueError, match=f"no Ray cluster is at {address} "):
        demand_answer(address)
    demand_answer("auto")
