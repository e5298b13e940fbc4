"""Damaged and odd files: one sentence of ours, and no word of a library's on the terminal."""

import io
import subprocess
import sys
import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tifffile
from misread import LANDSCAPE, colors, file_of, truth
from PIL import Image

from spadework.picture import Picture
from spadework.sketch.opening import Policy, open_map
from spadework.sketch.raster import read_raster

PACKED = ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "tiff_deflate", "group4")


def damaged() -> list[bytes]:
    """TIFFs with a byte changed every so often, from their tags to their pixels."""
    files = [
        file_of(Image.fromarray(truth() > 3) if packed == "group4" else truth(), "TIFF", compression=packed)
        for packed in PACKED
    ]
    odd = []
    for file in files:
        for at in range(4, len(file), max(1, len(file) // 60)):
            odd.append(file[:at] + bytes([file[at] ^ 0x5A]) + file[at + 1 :])
        odd.append(file[: len(file) * 2 // 3])
    return odd


def read_all(data: bytes) -> None:
    """By every reader; a refusal is fine."""
    for policy in Policy:
        with suppress(ValueError):
            open_map(data, LANDSCAPE, policy, name="a.tif")
    with suppress(ValueError):
        Picture.from_bytes(data, "a.tif")


@pytest.mark.filterwarnings("ignore::UserWarning")  # pytest takes away the filter that we set
def test_libraries_print_nothing_of_damaged_files(capfd: pytest.CaptureFixture[str]) -> None:
    for data in damaged():
        read_all(data)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30, 0.5, -1, 256, 70000, 257 * 300])
@pytest.mark.parametrize("kind", ["f4", "i4"])
def test_no_number_makes_a_library_warn(kind: str, value: float, capfd: pytest.CaptureFixture[str]) -> None:
    for everywhere in (True, False):
        ids = truth().astype("f8")
        ids[slice(None) if everywhere else slice(0, 5)] = value
        with warnings.catch_warnings(), np.errstate(invalid="ignore"):
            warnings.simplefilter("ignore")
            samples = ids.astype(kind)
        out = io.BytesIO()
        tifffile.imwrite(out, samples)
        read_all(out.getvalue())
        read_raster(out.getvalue(), "a.tif").rgb()
    assert capfd.readouterr() == ("", "")


def test_what_pillow_warns_of_and_logs_is_not_printed(tmp_path: Path) -> None:
    """In a process of its own: pytest keeps warnings and logs to itself."""
    out = bytearray(file_of(colors(), "TIFF"))
    out[out.index(b"\x15\x01\x03\x00") + 8] = 17  # samples per pixel
    (tmp_path / "logs.tif").write_bytes(out)
    (tmp_path / "warns.tif").write_bytes(file_of(truth(), "TIFF")[:-20])
    for name in ("logs.tif", "warns.tif"):
        script = "import sys; from spadework.cli import main; sys.argv[1:] = ['label', 'NAME']; main()"
        words = [sys.executable, "-c", script.replace("NAME", name)]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {name} is ")
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}, {"predictor": True}, {"bigtiff": True}])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_a_bit_that_changed_in_a_packed_tiff_is_seen(kind: str, layout: dict[str, object]) -> None:
    out = io.BytesIO()
    tifffile.imwrite(out, truth().astype(kind), compression="zlib", **layout)
    whole = out.getvalue()
    good = read_raster(whole, "a.tif").samples
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        page = file.pages[0]
        inside = [
            at
            for start, length in zip(page.dataoffsets, page.databytecounts, strict=True)
            for at in range(start, start + length, 7)
        ]
    for at in inside:
        try:
            read = read_raster(whole[:at] + bytes([whole[at] ^ 8]) + whole[at + 1 :], "a.tif").samples
        except ValueError:
            continue
        assert read is not None
        assert np.array_equal(read, good)
