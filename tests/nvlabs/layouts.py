"""Data sets in the published layouts and published weights, made here."""

import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from spadework.nvlabs import networks as nvlabs


def published_name(kind: str, ours: str) -> str:
    """The inverse of `our_name`."""
    name = ours.replace("parametrizations.weight.original", "weight_orig")
    name = name.replace("parametrizations.weight.0._", "weight_").removeprefix("blocks.")
    if kind == "encoder" and name.startswith("layers."):
        _, number, rest = name.split(".", 2)
        name = f"layer{int(number) + 1}.{rest}"
    if kind == "discriminator":
        name = re.sub(r"^scales\.(\d+)\.layers\.(\d+)", r"discriminator_\1.model\2.0", name)
    assert nvlabs.our_name(kind, name) == ours
    return name


def published_state(kind: str, **options: object) -> dict[str, torch.Tensor]:
    """Random weights under published names."""
    torch.manual_seed(0)
    module: nn.Module = nvlabs.KINDS[kind].model_validate(options).network()[0]
    return {published_name(kind, name): value.clone() for name, value in module.state_dict().items()}


def generator_state(channels: int, **options: object) -> dict[str, torch.Tensor]:
    defaults = {"crop_size": 64, "norm_G": "spectralspadesyncbatch3x3", "ngf": 2}
    return published_state("generator", semantic_nc=channels, **(defaults | options))


def blocks(seed: int, ids: list[int], size: tuple[int, int] = (48, 64)) -> np.ndarray:
    small = np.random.default_rng(seed).choice(ids, (4, 4)).astype(np.uint8)
    return small[np.arange(size[0])[:, None] * 4 // size[0], np.arange(size[1]) * 4 // size[1]]


def put(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def photo_of(ids: np.ndarray) -> np.ndarray:
    return np.stack([ids * 7, ids * 3, 255 - ids], -1).astype(np.uint8)


def write_layout(mode: str, root: Path, phase: str, count: int = 2) -> Path:
    """A data set of a few blocks in the published layout of `mode`."""
    for seed in range(count):
        name = f"a_00000{seed}_000019"
        if mode == "ade20k":
            ids, stem = blocks(seed, [0, 1, 3, 150]), f"ADE_{phase}_0000000{seed}"
            folder = {"train": "training", "val": "validation"}[phase]
            places = (
                root / "annotations" / folder / f"{stem}.png",
                root / "images" / folder / f"{stem}.jpg",
                None,
            )
        elif mode == "cityscapes":
            ids = blocks(seed, [0, 7, 23, 33])
            truth = root / "gtFine" / phase / "a"
            places = (
                truth / f"{name}_gtFine_labelIds.png",
                root / "leftImg8bit" / phase / "a" / f"{name}_leftImg8bit.png",
                truth / f"{name}_gtFine_instanceIds.png",
            )
        else:
            ids = blocks(seed, [0, 1, 12 if mode != "coco" else 181])
            inst = root / f"{phase}_inst" / f"{name}.png" if mode == "coco" else None
            places = (root / f"{phase}_label" / f"{name}.png", root / f"{phase}_img" / f"{name}.jpg", inst)
        label, photo, instances = places
        put(label, ids)
        put(photo, photo_of(ids))
        if instances:
            put(instances, (ids.astype(np.uint16) * 1000) if mode == "cityscapes" else ids)
    return root
