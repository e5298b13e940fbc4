"""The most memory that one version of a network needs, measured in a process of its own."""

import gc
import json
import resource
import subprocess
import sys
from pathlib import Path

import torch

from spadework.bench.shapes import SHAPES
from spadework.bench.subject import VERSIONS


def peaks(shape: str, dtype: str) -> dict[str, int]:
    """Version -> MiB while it paints two maps, its weights, Python and PyTorch included."""
    versions = [v for v in VERSIONS if v != "published" or SHAPES[shape].model is None]
    return {version: child("paint", shape, dtype, version) for version in versions}


def training_peaks(plan: str, dtype: str) -> dict[str, int]:
    """The same for a training step of the plan of this name, with contexts and dense."""
    return {version: child("train", plan, dtype, version) for version in ("contexts", "dense")}


def child(*words: str) -> int:
    """What `alone` finds in another process."""
    command = [sys.executable, "-m", "spadework.bench.alone", *words, str(torch.get_num_threads())]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def reset_peak() -> None:
    """From here on the kernel looks for a new peak, where it can (Linux)."""
    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_mib() -> int:
    """The most resident memory since `reset_peak`, or of the whole process."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024)
    except (OSError, StopIteration):
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)


def lines(peaks: dict[str, int] | None) -> list[str]:
    """A line for people, if it was measured."""
    return ["  peak MiB: " + ", ".join(f"{version} {mib}" for version, mib in peaks.items())] if peaks else []
