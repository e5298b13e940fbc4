"""Any folders of label maps, photos and instance maps, paired by name."""

from __future__ import annotations

from pathlib import Path

from spadework.data.published import PHOTO_TYPES, Entries, Files, files_in, pair_up


def entries(label_dir: Path, image_dir: Path | None, instance_dir: Path | None) -> Entries:
    """The entries of the folders. Raises ValueError for a folder that is named and not there."""
    folders = [label_dir, image_dir, instance_dir]
    for folder in folders:
        if folder is not None and not folder.is_dir():
            raise ValueError(f"there is no folder {folder}: check the path")
    labels, photos, instances = (
        Files(label_dir) if folder is None else files_in(folder, PHOTO_TYPES) for folder in folders
    )
    return pair_up(labels, photos, instances, f"{label_dir}/NAME.png")
