"""Pictures: pixels, provenance, files."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from spadework.picture import Picture

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.text("abcXYZ019_.-", min_size=1, max_size=69)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height * 99 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)


def file_of(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format=format, **options)
    return out.getvalue()


@settings(deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.dictionaries(KEYS, JSON, max_size=4))
def test_bytes_round_trip(height: int, width: int, provenance: dict[str, Any]) -> None:
    picture = Picture(noise(height, width), provenance)
    assert Picture.from_bytes(picture.to_bytes()) == picture


def test_save_and_read_with_provenance(tmp_path: Path) -> None:
    picture = Picture(noise(3, 5), {"model": "landscape", "seed": 0, "style": None, "labels": ["sky", "sea"]})
    picture.save(tmp_path / "a.png")
    assert Picture.read(tmp_path / "a.png") == picture
    assert os.listdir(tmp_path) == ["a.png"]
    with Image.open(tmp_path / "a.png") as plain:
        assert plain.text["spadework:model"] == '"landscape"'  # type: ignore[attr-defined]
    assert picture.size == (3, 5)


def test_equality_sees_pixels_and_provenance() -> None:
    one = Picture(noise(3, 5), {"seed": 1})
    assert one == Picture(noise(3, 5), {"seed": 1})
    assert one != Picture(noise(3, 5), {"seed": 2})
    assert one != Picture(255 - noise(3, 5), {"seed": 1})
    assert one != "a picture"


def test_chunks_of_others_are_kept_as_words_or_ignored() -> None:
    info = PngImagePlugin.PngInfo()
    for key, value in {"Author": "me", "spadework:note": "no json", "spadework:x": "NaN"}.items():
        info.add_text(key, value)
    data = file_of(Image.fromarray(noise(2, 2)), pnginfo=info)
    assert Picture.from_bytes(data).provenance == {"note": "no json", "x": "NaN"}


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "BMP"])
def test_lossless_formats_read_exactly(format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {}
    data = file_of(Image.fromarray(noise(6, 9)), format, **options)
    assert np.array_equal(Picture.from_bytes(data).pixels, noise(6, 9))


def test_exif_orientation_is_honoured() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to see it upright
    data = file_of(Image.fromarray(noise(4, 7)), "PNG", exif=exif)
    assert np.array_equal(Picture.from_bytes(data).pixels, np.rot90(noise(4, 7), -1))


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK"])
def test_other_modes_become_rgb(mode: str) -> None:
    image = Image.new("RGB", (3, 2), "white").convert(mode)
    data = file_of(image, "TIFF" if mode == "CMYK" else "PNG")
    assert (Picture.from_bytes(data).pixels == 255).all()


def test_sixteen_bit_greys_keep_their_brightness() -> None:
    grey = np.array([[0, 0x80FF, 0xFFFF]], np.uint16)
    assert Picture.from_bytes(file_of(Image.fromarray(grey))).pixels[0, :, 1].tolist() == [0, 0x80, 0xFF]


def test_transparency_falls_on_white() -> None:
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0]]], np.uint8)
    assert Picture.from_bytes(file_of(Image.fromarray(pixels))).pixels.tolist() == [[[10, 20, 30], [255] * 3]]


@pytest.mark.parametrize("pixels", [noise(2, 2)[..., :2], noise(2, 2)[0], noise(2, 2) / 255, noise(2, 2)[:0]])
def test_wrong_arrays_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8"):
        Picture(pixels)


@pytest.mark.parametrize("key", ["", "two words", "ключ", "a" * 70, "a:b"])
def test_wrong_keys_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="use 1 to 69 of the characters"):
        Picture(noise(2, 2), {key: 1})


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, b"bytes", np.float32(1)])
def test_values_that_are_not_json_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"not JSON .*give text, numbers"):
        Picture(noise(2, 2), {"key": value})


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="check the path"):
        Picture.read(tmp_path / "none.jpg")
    with pytest.raises(ValueError, match=r"notes\.txt is not a picture .*give a PNG, JPEG or WebP"):
        Picture.from_bytes(b"hello", name="notes.txt")
    with pytest.raises(ValueError, match=r"pixels of 32 bits: save it again as PNG or JPEG"):
        Picture.from_bytes(file_of(Image.new("F", (2, 2)), "TIFF"))


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_truncated_pictures_are_refused(format: str) -> None:
    data = file_of(Image.fromarray(noise(40, 40)), format)
    for cut in range(1, len(data) // 2, 37):
        with pytest.raises(ValueError, match=r"save or copy it again|give a PNG"):
            Picture.from_bytes(data[:cut])


def test_too_large_pictures_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    with pytest.raises(ValueError, match=r"too many pixels: save it with at most"):
        Picture.from_bytes(file_of(Image.fromarray(noise(3, 4))))


def test_unwritable_destinations(tmp_path: Path) -> None:
    picture = Picture(noise(2, 2))
    with pytest.raises(ValueError, match="create the folder"):
        picture.save(tmp_path / "none" / "a.png")
    with pytest.raises(ValueError, match=r"only PNG is written: name it a\.png"):
        picture.save(tmp_path / "a.jpg")
    assert os.listdir(tmp_path) == []


def test_resize_is_h_before_w_and_keeps_the_provenance() -> None:
    flat = Picture(np.full((8, 6, 3), 90, np.uint8), {"seed": 3})
    small = flat.resize((4, 5))
    assert (small.size, small.provenance) == ((4, 5), {"seed": 3})
    assert (small.pixels == 90).all()
    assert flat.resize(flat.size) == flat
    with pytest.raises(ValueError, match="at least 1x1"):
        flat.resize((0, 5))
