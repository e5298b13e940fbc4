"""One map as files of every kind that people have, and what each door makes of it: a table of spoiled.md."""

import base64
import gzip
import io
import json
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import tifffile
import torch
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps
from tiny_model import write
from typer.testing import CliRunner

from spadework.api.answers import ReadMap
from spadework.api.app import create_api
from spadework.api.shelf import Shelf
from spadework.cli import app
from spadework.content import PNG_SIGNATURE, unwrapped
from spadework.data.folder import PairedFolder
from spadework.sketch.exact import voc_table
from spadework.sketch.palette import Palette

LANDSCAPE = Palette.load("landscape")
MARKS = ("repaired", "unsure")
"""How lines of `label` begin that say what was not as it should be."""

Ids = NDArray[np.uint8]


def truth() -> Ids:
    """(48, 64): sky, mountain, sea, trees and sand."""
    rows, columns = np.mgrid[:48, :64]
    ids = np.zeros((48, 64), np.uint8)
    ids[rows > 20] = 11
    ids[(rows > 10) & (columns > rows + 8) & (rows < 30)] = 2
    ids[(rows > 36) & (columns < 30)] = 10
    ids[(rows > 30) & (columns > 50)] = 4
    return ids


def few(bits: int) -> Ids:
    """The map with ids that fit into so many bits."""
    return truth() % np.uint8(1 << bits)


