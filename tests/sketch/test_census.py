"""Palettes made of label maps as labelling programs leave them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from spadework.cli import app
from spadework.sketch.census import palette_of_maps
from spadework.sketch.naming import names_beside
from spadework.sketch.palette import Palette

RED, GREEN, BLACK, VOID = (200, 0, 0), (0, 120, 10), (0, 0, 0), (224, 224, 192)


def save_ids(folder: Path, rows: list[list[int]], name: str = "a.png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(rows, np.uint8)).save(folder / name)
    return folder


def save_colors(folder: Path, *colors: tuple[int, int, int], name: str = "a.png") -> Path:
    """A band of each colour."""
    folder.mkdir(parents=True, exist_ok=True)
    bands = np.repeat(np.array(colors, np.uint8)[:, None], 100, 1)
    Image.fromarray(np.repeat(bands, 60, 0)).save(folder / name)
    return folder


def save_indices(folder: Path, rows: list[list[int]], table: dict[int, tuple[int, int, int]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.array(rows, np.uint8)).convert("L").point(lambda v: v)
    image = Image.frombytes("P", image.size, image.tobytes())
    flat = [value for id in range(256) for value in table.get(id, (id, id, id))]
    image.putpalette(flat)
    image.save(folder / "a.png")
    return folder


def classes(palette: Palette) -> list[tuple[int, str, str | None]]:
    return [(c.id, c.name, c.color) for c in palette.classes]


def test_ids_with_names_a_line(tmp_path: Path) -> None:
    maps = save_ids(tmp_path / "labels", [[0, 1, 1], [2, 255, 1]])
    (tmp_path / "classes.txt").write_text("wall\ndoor\n\nwindow\nroof\n")
    palette, told = palette_of_maps(maps, "mine")
    assert [name for _, name, _ in classes(palette)] == ["wall", "door", "window", "roof"]
    assert palette.unknown == 255
    assert any("id 3 (roof) occurs in no map" in line for line in told)
    assert any("id 255 is taken as unknown" in line and "16.7%" in line for line in told)


def test_an_unknown_id_that_is_not_255(tmp_path: Path) -> None:
    maps = save_ids(tmp_path / "labels", [[0, 1], [2, 1]])
    (tmp_path / "labels" / "classes.txt").write_text("void\ndoor\nwindow\n")
    palette, _ = palette_of_maps(maps, "mine")
    assert palette.unknown == 0
    assert classes(palette) == [(1, "door", None), (2, "window", None)]


LISTS = {
    "id name": "0 wall\n1 door/entrance\n2 tall window\n255 unlabelled\n",
    "id: name": "0: wall\n1: door/entrance\n2: tall window\n",
    "numbered": "0. wall\n1. door/entrance\n2. tall window\n",
    "tabs": "0\twall\n1\tdoor/entrance\n2\ttall window\n",
    "in another order": "# of the second survey\n2,tall window\n0,wall\n1,door/entrance\n",
    "name, id under a heading": "class,id\nwall,0\ndoor/entrance,1\ntall window,2\n",
    "names alone": "wall\ndoor/entrance\ntall window\n",
    "with colours": "0 wall 10 20 30\n1 door/entrance 1 2 3\n2 tall window 200 0 0\n",
}


@pytest.mark.parametrize("kind", list(LISTS))
def test_lists_of_names_say_ids_in_many_ways(tmp_path: Path, kind: str) -> None:
    maps = save_ids(tmp_path / "labels", [[0, 1, 1], [2, 255, 1]])
    (tmp_path / "classes.txt").write_text(LISTS[kind])
    palette, _ = palette_of_maps(maps, "mine")
    assert [(id, name) for id, name, _ in classes(palette)] == [
        (0, "wall"),
        (1, "door/entrance"),
        (2, "tall window"),
    ]
    assert palette.unknown == 255


@pytest.mark.parametrize(
    "text",
    [
        "name,r,g,b\ncar,200,0,0\nbus,0,120,10\n",
        "200 0 0\tcar\n0 120 10\tbus\n",
        "car: (200, 0, 0)\nbus: (0, 120, 10)\n",
        "car #C80000\nbus #00780a\n",
        "4 car 200 0 0\n7 bus 0 120 10\n",
    ],
)
def test_lists_of_names_say_colours_in_many_ways(tmp_path: Path, text: str) -> None:
    maps = save_colors(tmp_path / "labels", RED, GREEN)
    (tmp_path / "classes.txt").write_text(text)
    palette, _ = palette_of_maps(maps, "mine")
    assert classes(palette) == [(0, "car", "#c80000"), (1, "bus", "#00780a")]


def test_names_that_end_in_numbers_are_names(tmp_path: Path) -> None:
    maps = save_ids(tmp_path / "labels", [[0, 1]])
    (tmp_path / "classes.txt").write_text("lane 1\nlane 2\n")
    assert [name for _, name, _ in classes(palette_of_maps(maps, "mine")[0])] == ["lane 1", "lane 2"]


def test_ids_without_a_name_are_told(tmp_path: Path) -> None:
    maps = save_ids(tmp_path / "labels", [[0, 1], [2, 7]])
    (tmp_path / "classes.txt").write_text("1 wall\n2 door\n")
    _, told = palette_of_maps(maps, "mine")
    assert "2 ids have no name there: class 0, class 7" in told


def test_a_second_name_for_no_class_is_told_and_255_is_none(tmp_path: Path) -> None:
    maps = save_ids(tmp_path / "labels", [[0, 1], [1, 255]])
    names = tmp_path / "classes.txt"
    names.write_text("void\nwall\n")
    palette, told = palette_of_maps(maps, "mine")
    assert palette.unknown == 255
    assert "id 0 (void) stays a class: a palette has one unknown id, here 255" in told
    names.write_text("0 void\n1 wall\n255 roof\n")
    with pytest.raises(ValueError, match="id 255 is named roof, classes have ids of 0 to 254"):
        palette_of_maps(maps, "mine")


def test_labelme_leaves_out_its_first_line(tmp_path: Path) -> None:
    maps = save_indices(tmp_path / "SegmentationClassPNG", [[0, 1], [1, 1]], {0: BLACK, 1: RED})
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\ncar\n")
    palette, _ = palette_of_maps(maps, "mine")
    assert classes(palette) == [(0, "_background_", "#000000"), (1, "car", "#c80000")]


def test_cvat_names_colours(tmp_path: Path) -> None:
    maps = save_colors(tmp_path / "SegmentationClass", RED, BLACK, VOID)
    lines = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncar:200,0,0::\nbus:0,120,10::\n"
    (tmp_path / "labelmap.txt").write_text(lines)
    palette, told = palette_of_maps(maps, "mine")
    assert classes(palette) == [(0, "background", "#000000"), (1, "car", "#c80000"), (2, "bus", "#00780a")]
    assert (palette.unknown, palette.unknown_color) == (255, "#e0e0c0")
    assert any("the outlines of VOC" in line for line in told)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("obj_class_to_machine_color.json", json.dumps({"car": RED, "tree": GREEN})),
        (
            "meta.json",
            json.dumps(
                {"classes": [{"title": "car", "color": "#C80000"}, {"title": "tree", "color": "#00780A"}]}
            ),
        ),
    ],
)
def test_supervisely_names_colours(tmp_path: Path, name: str, text: str) -> None:
    maps = save_colors(tmp_path / "ds" / "masks_human", RED, GREEN)
    (tmp_path / name).write_text(text)
    assert classes(palette_of_maps(maps, "mine")[0]) == [(0, "car", "#c80000"), (1, "tree", "#00780a")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("_classes.csv", "Pixel Value, Class\n0, background\n1, car\n"),
        ("notes.json", '{"categories": [{"id": 0, "name": "background"}, {"id": 1, "name": "car"}]}'),
    ],
)
def test_roboflow_and_label_studio_name_ids(tmp_path: Path, name: str, text: str) -> None:
    maps = save_ids(tmp_path / "masks", [[0, 1]])
    (maps / name).write_text(text)
    assert classes(palette_of_maps(maps, "mine")[0]) == [(0, "background", None), (1, "car", None)]


def test_without_names_all_is_numbered_and_black_is_background(tmp_path: Path) -> None:
    maps = save_colors(tmp_path / "labels", RED, BLACK)
    pixels = np.array(Image.open(maps / "a.png"))
    pixels[0, 0] = (77, 77, 1)  # a blended edge
    Image.fromarray(pixels).save(maps / "a.png")
    palette, told = palette_of_maps(maps, "mine")
    assert {name for _, name, _ in classes(palette)} == {"background", "class 0"} or {
        name for _, name, _ in classes(palette)
    } == {"background", "class 1"}
    assert palette.unknown == 255
    assert any("1 colours on" in line and "#4d4d01" in line for line in told)


def test_what_makes_no_palette_is_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no folder"):
        palette_of_maps(tmp_path / "none", "x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no label maps in"):
        palette_of_maps(tmp_path / "empty", "x")
    mixed = save_ids(save_colors(tmp_path / "mixed", RED), [[1]], "b.png")
    with pytest.raises(ValueError, match="maps of ids and maps of colours"):
        palette_of_maps(mixed, "x")
    photo = np.random.default_rng(0).integers(0, 256, (8, 64, 3), np.uint8)
    (tmp_path / "photos").mkdir()
    Image.fromarray(photo).save(tmp_path / "photos" / "a.png")
    with pytest.raises(ValueError, match=r"colours are more than the 255 classes"):
        palette_of_maps(tmp_path / "photos", "x")
    maps = save_ids(tmp_path / "odd", [[1]])
    (maps / "labelmap.txt").write_text("car 1 2 3\n")
    with pytest.raises(ValueError, match=r"labelmap\.txt does not name classes"):
        names_beside(maps)


def test_the_command_writes_what_palettes_reads(tmp_path: Path) -> None:
    maps, out = save_ids(tmp_path / "labels", [[0, 1], [1, 255]]), tmp_path / "mine.json"
    (maps / "classes.txt").write_text("wall\ndoor\n")
    made = CliRunner().invoke(app, ["palettes", "new", str(maps), "-o", str(out)], standalone_mode=False)
    assert made.exit_code == 0, made.output
    assert "id 255 is taken as unknown" in made.output
    assert Palette.load(str(out)) == palette_of_maps(maps, "mine")[0]
    shown = CliRunner().invoke(app, ["palettes", str(out)], standalone_mode=False)
    assert "door" in shown.output
    assert Palette.load(str(out)).unknown == 255
