"""Facades as the published code wants them: PHASE_img and PHASE_label, flat; no instance maps."""

from __future__ import annotations

from pathlib import Path

from spadework.data.published import PHOTO_TYPES, Entries, Files, files_in, pair_up


def entries(root: Path, phase: str) -> Entries:
    """The entries of a phase, "train" or "val"."""
    labels, photos = (files_in(root / f"{phase}_{kind}", PHOTO_TYPES) for kind in ("label", "img"))
    return pair_up(
        labels, photos, Files(root), f"{root / f'{phase}_label'}/NAME.png, and beside it {phase}_img"
    )