def file_of(image: Image.Image | NDArray[Any], form: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(out, format=form, **options)
    return out.getvalue()


def png(kind: int, bits: int, rows: list[bytes], size: tuple[int, int] = (48, 64)) -> bytes:
    """A PNG of rows as they are."""
    header = struct.pack(">IIBBBBB", size[1], size[0], bits, kind, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return PNG_SIGNATURE + b"".join(
        chunk(*part) for part in ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    )


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def grey(bits: int) -> bytes:
    """Samples of so many bits, which are the ids."""
    digits = np.unpackbits(few(bits)[..., None], axis=-1)[..., -bits:]
    return png(0, bits, [row.tobytes() for row in np.packbits(digits.reshape(48, -1), axis=-1)])


def colors() -> NDArray[np.uint8]:
    return LANDSCAPE.colorize(truth())


def indexed(table: NDArray[np.uint8], ids: Ids | None = None) -> Image.Image:
    image = Image.fromarray(truth() if ids is None else ids)
    image.putpalette(table.tobytes())
    return image


def renumbered() -> Image.Image:
    """Colours of the palette in a table as a drawing program makes it."""
    used, numbers = np.unique(truth(), return_inverse=True)
    order = np.roll(np.arange(len(used)), 2)
    table = np.zeros((256, 3), np.uint8)
    table[order] = LANDSCAPE.colors()[used]
    return indexed(table, order[numbers].reshape(48, 64).astype(np.uint8))


def as_indices_of_greys() -> bytes:
    """What oxipng and others make of greys: indices of those that occur."""
    used, numbers = np.unique(truth(), return_inverse=True)
    table = np.zeros((256, 3), np.uint8)
    table[: len(used)] = used[:, None]
    return file_of(indexed(table, numbers.reshape(48, 64).astype(np.uint8)), bits=4)


def turned(orientation: int) -> bytes:
    """Stored lying, with the EXIF orientation that sets it upright."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = {3: colors()[::-1, ::-1], 6: np.rot90(colors()), 8: np.rot90(colors(), -1)}[orientation]
    return file_of(np.ascontiguousarray(stored), exif=exif)


def profile() -> bytes:
    """An ICC profile with a wide gamut and a gamma of 2.2, as Adobe RGB."""

    def number(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def point(*xyz: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(map(number, xyz))

    text = b"wide"
    described = b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" + bytes(78)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256))
    tags = {
        b"desc": described,
        b"cprt": b"text\0\0\0\0free\0",
        b"wtpt": point(0.9642, 1, 0.8249),
        b"rXYZ": point(0.6097, 0.3111, 0.0195),
        b"gXYZ": point(0.2053, 0.6257, 0.0609),
        b"bXYZ": point(0.1492, 0.0632, 0.7446),
        **{name: curve for name in (b"rTRC", b"gTRC", b"bTRC")},
    }
    table, body, at = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", at + len(body), len(content))
        body += content
    head = struct.pack(">I4sI4s4s4s", 0, b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp"
    head = head + bytes(28) + number(0.9642) + number(1) + number(0.8249)
    whole = head + bytes(128 - len(head)) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def in_wide_colors() -> bytes:
    wide = ImageCms.profileToProfile(
        Image.fromarray(colors()), ImageCms.createProfile("sRGB"), io.BytesIO(profile()), outputMode="RGB"
    )
    assert wide is not None
    return file_of(wide, icc_profile=profile())


def with_broken_profile() -> bytes:
    whole = bytearray(file_of(colors(), icc_profile=profile()))
    whole[whole.index(b"iCCP") + 60] ^= 255
    return bytes(whole)


def nodata(kind: str, value: float) -> bytes:
    ids = truth().astype(kind)
    ids[:5, :20] = value
    return file_of(Image.fromarray(ids.astype(np.int32) if kind != "f4" else ids), "TIFF")


def half_transparent() -> bytes:
    alpha = np.full((48, 64, 1), 255, np.uint8)
    alpha[:3, :3] = 60
    return file_of(np.concatenate([colors(), alpha], -1))


def segments() -> NDArray[np.uint32]:
    """(H, W) ids of segments as COCO numbers them, one for each class."""
    return truth().astype(np.uint32) * 401_111 + 3_226_756


def panoptic() -> bytes:
    numbers = segments()
    return file_of(np.stack([numbers & 255, numbers >> 8 & 255, numbers >> 16], -1).astype(np.uint8))


COCO = {0: "sky-other-merged", 2: "mountain-merged", 4: "tree-merged", 10: "sand", 11: "sea"}
"""What COCO calls the classes of the map."""


def panoptic_json(name: str = "a.png", names: dict[int, str] = COCO) -> bytes:
    """What COCO has beside its panoptic maps."""
    parts = [
        {"id": int(segments()[truth() == id][0]), "category_id": 100 + id, "iscrowd": 0, "area": 9}
        for id in names
    ]
    categories = [{"id": 100 + id, "name": name, "isthing": 0} for id, name in names.items()]
    annotations = [{"file_name": "b.png", "segments_info": []}, {"file_name": name, "segments_info": parts}]
    return json.dumps({"annotations": annotations, "categories": categories}).encode()


FULL = {0: 2420, 2: 1610, 4: 2855, 10: 2212, 11: 2264}
"""The numbers of the classes of the map among the 3,000 of ADE20K."""


def full_ade20k(numbers: dict[int, int] = FULL) -> bytes:
    table = np.zeros(256, np.uint16)
    table[list(numbers)] = list(numbers.values())
    shown = table[truth()]
    return file_of(np.stack([shown // 256 * 10, shown % 256, truth() % 2 * 255], -1).astype(np.uint8))


def cityscapes() -> bytes:
    """In the colours of Cityscapes' own colour files: sky, vegetation and road."""
    palette = Palette.load("cityscapes")
    names = np.array([palette.id_of(name) for name in ("sky", "vegetation", "road")], np.uint8)
    return file_of(Image.fromarray(palette.colorize(names[truth() % 3])).convert("RGBA"))


def smooth(filter: Image.Resampling) -> bytes:
    return file_of(Image.fromarray(colors()).resize((128, 96), filter))


def noise(size: tuple[int, int] = (48, 64)) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)


def form() -> bytes:
    head = b'--mark\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'
    return head + file_of(colors()) + b"\r\n--mark--\r\n"


def bomb() -> bytes:
    return png(0, 8, [], (60_000, 60_000))


def spot(value: object) -> Callable[[], bytes]:
    """The ids, or the colours where the value is one, with a small spot of a value."""

    def make() -> bytes:
        pixels = colors() if isinstance(value, tuple) else truth()
        pixels[:2, :3] = value
        return file_of(pixels)

    return make


def mask(top: int) -> Ids:
    return np.where(truth() > 2, top, 0).astype(np.uint8)


def counted_from_1() -> Ids:
    return np.resize(np.arange(1, 16, dtype=np.uint8), (48, 64))


class Runs:
    """Pickled, it would run a command."""

    def __reduce__(self) -> tuple:
        return os.system, ("touch exploded",)


def weights(value: object = 1.0) -> bytes:
    """As torch saves them."""
    out = io.BytesIO()
    torch.save({"fc.weight": torch.zeros(4, 4), "value": value}, out)
    return out.getvalue()


def archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("../../evil.pth"), io.BytesIO(b""))
    return out.getvalue()


