"""Photos mean the same to training, to test and to --style: one reader."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from misread import profile
from PIL import Image

from spadework.data.folder import PairedFolder
from spadework.nvlabs.data import Entry, read_photo
from spadework.picture import Picture

SIZE = (20, 30)


def noise(*channels: int, dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (*SIZE, *channels), dtype, endpoint=True)


def saved(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(Image.fromarray(np.rot90(noise(3)).copy()), exif=exif)


PHOTOS: dict[str, Callable[[], bytes]] = {
    "rgb": lambda: saved(Image.fromarray(noise(3))),
    "jpeg": lambda: saved(Image.fromarray(noise(3)), "JPEG"),
    "cmyk": lambda: saved(Image.fromarray(noise(3)).convert("CMYK"), "JPEG"),
    "grey": lambda: saved(Image.fromarray(noise())),
    "16-bit": lambda: saved(Image.fromarray(noise(dtype=np.uint16))),
    "transparent": lambda: saved(Image.fromarray(noise(4))),
    "indexed": lambda: saved(Image.fromarray(noise(3)).quantize(16)),
    "turned": turned,
    "wide": lambda: saved(Image.fromarray(noise(3)), icc_profile=profile()),
}


@pytest.mark.parametrize("kind", PHOTOS)
def test_training_sees_what_style_sees(tmp_path: Path, kind: str) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    photo = tmp_path / "images" / "a.png"
    photo.write_bytes(PHOTOS[kind]())
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(tmp_path / "labels" / "a.png")
    style = Picture.read(photo).pixels
    assert style.shape == (*SIZE, 3)
    assert np.ptp(style) > 100
    assert np.array_equal(PairedFolder(tmp_path, short_side=20)[0].image, style)
    tested = read_photo(Entry("a", photo, photo), lambda image, _: image)
    assert tested is not None
    assert np.array_equal(tested, style)


def test_greys_of_16_bits_keep_their_high_byte() -> None:
    expected = np.repeat((noise(dtype=np.uint16) >> 8)[..., None], 3, -1)
    assert np.array_equal(Picture.from_bytes(PHOTOS["16-bit"]()).pixels, expected)


def test_a_wide_profile_makes_colours_stronger() -> None:
    plain, wide = (Picture.from_bytes(PHOTOS[kind]()).pixels.astype(int) for kind in ("rgb", "wide"))
    assert np.ptp(wide, axis=-1).mean() > np.ptp(plain, axis=-1).mean() + 5


def test_transparency_falls_on_white() -> None:
    clear = np.concatenate([noise(3), np.zeros((*SIZE, 1), np.uint8)], -1)
    assert (Picture.from_bytes(saved(Image.fromarray(clear))).pixels == 255).all()
