"""Two processes that share every batch learn what one learns with the whole of it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import worker
from small import SETTINGS, needs_backbone

from spadework.nn import together
from spadework.training import loop
from spadework.training.sharing import Roles, batch_rows
from spadework.training.state import survivor

WORKER = Path(worker.__file__)
KINDS = [k for k in worker.TRAININGS if k != "styled" or not needs_backbone.args[0]]


def torchrun(*words: object) -> subprocess.CompletedProcess[str]:
    here = os.pathsep.join(path for path in sys.path if path)
    run = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    env = os.environ | {"PYTHONPATH": here, "OMP_NUM_THREADS": "1"}
    given = [*run, "--standalone", *map(str, words)]
    return subprocess.run(given, env=env, capture_output=True, text=True, timeout=300)


def records(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "stats.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of two processes, each as far as it goes."""
    out = tmp_path_factory.mktemp("two")
    done = torchrun(WORKER, out, *KINDS)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


@pytest.mark.parametrize("kind", KINDS)
def test_two_halves_are_a_whole(
    kind: str, halves: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CALIBRATION_PHOTOS", 8)
    whole = worker.learned(kind, tmp_path)
    exact = next(iter(whole.values())).dtype == torch.float64
    within = 1e-9 if exact else 1e-4
    one, two = records(tmp_path / kind), records(halves / kind)
    assert len(one) == len(two) == 3
    for ours, theirs in zip(one, two, strict=True):
        assert ours.keys() == theirs.keys()
        for name in ours.keys() - {"seconds"}:
            assert theirs[name] == pytest.approx(ours[name], rel=within, abs=within), name
    first, second = (torch.load(halves / kind / f"rank{rank}.pt") for rank in (0, 1))
    assert not [name for name in whole if not torch.equal(first[name], second[name])]
    assert torch.equal(first["rng"], whole["rng"])
    if exact:
        apart = {name: float((first[name].double() - whole[name].double()).abs().max()) for name in whole}
        assert not {name: d for name, d in apart.items() if d > within and not name.endswith("exp_avg_sq")}


def agents(port: int, *words: object) -> list[subprocess.Popen[str]]:
    """Two hosts of one process each, which meet on this machine."""
    run = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    meet = ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}", "--rdzv-id=test"]
    here = os.pathsep.join(path for path in sys.path if path)
    env = os.environ | {"PYTHONPATH": here, "OMP_NUM_THREADS": "1"}
    given = [*run, *meet, "-m", "spadework", "train", *map(str, words)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return [subprocess.Popen(given, env=env, **pipes) for _ in range(2)]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def child(agent: subprocess.Popen[str]) -> int:
    """The process that an agent of torchrun started."""
    listed = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
    return int(listed[0])


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.soak
def test_two_hosts_one_killed_and_all_resumed(tmp_path: Path) -> None:
    out = tmp_path / "run"
    changes = [word for change in [*SETTINGS, "save_every=8"] for word in ("--set", change)]
    hosts = agents(free_port(), "toy", "--out", out, *changes, "--set", "total_images=100000")
    try:
        until = time.monotonic() + 120
        while not (out / "state.safetensors").exists():
            assert time.monotonic() < until, [host.poll() for host in hosts]
            time.sleep(0.1)
        os.kill(child(hosts[1]), signal.SIGKILL)
        said = [host.communicate(timeout=120)[0] for host in hosts]
    finally:
        for host in hosts:
            host.kill()
    assert all(host.returncode for host in hosts)
    assert any("another process of this training has ended" in text and "--resume" in text for text in said)
    seen = survivor(out / "state.safetensors")
    saved = int(re.search(r"after ([\d,]+) images, is whole", seen)[1].replace(",", ""))  # type: ignore[index]
    again = ["-m", "spadework", "train", "--resume", "--out", out, "--set", f"total_images={saved + 8}"]
    done = torchrun(*again)
    assert done.returncode == 0, done.stderr[-3000:]
    assert [r["images"] for r in records(out)] == list(range(4, saved + 9, 4))
    assert len(list(out.glob("model-*.safetensors"))) == 1
    assert done.stdout.count("model after") == 1  # one process tells


def test_a_batch_that_cannot_be_shared_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "count", lambda: 2)
    assert batch_rows([Roles(8, 4, 2), Roles(8, 4, 2)]) == [0, 2, 4, 6, 8, 10, 12, 14]
    monkeypatch.setattr(together, "rank", lambda: 1)
    assert batch_rows([Roles(4)]) == [2, 3]
    assert Roles(8, 4, 2).own(4) == [1, 3]
    assert Roles(8, painted=4).own() == [2, 3, 6, 7]
    with pytest.raises(ValueError, match=r"2 processes cannot share 4 pictures .*2 in others'.*8 would do"):
        batch_rows([Roles(4, 2, 1)])
    with pytest.raises(ValueError, match=r"2 processes cannot share 3 pictures .*: 4 would do"):
        batch_rows([Roles(3)])


def test_an_error_of_the_first_is_everybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise ValueError("no room")

    told: list = []
    monkeypatch.setattr(together, "count", lambda: 2)
    monkeypatch.setattr(dist, "broadcast_object_list", lambda box: told.append(list(box)))
    with pytest.raises(ValueError, match="no room"):
        together.from_first(fails)
    assert told == [[None, "no room"]]
    monkeypatch.setattr(together, "rank", lambda: 1)

    def hears(box: list) -> None:
        box[:] = told[0]

    monkeypatch.setattr(dist, "broadcast_object_list", hears)
    with pytest.raises(ValueError, match="no room"):
        together.from_first(fails)

    def hangs_up(box: list) -> None:
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(dist, "broadcast_object_list", hangs_up)
    with pytest.raises(together.PeerLost, match="another process of this training has ended"):
        together.from_first(lambda: 1)
