"""The one way to a picture, for command line, studio and service: sketch and style in, photograph out.

Sizes are (H, W). Arrays outside are numpy, uint8; tensors stay inside.
"""

import os
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from spadework import __version__
from spadework.enlarger.enlarger import ENLARGERS, Enlarger
from spadework.executor import device_of, executor_of, noise_of, place_of, precision_of, random_of
from spadework.files import Fault
from spadework.lights import Lights, Style
from spadework.model import Checkpoint, ModelCard, load_checkpoint
from spadework.modelfile import shipped_file
from spadework.nn.labels import Labels
from spadework.nn.pixels import to_bytes, to_unit
from spadework.picture import Picture
from spadework.sizes import demanded_size, doublings_of, enlarged_size, painting_size
from spadework.sketch.labelmap import MIN_SIDE, LabelMap
from spadework.sketch.palette import Palette

MODELS: dict[str, Path] = {"landscape": Path(__file__).parent / "models" / "landscape.safetensors"}
"""The shipped models: name -> file."""

TOGETHER = 8
"""So many pictures go through the network at once, at most: more would only take memory."""


@dataclass(frozen=True, eq=False)
class Order:
    """What one picture is made of. Sizes are (H, W): `final` of the picture, `painted` by the network."""

    sketch: LabelMap
    seed: int
    style: Style | None
    final: tuple[int, int]
    painted: tuple[int, int]
    doublings: int
    lights: Lights | None = None


