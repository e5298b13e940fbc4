"""kill -9 at random moments: nothing is lost but the steps since the last save."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small import SETTINGS

KILLS = 20
LONGEST = 0.8
"""Seconds of training after which a run is killed, at most: several saves."""

CHANGES = [*SETTINGS, "total_images=4000", "save_every=12", "sample_every=400", "repeat_below=0.5"]


def command(out: Path, resume: bool) -> list[str]:
    changes = [word for change in CHANGES for word in ("--set", change)]
    words = ["--resume"] if resume else ["toy", *changes]
    return [sys.executable, "-m", "spadework", "train", *words, "--out", str(out), "--device", "cpu"]


def killed(out: Path, rng: random.Random) -> bool:
    """Begins or goes on, and is killed at some moment of its training; False: it came to its end before."""
    stats = out / "stats.jsonl"
    resume = (out / "state.safetensors").exists()
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        command(out, resume), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    lines = count(stats)
    with process:
        while process.poll() is None and count(stats) in (lines, 0):
            lines = min(lines, count(stats))  # a resumed run drops the records that it will write anew
            time.sleep(0.002)
        time.sleep(rng.uniform(0, LONGEST))
        process.kill()
        said = process.stderr.read().decode() if process.stderr else ""
    assert process.returncode in (0, -9), said[-2000:]
    return process.returncode != 0


def count(stats: Path) -> int:
    return stats.read_bytes().count(b"\n") if stats.exists() else 0


@pytest.mark.soak
def test_twenty_kills_lose_nothing(tmp_path: Path) -> None:
    rng = random.Random(11)
    for kill in range(KILLS):
        assert killed(tmp_path / "killed", rng), f"the run ended after {kill} kills: make it longer"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    for out, resume in ((tmp_path / "killed", True), (tmp_path / "whole", False)):
        done = subprocess.run(command(out, resume), env=env, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr[-2000:]
    ours, whole = (load_file(tmp_path / name / "state.safetensors") for name in ("killed", "whole"))
    assert ours.keys() == whole.keys()
    assert not [name for name, value in whole.items() if not torch.equal(ours[name], value)]
    assert count(tmp_path / "killed/stats.jsonl") == count(tmp_path / "whole/stats.jsonl") == 1000
    assert not list((tmp_path / "killed").glob(".*")), "half-written files are left"
