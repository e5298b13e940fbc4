"""The label maps that are painted in the measurements: real ones where a folder of them is given."""

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from spadework.nn.labels import SemanticsConfig
from spadework.sketch import examples

Map = tuple[Tensor, Tensor | None]
"""Ids (1, H, W) uint8 and instance ids (1, H, W), where there are any."""


def data_folder() -> Path | None:
    """$SPADEWORK_DATA, which holds landscapes/ and samples/."""
    return Path(os.environ["SPADEWORK_DATA"]) if "SPADEWORK_DATA" in os.environ else None


def _archive(name: str) -> Path | None:
    """A file of that folder, if it is there."""
    folder = data_folder()
    path = folder and folder / name
    return path if path and path.is_file() else None


def sketches(size: tuple[int, int]) -> list[Map]:
    """The example sketches at (H, W)."""
    return [(torch.from_numpy(ids)[None], None) for ids in examples.sketches(size).values()]


def scenes(size: tuple[int, int]) -> list[Map]:
    """Real landscapes, where they are given, and the example sketches."""
    return landscapes(size) + sketches(size)


def relabelled(size: tuple[int, int], config: SemanticsConfig) -> list[Map]:
    """The COCO maps, or all scenes, their regions in classes from all over those of `config`."""
    known = np.arange(config.label_nc, dtype=np.uint8)
    found = coco(size) or scenes(size)
    return [(torch.from_numpy(examples.spread(ids.numpy(), known)), instances) for ids, instances in found]


def noise(size: tuple[int, int], classes: int) -> list[Map]:
    """A random class at every pixel: no neighbourhood comes twice."""
    ids = np.random.default_rng(0).integers(0, classes, size).astype(np.uint8)
    return [(torch.from_numpy(ids)[None], None)]


def coco(size: tuple[int, int]) -> list[Map]:
    """The COCO-Stuff val maps with instances in $SPADEWORK_DATA/samples; nothing without them."""
    path = _archive("samples/coco_stuff.tar")
    if path is None:
        return []
    with tarfile.open(path) as tar:
        names = sorted(name for name in tar.getnames() if "/val_label/" in name and name.endswith(".png"))
        labels = [_read(tar, name, size) for name in names]
        instances = [_read(tar, name.replace("val_label", "val_inst"), size) for name in names]
    return [(a.to(torch.uint8), b) for a, b in zip(labels, instances, strict=True)]


def landscapes(size: tuple[int, int], count: int = 20) -> list[Map]:
    """The first validation maps in $SPADEWORK_DATA/landscapes; nothing without them."""
    path = _archive("landscapes/landscapes-val.tar")
    if path is None:
        return []
    with tarfile.open(path) as tar:
        names = sorted(name for name in tar.getnames() if "labels/" in name and name.endswith(".png"))
        return [(_read(tar, name, size).to(torch.uint8), None) for name in names[:count]]


def _read(tar: tarfile.TarFile, name: str, size: tuple[int, int]) -> Tensor:
    file = tar.extractfile(name)
    assert file is not None
    image = Image.open(io.BytesIO(file.read())).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return torch.from_numpy(np.array(image).astype(np.int64))[None]
