"""COCO-Stuff as the published code wants it: PHASE_img, PHASE_label and PHASE_inst, flat."""

from __future__ import annotations

from pathlib import Path

from spadework.data.published import PHOTO_TYPES, Entries, files_in, pair_up


def entries(root: Path, phase: str) -> Entries:
    """The entries of a phase, "train" or "val"."""
    folders = [root / f"{phase}_{kind}" for kind in ("label", "img", "inst")]
    labels, photos, instances = (files_in(folder, PHOTO_TYPES) for folder in folders)
    where = f"{folders[0]}/NAME.png, and beside it {phase}_img and {phase}_inst"
    return pair_up(labels, photos, instances, where)
