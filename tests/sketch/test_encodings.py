"""Maps in other encodings: converted where they leave no doubt, else called what they look like."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from misread import COCO, FULL, LANDSCAPE, cityscapes, file_of, full_ade20k, panoptic, panoptic_json, truth
from PIL import Image

from spadework.sketch.encodings import _classes_of_ade20k
from spadework.sketch.exact import shipped
from spadework.sketch.opening import Policy, open_file, open_map
from spadework.sketch.palette import Palette
from spadework.sketch.repair import from_bytes, read
from spadework.sketch.translate import partner

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
        (lambda: full_ade20k({0: 3000, 2: 2690, 4: 2700}), "the full annotation of ADE20K (class = R / 10"),
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


ADE20K = Palette.load("ade20k")


def test_the_full_annotation_of_ade20k_becomes_classes_by_name() -> None:
    reading = from_bytes(full_ade20k())
    assert reading.map.palette.name == "ade20k"
    names = {id: ADE20K.name_of(reading.map.ids[truth() == id][0]) for id in FULL}
    assert names == {0: "sky", 2: "mountain", 4: "tree", 10: "sand", 11: "sea"}
    assert "the full annotation of ADE20K" in reading.repaired[0]
    assert not reading.unsure
    own = from_bytes(full_ade20k(), LANDSCAPE)
    assert np.array_equal(own.map.ids, truth())
    assert np.array_equal(open_map(full_ade20k(), LANDSCAPE, Policy.REPAIR).sketch.ids, truth())
    with pytest.raises(ValueError, match=r"or repair it with `spadework label a\.png --palette landscape"):
        open_map(full_ade20k(), LANDSCAPE, Policy.EDGES, name="a.png")


def test_classes_of_ade20k_that_a_palette_lacks_become_unknown_and_are_named() -> None:
    snow = FULL | {10: 2454}
    assert "snow" in from_bytes(full_ade20k(snow), LANDSCAPE).map.counts()
    reading = from_bytes(full_ade20k(snow | {4: 3000}))
    assert reading.map.counts()["unknown"] == pytest.approx(np.isin(truth(), (4, 10)).mean())
    assert "palette ade20k has no class for (snow, number 3000) became unknown" in reading.repaired[0]
    assert "of the pixels became unknown: look at them" in reading.unsure[0]
    unlabelled = from_bytes(full_ade20k({id: n for id, n in FULL.items() if id != 4}), LANDSCAPE)
    assert "(no class) became unknown" in unlabelled.repaired[0]


def test_the_numbers_of_ade20k_are_of_the_benchmark() -> None:
    """Every id of the 150 once, under its own name, and every other name known to a shipped palette."""
    classes = _classes_of_ade20k()
    ids = [id for _, id in classes.values() if id is not None]
    assert sorted({*ids}) == list(range(1, 151))
    for names, id in classes.values():
        if id is None:
            assert any(partner(name, (), palette) is not None for palette in shipped() for name in names)
        else:
            assert names[0].split()[0] == ADE20K.name_of(id).split()[0] or names[0] == "double door"


@pytest.mark.parametrize(
    "place", ["a.json", "panoptic_val2017.json", "../maps.json", "../panoptic_val2017.json", "lone a.json"]
)
def test_panoptic_maps_of_coco_have_their_classes_in_a_json_beside_them(place: str, tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    file = tmp_path / "maps" / "a.png"
    file.write_bytes(panoptic())
    content = json.loads(panoptic_json())
    if place.startswith("lone "):
        content = {
            "segments_info": content["annotations"][1]["segments_info"],
            "categories": content["categories"],
        }
    (file.parent / place.removeprefix("lone ")).write_text("\ufeff" + json.dumps(content))
    reading = read(file, LANDSCAPE)
    assert np.array_equal(reading.map.ids, truth())
    assert "panoptic segments, by the names of their categories in" in reading.repaired[0]
    assert np.array_equal(open_file(file, LANDSCAPE, Policy.REPAIR).sketch.ids, truth())
    coco = read(file)
    assert coco.map.palette.name == "coco_stuff"
    assert set(coco.map.counts()) == {"sky-other", "mountain", "tree", "sand", "sea"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"a JSON that is not here.*put that JSON \(a\.json or panoptic_\*\.json, with segments_info"),
        (b'{"version": "5.4.1", "shapes": [], "imagePath": "a.jpg"}', "a JSON that is not here"),
        (b"[" * 100_000, "a JSON that is not here"),
        (b'{"categories": [{"id": "x"}], "annotations": 3}', "a JSON that is not here"),
        (panoptic_json("other.png"), "a JSON that is not here"),
        (panoptic_json(names=dict.fromkeys(COCO, "banana")), "whose classes palette landscape lacks"),
    ],
)
def test_panoptic_maps_without_their_json_are_refused(
    content: bytes | None, words: str, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(panoptic())
    if content is not None:
        (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read(tmp_path / "a.png", LANDSCAPE)
    with pytest.raises(
        ValueError, match="make ids of it with `spadework label`, where that JSON lies beside"
    ):
        from_bytes(panoptic(), LANDSCAPE, "a.png")
