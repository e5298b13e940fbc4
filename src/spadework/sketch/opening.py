"""The ladder by which a file becomes a sketch of a model's classes: as it is, repaired, or translated."""

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePath

from spadework.files import Fault, read_bytes
from spadework.sketch import repair
from spadework.sketch.blends import SMOOTHED
from spadework.sketch.exact import colored, shipped
from spadework.sketch.labelmap import LabelMap, demand_side
from spadework.sketch.layered import flattened
from spadework.sketch.palette import Palette
from spadework.sketch.raster import Raster, read_raster
from spadework.sketch.translate import Translation

GUESSED = "ids alone do not say which palette they are of: choose the palette"


class Policy(Enum):
    """How far the ladder goes down before it refuses.

    EDGES: blended edges are snapped, and colours of exactly a shipped palette are taken by their classes'
    names; numbers are never guessed at. REPAIR: all that `repair` mends, of the palette that fits best.
    """

    EDGES = "edges"
    REPAIR = "repair"


@dataclass(frozen=True)
class Opened:
    """A sketch of the model's classes; `palette` names the one it came in. No report: nothing was changed."""

    sketch: LabelMap
    palette: str
    report: tuple[str, ...] = ()


def open_file(path: str | os.PathLike[str], target: Palette, policy: Policy) -> Opened:
    """The sketch in a picture file; see `open_map`."""
    return open_map(read_bytes(path), target, policy, name=str(path), path=Path(path))


def open_map(
    data: bytes,
    target: Palette,
    policy: Policy,
    source: Palette | None = None,
    name: str = "sketch",
    path: Path | None = None,
) -> Opened:
    """The content of a picture file as a sketch of `target`, by the first rung of the ladder that holds.

    Of a file of layers (OpenRaster, Photoshop) the visible ones, without the photograph.
    `source` is the palette it is of, where that is known, `path` where the file lies, if anywhere. Raises
    ValueError, one line with the remedy; errors call the file `name`.
    """
    raster = read_raster(flattened(data), name, demand_side(name), path)
    if source is not None and source != target:
        return _translated(repair.of_raster(raster, source), target)
    try:
        sketch = LabelMap.of_raster(raster, target)
        doubts = (f"unsure: {SMOOTHED}",) if repair.greys_smoothed(raster, sketch.ids) else ()
        return Opened(sketch, target.name, (*raster.notes, *doubts))
    except Fault as error:
        fault = error
    own = _repaired(raster, target)
    if own and own.edges_only:
        return Opened(own.map, target.name, tuple(own.report()[1:]))
    if source is None and (found := _of_another_palette(raster, target)):
        return found
    if policy is Policy.EDGES:
        raise Fault(fault.sentence, f"{fault.remedy}{_hint(own, name, target)}") from fault
    best = _best(raster, own, source)
    pixels = raster.rgb()
    if source is None and best.map.palette != target and (pixels == pixels[..., :1]).all():
        best.unsure.append(GUESSED)
    return _translated(best, target)


def _hint(own: repair.Reading | None, name: str, target: Palette) -> str:
    """What to type where `label` can repair a file without doubt."""
    asked = f" --palette {target.name}" if target.name in Palette.names() else ""
    command = f"spadework label {PurePath(name).name}{asked} -o ids.png"
    sure = own is not None and not own.unsure
    return f"; or repair it with `{command}`" if sure else ""


def _repaired(raster: Raster, target: Palette) -> repair.Reading | None:
    try:
        return repair.of_raster(raster, target)
    except ValueError:
        return None


def _best(raster: Raster, own: repair.Reading | None, source: Palette | None) -> repair.Reading:
    """Repaired in the model's own palette, unless only another one leaves no doubt."""
    if own and not own.unsure:
        return own
    try:
        best = repair.of_raster(raster, source)
    except ValueError:
        if own is None:
            raise
        return own
    return own if own and (best.unsure or best.repaired) else best


def _of_another_palette(raster: Raster, target: Palette) -> Opened | None:
    """A map in exactly the colours of a shipped palette, by the classes' names. Ids are never guessed at."""
    pixels = raster.rgb()
    if (pixels == pixels[..., :1]).all():
        return None
    for palette in filter(colored, shipped()):
        try:
            sketch = LabelMap.of_raster(raster, palette)
            if not repair.in_its_colors(raster, sketch):
                continue
            translation = Translation.between(palette, target)
            words = (f"painted in the colours of {palette.name}", *translation.report(sketch))
            return Opened(translation(sketch), palette.name, (*raster.notes, *words))
        except ValueError:
            continue
    return None


def _translated(found: repair.Reading, target: Palette) -> Opened:
    palette, lines = found.map.palette, tuple(found.report())
    if palette == target:
        return Opened(found.map, palette.name, lines)
    translation = Translation.between(palette, target)
    return Opened(translation(found.map), palette.name, (*lines, *translation.report(found.map)))
