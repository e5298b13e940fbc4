"""Maps in other encodings: converted where they leave no doubt, else called what they look like."""

from collections.abc import Callable

import numpy as np
import pytest
from misread import LANDSCAPE, cityscapes, file_of, full_ade20k, panoptic, truth
from PIL import Image

from spadework.opening import Policy, open_map
from spadework.palette import Palette
from spadework.reading import from_bytes

CITY = Palette.load("cityscapes")


def city_ids() -> np.ndarray:
    return np.where(truth() == 0, 23, truth()).astype(np.uint8)


def rgb(numbers: np.ndarray) -> bytes:
    """R + 256 G + 65536 B."""
    return file_of(np.stack([numbers & 255, numbers >> 8 & 255, numbers >> 16], -1).astype(np.uint8))


def test_red_and_blue_are_turned_round() -> None:
    for name in ("landscape", "ade20k", "gaugan2"):
        palette = Palette.load(name)
        ids = np.resize(np.repeat(palette.ids()[1:9], 30), (24, 40))
        reading = from_bytes(file_of(np.ascontiguousarray(palette.colorize(ids)[..., ::-1])))
        assert reading.map.palette.name == name
        assert np.array_equal(reading.map.ids, ids)
        assert "red and blue were swapped: turned round" in reading.repaired
        assert not reading.edges_only


def test_panoptic_maps_of_cityscapes_become_classes() -> None:
    numbers = city_ids().astype(np.uint32)
    numbers[:4] = 26_003
    numbers[4:8] = 24_000
    shown = city_ids()
    shown[:4], shown[4:8] = 26, 24
    for palette in (None, CITY):
        reading = from_bytes(rgb(numbers), palette)
        assert (reading.map.palette.name, reading.map.ids.tolist()) == ("cityscapes", shown.tolist())
        assert "instances were left out" in reading.repaired[0]


@pytest.mark.parametrize(
    ("name", "palette"),
    [
        ("aachen_000000_000019_gtFine_labelTrainIds.png", "cityscapes19"),
        ("aachen_000000_000019_gtFine_labelIds.png", "cityscapes"),
    ],
)
def test_files_of_cityscapes_are_known_by_name(name: str, palette: str) -> None:
    reading = from_bytes(file_of(truth()), name=name)
    assert reading.map.palette.name == palette
    assert np.array_equal(reading.map.ids, truth())


def test_the_colour_files_of_cityscapes() -> None:
    reading = from_bytes(cityscapes(), name="aachen_000000_000019_gtFine_color.png")
    assert reading.map.palette.name == "cityscapes"
    assert set(reading.map.counts()) == {"sky", "vegetation", "road"}
    opaque = open_map(cityscapes(), LANDSCAPE, Policy.EDGES)
    with Image.open(__import__("io").BytesIO(cityscapes())) as image:
        plain = open_map(file_of(image.convert("RGB")), LANDSCAPE, Policy.EDGES)
    assert opaque.sketch == plain.sketch
    assert set(opaque.sketch.counts()) == {"sky", "tree", "road"}


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (panoptic, "COCO panoptic"),
        (full_ade20k, "the full annotation of ADE20K (class = R / 10"),
        (lambda: file_of(Image.fromarray(LANDSCAPE.colorize(truth())).convert("L")), "turned to greys"),
        (lambda: rgb(truth().astype(np.uint32) * 1_399_111 + 99), "the palette of another program"),
    ],
)
@pytest.mark.parametrize("palette", [None, LANDSCAPE])
def test_what_fits_nowhere_is_refused(make: Callable[[], bytes], words: str, palette: Palette | None) -> None:
    with pytest.raises(
        ValueError, match=r"% of the pixels have colours of .*palette.*it looks like"
    ) as caught:
        from_bytes(make(), palette, "a.png")
    assert words in str(caught.value)
    with pytest.raises(ValueError, match=r"a\.png"):
        open_map(make(), LANDSCAPE, Policy.REPAIR, name="a.png")


@pytest.mark.parametrize(("share", "unsure"), [(0.005, False), (0.1, True), (0.3, True)])
def test_large_areas_of_foreign_colour_are_unsure(share: float, unsure: bool) -> None:
    colors = LANDSCAPE.colorize(np.zeros((100, 100), np.uint8))
    colors[: round(100 * share * 10), :10] = (60, 120, 200)
    reading = from_bytes(file_of(colors), LANDSCAPE)
    assert bool(reading.unsure) == unsure
    assert reading.repaired
    with pytest.raises(ValueError, match="not in palette landscape"):
        from_bytes(file_of(colors), LANDSCAPE, strict=True)


def test_a_good_part_of_foreign_colour_is_refused() -> None:
    colors = LANDSCAPE.colorize(np.zeros((100, 100), np.uint8))
    colors[:60] = (200, 40, 40)
    with pytest.raises(ValueError, match=r"40\.0% of the pixels have colours of palette landscape"):
        from_bytes(file_of(colors), LANDSCAPE)
