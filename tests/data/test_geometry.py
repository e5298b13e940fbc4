import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from spadework.data.geometry import Geometry
from spadework.data.sample import Sample


def encoded(source_hw: tuple[int, int], block: int, seed: int) -> Sample:
    """Blocks of ids, and a photo whose red channel is 16 times the id."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 16, (source_hw[0] // block + 1, source_hw[1] // block + 1), dtype=np.uint8)
    labels = np.kron(coarse, np.ones((block, block), np.uint8))[: source_hw[0], : source_hw[1]]
    image = np.repeat((labels * 16)[..., None], 3, axis=2)
    return Sample(labels, image, labels.astype(np.int32) + 1000, "encoded")


def misaligned(sample: Sample, reach: int) -> tuple[int, int]:
    """Pixels whose photo disagrees with their id, and pixels looked at: those `reach` off every outline."""
    window = 2 * reach + 1
    if min(sample.labels.shape) < window:
        return 0, 0
    around = sliding_window_view(sample.labels, (window, window))
    inside = around.min(axis=(2, 3)) == around.max(axis=(2, 3))
    centre = np.s_[reach:-reach, reach:-reach]
    error = np.abs(sample.image[centre][..., 0].astype(int) - sample.labels[centre].astype(int) * 16)
    return int((error[inside] > 2).sum()), int(inside.sum())


def reach_of(geometry: Geometry) -> int:
    """How far bicubic resampling looks, in target pixels."""
    return 3 + int(2 * max(geometry.size[0] / geometry.height, geometry.size[1] / geometry.width, 1))


sides = st.integers(24, 90)


@given(sides, sides, sides, sides, st.floats(1, 2), st.integers(0, 2**32))
def test_photo_labels_and_instances_stay_aligned(h, w, height, width, scale, seed):
    sample = encoded((h, w), 24, seed)
    geometry = Geometry.draw(np.random.default_rng(seed), (h, w), (height, width), (1.0, scale))
    seen = geometry(sample)
    assert seen.labels.shape == seen.image.shape[:2] == (height, width)
    assert np.array_equal(seen.instances, seen.labels.astype(np.int32) + 1000)
    assert misaligned(seen, reach_of(geometry))[0] == 0


@pytest.mark.parametrize("flip", [False, True])
def test_the_alignment_check_can_fail(flip):
    sample = encoded((96, 96), 24, 0)
    geometry = Geometry(3, 5, 80, 80, (64, 64), flip)
    labels = Geometry(3, 5, 80, 80, (64, 64), not flip).ids(sample.labels)
    wrong = Sample(labels, geometry.photo(sample.image), None, "one of both mirrored")
    bad, seen = misaligned(wrong, 5)
    assert seen > 500
    assert bad > seen / 2
    assert misaligned(geometry(sample), 5)[0] == 0


@given(sides, sides, sides, sides, st.floats(1, 3), st.integers(0, 2**32))
def test_the_box_lies_in_the_source_and_has_the_targets_aspect(h, w, height, width, scale, seed):
    rng = np.random.default_rng(seed)
    box = Geometry.draw(rng, (h, w), (height, width), (scale, scale))
    assert box.top >= 0
    assert box.left >= 0
    assert box.top + box.height <= h
    assert box.left + box.width <= w
    factor = min(h / height, w / width) / scale
    assert abs(box.height - height * factor) <= 1
    assert abs(box.width - width * factor) <= 1


def test_without_scaling_the_crop_is_a_plain_slice():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (64, 100, 3), dtype=np.uint8)
    sample = Sample(image[..., 0], image, None, "noise")
    geometry = Geometry.draw(rng, (64, 100), (64, 64), (1.0, 1.0), flip=False)
    seen = geometry(sample)
    assert np.array_equal(seen.image, image[:, geometry.left : geometry.left + 64])
    assert np.array_equal(seen.labels, seen.image[..., 0])
    assert np.array_equal(Geometry(0, 9, 64, 64, (64, 64), True).photo(image), image[:, 9:73][:, ::-1])


def test_nearest_takes_the_pixel_under_the_centre():
    row = np.arange(9, dtype=np.uint8)[None]
    assert Geometry(0, 0, 1, 9, (1, 3)).ids(row).tolist() == [[1, 4, 7]]
    assert Geometry(0, 3, 1, 2, (1, 6), True).ids(row).tolist() == [[4, 4, 4, 3, 3, 3]]


def test_draw_reaches_both_sides_and_ends():
    rng = np.random.default_rng(0)
    drawn = [Geometry.draw(rng, (20, 24), (20, 20), (1.0, 1.0)) for _ in range(200)]
    assert {box.flip for box in drawn} == {False, True}
    assert {box.left for box in drawn} == {0, 1, 2, 3, 4}
    assert not any(Geometry.draw(rng, (20, 24), (20, 20), flip=False).flip for _ in range(50))


def test_flip_does_not_shift_the_random_stream():
    boxes = [Geometry.draw(np.random.default_rng(5), (40, 60), (32, 32), flip=flip) for flip in (True, False)]
    assert (boxes[0].top, boxes[0].left) == (boxes[1].top, boxes[1].left)


def test_center_is_the_middle():
    assert Geometry.center((256, 400), (256, 256)) == Geometry(0, 72, 256, 256, (256, 256))
    assert Geometry.center((400, 256), (128, 128)) == Geometry(72, 0, 256, 256, (128, 128))


@pytest.mark.parametrize("scale", [(0.5, 1.0), (1.2, 1.0)])
def test_a_scale_that_cannot_be_is_refused(scale):
    with pytest.raises(ValueError, match="1 <= low <= high"):
        Geometry.draw(np.random.default_rng(0), (32, 32), (32, 32), scale)
