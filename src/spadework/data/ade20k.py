"""ADE20K (ADEChallengeData2016): ADE_PHASE_*.png are label maps and .jpg photos, wherever they lie below.

Ids are those of the files, 0 for unknown and 1..150: the published code trains on these.
"""

from __future__ import annotations

from pathlib import Path

from spadework.data.published import Entry, files_in, pair_up


def entries(root: Path, phase: str) -> list[Entry]:
    """The entries of a phase, "train" or "val"."""
    labels, photos = (
        [file for file in files_in(root, [ending]) if f"_{phase}_" in file.name]
        for ending in (".png", ".jpg")
    )
    where = f"ADE_{phase}_*.png below {root}, as in annotations/validation, with .jpg of the same names"
    return pair_up(labels, photos, [], where)
