"""Label maps: what is read, what is refused and with which words; the example sketches."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from spadework.content import PNG_SIGNATURE
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Category, Palette

LANDSCAPE = Palette.load("landscape")
BARE = Palette(name="bare", classes=tuple(Category(id=id, name=f"c{id}") for id in (3, 0, 200)))
EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "sketches").glob("*.png"))


def some_ids(height: int = 12, width: int = 9, palette: Palette = LANDSCAPE) -> NDArray[np.uint8]:
    return np.random.default_rng(height * 99 + width).choice(palette.ids(), (height, width))


@st.composite
def label_maps(draw: st.DrawFn) -> LabelMap:
    palette = draw(st.sampled_from([LANDSCAPE, BARE]))
    return LabelMap(some_ids(draw(st.integers(4, 40)), draw(st.integers(4, 40)), palette), palette)


def png_of(image: Image.Image | NDArray[Any], **options: Any) -> bytes:
    out = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(out, format="PNG", **options)
    return out.getvalue()


def read(data: bytes) -> LabelMap:
    return LabelMap.from_bytes(data, LANDSCAPE, name="my.png")


def refusal(data: bytes) -> str:
    with pytest.raises(ValueError, match=r"my\.png") as caught:
        read(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- what is read


@settings(deadline=None)
@given(label_maps())
def test_saved_maps_come_back(sketch: LabelMap) -> None:
    assert LabelMap.from_bytes(sketch.to_bytes(), sketch.palette) == sketch


@settings(deadline=None)
@given(label_maps())
def test_every_legal_form_of_a_map_reads_the_same(sketch: LabelMap) -> None:
    rgb = Image.fromarray(sketch.colorize())
    for image in (Image.fromarray(sketch.ids), rgb):
        assert LabelMap.from_bytes(png_of(image), sketch.palette) == sketch


@settings(deadline=None)
@given(label_maps(), st.randoms())
def test_colours_of_an_indexed_map_decide_in_any_order(sketch: LabelMap, random: Any) -> None:
    order = list(range(256))
    random.shuffle(order)
    numbers = np.array(order, np.uint8)
    shuffled = Image.fromarray(numbers[sketch.ids])
    shuffled.putpalette(sketch.palette.colors()[np.argsort(numbers)].tobytes())
    assert LabelMap.from_bytes(png_of(shuffled), sketch.palette) == sketch


@settings(deadline=None)
@given(label_maps())
def test_indices_count_when_the_colour_table_is_not_the_palette(sketch: LabelMap) -> None:
    grey = Image.fromarray(sketch.ids)
    grey.putpalette([value for level in range(256) for value in (level, level, level)])
    assert LabelMap.from_bytes(png_of(grey), sketch.palette) == sketch


def test_few_colours_packed_into_few_bits_are_read() -> None:
    four = Image.fromarray(np.tile(np.array([0, 1, 2, 3], np.uint8), (4, 1)))
    four.putpalette(LANDSCAPE.colors()[[6, 0, 13, 255]].tobytes())
    data = png_of(four, bits=2)
    assert data[24] == 2
    assert read(data).ids[0].tolist() == [6, 0, 13, 255]


def test_save_and_read(tmp_path: Path) -> None:
    sketch = LabelMap(some_ids(), LANDSCAPE)
    sketch.save(tmp_path / "a.png")
    assert LabelMap.read(tmp_path / "a.png", LANDSCAPE) == sketch
    assert os.listdir(tmp_path) == ["a.png"]
    with Image.open(tmp_path / "a.png") as plain:
        assert plain.mode == "P"
        assert np.array_equal(np.asarray(plain.convert("RGB")), sketch.colorize())


def test_of_an_animation_the_first_frame_counts() -> None:
    first, second = (Image.fromarray(LANDSCAPE.colorize(some_ids()[::step])) for step in (1, -1))
    data = png_of(first, save_all=True, append_images=[second])
    assert Image.open(io.BytesIO(data)).n_frames == 2  # type: ignore[attr-defined]
    assert np.array_equal(read(data).ids, some_ids())


def chunked(ids: NDArray[np.uint8], interlace: int, pixels: bytes) -> bytes:
    """A greyscale PNG of that size around compressed pixels."""
    return png_file(struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], 8, 0, 0, 0, interlace), pixels)


def grey_png(ids: NDArray[np.uint8], bits: int) -> bytes:
    """A greyscale PNG whose samples of so many bits are the ids."""
    header = struct.pack(">IIBBBBB", ids.shape[1], ids.shape[0], bits, 0, 0, 0, 0)
    digits = np.unpackbits(ids.astype(">u2").view(np.uint8).reshape(*ids.shape, 2), axis=-1)[..., -bits:]
    rows = np.packbits(digits.reshape(len(ids), -1), axis=-1)
    return png_file(header, zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows)))


def png_file(header: bytes, pixels: bytes) -> bytes:
    """The chunks of a PNG."""
    chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def interlaced(ids: NDArray[np.uint8]) -> bytes:
    """A PNG in Adam7 order, which pillow reads but does not write."""
    steps = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)]
    passes = [ids[row::down, column::right] for row, down, column, right in steps]
    scan = b"".join(b"\0" + row.tobytes() for part in passes if part.size for row in part)
    return chunked(ids, 1, zlib.compress(scan))


def test_interlaced_files_are_read() -> None:
    assert np.array_equal(read(interlaced(some_ids())).ids, some_ids())


def test_the_smallest_and_the_longest_side_are_allowed() -> None:
    assert read(png_of(np.zeros((4, 8192), np.uint8))).size == (4, 8192)


# ---- what is refused


def test_files_that_are_no_png(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="check the path"):
        LabelMap.read(tmp_path / "none.png", LANDSCAPE)
    assert "give a sketch saved as PNG" in refusal(b"hello")
    jpeg = io.BytesIO()
    Image.new("RGB", (8, 8)).save(jpeg, "JPEG")
    assert "is a JPEG picture, not a PNG: save a sketch as PNG" in refusal(jpeg.getvalue())
    assert "--style" in refusal(jpeg.getvalue())


@pytest.mark.parametrize("image", [some_ids(), LANDSCAPE.colorize(some_ids())], ids=["ids", "colours"])
def test_truncated_files_are_refused_wherever_they_end(image: NDArray[np.uint8]) -> None:
    data = png_of(image)
    for length in range(len(PNG_SIGNATURE), len(data)):
        text = refusal(data[:length])
        assert "truncated PNG" in text
        assert "save or copy it again" in text


def test_one_wrong_byte_anywhere_is_noticed() -> None:
    data = bytearray(png_of(some_ids()))
    for at in range(len(data)):
        data[at] ^= 0x55
        assert refusal(bytes(data))
        data[at] ^= 0x55
    assert np.array_equal(read(bytes(data)).ids, some_ids())


def test_checksums_do_not_hide_broken_pixels() -> None:
    whole, broken = zlib.compress(some_ids().tobytes()), zlib.compress(b"too few")
    assert "damaged or truncated PNG (" in refusal(chunked(some_ids(), 0, broken))
    assert "damaged or truncated PNG (" in refusal(chunked(some_ids(), 0, whole[:9]))
    end_mark = png_of(some_ids())[-12:]
    assert "damaged or truncated PNG (" in refusal(PNG_SIGNATURE + end_mark)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_samples_of_every_bit_depth_are_ids(bits: int) -> None:
    ids = some_ids() % np.uint8(min(15, 1 << bits))
    assert np.array_equal(read(grey_png(ids, bits)).ids, ids)


def test_ids_scaled_to_16_bits_are_refused() -> None:
    scaled = Image.fromarray(some_ids().astype(np.uint16) * 257)
    assert "ids times 257: 8 bits, scaled to 16" in refusal(png_of(scaled))


@pytest.mark.parametrize("kind", [2, 4, 6])
def test_16_bits_of_which_half_cannot_be_seen_are_refused(kind: int) -> None:
    channels = {2: 3, 4: 2, 6: 4}[kind]
    rows = b"".join(b"\0" + bytes(2 * channels * 9) for _ in range(12))
    header = struct.pack(">IIBBBBB", 9, 12, 16, kind, 0, 0, 0)
    assert "16-bit" in refusal(png_file(header, zlib.compress(rows)))


@pytest.mark.parametrize(("height", "width"), [(3, 9), (9, 3), (8193, 4), (4, 8193)])
def test_sizes_out_of_range(height: int, width: int) -> None:
    text = refusal(png_of(np.zeros((height, width), np.uint8)))
    assert f"is {width}x{height} pixels (width x height): resize it to 4..8192" in text


def test_transparent_pixels() -> None:
    rgb = Image.fromarray(LANDSCAPE.colorize(some_ids()))
    assert np.array_equal(read(png_of(rgb.convert("RGBA"))).ids, some_ids())
    assert np.array_equal(read(png_of(Image.fromarray(some_ids()).convert("LA"))).ids, some_ids())
    half = rgb.convert("RGBA")
    half.putpixel((3, 4), (0, 0, 0, 128))
    assert (
        "has 1 transparent pixels, and each needs a class: put a layer in a class colour behind"
        in refusal(png_of(half))
    )
    assert "transparent pixels" in refusal(png_of(some_ids(), transparency=int(some_ids()[0, 0])))


def test_ids_outside_the_palette() -> None:
    ids = some_ids()
    ids[0, :3], ids[1, 0] = 77, 15
    text = refusal(png_of(ids))
    assert "id 77 on 3 px (and 1 more such ids) is not in palette landscape" in text
    assert "allowed are 0..14 and 255 (unknown); give those pixels one of these ids" in text


def test_colours_outside_the_palette() -> None:
    picture = LANDSCAPE.colorize(some_ids())
    picture[0, :5] = [0x5C, 0x9E, 0xF1]
    text = refusal(png_of(picture))
    assert "colour #5c9ef1 on 5 px is not in palette landscape; the nearest class is sky #5c9ef0" in text
    assert "without anti-aliasing" in text
    picture[5, 0] = 1
    assert "#5c9ef1 on 5 px (and 1 more such colours)" in refusal(png_of(picture))
    assert "#5c9ef1 on 5 px (and 1 more" in refusal(png_of(Image.fromarray(picture).quantize(256)))


@pytest.mark.parametrize(
    "form",
    [
        lambda photo: photo,
        lambda photo: photo.convert("L"),
        lambda photo: photo.quantize(255),
    ],
)
def test_photographs(form: Callable[[Image.Image], Image.Image]) -> None:
    rows, columns = np.mgrid[0:64, 0:64].astype(np.uint8)
    photo = Image.fromarray(np.dstack([rows * 4, columns * 4, rows + columns]))
    text = refusal(png_of(form(photo)))
    assert "looks like a photograph" in text
    assert "pass it with --style" in text


def test_an_antialiased_sketch_is_no_photograph() -> None:
    small = Image.fromarray(LANDSCAPE.colorize(some_ids(6, 6)))
    smooth = np.asarray(small.resize((96, 96), Image.Resampling.BICUBIC)).copy()
    smooth[48:] = LANDSCAPE.colors()[0]
    text = refusal(png_of(smooth))
    assert "photograph" not in text
    assert "anti-aliasing" in text


def test_unwritable_destinations(tmp_path: Path) -> None:
    sketch = LabelMap(some_ids(), LANDSCAPE)
    with pytest.raises(ValueError, match="create the folder"):
        sketch.save(tmp_path / "none" / "a.png")
    with pytest.raises(ValueError, match=r"only PNG is written: name it a\.png"):
        sketch.save(tmp_path / "a.jpeg")
    assert os.listdir(tmp_path) == []


# ---- the thing itself


@pytest.mark.parametrize("ids", [some_ids().astype(np.int64), some_ids()[0], some_ids()[..., None]])
def test_wrong_arrays(ids: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match=r"expected \(H, W\) uint8.*astype"):
        LabelMap(ids, LANDSCAPE)


def test_wrong_ids_sizes_and_instances() -> None:
    with pytest.raises(ValueError, match=r"id 1 on 16 px .* allowed are 0, 3, 200"):
        LabelMap(np.ones((4, 4), np.uint8), BARE)
    with pytest.raises(ValueError, match="resize it"):
        LabelMap(np.zeros((3, 4), np.uint8), LANDSCAPE)
    for instances in (np.zeros((9, 12), int), np.zeros((12, 9))):
        with pytest.raises(ValueError, match=r"expected \(12, 9\) integers"):
            LabelMap(some_ids(), LANDSCAPE, instances)


def test_equality_sees_ids_palette_and_instances() -> None:
    ids = np.zeros((4, 4), np.uint8)
    plain, numbered = LabelMap(ids, LANDSCAPE), LabelMap(ids, LANDSCAPE, np.zeros((4, 4), int))
    assert plain == LabelMap(ids.copy(), LANDSCAPE)
    assert numbered == LabelMap(ids, LANDSCAPE, np.zeros((4, 4), int))
    for other in (LabelMap(ids + 1, LANDSCAPE), LabelMap(ids, BARE), numbered, "a map"):
        assert plain != other
    assert numbered != LabelMap(ids, LANDSCAPE, np.ones((4, 4), int))


@settings(deadline=None)
@given(label_maps())
def test_counts_are_shares_of_what_occurs(sketch: LabelMap) -> None:
    counts = sketch.counts()
    assert sum(counts.values()) == pytest.approx(1)
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    for name, share in counts.items():
        assert share == (sketch.ids == sketch.palette.id_of(name)).mean() > 0


@settings(deadline=None)
@given(label_maps(), st.integers(4, 60), st.integers(4, 60))
def test_resize_takes_the_pixel_under_each_centre(sketch: LabelMap, height: int, width: int) -> None:
    resized = sketch.resize((height, width))
    assert resized.size == (height, width)
    for row, column in [(0, 0), (height - 1, width - 1), (height // 2, width // 3)]:
        source = int((row + 0.5) * sketch.size[0] / height), int((column + 0.5) * sketch.size[1] / width)
        assert resized.ids[row, column] == sketch.ids[source]
    assert sketch.resize(sketch.size) == sketch


def test_resize_takes_the_instances_along() -> None:
    sketch = LabelMap(some_ids(), LANDSCAPE, np.arange(108).reshape(12, 9))
    assert np.array_equal(sketch.resize((24, 18)).instances, sketch.instances.repeat(2, 0).repeat(2, 1))
    with pytest.raises(ValueError, match=r"resize it to 4\.\.8192"):
        sketch.resize((3, 9))


# ---- the example sketches


def test_there_are_at_least_eight_examples_two_of_them_wide() -> None:
    sizes = [LabelMap.read(path, LANDSCAPE).size for path in EXAMPLES]
    assert len(sizes) >= 8
    assert sum(width > height for height, width in sizes) >= 2


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_whole_bold_sketches(path: Path) -> None:
    sketch = LabelMap.read(path, LANDSCAPE)
    height, width = sketch.size
    assert min(height, width) == 256
    assert (height % 32, width % 32) == (0, 0)
    assert 3 <= len(sketch.counts()) <= 8
    assert "unknown" not in sketch.counts()
    above = np.isin(sketch.ids, [LANDSCAPE.id_of("sky"), LANDSCAPE.id_of("clouds")])
    assert above[0].any()
    assert not above[-1].any(), "the sky is above the ground"
    changes = (sketch.ids[:, 1:] != sketch.ids[:, :-1]).mean()
    assert changes < 0.06, "regions are bold: few neighbours differ"