class Engine:
    """A loaded model. Its methods may be called from many threads; one paints at a time.

    After a fork parent and child paint on, the child on one thread. Pickled it opens its model again.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: str | torch.device = "cpu",
        precision: str = "float32",
        enlarger: Enlarger | None = None,
        fast: bool = True,
    ) -> None:
        self._device = torch.device(device)
        self._precision = precision_of(precision, self._device.type)
        self._paint = executor_of(checkpoint, self._device, self._precision, fast)
        self._encoder = checkpoint.encoder and checkpoint.encoder.to(self._device)
        self._prior = checkpoint.prior
        self._lock = threading.Lock()
        _ENGINES.add(self)
        self._source: tuple[Any, ...] | None = None
        self._style: Style | None = None
        self.card: ModelCard = checkpoint.card
        self.enlarger = enlarger
        if enlarger is not None and enlarger.card.palette.classes != self.palette.classes:
            raise Fault(
                f"enlarger {enlarger.card.name} knows palette {enlarger.card.palette.name}, model "
                f"{self.card.name} paints {self.palette.name}",
                f"give one for {self.palette.name}, or none",
            )

    @classmethod
    def load(
        cls,
        name_or_path: str | os.PathLike[str] = "landscape",
        device: str | None = None,
        precision: str = "float32",
        enlarger: str | os.PathLike[str] | None = "auto",
        fast: bool = True,
    ) -> Self:
        """A shipped model by its name, or any model from a .safetensors file.

        `device` is "cpu", "cuda" or "mps"; None or "auto" takes the best there is. Raises ValueError, one
        line with the remedy, for an unknown name, a file that is no model, and a device that is not there.
        `precision` is one of PRECISIONS, or "auto": bfloat16 on a CPU that computes in it, else float32.
        `enlarger` makes pictures that are larger than the model was trained for: a name or a file, "auto" for
        the shipped one that knows the model's classes, if there is one, or None. `fast=False` paints by the
        plain networks, as slowly as the paper has them.
        """
        checkpoint, place = load_checkpoint(model_file(name_or_path)), device_of(device)
        found = None
        if enlarger == "auto":
            found = Enlarger.load_for(checkpoint.card.palette, place, precision_of(precision, place))
        elif enlarger is not None:
            found = Enlarger.load(enlarger, place, precision_of(precision, place))
        engine = cls(checkpoint, place, precision, found, fast)
        engine._source = (_anywhere(name_or_path), device, precision, enlarger and _anywhere(enlarger), fast)
        return engine

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickled engine is where its model came from, and opens that again.

        Raises ValueError for an engine that was not made by `load`.
        """
        if self._source is None:
            raise Fault(
                f"engine of {self.card.name} came from no file, so it cannot be pickled",
                "save_checkpoint it, then Engine.load that file",
            )
        return _reopened, (type(self), self._source, self.card, self._style)

    @property
    def palette(self) -> Palette:
        """The classes that the model paints."""
        return self.card.palette

    def sample_style(self, seed: int, ids: NDArray[np.integer] | LabelMap | None = None) -> Style:
        """The style of a seed. With a sketch, one that suits it, if the model knows styles of real photos.

        Without a sketch it is standard normal. Raises ValueError if the model has no styles.
        """
        z_dim = self.card.generator.z_dim
        if z_dim is None:
            raise Fault(f"model {self.card.name} was trained without styles", "paint without one")
        if ids is None or self._prior is None:
            return Style(torch.randn(z_dim, generator=random_of(seed)).numpy(), f"seed {seed}")
        segmap = Labels.of(_batch(self._label_map(ids).ids), self.card.semantics).segmap
        return Style(self._prior.draw(segmap, random_of(seed)).numpy(), f"seed {seed}")

    def style_of(self, photo: Picture | NDArray[np.uint8], origin: str = "photo") -> Style:
        """The style of a photo of any size, (H, W, 3) uint8; of a picture by this model, that of its text.

        Raises ValueError without an encoder.
        """
        if self._encoder is None:
            raise Fault(f"model {self.card.name} cannot read a style from a photo", "choose a seed instead")
        picture = photo if isinstance(photo, Picture) else Picture(photo)
        own = self._own_style(picture)
        if own is not None:
            return own
        side = self._encoder.config.size
        image = to_unit(picture.resize((side, side)).pixels).to(self._device)
        with self._lock, torch.inference_mode():
            mu, _ = self._encoder(image)
        return Style(mu[0].float().cpu().numpy(), origin)

    def _own_style(self, picture: Picture) -> Style | None:
        """The style that a picture was painted in, if this model painted it."""
        told, z_dim = picture.provenance, self.card.generator.z_dim
        ours = (told.get("model"), told.get("images_seen")) == (
            self.card.name,
            self.card.training.images_seen,
        )
        z = told.get("z")
        if not ours or not isinstance(z, list) or len(z) != z_dim or not all(isinstance(v, float) for v in z):
            return None
        return Style(np.array(z, np.float32), str(told.get("style")))

    def set_style(self, style: Style | None) -> None:
        """The style of all following paintings that name none; None: each seed's own again."""
        if style is not None:
            self._demand_style(style)
        self._style = style

    def paint(
        self,
        ids: NDArray[np.integer] | LabelMap,
        seed: int = 0,
        style: Style | None = None,
        size: tuple[int, int] | None = None,
        upscale: int = 1,
        lights: Lights | None = None,
    ) -> Picture:
        """A photograph of the sketch, as large as the sketch, times `upscale`, or of `size` (H, W).

        `ids`: (H, W) class ids of `palette`, 4 to 8192 pixels a side. The seed decides the place: what lies
        where inside the regions; and the style, which is the light, unless one is given or set. The same
        arguments give the same picture. See `plan` for what the network paints of it. `lights`: other styles
        in parts of the sketch, and as large; each is painted whole, and then they are laid over each other.

        Raises ValueError for ids that the palette lacks and for impossible sizes, seeds and styles.
        """
        order = self._order(ids, seed, style, size, upscale, lights)
        return self._finished(order, self._lit(order, self._run([order])[0]))

    def paint_many(
        self,
        sketches: Sequence[NDArray[np.integer] | LabelMap],
        seeds: Sequence[int],
        styles: Sequence[Style | None] | None = None,
        size: tuple[int, int] | None = None,
        upscale: int = 1,
        lights: Sequence[Lights | None] | None = None,
    ) -> list[Picture]:
        """What `paint` makes of every sketch with its seed, its style and its lights, if these are given.

        Sketches that are painted in one size go through the network together, TOGETHER at a time: what label
        contexts they share is computed once. On a CPU the pictures are the very same; where batches are
        summed in another order, as by `fast=False` or on a GPU, they differ by a grey level at most.

        Raises ValueError as `paint` does, before anything is painted, and for lists of other lengths.
        """
        none = [None] * len(sketches)
        styles, lights = none if styles is None else styles, none if lights is None else lights
        if not len(sketches) == len(seeds) == len(styles) == len(lights):
            raise Fault(
                f"{len(sketches)} sketches came with {len(seeds)} seeds, {len(styles)} styles, "
                f"{len(lights)} lights",
                "give one each for every sketch",
            )
        each = zip(sketches, seeds, styles, lights, strict=True)
        orders = [self._order(ids, seed, style, size, upscale, lit) for ids, seed, style, lit in each]
        alike: dict[tuple[object, ...], list[int]] = {}
        for place, order in enumerate(orders):
            alike.setdefault((order.painted, order.sketch.instances is None), []).append(place)
        parts = (
            places[k : k + TOGETHER] for places in alike.values() for k in range(0, len(places), TOGETHER)
        )
        pictures: dict[int, Picture] = {}
        for places in parts:
            painted = self._run([orders[place] for place in places])
            for place, pixels in zip(places, painted, strict=True):
                pictures[place] = self._finished(orders[place], self._lit(orders[place], pixels))
        return [pictures[place] for place in range(len(orders))]

    def _order(
        self,
        ids: NDArray[np.integer] | LabelMap,
        seed: int,
        style: Style | None,
        size: tuple[int, int] | None,
        upscale: int,
        lights: Lights | None,
    ) -> "Order":
        """What is to be painted, if that can be painted."""
        sketch = self._label_map(ids)
        final = enlarged_size(sketch.size, upscale) if size is None else demanded_size(size, upscale)
        painted, doublings = self.plan(final, exact=size is not None)
        style = style or self._style
        if style is not None:
            self._demand_style(style)
        elif self.card.generator.z_dim:
            style = self.sample_style(seed, sketch)
        used = lights.used() if lights else None
        for light in used.styles if used else ():
            self._demand_style(light)
        return Order(sketch, seed, style, final, painted, doublings, lights)

    def _lit(self, order: "Order", pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What the network painted, and over it, where other lights are, what it paints in those."""
        used = order.lights.resize(order.painted).used() if order.lights else None
        if used is None:
            return pixels
        others = self._run([replace(order, style=style) for style in used.styles])
        return used.laid(pixels, list(others), order.sketch.resize(order.painted).ids)

    def _finished(self, order: "Order", pixels: NDArray[np.uint8]) -> Picture:
        """The picture of what the network painted, (H, W, 3)."""
        for k in range(order.doublings):
            assert self.enlarger is not None
            large = order.sketch.resize((2 * pixels.shape[0], 2 * pixels.shape[1]))
            pixels = self.enlarger.enlarge(pixels, large.ids, place_of(order.seed, k))
        told = self._provenance(order.seed, order.style, order.painted, order.doublings)
        told |= {"lights": [light.origin for light in order.lights.styles]} if order.lights else {}
        picture = Picture(pixels, told)
        return picture if picture.size == order.final else picture.resize(order.final)

    def plan(self, size: tuple[int, int], exact: bool = False) -> tuple[tuple[int, int], int]:
        """The (H, W) that the network paints for a picture of (H, W), and how often it is doubled after that.

        The network paints about as large as it was trained, and the enlarger, if there is one, doubles that.
        A picture that is smaller than what the network was trained for is painted larger and made small,
        unless it is to be painted `exact`. Raises ValueError as `painting_size` does.
        """
        config = self.card.generator
        doublings = doublings_of(size, config) if self.enlarger else 0
        if not doublings:
            return painting_size(size, config, size if exact else None), 0
        scale = max(min(config.size) / min(size), 1 / 2**doublings)
        height, width = (max(MIN_SIDE, round(side * scale)) for side in size)
        return painting_size(size, config, (height, width)), doublings

    def _run(self, orders: "Sequence[Order]") -> NDArray[np.uint8]:
        """(B, H, W, 3) uint8 of orders that are painted in one size."""
        painted = [order.sketch.resize(order.painted) for order in orders]
        labels = self._tensor([sketch.ids for sketch in painted])
        given = [sketch.instances.astype(np.int64) for sketch in painted if sketch.instances is not None]
        instances = self._tensor(given) if given else None
        styles = [order.style.z for order in orders if order.style is not None]
        z = self._tensor(styles) if styles else None
        noise = self._noise(orders)
        with self._lock, torch.inference_mode():
            return to_bytes(self._paint(labels, instances, z, noise))

    def _noise(self, orders: "Sequence[Order]") -> list[torch.Tensor] | None:
        """A field (B, 1, h, w) for every block; None for generators without noise."""
        fields = [noise_of(order.seed, self.card.generator, order.painted) for order in orders]
        blocks = zip(*(field for field in fields if field is not None), strict=True)
        return [torch.cat(block).to(self._device) for block in blocks] or None

    def _tensor(self, arrays: Sequence[NDArray[Any]]) -> torch.Tensor:
        """As a batch, on the device."""
        return torch.from_numpy(np.stack(arrays)).to(self._device)

    def _label_map(self, ids: NDArray[np.integer] | LabelMap) -> LabelMap:
        if not isinstance(ids, LabelMap):
            return LabelMap(_bytes(np.asarray(ids), self.palette), self.palette)
        if ids.palette.classes != self.palette.classes:
            raise Fault(
                f"the sketch has palette {ids.palette.name}, model {self.card.name} paints "
                f"{self.palette.name}",
                "read it with the engine's palette",
            )
        return ids

    def _demand_style(self, style: Style) -> Style:
        if style.z.size != self.card.generator.z_dim:
            wanted = (
                f"styles of {self.card.generator.z_dim} values" if self.card.generator.z_dim else "no styles"
            )
            raise Fault(
                f"style {style.origin} has {style.z.size} values, model {self.card.name} takes {wanted}",
                "make it with this engine's sample_style or style_of",
            )
        return style

    def _provenance(
        self, seed: int, style: Style | None, painted: tuple[int, int], doublings: int
    ) -> dict[str, Any]:
        enlarged = (
            {"enlarged": 2**doublings, "enlarger": self.enlarger.card.name}
            if self.enlarger and doublings
            else {}
        )
        return {
            "model": self.card.name,
            "images_seen": self.card.training.images_seen,
            "palette": self.palette.name,
            "seed": int(seed),
            "style": style.origin if style else "none",
            "z": [float(value) for value in style.z] if style else [],
            "painted_size": list(painted),
            **enlarged,
            "version": __version__,
        }


_ENGINES: "weakref.WeakSet[Engine]" = weakref.WeakSet()
_FORKING = threading.Lock()
_HELD: list[threading.Lock] = []


def _before_fork() -> None:
    """Waits for pictures that are being painted: a child would have half of them, under a lock for ever."""
    _FORKING.acquire()
    _HELD[:] = [engine._lock for engine in list(_ENGINES)]
    for lock in _HELD:
        lock.acquire()


def _after_fork() -> None:
    while _HELD:
        _HELD.pop().release()
    _FORKING.release()


def _after_fork_in_child() -> None:
    """OpenMP's threads stay in the parent, and whoever waits for them waits for ever."""
    if _HELD:
        torch.set_num_threads(1)
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)


