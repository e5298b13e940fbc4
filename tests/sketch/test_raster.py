"""Random maps, written by every library in every mode and depth that it can: read back right, or refused."""

import io
import tempfile
from pathlib import Path
from typing import Any

import cv2
import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from misread import profile
from numpy.typing import NDArray
from PIL import Image, ImageCms

from spadework.decoding import upright
from spadework.sketch.exact import exact_ids, voc_table
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette
from spadework.sketch.raster import read_raster

LANDSCAPE = Palette.load("landscape")
MAPS = [Palette.load(name) for name in ("landscape", "ade20k", "cityscapes19", "gaugan2")]
Ids = NDArray[np.uint8]


@st.composite
def maps(draw: st.DrawFn, most: int = 14) -> Ids:
    """(H, W) ids of 0..most, in blocks or pixel by pixel."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    height, width = draw(st.integers(4, 40)), draw(st.integers(4, 40))
    ids = rng.integers(0, draw(st.integers(0, most)) + 1, (height, width))
    return ids.astype(np.uint8)


def right_or_refused(data: bytes, ids: Ids, palette: Palette | None = LANDSCAPE) -> bool:
    """Whether a file is read. It may be refused, in one sentence, and is never read as anything else."""
    found, said = None, ""
    try:
        found = exact_ids(read_raster(data, "a.png"), palette)
    except ValueError as error:
        said = str(error)
    assert found is not None or len(said) > 20
    assert not [sign for sign in ("\n", "<_io", "object at 0x", "array(") if sign in said]
    assert found is None or np.array_equal(found, ids)
    return found is not None


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format=form, **options)
    return out.getvalue()


def turned(image: Image.Image, orientation: int) -> tuple[Image.Image, dict[str, Any]]:
    """Stored so that the EXIF orientation sets it upright, and the options that say so."""
    if orientation == 1:
        return image, {}
    exif = Image.Exif()
    exif[0x0112] = orientation
    inverse = {6: 8, 8: 6}.get(orientation, orientation)
    lying = Image.new("L", (1, 1))
    back = Image.Exif()
    back[0x0112] = inverse
    lying = Image.open(io.BytesIO(saved(Image.new("L", (2, 2)), "PNG", exif=back)))
    stored = Image.fromarray(np.ascontiguousarray(upright(np.asarray(image), lying)))
    if image.mode == "P":
        stored.putpalette(image.getpalette() or [])
    return stored, {"exif": exif}


GREY = {"L": np.uint8, "I;16": np.uint16, "I": np.int32, "F": np.float32}


@settings(deadline=None)
@given(maps(), st.sampled_from(sorted(GREY)), st.sampled_from(["PNG", "TIFF", "BMP", "GIF", "PPM", "WEBP"]))
def test_greys_of_pillow(ids: Ids, mode: str, form: str) -> None:
    try:
        data = saved(
            Image.fromarray(ids.astype(GREY[mode])), form, **{"lossless": True} if form == "WEBP" else {}
        )
    except (OSError, ValueError):
        return  # pillow does not write this
    read = right_or_refused(data, ids)
    # a GIF leaves out greys that do not occur: where it had to renumber them, either may be the ids
    doubtful = form == "GIF" and sorted(set(ids.flat)) != list(range(int(ids.max()) + 1))
    assert read or doubtful or form == "WEBP" or (form, mode) == ("PPM", "F"), "all others are plain numbers"


@settings(deadline=None)
@given(maps(1), st.sampled_from(["PNG", "TIFF", "BMP", "GIF", "PPM"]), st.sampled_from([None, "group4"]))
def test_bitmaps_of_pillow(ids: Ids, form: str, compression: str | None) -> None:
    options = {"compression": compression} if form == "TIFF" and compression else {}
    data = saved(Image.fromarray(ids.astype(bool)), form, **options)
    read = right_or_refused(data, ids * np.uint8(255) if form == "GIF" else ids)  # pillow writes greys there
    assert read or form == "PPM" or options


@settings(deadline=None)
@given(
    maps(),
    st.sampled_from(["own", "shuffled", "voc", "grey", "noise"]),
    st.sampled_from(["PNG", "TIFF", "BMP", "GIF"]),
    st.sampled_from([1, 3, 6, 8]),
    st.sampled_from([None, 0, 5]),
)
def test_colour_tables(ids: Ids, kind: str, form: str, orientation: int, clear: int | None) -> None:
    order = np.arange(256)
    if kind == "shuffled":
        order = np.random.default_rng(int(ids.sum())).permutation(256)
    tables = {
        "voc": voc_table(),
        "grey": np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, 1),
        "noise": np.random.default_rng(1).integers(1, 31, (256, 3), np.uint8) * np.uint8(8) + np.uint8(1),
    }
    numbers = np.argsort(order).astype(np.uint8)[ids]
    image = Image.fromarray(numbers)
    image.putpalette(tables.get(kind, LANDSCAPE.colors()[order]).tobytes())
    image, options = turned(image, orientation if form == "PNG" else 1)
    if clear is not None and form in ("PNG", "GIF"):
        options["transparency"] = clear
    if form == "GIF":
        options["optimize"] = False
    read = right_or_refused(saved(image, form, **options), ids)
    assert read or clear is not None


@settings(deadline=None)
@given(
    st.sampled_from(MAPS),
    st.data(),
    st.sampled_from(["RGB", "RGBA", "half"]),
    st.sampled_from(["PNG", "TIFF", "BMP", "PPM", "WEBP", "GIF", "JPEG", "QOI"]),
    st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8]),
    st.booleans(),
)
def test_colours(palette: Palette, data: st.DataObject, mode: str, form: str, turn: int, wide: bool) -> None:
    known = palette.ids()
    ids = known[data.draw(maps(len(known) - 1))]
    first = {bytes(palette.colors()[id]): id for id in known[::-1]}
    ids = np.vectorize(lambda id: first[bytes(palette.colors()[id])])(ids).astype(np.uint8)
    image = Image.fromarray(palette.colorize(ids))
    options: dict[str, Any] = {"lossless": True, "exact": True} if form == "WEBP" else {}
    wide = wide and form in ("PNG", "TIFF", "WEBP")
    if wide:
        srgb = ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, srgb, io.BytesIO(profile()), outputMode="RGB") or image
        options["icc_profile"] = profile()
    if mode != "RGB":
        image.putalpha(Image.new("L", image.size, 255))
    if mode == "half":
        image.putpixel((1, 1), (*image.getpixel((1, 1))[:3], 99))  # type: ignore[index,misc]
    image, exif = turned(image, turn if form in ("PNG", "WEBP") else 1)
    try:
        content = saved(image, form, **options, **exif)
    except (OSError, ValueError):
        return
    read = right_or_refused(content, ids, palette)
    plain = form in ("PNG", "WEBP", "TIFF") and mode != "half" and not wide
    assert read or not plain


DTYPES = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]


@settings(deadline=None)
@given(
    maps(),
    st.sampled_from(DTYPES),
    st.sampled_from([None, "zlib", "lzw"]),
    st.sampled_from(["minisblack", "miniswhite", "palette"]),
    st.sampled_from(["<", ">"]),
)
def test_tifffile(ids: Ids, dtype: str, compression: str | None, meaning: str, order: Any) -> None:
    ids = ids & np.uint8(1) if dtype == "bool" else ids
    options: dict[str, Any] = {"photometric": meaning, "compression": compression}
    if meaning == "palette":
        options["colormap"] = (voc_table().T.astype(np.uint16) * 257).copy()
    out = io.BytesIO()
    try:
        tifffile.imwrite(out, ids.astype(dtype), byteorder=order, **options)
    except (ValueError, KeyError, ImportError, TypeError):
        return  # tifffile does not write this
    read = right_or_refused(out.getvalue(), ids)
    assert read or meaning != "minisblack" or dtype not in ("uint8", "uint16", "int32")


@settings(deadline=None)
@given(maps(), st.sampled_from(DTYPES), st.sampled_from([".png", ".tiff", ".bmp", ".pgm", ".webp", ".jp2"]))
def test_opencv(ids: Ids, dtype: str, ending: str) -> None:
    try:
        done, data = cv2.imencode(ending, ids.astype(dtype) if dtype != "bool" else ids)
    except cv2.error:
        return
    if done and len(np.unique(ids)) > 1:
        right_or_refused(data.tobytes(), ids)


@settings(deadline=None)
@given(maps(), st.sampled_from([".png", ".tiff", ".bmp"]))
def test_colours_of_opencv_are_swapped_and_not_taken(ids: Ids, ending: str) -> None:
    done, data = cv2.imencode(ending, LANDSCAPE.colorize(ids))
    assert done
    assert not right_or_refused(data.tobytes(), ids)


@settings(deadline=None)
@given(
    maps(), st.sampled_from(["uint8", "uint16", "bool"]), st.sampled_from([".png", ".tiff", ".bmp", ".gif"])
)
def test_imageio(ids: Ids, dtype: str, ending: str) -> None:
    ids = ids & np.uint8(1) if dtype == "bool" else ids
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{ending}"
        try:
            iio.imwrite(path, ids.astype(dtype))
        except (OSError, ValueError, TypeError, KeyError):
            return
        stored = ids * np.uint8(255) if (dtype, ending) == ("bool", ".gif") else ids
        right_or_refused(path.read_bytes(), stored)


@settings(deadline=None)
@given(maps())
def test_without_a_palette_numbers_are_read_and_colours_are_not(ids: Ids) -> None:
    assert right_or_refused(saved(Image.fromarray(ids), "PNG"), ids, None)
    assert right_or_refused(LabelMap(ids, LANDSCAPE).to_bytes(), ids, None)
    assert not right_or_refused(saved(Image.fromarray(LANDSCAPE.colorize(ids)), "PNG"), ids, None)


def test_indices_in_another_order_are_refused_without_a_palette() -> None:
    ids = np.arange(16, dtype=np.uint8).reshape(4, 4) % 7
    image = Image.fromarray(ids)
    image.putpalette(np.roll(LANDSCAPE.colors()[:15], 4, 0).tobytes())
    with pytest.raises(
        ValueError, match=r"colours of palette landscape in another order.*state palette landscape"
    ):
        exact_ids(read_raster(saved(image, "PNG"), "a.png"), None)
