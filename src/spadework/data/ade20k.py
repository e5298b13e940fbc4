"""ADE20K (ADEChallengeData2016): ADE_PHASE_*.png are label maps and .jpg photos, wherever they lie below.

Ids are those of the files, 0 for unknown and 1..150: the published code trains on these.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spadework.data.published import Entries, Files, files_in, pair_up


def entries(root: Path, phase: str) -> Entries:
    """The entries of a phase, "train" or "val"."""
    labels, photos = (_of_phase(files_in(root, [ending], aloud=False), phase) for ending in (".png", ".jpg"))
    where = f"ADE_{phase}_*.png below {root}, as in annotations/validation, with .jpg of the same names"
    return pair_up(labels, photos, Files(root), where, key=stem)


def _of_phase(files: Files, phase: str) -> Files:
    return replace(files, paths=[path for path in files.paths if f"_{phase}_" in path.name])


def stem(path: Path) -> str:
    """The name, which is unique in the data set; photos and label maps lie in folders of other names."""
    return path.stem