def tif(array: NDArray[Any], no_data: object = None, **options: Any) -> bytes:
    """As programs of GIS and microscopes write it."""
    out = io.BytesIO()
    tags = [] if no_data is None else [(42113, "s", 0, str(no_data), True)]
    tifffile.imwrite(out, array, extratags=tags, **options)
    return out.getvalue()


def holed(kind: str, value: float) -> NDArray[Any]:
    """The ids with a value on the sand."""
    return np.where(truth() == 10, value, truth().astype(float)).astype(kind)


def pages(*arrays: NDArray[Any]) -> bytes:
    first, *more = map(Image.fromarray, arrays)
    return file_of(first, "TIFF", save_all=True, append_images=more)


def with_overviews() -> bytes:
    """A page and its smaller copies, which are marked as such."""
    out = io.BytesIO()
    with tifffile.TiffWriter(out) as writer:
        writer.write(truth())
        writer.write(truth()[::2, ::2], subfiletype=1)
        writer.write(truth()[::4, ::4], subfiletype=1)
    return out.getvalue()


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.png", file_of(truth()))
    return out.getvalue()


def base64_of(data: bytes, quote: bytes = b"") -> Callable[[], bytes]:
    return lambda: quote + base64.b64encode(data) + quote


def one_hot() -> bytes:
    """A mask for each of three classes, in red, green and blue."""
    return file_of(np.stack([(truth() == id) * np.uint8(255) for id in (0, 2, 4)], -1))


@dataclass(frozen=True)
class Misread:
    """A file, its ending and what it shows; `right`: doors that repair nothing read it, else they refuse."""

    make: Callable[[], bytes]
    right: bool = True
    shows: Callable[[], Ids] = truth
    ending: str = ".png"
    beside: Callable[[], dict[str, bytes]] = dict  # files that lie in its folder


def right(make: Callable[[], bytes], **more: Any) -> Misread:
    return Misread(make, **more)


def wrong(make: Callable[[], bytes], **more: Any) -> Misread:
    return Misread(make, right=False, **more)


SPOILT: dict[str, Misread] = {
    "an empty file": wrong(lambda: b""),
    "no picture at all": wrong(lambda: b"hello"),
    "a photograph as the sketch": wrong(lambda: file_of(noise())),
    "a JPEG as the sketch": wrong(lambda: file_of(colors(), "JPEG", quality=90), ending=".jpg"),
    "a colour of no class": wrong(spot((200, 30, 30))),
    "ids of no class": wrong(spot(77)),
    "8 bits scaled to 16": wrong(lambda: file_of(truth().astype(np.uint16) * 257)),
    "saved with a wrong gamma": wrong(
        lambda: file_of((255 * (colors() / 255) ** 2.2).round().astype(np.uint8))
    ),
    "a 0/255 mask": right(lambda: file_of(mask(255)), shows=lambda: mask(255)),
    "more classes than stated": wrong(lambda: file_of(mask(20))),
    "a colour map given as ids": right(lambda: file_of(colors())),
    "photos and maps swapped": wrong(lambda: file_of(noise((96, 96)))),
    "ids that start at 1": wrong(lambda: file_of(counted_from_1())),
    "184 classes stated for 184 channels": right(lambda: file_of(truth())),
    "the wrong preset": wrong(weights, ending=".pth"),
    "a truncated .pth": wrong(lambda: weights()[:700], ending=".pth"),
    "a pickle that runs code": wrong(lambda: weights(Runs()), ending=".pth"),
    "an archive that writes elsewhere": wrong(archive, ending=".tar"),
}
"""The files of the table of sentences, which are the same to every door."""

