"""Pictures at twice their size, with the detail that photographs of each class have.

`Enlarger.load().enlarge(pixels, ids, seed)`. Sizes are (H, W); arrays outside are numpy, uint8. A picture is
enlarged in tiles, so that any size takes the memory of a few tiles; noise belongs to positions, and no layer
sees farther than a tile's margin, so that tiles are to be seen neither in pixels nor in time.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import model_validator

from spadework.enlarger.network import REACH, EnlargerConfig, EnlargerNet
from spadework.files import Fault
from spadework.modelfile import Card, packed, read_networks, shipped_file, write_model
from spadework.nn.labels import Labels, SemanticsConfig
from spadework.nn.pixels import to_bytes, to_unit
from spadework.sketch.palette import Palette

ENLARGERS: dict[str, Path] = {
    "enlarger_landscape": Path(__file__).parents[1] / "models" / "enlarger_landscape.safetensors"
}
"""The shipped enlargers: name -> file."""

TILE = 256
"""Pixels a side of a small picture that are enlarged at once."""

CELL = 64
"""Noise is drawn for squares of so many pixels, each from its own place's stream."""


class EnlargerCard(Card):
    """What an enlarger is, what it was made of and what it may be used for."""

    kind: Literal["enlarger"] = "enlarger"
    network: EnlargerConfig
    semantics: SemanticsConfig

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.network.semantic_nc != self.semantics.semantic_nc:
            raise ValueError(
                f"the network takes {self.network.semantic_nc} channels, semantics give "
                f"{self.semantics.semantic_nc}"
            )
        return self


class Enlarger:
    """A loaded enlarger. Its methods may be called from many threads.

    `check` is called before every tile, and may raise to end what nobody waits for any more.
    """

    def __init__(
        self,
        card: EnlargerCard,
        net: EnlargerNet,
        device: str | torch.device = "cpu",
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.card, self._device, self._precision = card, torch.device(device), precision
        self.net = net.to(self._device)
        self.check: Callable[[], None] = lambda: None

    @classmethod
    def load(
        cls,
        name_or_path: str | os.PathLike[str] = "enlarger_landscape",
        device: str | torch.device = "cpu",
        precision: torch.dtype = torch.float32,
    ) -> Self:
        """A shipped enlarger by its name, or any from a .safetensors file.

        Raises ValueError, one line with the remedy, for an unknown name and a file that is no enlarger.
        """
        path = shipped_file(name_or_path, ENLARGERS, "enlarger")
        card, networks = read_networks(
            path, EnlargerCard, lambda card: {"enlarger": EnlargerNet(card.network)}
        )
        return cls(card, networks["enlarger"], device, precision)  # type: ignore[arg-type]

    @classmethod
    def load_for(
        cls, palette: Palette, device: str | torch.device = "cpu", precision: torch.dtype = torch.float32
    ) -> Self | None:
        """The shipped enlarger that was trained for the classes of a palette, if there is one."""
        shipped = (cls.load(name, device, precision) for name, path in ENLARGERS.items() if path.is_file())
        return next((one for one in shipped if one.card.palette.classes == palette.classes), None)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a .safetensors file, whole or not at all, in half precision."""
        write_model(path, self.card, packed(self.net, "enlarger", torch.float16))

    def enlarge(self, pixels: NDArray[np.uint8], ids: NDArray[np.uint8], seed: int = 0) -> NDArray[np.uint8]:
        """A picture (H, W, 3) and the ids (2H, 2W) of what it shows -> that picture (2H, 2W, 3).

        Raises ValueError for ids of another size, and for such as the enlarger does not know.
        """
        height, width = pixels.shape[:2]
        if ids.shape != (2 * height, 2 * width):
            raise Fault(
                f"a picture of {width}x{height} needs a label map of {2 * width}x{2 * height}, this is "
                f"{ids.shape[1]}x{ids.shape[0]}",
                "resize it",
            )
        large = np.empty((2 * height, 2 * width, 3), np.uint8)
        for rows, columns in _tiles((height, width)):
            self.check()
            large[_doubled(rows), _doubled(columns)] = self._tile(pixels, ids, seed, rows, columns)
        return large

    def _tile(
        self, pixels: NDArray[np.uint8], ids: NDArray[np.uint8], seed: int, rows: slice, columns: slice
    ) -> NDArray[np.uint8]:
        """What becomes of some rows and columns of a picture."""
        height, width = pixels.shape[:2]
        top, left = max(0, rows.start - REACH), max(0, columns.start - REACH)
        down, across = (
            slice(top, min(height, rows.stop + REACH)),
            slice(left, min(width, columns.stop + REACH)),
        )
        image = to_unit(pixels[down, across]).to(self._device)
        labels = torch.from_numpy(np.ascontiguousarray(ids[_doubled(down), _doubled(across)]))[None]
        noise = [
            torch.from_numpy(noise_at(seed, k, rows, columns))[None, None].to(self._device)
            for k, (rows, columns) in enumerate([(down, across), (_doubled(down), _doubled(across))])
        ]
        autocast = torch.autocast(self._device.type, self._precision, self._precision != torch.float32)
        with torch.inference_mode(), autocast:
            segmap = Labels.of(labels.to(self._device), self.card.semantics).segmap
            large = to_bytes(self.net(image, segmap, noise))[0]
        inner = (
            slice(2 * (part.start - at), 2 * (part.stop - at)) for part, at in ((rows, top), (columns, left))
        )
        return large[tuple(inner)]


def _doubled(part: slice) -> slice:
    return slice(2 * part.start, 2 * part.stop)


def _tiles(size: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    """Rows and columns of every tile of a picture (H, W); all but the last are TILE."""
    height, width = size
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield slice(top, min(height, top + TILE)), slice(left, min(width, left + TILE))


def noise_at(seed: int, stream: int, rows: slice, columns: slice) -> NDArray[np.float32]:
    """Standard normal noise of some rows and columns, the same whatever else is drawn: (rows, columns)."""
    top, left = rows.start // CELL, columns.start // CELL
    cells = [
        np.concatenate([_cell(seed, stream, i, j) for j in range(left, -(-columns.stop // CELL))], axis=1)
        for i in range(top, -(-rows.stop // CELL))
    ]
    whole = np.concatenate(cells)
    inner = slice(rows.start - top * CELL, rows.stop - top * CELL)
    return whole[inner, columns.start - left * CELL : columns.stop - left * CELL]


def _cell(seed: int, stream: int, i: int, j: int) -> NDArray[np.float32]:
    rng = np.random.Generator(np.random.Philox(key=[seed, stream], counter=[0, 0, i, j]))
    return rng.standard_normal((CELL, CELL), np.float32)
