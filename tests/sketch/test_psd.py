"""Photoshop files, as the library that Photoshop's users have reads them."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from spadework.cli import app
from spadework.picture import Picture
from spadework.sketch import psd
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.layered import groups_of
from spadework.sketch.opening import Policy, open_map
from spadework.sketch.openraster import PHOTOGRAPH, Drawn, png_of
from spadework.sketch.palette import Palette

PALETTE = Palette.load("landscape")
IDS = np.repeat(np.array([[0, 1, 4], [6, 11, 4]], np.uint8), 20, 0).repeat(16, 1)
PHOTO = Picture(np.random.default_rng(0).integers(0, 255, (*IDS.shape, 3), np.uint8))


def test_classes_are_layers_and_drawn_layers_groups() -> None:
    tools = pytest.importorskip("psd_tools", reason="psd-tools is not installed")
    whole = np.ones(IDS.shape, bool)
    drawn = [Drawn("Background", IDS, whole), Drawn("Sea", IDS, IDS == 11, hidden=True)]
    for layers in ([], drawn):
        data = psd.write(LabelMap(IDS, PALETTE), PHOTO, layers)
        file = tools.PSDImage.open(io.BytesIO(data))
        assert file.size == IDS.shape[::-1]
        top = list(file)
        assert top[-1].name == PHOTOGRAPH
        assert (np.asarray(top[-1].topil().convert("RGB")) == PHOTO.pixels).all()
        assert (np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) == PHOTO.pixels).all()
        classes = list(top[0]) if layers else top[:-1]
        assert [layer.name for layer in classes] == ["sky", "clouds", "tree", "grass", "sea"]
        sea = np.asarray(classes[-1].topil().convert("RGBA"))
        assert ((sea[..., 3] == 255) == (IDS == 11)).all()
        assert (sea[IDS == 11][:, :3] == PALETTE.colors()[11]).all()
        if layers:
            assert [(each.name, each.visible) for each in top[:2]] == [("Background", True), ("Sea", False)]


def test_without_the_library_there_is_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psd, "has_tools", lambda: False)
    with pytest.raises(ValueError, match=r"pip install 'spadework\[psd\]'"):
        psd.write(LabelMap(IDS, PALETTE), PHOTO, [])


def saved(drawn: list[Drawn]) -> bytes:
    pytest.importorskip("psd_tools", reason="psd-tools is not installed")
    return psd.write(LabelMap(IDS, PALETTE), PHOTO, drawn)


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    """Without the photograph, which lies on top; the groups are those that were drawn."""
    whole = np.ones(IDS.shape, bool)
    drawn = [Drawn("Background", IDS, whole), Drawn("Sea", np.full_like(IDS, 11), IDS == 4, hidden=True)]
    (tmp_path / "lake.psd").write_bytes(saved(drawn))
    words = ["label", str(tmp_path / "lake.psd"), "-o", str(tmp_path / "ids.png")]
    assert CliRunner().invoke(app, words).exit_code == 0
    assert (LabelMap.read(tmp_path / "ids.png", PALETTE).ids == IDS).all()
    for data in (saved([]), saved(drawn)):
        opened = open_map(data, PALETTE, Policy.EDGES)
        assert (opened.sketch.ids == IDS).all()
        assert opened.report == ()
    assert groups_of(saved([])) == []
    (ground, under), (sea, over) = groups_of(saved(drawn))
    assert [(each.name, each.hidden) for each in (ground, sea)] == [("Background", False), ("Sea", True)]
    assert (LabelMap.from_bytes(png_of(under[..., :3]), PALETTE).ids == IDS).all()
    assert ((over[..., 3] == 255) == (IDS == 4)).all()
    assert (over[IDS == 4][:, :3] == PALETTE.colors()[11]).all()


def test_layers_of_another_hand() -> None:
    """Smaller than the sheet, moved out of it, half transparent, hidden, loose between groups."""
    tools = pytest.importorskip("psd_tools", reason="psd-tools is not installed")
    file = tools.PSDImage.new("RGBA", (32, 24))
    colors = PALETTE.colors()

    def layer(id: int, size: tuple[int, int], left: int, top: int, alpha: int = 255):
        pixels = np.full((*size, 4), (*colors[id], alpha), np.uint8)
        return file.create_pixel_layer(Image.fromarray(pixels), str(id), top=top, left=left)

    layer(0, (24, 32), 0, 0)
    layer(4, (10, 10), -4, 20)
    layer(6, (24, 32), 0, 0, alpha=90)
    layer(11, (24, 32), 0, 0).visible = False
    file.create_group([layer(1, (6, 6), 8, 4)], "Cloud")
    out = io.BytesIO()
    file.save(out)
    expected = np.zeros((24, 32), np.uint8)
    expected[20:, :6] = 4
    expected[4:10, 8:14] = 1
    assert (open_map(out.getvalue(), PALETTE, Policy.EDGES).sketch.ids == expected).all()
    assert [group.name for group, _ in groups_of(out.getvalue())] == ["0", "Cloud"]


def test_a_damaged_file_is_refused_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    data = saved([])
    for broken in (data[:40], data[: len(data) // 2], b"8BPS" + bytes(100)):
        with pytest.raises(ValueError, match=r"Photoshop file .*: "):
            open_map(broken, PALETTE, Policy.EDGES)
    monkeypatch.setattr(psd, "MOST_BYTES", 1000)
    with pytest.raises(ValueError, match=r"more than .* MiB: merge some layers"):
        open_map(data, PALETTE, Policy.EDGES)
    monkeypatch.setattr(psd, "has_tools", lambda: False)
    with pytest.raises(ValueError, match=r"which reads PSD: pip install 'spadework\[psd\]'"):
        open_map(data, PALETTE, Policy.EDGES)
