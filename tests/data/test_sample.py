import numpy as np
import pytest
import torch

from spadework.data.sample import Sample, collate


def sample(size: tuple[int, int] = (2, 3), instances: bool = False, value: int = 0) -> Sample:
    ids = np.full(size, value, np.uint8)
    return Sample(
        ids, np.full((*size, 3), value, np.uint8), ids.astype(np.int32) if instances else None, str(value)
    )


def test_bytes_become_minus_one_to_one():
    batch = collate([sample(value=value) for value in (0, 51, 255)])
    assert batch.image[:, 0, 0, 0].tolist() == pytest.approx([-1.0, -0.6, 1.0])
    assert batch.labels[:, 0, 0].tolist() == [0, 51, 255]
    assert batch.names == ["0", "51", "255"]


def test_pixels_keep_their_places():
    image = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    batch = collate([Sample(image[..., 0], image, None, "x")])
    assert torch.equal(
        ((batch.image[0] + 1) * 127.5).round().to(torch.uint8), torch.from_numpy(image).permute(2, 0, 1)
    )


def test_instances_are_stacked_when_all_have_them():
    batch = collate([sample(instances=True, value=3)] * 2, "cpu")
    assert batch.instances is not None
    assert (batch.instances.shape, batch.instances.dtype) == ((2, 2, 3), torch.int32)
    with pytest.raises(ValueError, match="1 of 2 samples have instances"):
        collate([sample(instances=True), sample()])


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r"one size .* \[\(2, 3\), \(4, 4\)\]"):
        collate([sample(), sample((4, 4))])
    with pytest.raises(ValueError, match="no samples"):
        collate([])
