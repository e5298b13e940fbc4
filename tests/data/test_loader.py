from collections.abc import Sequence
from contextlib import closing
from itertools import islice
from threading import current_thread
from threading import enumerate as threads

import numpy as np
import pytest
import torch

from spadework.data import geometry as transforms
from spadework.data import loader, sketching
from spadework.data.loader import BatchPlan, batches
from spadework.data.sample import Batch, Sample, collate
from spadework.data.toy import ToyLandscapes

TOY = ToyLandscapes(10, (40, 48))


def take(count: int, dataset: Sequence[Sample] = TOY, **options) -> list[Batch]:
    options = {"size": (32, 32), "batch_size": 4, "seed": 3, **options}
    with closing(batches(dataset, **options)) as endless:
        return list(islice(endless, count))


def equal(a: Batch, b: Batch) -> bool:
    return a.names == b.names and torch.equal(a.labels, b.labels) and torch.equal(a.image, b.image)


def test_a_batch_has_the_promised_form():
    batch = take(1)[0]
    assert (batch.labels.shape, batch.labels.dtype) == ((4, 32, 32), torch.uint8)
    assert (batch.image.shape, batch.image.dtype) == ((4, 3, 32, 32), torch.float32)
    assert batch.image.is_contiguous(memory_format=torch.channels_last)
    assert batch.instances is None
    assert len(batch) == len(batch.names) == 4


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_resumed_stream_is_bit_identical(share):
    straight = take(9, sketch_share=share)
    resumed = take(3, sketch_share=share) + take(6, sketch_share=share, start_batch=3)
    assert all(equal(a, b) for a, b in zip(straight, resumed, strict=True))


def test_workers_and_prefetch_change_nothing():
    one, many = take(6, workers=1, prefetch=0), take(6, workers=3, prefetch=7)
    assert all(equal(a, b) for a, b in zip(one, many, strict=True))


def test_threads_that_read_ahead_leave_torch_to_the_consumer(monkeypatch: pytest.MonkeyPatch):
    """Two OpenMP pools in one process slow each other down."""
    stacked: list[str] = []
    monkeypatch.setattr(
        loader, "collate", lambda *given: stacked.append(current_thread().name) or collate(*given)
    )
    take(4, workers=2)
    assert set(stacked) == {current_thread().name}
    assert "torch" not in vars(sketching) | vars(transforms)


def test_another_seed_is_another_stream():
    assert not equal(take(1)[0], take(1, seed=4)[0])


def test_each_epoch_sees_every_sample_once_in_a_new_order():
    names = [name for batch in take(10) for name in batch.names]
    epochs = [names[first : first + 10] for first in range(0, 40, 10)]
    assert all(sorted(epoch) == sorted(sample.name for sample in TOY) for epoch in epochs)
    assert len(set(map(tuple, epochs))) == 4


def test_a_batch_may_be_larger_than_the_set():
    assert len(set(take(1, ToyLandscapes(3, (32, 32)), batch_size=8)[0].names)) == 3


def test_the_share_of_sketched_batches_keeps_the_photos():
    plain, mixed, all_drawn = (take(20, sketch_share=share) for share in (0.0, 0.5, 1.0))
    assert all(torch.equal(a.image, b.image) for a, b in zip(plain, all_drawn, strict=True))
    assert not any(torch.equal(a.labels, b.labels) for a, b in zip(plain, all_drawn, strict=True))
    kinds = [equal(a, p) for a, p in zip(mixed, plain, strict=True)]
    assert 4 < sum(kinds) < 16
    assert all(equal(a, d) for a, d, is_plain in zip(mixed, all_drawn, kinds, strict=True) if not is_plain)


def test_every_sight_of_a_sample_has_its_own_geometry():
    seen = [image for batch in take(5, ToyLandscapes(1, (64, 64))) for image in batch.image]
    assert len({image.numpy().tobytes() for image in seen}) > 16


def test_scale_and_flip_are_passed_on():
    plain = take(1, ToyLandscapes(1, (32, 32)), scale=(1.0, 1.0), flip=False, batch_size=1)[0]
    assert np.array_equal(plain.labels[0].numpy(), ToyLandscapes(1, (32, 32))[0].labels)


class Broken(Sequence[Sample]):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Sample:
        if index == 5:
            raise ValueError("sample 5 is broken")
        return TOY[index]


def test_an_error_reaches_the_reader_at_its_batch():
    plan = BatchPlan(Broken(), (32, 32), 1, 3)
    place = [plan.index(k) for k in range(8)].index(5)
    assert len(take(place, Broken(), batch_size=1)) == place
    with pytest.raises(ValueError, match="sample 5 is broken"):
        take(place + 1, Broken(), batch_size=1)


def test_closing_stops_the_threads():
    endless = batches(TOY, (32, 32), 2, 0, workers=2)
    next(endless)
    assert any(thread.name.startswith("batches") for thread in threads())
    endless.close()
    assert not any(thread.name.startswith("batches") for thread in threads())
    with pytest.raises(StopIteration):
        next(endless)


@pytest.mark.parametrize(
    ("options", "message"), [({"batch_size": 0}, "batch_size 0"), ({"seed": -1}, "seed -1")]
)
def test_bad_numbers_are_refused_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        batches(TOY, **{"size": (32, 32), "batch_size": 1, "seed": 0, **options})


def test_an_empty_set_is_refused():
    with pytest.raises(ValueError, match="empty"):
        batches([], (32, 32), 1, 0)