FILES: dict[str, Misread] = SPOILT | {
    "ids, greys of 8 bits": right(lambda: file_of(truth())),
    "ids, greys of 4 bits": right(lambda: grey(4), shows=lambda: few(4)),
    "ids, greys of 2 bits": right(lambda: grey(2), shows=lambda: few(2)),
    "ids, greys of 1 bit": right(lambda: grey(1), shows=lambda: few(1)),
    "ids, greys of 16 bits": right(lambda: file_of(truth().astype(np.uint16))),
    "the same, times 257": wrong(lambda: file_of(truth().astype(np.uint16) * 257)),
    "ids with an opaque alpha channel": right(lambda: file_of(Image.fromarray(truth()).convert("LA"))),
    "ids as RGB": wrong(lambda: file_of(Image.fromarray(truth()).convert("RGB"))),
    "ids, PGM of 16 levels": right(
        lambda: b"P5 64 48 15\n" + few(4).tobytes(), shows=lambda: few(4), ending=".pgm"
    ),
    "ids, TIFF": right(lambda: file_of(truth(), "TIFF"), ending=".tif"),
    "ids, TIFF in which 0 is white": wrong(
        lambda: file_of(truth(), "TIFF", tiffinfo={262: 0}), ending=".tif"
    ),
    "ids, floats": right(lambda: file_of(truth().astype(np.float32), "TIFF"), ending=".tif"),
    "ids and fractions": wrong(lambda: nodata("f4", 1.5), ending=".tif"),
    "ids and no data (-9999)": wrong(lambda: nodata("i4", -9999), ending=".tif"),
    "ids and no data (-32768)": wrong(lambda: nodata("i2", -32768), ending=".tif"),
    "ids, JPEG": wrong(lambda: file_of(truth(), "JPEG"), ending=".jpg"),
    "ids, JPEG named .png": wrong(lambda: file_of(truth(), "JPEG")),
    "ids, JPEG inside TIFF": wrong(lambda: file_of(truth(), "TIFF", compression="jpeg"), ending=".tif"),
    "indices, the palette's own table": right(lambda: file_of(indexed(LANDSCAPE.colors()))),
    "indices, its colours in another order": right(lambda: file_of(renumbered())),
    "the same, GIF": right(lambda: file_of(renumbered(), "GIF"), ending=".gif"),
    "the same, BMP": right(lambda: file_of(renumbered(), "BMP"), ending=".bmp"),
    "indices, table of PASCAL VOC": right(lambda: file_of(indexed(voc_table()))),
    "the same, a transparent entry": right(lambda: file_of(indexed(voc_table()), transparency=0)),
    "the same, TIFF of VOC": right(lambda: file_of(indexed(voc_table()), "TIFF"), ending=".tif"),
    "the same, BMP of VOC": right(lambda: file_of(indexed(voc_table()), "BMP"), ending=".bmp"),
    "ids, greys made smaller to indices": wrong(as_indices_of_greys),
    "colours": right(lambda: file_of(colors())),
    "colours, opaque alpha": right(lambda: file_of(Image.fromarray(colors()).convert("RGBA"))),
    "colours, some transparent": wrong(half_transparent),
    "colours, WebP without loss": right(lambda: file_of(colors(), "WEBP", lossless=True), ending=".webp"),
    "colours, WebP with loss": wrong(lambda: file_of(colors(), "WEBP", quality=80), ending=".webp"),
    "colours, JPEG": wrong(lambda: file_of(colors(), "JPEG", quality=90), ending=".jpg"),
    "colours, EXIF orientation 3": right(lambda: turned(3)),
    "colours, EXIF orientation 6": right(lambda: turned(6)),
    "colours, EXIF orientation 8": right(lambda: turned(8)),
    "colours of a wide profile": right(in_wide_colors),
    "colours, broken profile": right(with_broken_profile),
    "colours, 16 bits": wrong(
        lambda: png(2, 16, [row.repeat(2).tobytes() for row in colors().reshape(48, -1)])
    ),
    "colours, off by one": wrong(lambda: file_of(colors() ^ np.uint8(1))),
    "colours, red and blue swapped": wrong(lambda: file_of(np.ascontiguousarray(colors()[..., ::-1]))),
    "colours turned to greys": wrong(lambda: file_of(Image.fromarray(colors()).convert("L"))),
    "COCO panoptic": wrong(panoptic),
    "the same, its JSON beside it": wrong(panoptic, beside=lambda: {"panoptic_val.json": panoptic_json()}),
    "ADE20K full": wrong(full_ade20k),
    "a form around the file": right(form),
    "a data: URL": right(lambda: b"data:image/png;base64," + base64.b64encode(file_of(colors()))),
    "a truncated PNG": wrong(lambda: file_of(colors())[:-40]),
    "60,000 x 60,000 pixels": wrong(bomb),
    "a web page": wrong(lambda: b"<!DOCTYPE html><html>Not found</html>"),
    "a zip archive": wrong(lambda: b"PK\3\4" + bytes(200)),
    "an SVG drawing": wrong(lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', ending=".svg"),
    "ids, signed and big-endian, -1 for none": wrong(lambda: tif(holed(">i2", -1)), ending=".tif"),
    "ids, and NaN for none": wrong(lambda: tif(holed("f4", np.nan), "nan"), ending=".tif"),
    "ids, where 0 is no data": wrong(lambda: tif(truth(), 0), ending=".tif"),
    "ids, where 255 is no data": right(lambda: tif(truth(), 255), ending=".tif"),
    "ids, floats of 64 bits": wrong(lambda: tif(truth().astype(float)), ending=".tif"),
    "ids, BigTIFF in tiles": right(
        lambda: tif(truth(), bigtiff=True, tile=(16, 16), compression="zlib", predictor=True), ending=".tif"
    ),
    "ids, and a band of confidence": right(
        lambda: tif(np.dstack([truth(), truth() * 0 + 200]), extrasamples=["unspecified"]), ending=".tif"
    ),
    "a mask a page": wrong(lambda: pages(truth() == 0, truth() == 2, truth() == 4), ending=".tif"),
    "a thumbnail, then the map": wrong(lambda: pages(truth()[::4, ::4].copy(), truth()), ending=".tif"),
    "a map with overviews": right(with_overviews, ending=".tif"),
    "ids, as negative": wrong(lambda: file_of(255 - truth())),
    "ids, times 10": wrong(lambda: file_of(truth() * 10)),
    "a mask a channel": wrong(one_hot),
    "ids as the colours of PASCAL VOC": wrong(lambda: file_of(voc_table()[truth()])),
    "colours, CMYK without loss": right(
        lambda: file_of(Image.fromarray(colors()).convert("CMYK"), "TIFF"), ending=".tif"
    ),
    "base64": right(base64_of(file_of(colors()))),
    "base64 in quotes": right(base64_of(file_of(colors()), b'"')),
    "base64 of a TIFF": right(base64_of(file_of(truth(), "TIFF"))),
    "Python bytes": wrong(lambda: repr(file_of(colors())).encode()),
    "a PNG that was copied as text": wrong(lambda: file_of(colors()).replace(b"\r\n", b"\n")),
    "a PNG behind the head of an answer": wrong(lambda: b"HTTP/1.1 200 OK\r\n\r\n" + file_of(colors())),
    "a zip of the file": wrong(zipped),
    "the file, gzipped": wrong(lambda: gzip.compress(file_of(colors()))),
    "zeros alone": wrong(lambda: bytes(5000)),
    "a link to a page": wrong(lambda: b"[InternetShortcut]\r\nURL=https://example.org/a.png\r\n"),
    "HEIC": wrong(lambda: b"\0\0\0\x18ftypheic" + bytes(64)),
    "a MATLAB file": wrong(lambda: b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + bytes(200), ending=".mat"),
    "JSON": wrong(lambda: b'{"segmentation": []}', ending=".json"),
}


@dataclass(frozen=True)
class Answer:
    """The ids that a door made of a file, or None, and what it said."""

    ids: Ids | None
    said: tuple[str, ...] = ()

    @property
    def asks(self) -> bool:
        """Whether a person has to choose the palette first."""
        return any("choose the palette" in line for line in self.said)

    def verdict(self, shown: Ids) -> str:
        """For the table; "silent" is what must not be."""
        if self.ids is None:
            return "refused"
        if self.asks:
            return "asks"
        share = float((self.ids == shown).mean()) if self.ids.shape == shown.shape else 0.0
        told = any(line for line in self.said)
        return ("right" if share == 1 else f"{share:.1%}" if told else f"silent, {share:.1%}") + (
            ", told" if told else ""
        )


def by_paint(path: Path) -> Answer:
    engine = seeing_engine()
    with mock.patch("spadework.cli.paint.load", return_value=engine):
        result = CliRunner().invoke(app, ["paint", str(path), "-o", "out"])
    if result.exit_code:
        return Answer(None, (clean(result),))
    lines = [line for line in result.stdout.splitlines() if line.startswith(f"{path.name}: ")]
    return Answer(engine.seen[0], tuple(lines))


def seeing_engine() -> Any:
    """A fake engine that keeps the ids that it was asked to paint."""
    from fake_engine import FakeEngine

    class Seeing(FakeEngine):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[Ids] = []

        def paint(self, ids: Any, *rest: Any, **_: Any) -> Any:
            self.seen.append(ids.ids)
            return super().paint(ids)

    return Seeing()


def by_label(path: Path) -> Answer:
    result = CliRunner().invoke(app, ["label", str(path), "--palette", "landscape", "-o", "ids.png"])
    if result.exit_code:
        return Answer(None, (clean(result),))
    with Image.open("ids.png") as image:
        return Answer(
            np.array(image), tuple(line for line in result.stdout.splitlines() if line.startswith(MARKS))
        )


def clean(result: Any) -> str:
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.stderr.strip()


def data_set(path: Path) -> Path:
    """The file as the label map of a pair; maps in training are called .png, whatever is in them."""
    root = path.parent / f"{path.name}-set"
    for kind in ("images", "labels"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    (root / "labels" / "a.png").write_bytes(path.read_bytes())
    Image.fromarray(noise(size_upright(path))).save(root / "images" / "a.png")
    return root


def size_upright(path: Path) -> tuple[int, int]:
    """(H, W) as it is to be seen, or any size for what is no picture."""
    try:
        with Image.open(io.BytesIO(unwrapped(path.read_bytes()))) as image:
            width, height = ImageOps.exif_transpose(image).size
    except (OSError, SyntaxError, Image.DecompressionBombError):
        return 48, 64
    return height, width


def by_check(path: Path) -> Answer:
    """What `data check` found of each class, spread over a map that has as much of each."""
    root = data_set(path)
    words = ["data", "check", str(root), "--palette", "landscape", "--json", "found.json"]
    result = CliRunner().invoke(app, words)
    clean(result)
    if result.exit_code:
        return Answer(None, (result.stdout,))
    return Answer(PairedFolder(root, short_side=min(size_upright(path)), palette=LANDSCAPE)[0].labels)


def by_train(path: Path) -> Answer:
    try:
        pairs = PairedFolder(data_set(path), short_side=min(size_upright(path)), palette=LANDSCAPE).decode()
        pairs.check_ids(set(LANDSCAPE.ids().tolist()))
    except ValueError as error:
        return Answer(None, (str(error),))
    return Answer(pairs[0].labels)


def by_studio(path: Path) -> Answer:
    asked = {"file": base64.b64encode(path.read_bytes()).decode()}
    answer = studio().post("/v1/labels/import", json=asked)
    told = answer.json()
    if answer.status_code != 200:
        assert answer.status_code in (413, 422), answer.text
        return Answer(None, (f"{told['sentence']}: {told['remedy']}",))
    read = ReadMap.model_validate(told)
    return Answer(read.runs.ids(), read.report)


@cache
def studio() -> TestClient:
    """One that paints nothing."""
    with TemporaryDirectory() as folder:
        shelf = Shelf({"tiny": write(Path(folder) / "tiny.safetensors")})
    return TestClient(create_api(shelf), "http://127.0.0.1:7420")


DOORS: dict[str, Callable[[Path], Answer]] = {
    "paint": by_paint,
    "label": by_label,
    "data check": by_check,
    "train": by_train,
    "studio": by_studio,
}


def answers(name: str) -> dict[str, Answer]:
    """What each door makes of a file of FILES."""
    return answers_to(FILES[name].make(), FILES[name].ending, FILES[name].beside())


def answers_to(data: bytes, ending: str, beside: dict[str, bytes] | None = None) -> dict[str, Answer]:
    """What each door makes of a file, beside which others may lie."""
    with TemporaryDirectory() as folder, chdir(folder):
        path = Path(folder) / f"a{ending}"
        for name, content in {**(beside or {}), path.name: data}.items():
            (path.parent / name).write_bytes(content)
        return {door: ask(path) for door, ask in DOORS.items()}


def table() -> str:
    """In Markdown: every file, and what every door makes of it."""
    lines = [f"| file | {' | '.join(DOORS)} |", f"|---|{'---|' * len(DOORS)}"]
    for name, file in FILES.items():
        shown = file.shows()
        told = [answer.verdict(shown) for answer in answers(name).values()]
        lines.append(f"| {name} | {' | '.join(told)} |")
    return "\n".join(lines)