def _anywhere(name_or_path: str | os.PathLike[str]) -> str:
    """A name as it is, a path so that it holds in other folders."""
    text = str(name_or_path)
    return text if text in (*MODELS, *ENLARGERS, "auto") else str(Path(text).absolute())


def _reopened(kind: type[Engine], source: tuple[Any, ...], card: ModelCard, style: Style | None) -> Engine:
    """An engine from its pickle. Raises ValueError where another model lies now at the path."""
    engine = kind.load(*source)
    if engine.card != card:
        raise Fault(
            f"{source[0]} holds another model than when the engine was pickled",
            "load and pickle it again",
        )
    engine.set_style(style)
    return engine


def model_file(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a shipped model, or the path itself. Raises ValueError for a name that is not shipped."""
    return shipped_file(name_or_path, MODELS, "model")


def _batch(array: NDArray[Any]) -> torch.Tensor:
    """As a batch of one. Flipped, turned and read-only arrays are copied, others not."""
    return torch.from_numpy(np.require(array, requirements=("C", "W")))[None]


def _bytes(ids: NDArray[Any], palette: Palette) -> NDArray[np.uint8]:
    """Ids of any integer type as uint8."""
    if ids.dtype == np.uint8 or not np.issubdtype(ids.dtype, np.integer):
        return ids  # LabelMap explains what is wrong with other types
    foreign = ids[(ids < 0) | (ids > 255)]
    if foreign.size:
        raise Fault(
            f"id {foreign[0]} is not in palette {palette.name}",
            f"allowed are {palette.describe_ids()}",
        )
    return ids.astype(np.uint8)
