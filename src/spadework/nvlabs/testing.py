"""Painting a whole data set into a results folder, as `test.py` of the published code did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from spadework.engine import Engine
from spadework.files import Fault
from spadework.lights import Style
from spadework.nvlabs.data import Entry, Sizing, read_instances, read_labels, read_photo
from spadework.nvlabs.likeness import psnr
from spadework.nvlabs.presets import colored
from spadework.picture import Picture
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette


@dataclass(frozen=True)
class Row:
    """One map of the page: its name, the classes on it, the pictures that were written below the folder.

    `psnr` is the painting's to the photo, in dB, if there is a photo of its size.
    """

    name: str
    classes: str
    pictures: dict[str, Path]
    psnr: float | None = None


@dataclass(frozen=True)
class TestRun:
    """An engine, the entries it paints and where the pictures go. `styled`: the photo gives the style."""

    engine: Engine
    entries: Sequence[Entry]
    sizing: Sizing
    folder: Path
    styled: bool = False
    translate: Callable[[LabelMap], LabelMap] | None = None
    palette: Palette | None = None

    __test__ = False  # no class of pytest's

    def paint(self, progress: Callable[[int, int], None] = lambda done, total: None) -> list[Row]:
        """Paints every entry. Raises ValueError that names the file for maps the model cannot take."""
        rows = []
        for done, entry in enumerate(self.entries, 1):
            rows.append(self._paint(entry))
            progress(done, len(self.entries))
        return rows

    def _paint(self, entry: Entry) -> Row:
        sketch, shown = self._read(entry)
        photo = read_photo(entry, self.sizing)
        picture = self._picture(sketch, photo, entry)
        pictures = {"input_label": Picture(shown), "synthesized_image": picture}
        if photo is not None:
            pictures["photo"] = Picture(photo)
        written = {kind: self._write(kind, entry, image) for kind, image in pictures.items()}
        like = None if photo is None else psnr(picture.pixels, photo)
        return Row(entry.name, _classes(sketch), written, like)

    def _read(self, entry: Entry) -> tuple[LabelMap, np.ndarray]:
        """The map in the engine's palette and as large as the model paints, and its colours (H, W, 3)."""
        ids = read_labels(entry, self.sizing, self.palette or self.engine.palette)
        instances = read_instances(entry, self.sizing) if self.engine.card.semantics.edges else None
        if instances is not None and instances.shape != ids.shape:
            raise Fault(f"{entry.instances} has another size than {entry.labels}", "they must be of one")
        try:
            sketch = LabelMap(ids, self.palette or self.engine.palette, instances)
        except ValueError as error:
            raise ValueError(f"{entry.labels}: {error}") from error
        if self.translate is not None:
            return self.translate(sketch), sketch.colorize()
        return sketch.resize(self.engine.card.generator.size), colored(ids, self.engine.card.semantics)

    def _picture(self, sketch: LabelMap, photo: np.ndarray | None, entry: Entry) -> Picture:
        style: Style | None = None
        if self.styled and photo is not None:
            style = self.engine.style_of(photo, f"photo {entry.name}")
        return self.engine.paint(sketch, style=style, size=sketch.size if self.translate is None else None)

    def _write(self, kind: str, entry: Entry, picture: Picture) -> Path:
        path = self.folder / "images" / kind / f"{entry.name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "synthesized_image":
            picture.save(path)
        else:
            Image.fromarray(picture.pixels).save(path)
        return path.relative_to(self.folder)


def _classes(sketch: LabelMap) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in list(sketch.counts().items())[:8])
