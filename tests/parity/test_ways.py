"""The published numbers by way of label contexts and of the painter, in float64: one case per file."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from published import EXACT, Reference, differences, read
from test_parity import FILES, NO_FILES, weights
from ways import MAP, WAYS, exact_painter, symbols

from spadework import nvlabs
from spadework.fast.cpu import Painter
from spadework.nn.generator import Generator
from spadework.nn.labels import Labels
from spadework.nn.pixels import to_bytes
from spadework.nvlabs.files import find
from spadework.nvlabs.presets import preset

FOLDER = Path(os.environ.get("SPADEWORK_FIXTURES", "none")) / "test_command"
PICTURES = sorted((FOLDER / "expected").glob("*.png"))


def cases() -> list[Any]:
    """Every file that holds a label map by every way that its network goes."""
    found = []
    for path in FILES:
        family = read(path).family
        ways = [way for way in WAYS if family == "generator" or (way == "contexts" and family in MAP)]
        found += [pytest.param(path, way, id=f"{path.stem}-{way}") for way in ways]
    return found or [pytest.param(None, None, id="none", marks=NO_FILES)]


def along(path: Path, way: str) -> Reference:
    """What the file expects of this way: contexts have no gradient with respect to the map."""
    reference = read(path)
    place = MAP[reference.family]
    return reference.expecting(rf"output|grad\.|grad_input\.(?!{place}$)" if way == "contexts" else "output")


@pytest.mark.parametrize(("path", "way"), cases())
def test_file(path: Path, way: str) -> None:
    assert differences(along(path, way), WAYS[way]) == {}


@pytest.mark.parametrize(("path", "way"), cases())
def test_a_changed_weight_fails(path: Path, way: str) -> None:
    reference = along(path, way)
    name = weights(reference)[0]
    changed = reference.with_tensors(**{name: reference.tensors[name] + 1e-3})
    assert differences(changed.expecting("output"), WAYS[way])


@cache
def published_net(crop_size: int) -> Generator:
    """The network of the test command's checkpoint in float64, for pictures of that size."""
    state = find(FOLDER / "checkpoints" / "tiny_coco").states["generator"]
    options = {"semantic_nc": 184, "ngf": 2, "crop_size": crop_size, "norm_G": "spectralspadesyncbatch3x3"}
    return nvlabs.build("generator", options, state).double()  # type: ignore[return-value]


@cache
def published_painter() -> Painter:
    """The same ready to paint, at the size of the published pictures."""
    return exact_painter(published_net(256))


def segmap_of(name: str, folder: Path, side: int) -> torch.Tensor:
    """(1, 184, side, side) of a map of the sample."""
    ids, instances = (
        np.array(Image.open(folder / kind / name).resize((side, side), Image.Resampling.NEAREST))
        for kind in ("val_label", "val_inst")
    )
    labels, things = torch.from_numpy(ids)[None], torch.from_numpy(instances)[None]
    return Labels.of(labels, preset("coco").semantics, things, torch.float64).segmap


@pytest.mark.parametrize("name", [path.name for path in PICTURES] or [pytest.param("none", marks=NO_FILES)])
def test_the_test_commands_network_paints_the_published_picture(name: str, coco_sample: Path) -> None:
    made = to_bytes(published_painter()(symbols(segmap_of(name, coco_sample, 256))))[0]
    with Image.open(FOLDER / "expected" / name) as image:
        difference = np.abs(np.array(image).astype(int) - made)
    assert difference.max() <= 1
    assert (difference == 0).mean() >= 0.999


def test_the_test_commands_network_is_painted_exactly(coco_sample: Path) -> None:
    network, segmap = published_net(64), segmap_of(PICTURES[0].name, coco_sample, 64)
    with torch.inference_mode():
        dense = network(Labels(segmap))
    torch.testing.assert_close(exact_painter(network)(symbols(segmap)), dense, rtol=EXACT, atol=EXACT)
