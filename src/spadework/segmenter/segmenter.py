"""Photo -> label map, and how much a picture looks like a photo: `Segmenter.load().label(image)`.

Sizes are (H, W), K classes, F features. Arrays outside are numpy, uint8.
"""

import os
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from pydantic import model_validator
from torch import Tensor, nn

from spadework.files import Fault
from spadework.modelfile import Card, packed, read_networks, shipped_file, write_model
from spadework.nn.pixels import to_unit
from spadework.segmenter.network import FeatureGaussian, SegmenterConfig, SegmenterNet
from spadework.sketch.labelmap import MAX_SIDE, MIN_SIDE, LabelMap
from spadework.sketch.palette import Palette

SEGMENTERS: dict[str, Path] = {
    "segmenter_landscape": Path(__file__).parents[1] / "models" / "segmenter_landscape.safetensors"
}
"""The shipped segmenters: name -> file."""

SHORT, LONG = 256, 1024
"""A photo is read with a short side of 256 px, or a long side of 1024 px where that is less."""

LEAST = 32
"""No side is read with fewer pixels."""


class SegmenterCard(Card):
    """What a segmenter is, what it was made of and what it may be used for."""

    kind: Literal["segmenter"] = "segmenter"
    network: SegmenterConfig

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.network.classes != self.palette.label_nc:
            raise ValueError(
                f"the network tells {self.network.classes} classes apart, "
                f"palette {self.palette.name} has {self.palette.label_nc}"
            )
        return self


class Segmenter:
    """A loaded segmenter. Its methods may be called from many threads.

    Images are (H, W, 3) uint8, 4 to 8192 pixels a side; ValueError for others.
    """

    def __init__(self, card: SegmenterCard, segmenter: SegmenterNet, photos: FeatureGaussian) -> None:
        self.card, self.net, self._photos = card, segmenter, photos
        absent = sorted(set(range(card.network.classes)) - {c.id for c in card.palette.classes})
        self.absent = torch.tensor(absent, dtype=torch.long)

    @classmethod
    def load(cls, name_or_path: str | os.PathLike[str] = "segmenter_landscape") -> Self:
        """A shipped segmenter by its name, or any from a .safetensors file.

        Raises ValueError, one line with the remedy, for an unknown name and a file that is no segmenter.
        """
        card, networks = read_networks(segmenter_file(name_or_path), SegmenterCard, _networks)
        return cls(card, **networks)  # type: ignore[arg-type]

    def with_metrics(self, metrics: dict[str, float | str]) -> Self:
        """The same segmenter with these figures added to its card."""
        card = SegmenterCard.model_validate(self.card.model_dump() | {"metrics": self.card.metrics | metrics})
        return type(self)(card, self.net, self._photos)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes one .safetensors file, whole or not at all: weights in half precision.

        Raises ValueError when the name does not end in .safetensors, or the file cannot be written.
        """
        learned = packed(self.net, "segmenter", torch.float16)
        write_model(path, self.card, learned | packed(self._photos, "photos", torch.float16))

    @property
    def palette(self) -> Palette:
        """The classes that it reads."""
        return self.card.palette

    @torch.no_grad()
    def label(self, image: NDArray[np.uint8]) -> LabelMap:
        """The most likely class of every pixel. Photos beyond 1024 px are labelled at 1024 and enlarged."""
        scores = self._scores(image)
        height, width = image.shape[:2]
        shrink = min(1.0, LONG / max(height, width))
        fine = max(1, round(height * shrink)), max(1, round(width * shrink))
        ids = F.interpolate(scores, size=fine, mode="bilinear").argmax(1)[0].numpy().astype(np.uint8)
        whole = Image.fromarray(ids).resize((width, height), Image.Resampling.NEAREST)
        return LabelMap(np.array(whole), self.palette)

    @torch.no_grad()
    def features(self, image: NDArray[np.uint8]) -> Tensor:
        """Means of the trunk's features at all scales: (F,) float32."""
        return torch.cat([f.mean((2, 3))[0] for f in self.net.trunk(_network_input(image))])

    def realism(self, image: NDArray[np.uint8]) -> float:
        """How much the picture is like the photos of the training, higher is more; they have about -1.

        The negative Mahalanobis distance of its features from theirs, per root of F.
        """
        return -self._photos.distance(self.features(image))

    def fit_photos(self, features: Tensor) -> None:
        """Takes the features (N, F) of photos as what `realism` compares with."""
        self._photos.fit(features)

    def _scores(self, image: NDArray[np.uint8]) -> Tensor:
        """(1, K, h, w) at a quarter of the size it is read at."""
        return self.net(_network_input(image)).index_fill_(1, self.absent, -torch.inf)


def segmenter_file(name_or_path: str | os.PathLike[str]) -> Path:
    """The file of a shipped segmenter, or the path itself. Raises ValueError for an unknown name."""
    return shipped_file(name_or_path, SEGMENTERS, "segmenter")


def _networks(card: SegmenterCard) -> dict[str, nn.Module]:
    net = SegmenterNet(card.network)
    return {"segmenter": net, "photos": FeatureGaussian(sum(net.trunk.channels))}


def _network_input(image: NDArray[np.uint8]) -> Tensor:
    """(1, 3, h, w) in [-1, 1], at the size that photos are read at."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"a photo is (H, W, 3) uint8, this is {image.shape} {image.dtype}")
    height, width = image.shape[:2]
    if not (MIN_SIDE <= height <= MAX_SIDE and MIN_SIDE <= width <= MAX_SIDE):
        raise Fault(
            f"the photo is {width}x{height} (width x height)",
            f"expected {MIN_SIDE} to {MAX_SIDE} pixels a side",
        )
    scale = min(SHORT / min(height, width), LONG / max(height, width))
    size = max(LEAST, round(width * scale)), max(LEAST, round(height * scale))
    resized = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
    return to_unit(np.array(resized))
