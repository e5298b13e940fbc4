import numpy as np
import pytest

from spadework.data.toy import COLORS, UNKNOWN, ToyLandscapes


def test_a_picture_is_a_function_of_seed_and_number():
    first, again, other = ToyLandscapes(4), ToyLandscapes(9), ToyLandscapes(4, seed=1)
    assert np.array_equal(first[2].image, again[2].image)
    assert np.array_equal(first[-2].labels, first[2].labels)
    assert not np.array_equal(first[2].image, other[2].image)
    assert not np.array_equal(first[2].image, first[3].image)


@pytest.mark.parametrize("size", [(8, 8), (64, 64), (48, 96)])
def test_sizes_and_types(size):
    sample = ToyLandscapes(1, size)[0]
    assert (sample.labels.shape, sample.labels.dtype) == (size, np.uint8)
    assert (sample.image.shape, sample.image.dtype) == ((*size, 3), np.uint8)


def test_every_class_appears():
    seen = set().union(*(np.unique(sample.labels).tolist() for sample in ToyLandscapes(150)))
    assert seen == set(COLORS) == {*range(15), UNKNOWN}


def test_iteration_ends():
    assert len(list(ToyLandscapes(5))) == 5
    with pytest.raises(IndexError, match="picture 5 of 5"):
        ToyLandscapes(5)[5]


def test_classes_tell_colours_and_daytimes_tint():
    """Within a picture the class explains most of the colour, between them the time of day."""
    within, total = [], []
    for sample in ToyLandscapes(40):
        pixels = sample.image.reshape(-1, 3).astype(float)
        ids = sample.labels.reshape(-1)
        means = {label: pixels[ids == label].mean(axis=0) for label in np.unique(ids)}
        within.append(np.square(pixels - np.stack([means[label] for label in ids])).mean())
        total.append(np.square(pixels - pixels.mean(axis=0)).mean())
    assert np.mean(within) < 0.4 * np.mean(total)
    days = {sample.name.split("-")[2]: sample.image.mean(axis=(0, 1)) for sample in ToyLandscapes(60)}
    assert len(days) == 5
    assert days["sunset"][0] > days["sunset"][2]
    assert days["night"].mean() < days["noon"].mean()


@pytest.mark.parametrize("options", [{"length": 0}, {"size": (4, 64)}, {"seed": -1}])
def test_bad_numbers_are_refused(options):
    with pytest.raises(ValueError, match="need length"):
        ToyLandscapes(**options)
