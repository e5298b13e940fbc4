"""The gate: ids to channels, edges, pictures to and from [-1, 1]."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spadework.nn.labels import Labels, SemanticsConfig, channel_of_ids, instance_edges
from spadework.nn.pixels import to_bytes, to_unit

SIZES = st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7))


@st.composite
def id_maps(draw: st.DrawFn, classes: int, unknown: bool) -> torch.Tensor:
    """(B, H, W) uint8 of ids 0 to classes - 1, and 255 if unknown."""
    ids = st.integers(0, classes - 1)
    legal = st.one_of(ids, st.just(255)) if unknown else ids
    return torch.from_numpy(draw(arrays(np.uint8, draw(SIZES), elements=legal)))


@st.composite
def maps(draw: st.DrawFn) -> tuple[torch.Tensor, SemanticsConfig]:
    config = SemanticsConfig(
        label_nc=draw(st.integers(1, 6)), unknown=draw(st.booleans()), edges=draw(st.booleans())
    )
    return draw(id_maps(config.label_nc, config.unknown)), config


def edges_by_loop(ids: np.ndarray) -> np.ndarray:
    edges = np.zeros(ids.shape, bool)
    for b, i, j in np.ndindex(ids.shape):
        for di, dj in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            y, x = i + di, j + dj
            if 0 <= y < ids.shape[1] and 0 <= x < ids.shape[2] and ids[b, y, x] != ids[b, i, j]:
                edges[b, i, j] = True
    return edges


@settings(deadline=None)
@given(maps())
def test_every_pixel_has_one_class(given_map: tuple[torch.Tensor, SemanticsConfig]) -> None:
    labels, config = given_map
    segmap = Labels.of(labels, config).segmap
    classes = segmap[:, : config.label_nc + config.unknown]
    assert segmap.shape == (len(labels), config.semantic_nc, *labels.shape[1:])
    assert torch.equal(classes.sum(1), torch.ones(labels.shape))
    assert torch.equal(classes.argmax(1), channel_of_ids(labels, config))
    if config.edges:
        assert np.array_equal(segmap[:, -1].numpy(), edges_by_loop(labels.numpy()))


@settings(deadline=None)
@given(SIZES.flatmap(lambda shape: arrays(np.int32, shape, elements=st.integers(0, 3))))
def test_edges_are_where_a_neighbour_differs(instances: np.ndarray) -> None:
    assert np.array_equal(instance_edges(torch.from_numpy(instances)).numpy(), edges_by_loop(instances))


def test_edges_come_from_instances_where_there_are_any() -> None:
    config = SemanticsConfig(label_nc=2, edges=True)
    labels = torch.zeros(1, 2, 4, dtype=torch.uint8)
    instances = torch.tensor([[[1, 1, 2, 2]] * 2], dtype=torch.int32)
    assert Labels.of(labels, config).segmap[0, -1].sum() == 0
    assert Labels.of(labels, config, instances).segmap[0, -1].tolist() == [[0, 1, 1, 0]] * 2


@pytest.mark.parametrize(
    ("unknown", "edges", "channels"), [(1, 1, 184), (1, 0, 183), (0, 1, 183), (0, 0, 182)]
)
def test_semantic_nc_counts_unknown_and_edges(unknown: bool, edges: bool, channels: int) -> None:
    assert SemanticsConfig(label_nc=182, unknown=bool(unknown), edges=bool(edges)).semantic_nc == channels


def test_255_becomes_the_channel_after_the_classes() -> None:
    config = SemanticsConfig(label_nc=3, unknown=True)
    labels = torch.tensor([[[0, 2, 3, 255]]], dtype=torch.uint8)
    assert channel_of_ids(labels, config).tolist() == [[[0, 2, 3, 3]]]


@pytest.mark.parametrize(
    ("id", "unknown", "told"),
    [
        (7, True, "the label map holds id 7; this model knows 0 to 2 and 255"),
        (3, False, "the label map holds id 3; this model knows 0 to 2; it has no unknown class"),
        (255, False, "the label map holds id 255; .* repaint those pixels"),
    ],
)
def test_an_id_without_a_channel_is_told(id: int, unknown: bool, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Labels.of(torch.full((1, 2, 2), id, dtype=torch.uint8), SemanticsConfig(label_nc=3, unknown=unknown))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_segmap_has_the_dtype_asked_for_in_channels_last(dtype: torch.dtype) -> None:
    segmap = Labels.of(
        torch.zeros(2, 5, 6, dtype=torch.uint8), SemanticsConfig(label_nc=3), dtype=dtype
    ).segmap
    assert segmap.dtype == dtype
    assert segmap.is_contiguous(memory_format=torch.channels_last)


def test_bytes_become_minus_one_to_one() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    x = to_unit(image)
    assert x.shape == (1, 3, 16, 16)
    assert x.dtype == torch.float32
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert np.abs(x[0, 0].numpy().ravel() - (np.arange(256) / 127.5 - 1)).max() < 1e-6
    assert torch.equal(to_unit(image[0]), x)


def test_pictures_are_clipped_and_cut_off() -> None:
    values = torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.5, 0.999, 1.0, 7.0])
    x = values.view(1, 1, 2, 4).expand(1, 3, 2, 4)
    assert to_bytes(x).shape == (1, 2, 4, 3)
    assert to_bytes(x)[0, ..., 0].ravel().tolist() == [0, 0, 63, 127, 191, 254, 255, 255]


@settings(deadline=None)
@given(
    st.tuples(st.integers(1, 2), st.integers(1, 5), st.integers(1, 5)).flatmap(
        lambda s: arrays(np.uint8, (*s, 3))
    )
)
def test_bytes_survive_the_round_trip_but_for_the_cut(image: np.ndarray) -> None:
    back = to_bytes(to_unit(image)).astype(int)
    assert ((image - back) >= 0).all()
    assert ((image - back) <= 1).all()
    assert np.array_equal(to_bytes(to_unit(image) + 1e-5), image)
