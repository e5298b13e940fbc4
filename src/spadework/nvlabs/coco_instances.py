"""Instance maps of COCO-Stuff from COCO's annotations, encoded as the published data set has them.

An instance map is the label map with each instance painted over it by its running number 0, 1, 2, ... in the
order of the annotations. Crowds are left out: they have no single outline.
"""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from spadework.files import Fault, read_bytes
from spadework.nvlabs.data import files_in, read_ids


def write_instances(annotations: Path, labels: Path, out: Path) -> Iterator[tuple[Path, int]]:
    """Writes OUT/NAME.png for every label map; yields it with its number of instances.

    Raises ValueError without pycocotools, for a file that is no COCO annotations, for a folder without label
    maps and for one none of whose maps is annotated, and for a map of another size than its photo.
    """
    _masks()  # for its error, before a large file is read
    photos, instances = _read(annotations)
    maps = files_in(labels, [".png"]).paths
    known = [path for path in maps if path.stem in photos]
    if not known:
        raise Fault(
            f"none of the {len(maps)} label maps in {labels} is named as a photo of {annotations}",
            "give the annotations of the same split, such as instances_val2017.json",
        )
    out.mkdir(parents=True, exist_ok=True)
    for path in known:
        ids, found = read_ids(path), instances[photos[path.stem]["id"]]
        size = (photos[path.stem]["height"], photos[path.stem]["width"])
        if ids.shape != size:
            raise ValueError(
                f"{path} is {ids.shape[1]}x{ids.shape[0]}, its photo {size[1]}x{size[0]} (width x height): "
                "give label maps that were not resized"
            )
        Image.fromarray(instance_map(ids, found)).save(out / path.name)
        yield out / path.name, len(found)


def instance_map(ids: np.ndarray, outlines: Sequence[Sequence[Sequence[float]]]) -> np.ndarray:
    """(H, W) uint8 ids, and of every instance its polygons as x0, y0, x1, y1, ... -> (H, W) uint8."""
    masks = _masks()
    painted = ids.copy()
    for number, polygons in enumerate(outlines):
        with warnings.catch_warnings(category=DeprecationWarning, action="ignore"):  # its arrays, numpy 2
            covered = masks.decode(masks.merge(masks.frPyObjects(list(polygons), *ids.shape)))
        painted[covered.astype(bool)] = number % 256
    return painted


def _read(path: Path) -> tuple[dict[str, Any], Mapping[int, list[list[list[float]]]]]:
    """Photos by the stem of their file, and the polygons of the instances of each photo's id."""
    data = read_bytes(path)
    try:
        content = json.loads(data)
        photos = {Path(photo["file_name"]).stem: photo for photo in content["images"]}
        instances = defaultdict(list)
        for annotation in content["annotations"]:
            if isinstance(annotation["segmentation"], list):  # a crowd's is a dict of run lengths
                instances[annotation["image_id"]].append(annotation["segmentation"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Fault(
            f"{path} is no COCO annotations ({type(error).__name__} {error})",
            "expected JSON with images and annotations, such as instances_val2017.json",
        ) from error
    return photos, instances


def _masks() -> Any:
    try:
        from pycocotools import mask
    except ImportError as error:
        raise Fault(
            f"polygons are drawn by pycocotools, which is not installed ({error})",
            "type pip install 'spadework[coco]'",
        ) from error
    return mask
