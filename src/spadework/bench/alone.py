"""One version of a network in a process of its own: what `peak` starts, to measure its memory."""

import sys

import torch

from spadework.bench import maps
from spadework.bench.peak import peak_mib, reset_peak
from spadework.bench.shapes import SHAPES
from spadework.bench.subject import Subject
from spadework.bench.train import measure_memory


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


def main(kind: str, name: str, dtype: str, version: str, threads: str) -> None:
    """Writes the MiB to standard output."""
    torch.set_num_threads(int(threads))
    measure = measure_painting if kind == "paint" else measure_memory
    sys.stdout.write(str(measure(name, dtype, version)))


if __name__ == "__main__":
    main(*sys.argv[1:])
