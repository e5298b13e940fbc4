"""The most memory that one version of a network needs, measured in a process of its own."""

import gc
import json
import resource
import subprocess
import sys
from pathlib import Path

import torch

from . import maps
from .shapes import SHAPES
from .subject import VERSIONS, Subject


def peaks(shape: str, dtype: str) -> dict[str, int]:
    """Version -> MiB while it paints two maps, its weights, Python and PyTorch included."""
    versions = [v for v in VERSIONS if v != "published" or SHAPES[shape].model is None]
    return {version: child("paint", shape, dtype, version) for version in versions}


def training_peaks(plan: str, dtype: str) -> dict[str, int]:
    """The same for a training step of the plan of this name, with contexts and dense."""
    return {version: child("train", plan, dtype, version) for version in ("contexts", "dense")}


def child(*words: str) -> int:
    """What `main` finds in another process."""
    command = [sys.executable, "-m", __name__, *words, str(torch.get_num_threads())]
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


def measure_painting(shape: str, dtype: str, version: str) -> int:
    """In this process."""
    subject = _only(shape, dtype, version)
    work = {"published": subject.original, "dense": subject.plain, "engine": subject.paint}[version]
    reset_peak()
    for one in maps.relabelled(SHAPES[shape].generator.size, SHAPES[shape].semantics)[:2]:
        work(one)
    return peak_mib()


def _only(shape: str, dtype: str, version: str) -> Subject:
    """The network with the weights of no other version in memory."""
    subject = Subject.of(SHAPES[shape], getattr(torch, dtype))
    if version == "published":
        subject.dense = subject.published  # type: ignore[assignment]
    if version != "published":
        subject.published = None
    if version == "engine":
        subject.dense = None  # type: ignore[assignment]
    else:
        subject.painter = None  # type: ignore[assignment]
    return subject


def lines(peaks: dict[str, int] | None) -> list[str]:
    """A line for people, if it was measured."""
    return ["  peak MiB: " + ", ".join(f"{version} {mib}" for version, mib in peaks.items())] if peaks else []


def main(kind: str, name: str, dtype: str, version: str, threads: str) -> None:
    """Writes the MiB to standard output."""
    torch.set_num_threads(int(threads))
    if kind == "paint":
        mib = measure_painting(name, dtype, version)
    else:
        from .train import measure_memory

        mib = measure_memory(name, dtype, version)
    sys.stdout.write(str(mib))


if __name__ == "__main__":
    main(*sys.argv[1:])
