"""Any picture of a label map into ids, with a report in plain language of what was done, what is unsure."""

import io
import os
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spadework.files import read_bytes
from spadework.labelmap import PHOTO_COLORS, LabelMap
from spadework.palette import Palette
from spadework.picture import DECODE_ERRORS

FAR = 90.0
"""A colour further than this from every class, in RGB steps, is reported as unsure."""

PHOTO_SHARE, PHOTO_DISTANCE = 0.5, 20.0
"""More than this share of colours beyond the palette, at this mean distance, is a photograph."""

GAMMAS = (1 / 2.2, 1 / 1.8, 1.8, 2.2)
"""Wrong gammas that files are saved with."""

BLEND = 6.0
"""How far, in RGB steps, an anti-aliased pixel may lie from the line between its two neighbours' colours."""

Ids = NDArray[np.uint8]
Colors = NDArray[np.uint8]


@dataclass
class Reading:
    """A label map and how it came about. `edges_only`: nothing but alpha and blended edges was repaired."""

    map: LabelMap
    why: str
    repaired: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    edges_only: bool = True

    def report(self) -> list[str]:
        """Sentences: the palette and why, what was repaired, what is unsure."""
        return [
            f"palette {self.map.palette.name}: {self.why}",
            *(f"repaired: {line}" for line in self.repaired),
            *(f"unsure: {line}" for line in self.unsure),
        ]


def read(path: str | os.PathLike[str], palette: Palette | None = None, strict: bool = False) -> Reading:
    """The label map in a picture file; see `from_bytes`."""
    return from_bytes(read_bytes(path), palette, str(path), strict)


def from_bytes(
    data: bytes, palette: Palette | None = None, name: str = "sketch", strict: bool = False
) -> Reading:
    """The label map in a picture: of `palette`, or of the shipped palette that fits best.

    Repaired, unless `strict`: alpha, 16 bits, grey ids saved as RGB, blended edges, colours off by JPEG or a
    wrong gamma, ids beyond the palette on few pixels. Raises ValueError, one line with the remedy, for what
    cannot be repaired, such as a photograph.
    """
    known = [palette] if palette else [Palette.load(known) for known in Palette.names()]
    exact = _exact(data, known, name)
    if isinstance(exact, Reading):
        return exact
    if strict:
        raise exact
    return _repaired(data, known, name, exact)


def _exact(data: bytes, known: list[Palette], name: str) -> Reading | ValueError:
    """The first palette that needs no repair, colours before ids, or the error of the first."""
    maps: list[LabelMap] = []
    errors: list[ValueError] = []
    for palette in known:
        try:
            maps.append(LabelMap.from_bytes(data, palette, name))
        except ValueError as error:
            errors.append(error)
    if not maps:
        return errors[0]
    smallest = min(maps, key=lambda sketch: len(sketch.palette.classes))
    others = [sketch.palette.name for sketch in maps if sketch is not smallest]
    reading = Reading(smallest, "every pixel is one of its classes")
    if others:
        reading.unsure.append(f"{', '.join(others)} would do as well: choose the palette")
    if set(np.unique(smallest.ids).tolist()) == {0, 255}:
        reading.unsure.append("only ids 0 and 255: it looks like a mask, where 255 is a class, not unknown")
    return reading


def _repaired(data: bytes, known: list[Palette], name: str, fault: ValueError) -> Reading:
    notes: list[str] = []
    image = _decoded(data, name, notes)
    gentle = not notes
    pixels, seen = _opaque(image, notes)
    grey = (pixels == pixels[..., :1]).all()
    if grey and any(_legal(pixels[..., 0], palette).mean() > 0.9 for palette in known):
        reading, gentle = _of_ids(pixels[..., 0], known, notes), False
    else:
        reading = _of_colors(pixels, known, name, notes)
    if not seen.all():
        reading = _see_through(reading, seen, fault)
    reading.edges_only &= gentle
    return reading


