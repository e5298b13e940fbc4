"""A map of one class: what plain normalisation leaves of it, and what SPADE does."""

import numpy as np
import torch
from drawing import heat, sheet
from PIL import Image
from torch import Tensor, nn

from spadework.nn.spade import SPADE
from spadework.sketch.palette import Palette

CLASSES = ("sky", "tree", "sea")
SIDE, CHANNELS = 16, 8
FULL = {"map, convolved": 0.3, "and normalised": 0.3, "noise": 3.0, "SPADE": 3.0}
"""Where a colour is full."""


def maps() -> Tensor:
    """A one-hot map (3, K, H, W), all of one class, for each of CLASSES."""
    palette = Palette.load("landscape")
    segmaps = torch.zeros(len(CLASSES), palette.label_nc, SIDE, SIDE)
    for n, name in enumerate(CLASSES):
        segmaps[n, palette.id_of(name)] = 1
    return segmaps


def compared() -> dict[str, Tensor]:
    """Features (3, C, H, W) of random networks: each map by itself, as one paints."""
    torch.manual_seed(0)
    segmaps = maps()
    conv = nn.Conv2d(segmaps.shape[1], CHANNELS, 3, padding=1, padding_mode="replicate")
    norm = nn.InstanceNorm2d(CHANNELS)  # of one map, the batch norm of a batch of one
    spade = SPADE(CHANNELS, segmaps.shape[1], hidden=16, padding="replicate")
    noise = torch.randn(1, CHANNELS, SIDE, SIDE).expand(len(segmaps), -1, -1, -1)
    with torch.inference_mode():
        y = conv(segmaps)
        return {
            "map, convolved": y,
            "and normalised": norm(y),
            "noise": noise,
            "SPADE": spade(noise, segmaps),
        }


def figure() -> Image.Image:
    """A row for every class, of the channel in which SPADE tells them apart most."""
    palette, parts = Palette.load("landscape"), compared()
    channel = int(parts["SPADE"].std(0).mean((1, 2)).argmax())
    rows = []
    for n, name in enumerate(CLASSES):
        flat = np.full((SIDE, SIDE, 3), palette.colors()[palette.id_of(name)], np.uint8)
        rows.append([flat, *(heat(part[n, channel], FULL[key]) for key, part in parts.items())])
    return sheet(rows, ["map", *parts], CLASSES)
