"""OpenRaster there and back, and through another implementation of the format."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyora import Project as Ora

from spadework.picture import Picture
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.openraster import (
    PHOTOGRAPH,
    Drawn,
    groups_of,
    is_openraster,
    labels_of,
    project_of,
    write,
)
from spadework.sketch.palette import Palette

PALETTE = Palette.load("landscape")
IDS = np.repeat(np.array([[0, 1, 4], [6, 11, 4]], np.uint8), 20, 0).repeat(16, 1)
PHOTO = Picture(np.random.default_rng(0).integers(0, 255, (*IDS.shape, 3), np.uint8))
PROJECT = json.dumps({"format": "spadework-project"})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lake.ora"
    path.write_bytes(write(LabelMap(IDS, PALETTE), PHOTO, PROJECT))
    return path


def ids(data: bytes) -> np.ndarray:
    return LabelMap.from_bytes(labels_of(data), PALETTE).ids


def test_there_and_back(file: Path) -> None:
    data = file.read_bytes()
    assert is_openraster(data)
    assert data[38:54] == b"image/openraster"  # where the format wants it
    assert (ids(data) == IDS).all()
    assert project_of(data) == PROJECT


def test_another_implementation_opens_it(file: Path) -> None:
    opened = Ora.load(str(file))
    assert opened.dimensions == IDS.shape[::-1]
    layers = {layer.name: layer for layer in opened.children}
    assert set(layers) == {"sky", "clouds", "tree", "grass", "sea", PHOTOGRAPH}
    sea = np.asarray(layers["sea"].get_image_data().convert("RGBA"))
    assert ((sea[..., 3] == 255) == (IDS == 11)).all()
    assert (sea[IDS == 11][:, :3] == PALETTE.colors()[11]).all()
    photo = np.asarray(layers[PHOTOGRAPH].get_image_data().convert("RGB"))
    assert (photo == PHOTO.pixels).all()
    merged = np.asarray(opened.get_image_data(use_original=False).convert("RGB"))  # it lays the layers itself
    assert (merged == PHOTO.pixels).all()


def test_what_another_program_has_painted_comes_back(file: Path, tmp_path: Path) -> None:
    """A new layer in a group, moved, over the others; a hidden one is not seen; the project is gone."""
    opened = Ora.load(str(file))
    patch = Image.new("RGBA", (10, 8), (*map(int, PALETTE.colors()[9]), 255))
    opened.add_group("extra")
    opened.add_layer(patch, path="extra/stones", offsets=(5, 30))
    hidden = opened.add_layer(Image.new("RGBA", IDS.shape[::-1], "white"), path="paper")
    hidden.visible = False
    opened.save(str(tmp_path / "edited.ora"))
    data = (tmp_path / "edited.ora").read_bytes()
    expected = IDS.copy()
    expected[30:38, 5:15] = 9
    assert is_openraster(data)
    assert (ids(data) == expected).all()
    assert project_of(data) is None


def drawn() -> list[Drawn]:
    """Sky and sea, trees over them, and rocks that are hidden."""
    below, above = np.zeros_like(IDS), np.full_like(IDS, 254)
    below[20:] = 11
    above[10:30, 10:20] = 4
    rocks = np.where(above == 4, 9, above)
    return [
        Drawn("Background", below, np.ones(IDS.shape, bool), locked=True),
        Drawn("Middle", above, above != 254),
        Drawn("Foreground", rocks, rocks != 254, hidden=True),
    ]


def test_drawn_layers_are_groups(tmp_path: Path) -> None:
    """Another implementation sees them, and those of a file that it has saved are found again."""
    below, above, _ = drawn()
    seen = np.where(above.there, above.ids, below.ids)
    path = tmp_path / "lake.ora"
    path.write_bytes(write(LabelMap(seen, PALETTE), PHOTO, PROJECT, drawn()))
    assert (ids(path.read_bytes()) == seen).all()
    opened = Ora.load(str(path))
    groups = {each.name: [layer.name for layer in each.children] for each in opened.children[1:]}
    assert groups == {"Foreground": ["rock"], "Middle": ["tree"], "Background": ["sea", "sky"]}
    merged = np.asarray(opened.get_image_data(use_original=False).convert("RGB"))
    assert (merged == PHOTO.pixels).all()
    patch = Image.new("RGBA", (10, 8), (*map(int, PALETTE.colors()[5]), 255))
    opened.add_layer(patch, path="bush", offsets=(30, 2))
    opened.save(str(tmp_path / "edited.ora"))
    for file, loose in ((path, []), (tmp_path / "edited.ora", ["bush"])):
        found = groups_of(file.read_bytes())
        names = [group.name for group, _ in found]
        assert names == ["Background", "Middle", "Foreground", *loose]
        assert [group.hidden for group, _ in found][:3] == [False, False, True]
        for (_, sheet), each in zip(found, drawn(), strict=False):
            assert ((sheet[..., 3] > 0) == each.there).all()
            assert (sheet[each.there][:, :3] == PALETTE.colors()[each.ids[each.there]]).all()
    assert [group.locked for group, _ in groups_of(path.read_bytes())] == [True, False, False]


def test_a_file_without_groups_has_none(file: Path) -> None:
    assert groups_of(file.read_bytes()) == []


@pytest.mark.parametrize(("x", "y"), [(-4, -3), (44, 36), (-100, 0), (0, 100)])
def test_layers_beyond_the_edge(x: int, y: int) -> None:
    layer = io.BytesIO()
    Image.new("RGBA", (10, 8), (*map(int, PALETTE.colors()[9]), 255)).save(layer, "PNG")
    above, below = f'<layer src="a.png" x="{x}" y="{y}"/>', '<layer src="data/0.png"/>'
    stack = f'<image w="48" h="40"><stack>{above}{below}</stack></image>'
    data = changed(stack, {"a.png": layer.getvalue()})
    expected = np.zeros_like(IDS)
    expected[max(0, y) : max(0, y + 8), max(0, x) : max(0, x + 10)] = 9
    seen = np.asarray(Image.open(io.BytesIO(labels_of(data))).convert("RGB"))
    assert ((seen == PALETTE.colors()[9]).all(-1) == (expected == 9)).all()


def changed(stack: str, more: dict[str, bytes]) -> bytes:
    """Our file with another stack.xml."""
    out = io.BytesIO()
    data = write(LabelMap(IDS, PALETTE), PHOTO, PROJECT)
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, stack if name == "stack.xml" else old.read(name))
        for name, content in more.items():
            new.writestr(name, content)
    return out.getvalue()


BAD = {
    "<image": "damaged stack.xml",
    '<image w="x" h="2"/>': "damaged stack.xml",
    '<image w="1e9" h="2"/>': "8192 a side",
    '<image w="9" h="9"><stack><layer/></stack></image>': "lacks a layer",
    '<image w="9" h="9"><stack><layer src="stack.xml"/></stack></image>': "cannot be read",
}


@pytest.mark.parametrize("stack", BAD)
def test_a_damaged_file_is_a_sentence(stack: str) -> None:
    with pytest.raises(ValueError, match=BAD[stack]) as caught:
        labels_of(changed(stack, {}))
    assert ": " in str(caught.value)


def test_half_a_file_is_a_sentence(file: Path) -> None:
    with pytest.raises(ValueError, match="damaged: save it again"):
        labels_of(file.read_bytes()[:300])
