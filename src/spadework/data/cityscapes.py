"""Cityscapes: gtFine/PHASE/CITY/*_labelIds.png and *_instanceIds.png, leftImg8bit/PHASE/CITY/*.png."""

from __future__ import annotations

from pathlib import Path

from spadework.data.published import Entries, files_in, pair_up


def entries(root: Path, phase: str) -> Entries:
    """The entries of a phase, "train" or "val"."""
    truth = root / "gtFine" / phase
    labels = files_in(truth, ["_gtFine_labelIds.png"], aloud=False)
    instances = files_in(truth, ["_gtFine_instanceIds.png"], aloud=False)
    photos = files_in(root / "leftImg8bit" / phase, ["_leftImg8bit.png"], aloud=False)
    where = f"{truth}/CITY/*_gtFine_labelIds.png, photos in leftImg8bit/{phase}/CITY"
    return pair_up(labels, photos, instances, where, key=scene)


def scene(path: Path) -> str:
    """City, sequence and frame, which the files of one scene share."""
    return "_".join(path.stem.split("_")[:3])
