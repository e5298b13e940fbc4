"""Photoshop files, as the library that Photoshop's users have reads them."""

import io

import numpy as np
import pytest
from PIL import Image

from spadework.picture import Picture
from spadework.sketch import psd
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.openraster import PHOTOGRAPH, Drawn
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
    monkeypatch.setattr(psd, "can_write", lambda: False)
    with pytest.raises(ValueError, match=r"pip install 'spadework\[psd\]'"):
        psd.write(LabelMap(IDS, PALETTE), PHOTO, [])
