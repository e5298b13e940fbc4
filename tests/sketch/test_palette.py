"""Ids, names and colours."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import PALETTES, UNKNOWN_COLOR, Category, Palette, near_misses


def palette(*classes: dict[str, Any], unknown: int | None = None) -> Palette:
    return Palette(name="test", unknown=unknown, classes=tuple(Category(**c) for c in classes))


@st.composite
def palettes(draw: st.DrawFn) -> Palette:
    ids = draw(st.lists(st.integers(0, 254), min_size=1, max_size=40, unique=True))
    free = sorted({*range(256)} - {*ids})
    colors = st.one_of(st.none(), st.integers(0, (1 << 24) - 1).map(lambda value: f"#{value:06x}"))
    seen: set[str] = set()
    classes = []
    for id in ids:
        color = draw(colors)
        color = None if color in seen else color
        seen |= {color} if color else set()
        classes.append(Category(id=id, name=f"class {id}", color=color, aliases=(f"alias {id}",)))
    return Palette(name="any", unknown=draw(st.sampled_from([None, *free])), classes=tuple(classes))


@settings(deadline=None)
@given(palettes())
def test_json_round_trip(any_palette: Palette) -> None:
    assert Palette.model_validate_json(any_palette.model_dump_json()) == any_palette


@settings(deadline=None)
@given(palettes())
def test_colours_are_the_chosen_ones_and_all_distinct(any_palette: Palette) -> None:
    table = any_palette.colors()
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    assert len(np.unique(table, axis=0)) == 256
    chosen = {c.id: c.color for c in any_palette.classes if c.color}
    assert {id: f"#{bytes(table[id]).hex()}" for id in chosen} == chosen
    if any_palette.unknown is not None and UNKNOWN_COLOR not in chosen.values():
        assert f"#{bytes(table[any_palette.unknown]).hex()}" == UNKNOWN_COLOR


@settings(deadline=None)
@given(palettes())
def test_names_and_ids_are_inverse(any_palette: Palette) -> None:
    for c in any_palette.classes:
        assert any_palette.by_name(c.name) is c
        assert any_palette.id_of(c.aliases[0]) == c.id
        assert any_palette.name_of(c.id) == c.name
    legal = {c.id for c in any_palette.classes} | ({any_palette.unknown} - {None})
    assert any_palette.ids().tolist() == sorted(legal)
    assert any_palette.label_nc == max(c.id for c in any_palette.classes) + 1


def test_landscape_is_the_palette_of_the_shipped_model() -> None:
    landscape = Palette.load("landscape")
    assert (landscape.name, landscape.unknown, landscape.label_nc) == ("landscape", 255, 15)
    names = "sky clouds mountain snow tree plant grass field earth rock sand sea water road building"
    assert [c.name for c in landscape.classes] == names.split()
    assert [c.id for c in landscape.classes] == list(range(15))
    assert landscape.describe_ids() == "0..14 and 255 (unknown)"


@pytest.mark.parametrize("name", Palette.names())
def test_every_shipped_palette_loads_under_its_own_name(name: str) -> None:
    assert Palette.load(name).name == name
    assert Palette.load(PALETTES[name]) == Palette.load(name)


def test_load_reads_a_file_by_path_or_text(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    file.write_text(json.dumps({"name": "mine", "classes": [{"id": 3, "name": "Sky", "color": "#ABCDEF"}]}))
    mine = Palette.load(file)
    assert Palette.load(str(file)) == mine
    assert (mine.unknown, mine.label_nc, mine.classes[0].color) == (None, 4, "#abcdef")


def test_unknown_palette_lists_near_misses_and_all() -> None:
    with pytest.raises(ValueError, match=r"Did you mean 'landscape' or 'cityscapes'\? Shipped: .*landscape"):
        Palette.load("landscapes")
    with pytest.raises(ValueError, match="does not exist"):
        Palette.load("nowhere.json")


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        ("{", "Invalid JSON"),
        ('{"name": "x", "classes": []}', "classes: .*at least 1"),
        ('{"name": "x", "classes": [{"id": 255, "name": "a"}]}', r"classes\.0\.id: .*254"),
        ('{"name": "x", "classes": [{"id": "0", "name": "a"}]}', r"classes\.0\.id: .*valid integer"),
        ('{"name": "x", "classes": [{"id": 0, "name": "a", "colour": "#000000"}]}', r"colour: Extra"),
        ('{"name": "x", "classes": [{"id": 0, "name": "a", "color": "red"}]}', r"color.*pattern"),
        ('{"name": "x", "unknown": 0, "classes": [{"id": 0, "name": "a"}]}', "choose another id"),
        ('{"name": "x", "unknown": 9, "classes": [{"id": 0, "name": "Unknown"}]}', "rename the class"),
    ],
)
def test_bad_palette_files_say_what_is_wrong_in_one_line(tmp_path: Path, content: str, remedy: str) -> None:
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(ValueError, match=remedy) as caught:
        Palette.load(tmp_path / "bad.json")
    assert str(caught.value).startswith(f"{tmp_path / 'bad.json'} is not a palette")
    assert "\n" not in str(caught.value)


def test_ids_are_unique() -> None:
    with pytest.raises(ValidationError, match="id 0 is given to two classes"):
        palette({"id": 0, "name": "a"}, {"id": 0, "name": "b"})


def test_of_equal_names_and_colours_the_first_class_answers() -> None:
    twice = palette({"id": 4, "name": "a", "color": "#0000ff"}, {"id": 1, "name": "A", "color": "#0000FF"})
    assert twice.id_of("a") == 4
    assert (twice.of_id(1).name, twice.colors()[1].tolist()) == ("A", [0, 0, 255])
    pixels = Image.fromarray(twice.colorize(np.full((4, 4), 1, np.uint8)))
    out = io.BytesIO()
    pixels.save(out, format="PNG")
    assert set(LabelMap.from_bytes(out.getvalue(), twice).ids.flat) == {4}


@pytest.mark.parametrize("name", Palette.names())
def test_maps_of_every_shipped_palette_survive_a_file(name: str) -> None:
    shipped = Palette.load(name)
    sketch = LabelMap(np.resize(shipped.ids(), (16, 16)), shipped)
    assert LabelMap.from_bytes(sketch.to_bytes(), shipped) == sketch
    assert sum(sketch.counts().values()) == pytest.approx(1)


def test_shipped_palettes_have_the_published_sizes() -> None:
    sizes = {name: len(Palette.load(name).classes) for name in Palette.names()}
    assert sizes == {
        "ade20k": 150,
        "cityscapes": 34,
        "cityscapes19": 19,
        "coco_stuff": 182,
        "facades": 12,
        "gaugan2": 32,
        "landscape": 15,
    }
    assert all(Palette.load(name).source for name in sizes)


def test_palettes_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Palette.load("landscape").name = "other"  # type: ignore[misc]


def test_names_beat_aliases_and_the_first_alias_stays() -> None:
    one = palette(
        {"id": 4, "name": "pine", "aliases": ("Tree", "wood")},
        {"id": 5, "name": "tree"},
        {"id": 6, "name": "oak", "aliases": ("wood",)},
    )
    assert [one.id_of(name) for name in ("TREE", " wood ", "Oak")] == [5, 4, 6]


def test_missing_classes_list_near_misses_and_all() -> None:
    landscape = Palette.load("landscape")
    with pytest.raises(ValueError, match=r"Did you mean 'mountain'\? Its classes: sky, clouds"):
        landscape.by_name("mountains")
    with pytest.raises(ValueError, match=r"no class 'unknown'"):
        palette({"id": 0, "name": "a"}).id_of("unknown")
    assert landscape.id_of("Unknown") == 255
    assert landscape.name_of(255) == "unknown"
    with pytest.raises(ValueError, match=r"id 15 .* allowed are 0\.\.14 and 255 \(unknown\)"):
        landscape.name_of(15)


def test_near_misses_speak_only_when_there_are_some() -> None:
    assert near_misses("snov", ["snow", "rock"]) == " Did you mean 'snow'?"
    assert near_misses("xyz", ["snow", "rock"]) == ""


def test_ids_are_described_in_runs() -> None:
    gaps = palette(*({"id": id, "name": f"c{id}"} for id in (7, 1, 2, 3, 9)))
    assert gaps.describe_ids() == "1..3, 7, 9"


def test_the_unknown_colour_gives_way_to_a_class_that_has_it() -> None:
    clash = palette({"id": 0, "name": "a", "color": UNKNOWN_COLOR}, unknown=1)
    assert bytes(clash.colors()[1]).hex() == "4a0a4b"


def test_colours_of_an_id_do_not_depend_on_its_neighbours() -> None:
    few = palette({"id": 7, "name": "a"})
    many = palette({"id": 7, "name": "a"}, {"id": 3, "name": "b"}, {"id": 9, "name": "c", "color": "#010203"})
    assert few.colors()[7].tolist() == many.colors()[7].tolist()


def test_colorize_paints_each_id_in_its_colour() -> None:
    landscape = Palette.load("landscape")
    picture = landscape.colorize(np.array([[0, 3], [11, 255]], np.uint8))
    assert picture.tolist() == [
        [[0x5C, 0x9E, 0xF0], [0xFA, 0xFA, 0xFF]],
        [[0x1A, 0x4A, 0x8C], [0x4A, 10, 0x4A]],
    ]
    with pytest.raises(ValueError, match="astype"):
        landscape.colorize(np.zeros((2, 2), np.int64))


def test_the_colour_table_cannot_be_spoiled() -> None:
    landscape = Palette.load("landscape")
    landscape.colors()[:] = 0
    assert landscape.colors()[0].tolist() == [0x5C, 0x9E, 0xF0]
