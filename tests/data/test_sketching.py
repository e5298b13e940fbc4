import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from spadework.data.regions import drop_small, grow, outline, regions, signed_area, simplify
from spadework.data.sketching import sketch
from spadework.data.toy import ToyLandscapes

small_maps = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3))


def flooded(ids: np.ndarray) -> np.ndarray:
    """Regions by flood fill, the slow and plain way."""
    roots = np.full(ids.shape, -1)
    for start in np.ndindex(ids.shape):
        todo = [start] if roots[start] < 0 else []
        while todo:
            y, x = todo.pop()
            if not (0 <= y < ids.shape[0] and 0 <= x < ids.shape[1]):
                continue
            if roots[y, x] < 0 and ids[y, x] == ids[start]:
                roots[y, x] = np.ravel_multi_index(start, ids.shape)
                todo += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
    return roots


@given(small_maps)
def test_regions_equal_flood_fill(ids):
    assert np.array_equal(regions(ids), flooded(ids))


def test_regions_follow_a_snake():
    snake = np.zeros((33, 33), np.uint8)
    snake[1::2] = 1
    snake[1::4, -1] = snake[3::4, 0] = 0
    assert np.array_equal(regions(snake), flooded(snake))


@given(small_maps)
def test_the_outline_encloses_its_region(ids):
    roots = regions(ids)
    for root in np.unique(roots):
        mask = roots == root
        loop = outline(mask)
        assert abs(signed_area(loop)) >= mask.sum() / 2
        assert np.abs(loop - np.roll(loop, 1, axis=0)).sum(axis=1).tolist() == [1.0] * len(loop)


def test_the_outline_of_a_ring_is_its_outer_side():
    mask = np.ones((6, 7), bool)
    mask[2:4, 2:5] = False
    assert abs(signed_area(outline(mask))) == 42


def test_simplify_keeps_corners_and_drops_what_lies_between():
    corners = simplify(outline(np.ones((6, 7), bool)), 0.1)
    assert sorted(map(tuple, corners.tolist())) == [(0, 0), (0, 6), (7, 0), (7, 6)]


@given(st.integers(0, 2**32), st.floats(0.3, 4))
def test_simplify_stays_within_its_tolerance(seed, tolerance):
    turns = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    reach = np.random.default_rng(seed).uniform(5, 20, 60)
    loop = np.stack([reach * np.cos(turns), reach * np.sin(turns)], axis=1)
    few = simplify(loop, tolerance)
    ends = np.roll(few, -1, axis=0)
    along = np.clip(
        np.einsum("pcd,cd->pc", loop[:, None] - few, ends - few) / np.square(ends - few).sum(1), 0, 1
    )
    nearest = np.linalg.norm(loop[:, None] - few - along[..., None] * (ends - few), axis=2).min(axis=1)
    assert set(map(tuple, few)) <= set(map(tuple, loop))
    assert nearest.max() <= tolerance + 1e-9


def test_small_regions_vanish_into_their_neighbours():
    ids = np.zeros((20, 20), np.uint8)
    ids[:, 10:] = 1
    ids[3:5, 3:5], ids[3:5, 14:16] = 2, 255
    ids[10:18, 2:8] = 3
    merged = drop_small(ids, 0.05)
    assert np.array_equal(merged == 1, np.broadcast_to(np.arange(20) >= 10, (20, 20)))
    assert set(np.unique(merged)) == {0, 1, 3}


def test_a_map_of_small_regions_only_is_left_alone():
    ids = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert np.array_equal(drop_small(ids, 0.1), ids)


def test_grow_fills_from_the_nearest():
    ids = np.array([[1, 9, 9, 9, 9, 2]], np.uint8)
    assert grow(ids, ids != 9).tolist() == [[1, 1, 1, 2, 2, 2]]


@given(st.integers(0, 2**32), st.floats(0, 1), st.integers(1, 90), st.integers(1, 90))
def test_a_sketch_has_the_maps_shape_and_no_new_id(seed, strength, height, width):
    rng = np.random.default_rng(seed)
    coarse = rng.choice(np.array([0, 4, 255], np.uint8), (6, 6))
    labels = np.array(Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST))
    drawn = sketch(labels, rng, strength)
    assert (drawn.shape, drawn.dtype) == (labels.shape, np.uint8)
    assert set(np.unique(drawn)) <= set(np.unique(labels))


@pytest.mark.parametrize("label", [7, 255])
def test_a_map_of_one_id_stays(label):
    labels = np.full((64, 96), label, np.uint8)
    assert np.array_equal(sketch(labels, np.random.default_rng(0)), labels)


def test_a_sketch_is_a_function_of_its_seed():
    labels = ToyLandscapes(1, (128, 128))[0].labels
    first, again, other = (sketch(labels, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_sketches_agree_with_the_map_on_the_large_scale():
    rng = np.random.default_rng(0)
    maps = [sample.labels for sample in ToyLandscapes(30, (128, 128))]
    agreement = [(sketch(labels, rng) == labels).mean() for labels in maps]
    assert np.mean(agreement) > 0.85
    assert min(agreement) > 0.6
    gentle = [(sketch(labels, rng, 0.2) == labels).mean() for labels in maps]
    assert np.mean(gentle) > np.mean(agreement)


def test_sketches_drop_specks_and_shorten_outlines():
    rng = np.random.default_rng(0)
    labels = ragged(rng)
    length = boundary(labels)
    for _ in range(20):
        drawn = sketch(labels, rng)
        assert 2 not in drawn
        assert boundary(drawn) < 0.7 * length


def test_what_lies_within_a_region_is_drawn_over_it():
    labels = np.zeros((128, 128), np.uint8)
    labels[30:100, 30:100] = 1
    labels[45:85, 45:85] = 2
    rng = np.random.default_rng(0)
    for _ in range(20):
        drawn = sketch(labels, rng)
        assert [drawn[y, 64] for y in (10, 64, 118)] == [0, 2, 0]
        assert 0.6 < (drawn == 1).sum() / (labels == 1).sum() < 1.4


def ragged(rng: np.random.Generator) -> np.ndarray:
    """Two halves with a ragged border, and specks in both."""
    border = 64 + rng.integers(-6, 7, 128)
    labels = (np.arange(128)[:, None] > border).astype(np.uint8)
    canvas = Image.fromarray(labels)
    for x, y in rng.integers(0, 128, (12, 2)).tolist():
        ImageDraw.Draw(canvas).rectangle((x, y, x + 1, y + 1), fill=2)
    return np.array(canvas)


def boundary(ids: np.ndarray) -> int:
    return int((ids[1:] != ids[:-1]).sum() + (ids[:, 1:] != ids[:, :-1]).sum())


@pytest.mark.parametrize("strength", [-0.1, 1.1])
def test_strength_has_limits(strength):
    with pytest.raises(ValueError, match=r"strength must lie in \[0, 1\]"):
        sketch(np.zeros((8, 8), np.uint8), np.random.default_rng(0), strength)
