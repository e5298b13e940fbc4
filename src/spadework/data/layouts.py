"""The published layouts by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spadework.data import ade20k, cityscapes, coco, custom, facades
from spadework.data.published import Entries

LAYOUTS: dict[str, Callable[[Path, str], Entries]] = {
    "coco": coco.entries,
    "ade20k": ade20k.entries,
    "cityscapes": cityscapes.entries,
    "facades": facades.entries,
}


def entries(
    mode: str,
    root: Path | None,
    phase: str,
    label_dir: Path | None = None,
    image_dir: Path | None = None,
    instance_dir: Path | None = None,
) -> Entries:
    """The entries of a data set in its published layout; phase "test" means the files of "val".

    ``label_dir`` and the others are the folders of mode custom. Raises ValueError for what is missing.
    """
    if mode == "custom":
        if label_dir is None:
            raise ValueError("--dataset_mode custom needs --label_dir, and --image_dir to train")
        return custom.entries(label_dir, image_dir, instance_dir)
    if root is None:
        raise ValueError(f"no --dataroot: give the folder of the {mode} data set")
    if not root.is_dir():
        raise ValueError(f"there is no folder {root}: give the {mode} data set with --dataroot")
    return LAYOUTS[mode](root, "val" if phase == "test" else phase)