def _decoded(data: bytes, name: str, notes: list[str]) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
    except DECODE_ERRORS as error:
        raise ValueError(
            f"{name} is not a picture that can be read ({error}): save it again as PNG"
        ) from error
    if image.format != "PNG":
        notes.append(f"a {image.format} file, which may blur edges: better save sketches as PNG")
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        step = 257 if values.max() > 255 else 1
        if (values % step).any() or values.max() > 255 * 257:
            raise ValueError(
                f"{name} has values up to {values.max():,}: expected ids 0 to 255: save it with 8 bits"
            )
        notes.append("16 bits reduced to 8")
        return Image.fromarray((values // step).astype(np.uint8))
    return image


def _opaque(image: Image.Image, notes: list[str]) -> tuple[Colors, NDArray[np.bool_]]:
    """Colours (H, W, 3), and which pixels are not transparent (H, W)."""
    rgba = np.asarray(image.convert("RGBA"))
    if image.mode in ("RGBA", "LA", "PA"):
        notes.append("the alpha channel was dropped")
    return rgba[..., :3].copy(), rgba[..., 3] >= 128


def _see_through(reading: Reading, seen: NDArray[np.bool_], fault: ValueError) -> Reading:
    palette = reading.map.palette
    if palette.unknown is None or seen.mean() < 0.5:
        raise fault
    ids = np.where(seen, reading.map.ids, np.uint8(palette.unknown))
    reading.map = LabelMap(ids, palette)
    reading.repaired.append(f"{(~seen).sum():,} transparent pixels became unknown")
    reading.edges_only = False
    return reading


def _legal(ids: Ids, palette: Palette) -> NDArray[np.bool_]:
    return np.isin(ids, palette.ids())


def _of_ids(ids: Ids, known: list[Palette], notes: list[str]) -> Reading:
    """Greys as ids; a few beyond the palette become unknown."""
    palette = max(known, key=lambda palette: (_legal(ids, palette).mean(), -len(palette.classes)))
    foreign = ~_legal(ids, palette)
    if foreign.any() and palette.unknown is None:
        LabelMap(ids, palette)  # raises
    reading = Reading(LabelMap(ids, palette) if not foreign.any() else _unknown(ids, foreign, palette), "")
    reading.why, reading.repaired = f"{1 - foreign.mean():.1%} of the greys are its ids", notes
    if foreign.any():
        told = ", ".join(str(i) for i in np.unique(ids[foreign])[:5])
        notes.append(f"ids {told} on {foreign.sum():,} px are not the palette's and became unknown")
        reading.edges_only = False
    return reading


def _unknown(ids: Ids, foreign: NDArray[np.bool_], palette: Palette) -> LabelMap:
    return LabelMap(np.where(foreign, np.uint8(palette.unknown or 0), ids), palette)


def _of_colors(pixels: Colors, known: list[Palette], name: str, notes: list[str]) -> Reading:
    """Every pixel the nearest class of the palette that lies nearest."""
    fits = [
        (_distance(pixels, palette), palette) for palette in known if _colored(palette) or len(known) == 1
    ]
    distance, palette = min(fits, key=lambda fit: fit[0])
    pixels, distance = _right_gamma(pixels, palette, distance, notes)
    ids, far = nearest(pixels, palette)
    _demand_no_photo(pixels, far, distance, name)
    off = far > 0
    blended = off & _between(pixels, ids, off, palette)
    reading = Reading(LabelMap(ids, palette), f"{1 - off.mean():.1%} of the pixels have its colours", notes)
    reading.edges_only = not any("gamma" in note for note in notes)
    if blended.any():
        notes.append(f"{blended.sum():,} px on blended (anti-aliased) edges were snapped to the nearer side")
    rest = off & ~blended
    if rest.any():
        notes.append(_snapped(pixels[rest], ids[rest], palette))
        reading.edges_only = False
    if (far > FAR).any():
        reading.unsure.append(f"{(far > FAR).sum():,} px are far from every class: look at them")
    return reading


def _colored(palette: Palette) -> bool:
    """Whether its classes have colours that people use, not only those made up for the screen."""
    return all(c.color for c in palette.classes)


def _distance(pixels: Colors, palette: Palette) -> float:
    """Mean distance of a sample of pixels to the palette, in RGB steps."""
    sample = pixels.reshape(-1, 3)[:: max(1, pixels.size // 3 // 4000)][None]
    return float(nearest(sample, palette)[1].mean())


def nearest(pixels: Colors, palette: Palette) -> tuple[Ids, NDArray[np.float32]]:
    """The nearest class of each pixel, (H, W) ids, and how far it is in RGB steps, (H, W)."""
    ids = np.array([c.id for c in palette.classes] + ([] if palette.unknown is None else [palette.unknown]))
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colors, index = np.unique(packed, return_inverse=True)
    unpacked = np.stack([colors >> 16, colors >> 8 & 255, colors & 255], -1).astype(np.float32)
    best, far = np.empty(len(colors), np.uint8), np.empty(len(colors), np.float32)
    table = palette.colors()[ids].astype(np.float32)
    for start in range(0, len(colors), 4096):
        part = slice(start, start + 4096)
        away = np.linalg.norm(unpacked[part, None] - table, axis=-1)
        best[part], far[part] = ids[away.argmin(1)], away.min(1)
    return best[index].reshape(packed.shape), far[index].reshape(packed.shape)


def _right_gamma(pixels: Colors, palette: Palette, distance: float, notes: list[str]) -> tuple[Colors, float]:
    """The pixels as they were before a wrong gamma, if that explains them far better."""
    for gamma in GAMMAS:
        turned = (255 * (np.arange(256) / 255) ** gamma).round().astype(np.uint8)[pixels]
        new = _distance(turned, palette)
        if distance > 8 and new < distance / 3:
            notes.append(f"colours were saved with a wrong gamma: undone with exponent {gamma:.2f}")
            return turned, new
    return pixels, distance


def _demand_no_photo(pixels: Colors, far: NDArray[np.float32], distance: float, name: str) -> None:
    colors = len(np.unique(pixels.reshape(-1, 3), axis=0))
    if colors > PHOTO_COLORS and (far > 8).mean() > PHOTO_SHARE and distance > PHOTO_DISTANCE:
        raise ValueError(
            f"{name} looks like a photograph ({colors:,} colours), not a sketch: to borrow its light and "
            "colours pass it with --style, beside a sketch"
        )


def _between(pixels: Colors, ids: Ids, off: NDArray[np.bool_], palette: Palette) -> NDArray[np.bool_]:
    """Which foreign pixels (H, W) are a blend of two exact colours at most two pixels away."""
    result = np.zeros_like(off)
    exact, colors = ~off, palette.colors().astype(float)
    for y, x in np.argwhere(off).tolist() if off.mean() < 0.2 else []:
        window = np.s_[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
        near = np.unique(ids[window][exact[window]])
        ends = colors[near]
        result[y, x] = len(near) > 1 and _on_a_line(pixels[y, x].astype(float), ends)
    return result


def _on_a_line(color: NDArray[np.float64], ends: NDArray[np.float64]) -> bool:
    """Whether a colour lies between two of the `ends` (N, 3)."""
    for i, a in enumerate(ends):
        for b in ends[i + 1 :]:
            way = b - a
            t = float((color - a) @ way / max(way @ way, 1e-9))
            if 0.02 < t < 0.98 and np.linalg.norm(a + t * way - color) <= BLEND:
                return True
    return False


def _snapped(colors: Colors, ids: Ids, palette: Palette) -> str:
    """colors (N, 3) that are not the palette's and the classes (N,) that they were given."""
    values, first, counts = np.unique(colors, axis=0, return_index=True, return_counts=True)
    top = np.argsort(-counts)[:3]
    told = [
        f"#{bytes(values[i]).hex()} on {counts[i]:,} px -> {palette.name_of(int(ids[first[i]]))}" for i in top
    ]
    more = f" and {len(values) - 3:,} more" if len(values) > 3 else ""
    return f"{len(colors):,} px of colours not in the palette took the nearest class: {', '.join(told)}{more}"


def in_color(path: str | os.PathLike[str]) -> bool:
    """Whether a picture has any pixel that is not grey."""
    with Image.open(io.BytesIO(read_bytes(path))) as image:
        pixels = np.asarray(image.convert("RGB"))
    return bool((pixels != pixels[..., :1]).any())
