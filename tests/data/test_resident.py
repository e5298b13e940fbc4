"""Pairs that lie on a device as bytes: the batches of the loader, cut there."""

import numpy as np
import pytest
import torch

from spadework.data.loader import BatchPlan
from spadework.data.resident import ResidentPairs
from spadework.data.toy import ToyLandscapes

TOY = ToyLandscapes(length=6, size=(40, 56), seed=2)


def plan(**options: object) -> BatchPlan:
    values = {"dataset": TOY, "size": (32, 32), "batch_size": 4, "seed": 3, "scale": None} | options
    return BatchPlan(**values)  # type: ignore[arg-type]


def test_batches_are_those_of_the_loader() -> None:
    made = ResidentPairs(plan(), "cpu")
    for k in range(5):
        ours, theirs = made.batch(k), plan().batch(k)
        assert ours.names == theirs.names
        assert torch.equal(ours.labels, theirs.labels)
        assert torch.equal(ours.image, theirs.image)
        assert ours.image.is_contiguous(memory_format=torch.channels_last)


def test_they_go_on_from_any_batch() -> None:
    made = ResidentPairs(plan(), "cpu")
    stream = made.batches(2)
    assert torch.equal(next(stream).image, made.batch(2).image)
    assert torch.equal(next(stream).image, made.batch(3).image)


@pytest.mark.parametrize("workers", [1, 2])
def test_maps_are_sketched_once(workers: int) -> None:
    made = ResidentPairs(plan(sketch_share=1.0), "cpu", workers)
    again = ResidentPairs(plan(sketch_share=1.0), "cpu", 1)
    assert torch.equal(made.batch(1).labels, again.batch(1).labels)
    assert not torch.equal(made.batch(1).labels, ResidentPairs(plan(), "cpu").batch(1).labels)
    assert set(np.unique(made.batch(1).labels)) <= {value for s in TOY for value in np.unique(s.labels)}


def test_only_a_gpu_keeps_them() -> None:
    assert not ResidentPairs.suits(plan(), torch.device("cpu"))
