"""Spoiled sketches: what is repaired comes out as it was, with a sentence; the rest is refused with one."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from spadework.cli import app
from spadework.sketch.opening import Policy, open_map
from spadework.sketch.palette import Palette
from spadework.sketch.repair import from_bytes

LANDSCAPE = Palette.load("landscape")


def ids() -> np.ndarray:
    rows, columns = np.mgrid[:48, :64]
    truth = np.zeros((48, 64), np.uint8)
    truth[rows > 20] = 11
    truth[(rows > 10) & (columns > rows)] = 2
    return truth


def encoded(array: np.ndarray, form: str = "PNG", mode: str | None = None, **options: object) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(out, format=form, **options)
    return out.getvalue()


def colors() -> np.ndarray:
    return LANDSCAPE.colors()[ids()]


def smooth() -> tuple[bytes, np.ndarray]:
    """A drawing four times as large, averaged, as anti-aliasing does."""
    large = Image.new("RGB", (256, 192), tuple(LANDSCAPE.colors()[0].tolist()))
    ImageDraw.Draw(large).polygon([(20, 200), (130, 20), (250, 200)], tuple(LANDSCAPE.colors()[2].tolist()))
    hard = np.array(large.resize((64, 48), Image.Resampling.NEAREST))
    return encoded(np.array(large.resize((64, 48), Image.Resampling.BOX))), (
        hard == LANDSCAPE.colors()[2]
    ).all(-1)


def gamma(exponent: float) -> np.ndarray:
    return (255 * (colors() / 255) ** exponent).round().astype(np.uint8)


REPAIRED = {
    "jpeg": (encoded(colors(), "JPEG", quality=90), "took the nearest class"),
    "gamma 2.2": (encoded(gamma(2.2)), "wrong gamma: undone with exponent 0.45"),
    "grey ids as RGB": (encoded(np.repeat(ids()[..., None], 3, -1)), "100.0% of the greys are its ids"),
    "16 bits, scaled": (encoded(ids().astype(np.uint16) * 257), "16 bits reduced to 8"),
    "colours off by one": (encoded(colors() ^ np.uint8(1)), "took the nearest class"),
}


@pytest.mark.parametrize("kind", REPAIRED)
def test_what_is_repaired(kind: str) -> None:
    data, words = REPAIRED[kind]
    reading = from_bytes(data, LANDSCAPE)
    assert (reading.map.ids == ids()).mean() > (0.97 if kind == "jpeg" else 0.9999)
    assert words in "\n".join(reading.report())
    assert not reading.edges_only
    with pytest.raises(ValueError, match="sketch"):
        from_bytes(data, LANDSCAPE, strict=True)


def test_blended_edges_are_snapped_and_nothing_else_is_called_one() -> None:
    data, mountain = smooth()
    reading = from_bytes(data, LANDSCAPE)
    assert "blended (anti-aliased) edges" in "\n".join(reading.repaired)
    assert reading.edges_only
    assert ((reading.map.ids == 2) == mountain).mean() > 0.98
    spot = colors()
    spot[2:4, 2:4] = (200, 30, 30)
    assert not from_bytes(encoded(spot), LANDSCAPE).edges_only


def test_a_blend_goes_to_one_of_its_two_sides_and_never_to_a_third_class() -> None:
    colors = LANDSCAPE.colors().astype(float)
    known = LANDSCAPE.ids()[:-1]
    pairs = [(a, b) for a in known for b in known if a != b]
    for a, b in pairs:
        row = [colors[a] * (1 - t) + colors[b] * t for t in (0, 0, 0, 0, 0.3, 0.7, 1, 1, 1, 1)]
        drawn = np.repeat(np.array(row).round().astype(np.uint8)[None], 8, 0)
        ids = from_bytes(encoded(drawn), LANDSCAPE).map.ids
        assert ids[0].tolist() == [a] * 5 + [b] * 5, (a, b)


def test_controlnet_maps_have_black_for_unknown() -> None:
    ade = Palette.load("ade20k")
    drawn = np.array([[0, 0, 3, 3], [5, 5, 10, 10]], np.uint8).repeat(4, 0)
    painted = ade.colorize(drawn)
    assert painted[0, 0].tolist() == [0, 0, 0]
    assert np.array_equal(from_bytes(encoded(painted), ade).map.ids, drawn)


def test_the_best_palette_is_found() -> None:
    for name in ("landscape", "ade20k", "gaugan2"):
        palette = Palette.load(name)
        drawn = np.resize(np.repeat(palette.ids()[1:7], 40), (24, 40))
        reading = from_bytes(encoded(palette.colorize(drawn)))
        assert (reading.map.palette.name, reading.map.ids.tolist()) == (name, drawn.tolist())


def test_indices_in_a_palettes_colours_are_never_ids_of_another() -> None:
    table = np.zeros((256, 3), np.uint8)
    used, numbers = np.unique(ids(), return_inverse=True)
    table[: len(used)] = LANDSCAPE.colors()[used]
    image = Image.fromarray(numbers.reshape(48, 64).astype(np.uint8))
    image.putpalette(table.tobytes())
    out = io.BytesIO()
    image.save(out, "GIF", transparency=1)
    reading = from_bytes(out.getvalue())
    assert reading.map.palette.name == "landscape"
    seen = ids() != used[1]
    assert np.array_equal(reading.map.ids[seen], ids()[seen])
    assert (reading.map.ids[~seen] == 255).all()
    assert "transparent pixels became unknown" in reading.repaired[-1]


def test_indices_of_a_foreign_table_are_unsure_where_no_palette_is_named() -> None:
    image = Image.fromarray(ids())
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes())
    out = io.BytesIO()
    image.save(out, "PNG")
    assert "whether its indices are ids" in from_bytes(out.getvalue()).unsure[0]
    assert from_bytes(out.getvalue(), LANDSCAPE).unsure == []


def test_nearly_opaque_pixels_are_not_counted_as_lost() -> None:
    alpha = np.full((48, 64, 1), 254, np.uint8)
    reading = from_bytes(encoded(np.concatenate([colors(), alpha], -1)), LANDSCAPE)
    assert np.array_equal(reading.map.ids, ids())
    assert reading.repaired == ["the alpha channel was dropped"]


def test_paint_names_the_command_that_repairs(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"; or repair it with `spadework label a\.png --palette landscape -o ids\.png`$"
    ):
        open_map(encoded(colors()[..., ::-1].copy()), LANDSCAPE, Policy.EDGES, name="maps/a.png")
    with pytest.raises(ValueError, match=r"greyscale$"):
        open_map(encoded(np.full((48, 64, 3), (200, 30, 30), np.uint8)), LANDSCAPE, Policy.EDGES)


def test_no_data_of_16_bits_is_not_called_a_scale() -> None:
    values = ids().astype(np.uint16)
    values[:3] = 65535
    reading = from_bytes(encoded(values), LANDSCAPE)
    assert reading.repaired == ["192 px of values that are no ids (65,535) became unknown"]


def test_a_photograph_is_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    with pytest.raises(ValueError, match="looks like a photograph"):
        from_bytes(encoded(noise))


def test_a_mask_is_unsure() -> None:
    assert (
        "looks like a mask"
        in from_bytes(encoded(np.where(ids() > 3, 255, 0).astype(np.uint8)), LANDSCAPE).unsure[0]
    )


def test_the_command(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(colors(), "JPEG", quality=90))
    words = ["label", str(tmp_path / "a.jpg"), "--palette", "landscape", "-o", str(tmp_path / "ids.png")]
    result = CliRunner().invoke(app, [*words, "--report"])
    assert result.exit_code == 0, result.output
    assert "repaired: a JPEG file" in result.output
    with Image.open(tmp_path / "ids.png") as image:
        assert (np.array(image) == ids()).mean() > 0.97
    assert CliRunner().invoke(app, [*words, "--strict"]).exit_code == 2


def test_paint_snaps_edges_and_reads_other_palettes(tmp_path: Path) -> None:
    from tiny_model import write

    model = write(tmp_path / "tiny.safetensors")
    (tmp_path / "smooth.png").write_bytes(smooth()[0])
    gaugan = Palette.load("gaugan2")
    drawn = np.repeat(np.array([[gaugan.id_of("river")], [gaugan.id_of("house")]], np.uint8), 16, 0)
    (tmp_path / "gaugan.png").write_bytes(encoded(gaugan.colorize(np.repeat(drawn, 32, 1))))
    for name, words in [("smooth", "blended"), ("gaugan", "house -> building, river -> water")]:
        target = str(tmp_path / f"{name}-out.png")
        result = CliRunner().invoke(
            app, ["paint", str(tmp_path / f"{name}.png"), "-o", target, "--model", str(model)]
        )
        assert result.exit_code == 0, result.output
        assert words in result.output
