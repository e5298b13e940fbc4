"""The published layouts of data sets: which files belong together, and what a training on them would want."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from spadework.data.listing import Blob, Pair
from spadework.files import Fault, some
from spadework.nvlabs.data import PHOTO_TYPES, Entries, Files, NoLabels, files_in, pair_up
from spadework.nvlabs.presets import preset

SHOWN = 10
"""So many ids are named."""


def ade20k(root: Path, phase: str) -> Entries:
    """ADEChallengeData2016: ADE_PHASE_*.png are label maps and .jpg photos, wherever they lie below.

    Ids are those of the files, 0 for unknown and 1..150: the published code trains on these. The name is
    unique in the data set; photos and label maps lie in folders of other names.
    """
    labels, photos = (_of_phase(files_in(root, [ending], aloud=False), phase) for ending in (".png", ".jpg"))
    where = f"ADE_{phase}_*.png below {root}, as in annotations/validation, with .jpg of the same names"
    return pair_up(labels, photos, Files(root), where, key=lambda path: path.stem)


def _of_phase(files: Files, phase: str) -> Files:
    return replace(files, paths=[path for path in files.paths if f"_{phase}_" in path.name])


def cityscapes(root: Path, phase: str) -> Entries:
    """gtFine/PHASE/CITY/*_labelIds.png and *_instanceIds.png, leftImg8bit/PHASE/CITY/*.png."""
    truth = root / "gtFine" / phase
    labels = files_in(truth, ["_gtFine_labelIds.png"], aloud=False)
    instances = files_in(truth, ["_gtFine_instanceIds.png"], aloud=False)
    photos = files_in(root / "leftImg8bit" / phase, ["_leftImg8bit.png"], aloud=False)
    where = f"{truth}/CITY/*_gtFine_labelIds.png, photos in leftImg8bit/{phase}/CITY"
    return pair_up(labels, photos, instances, where, key=scene)


def scene(path: Path) -> str:
    """City, sequence and frame, which the files of one scene of Cityscapes share."""
    return "_".join(path.stem.split("_")[:3])


def coco(root: Path, phase: str) -> Entries:
    """COCO-Stuff as the published code wants it: PHASE_img, PHASE_label and PHASE_inst, flat."""
    folders = [root / f"{phase}_{kind}" for kind in ("label", "img", "inst")]
    labels, photos, instances = (files_in(folder, PHOTO_TYPES) for folder in folders)
    where = f"{folders[0]}/NAME.png, and beside it {phase}_img and {phase}_inst"
    return pair_up(labels, photos, instances, where)


def facades(root: Path, phase: str) -> Entries:
    """As the published code wants them: PHASE_img and PHASE_label, flat; no instance maps."""
    labels, photos = (files_in(root / f"{phase}_{kind}", PHOTO_TYPES) for kind in ("label", "img"))
    where = f"{root / f'{phase}_label'}/NAME.png, and beside it {phase}_img"
    return pair_up(labels, photos, Files(root), where)


def custom(label_dir: Path, image_dir: Path | None, instance_dir: Path | None) -> Entries:
    """Any folders, paired by name. Raises ValueError for a folder that is named and not there."""
    folders = [label_dir, image_dir, instance_dir]
    for folder in folders:
        if folder is not None and not folder.is_dir():
            raise Fault(f"there is no folder {folder}", "check the path")
    labels, photos, instances = (
        Files(label_dir) if folder is None else files_in(folder, PHOTO_TYPES) for folder in folders
    )
    return pair_up(labels, photos, instances, f"{label_dir}/NAME.png")


LAYOUTS: dict[str, Callable[[Path, str], Entries]] = {
    layout.__name__: layout for layout in (coco, ade20k, cityscapes, facades)
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

    `label_dir` and the others are the folders of mode custom. Raises ValueError for what is missing.
    """
    if mode == "custom":
        if label_dir is None:
            raise ValueError("--dataset_mode custom needs --label_dir, and --image_dir to train")
        return custom(label_dir, image_dir, instance_dir)
    if root is None:
        raise Fault("no --dataroot", f"give the folder of the {mode} data set")
    if not root.is_dir():
        raise Fault(f"there is no folder {root}", f"give the {mode} data set with --dataroot")
    return LAYOUTS[mode](root, "val" if phase == "test" else phase)


class PublishedLayout:
    """A layout by name, for a diagnosis."""

    def __init__(self, mode: str) -> None:
        self.mode = mode

    def splits(self, root: Path, faults: list[str], notes: list[str]) -> dict[str, Sequence[Pair]]:
        """train and val, where there are label maps; every map needs its photo to train on."""
        splits: dict[str, Sequence[Pair]] = {}
        absent: list[ValueError] = []
        for phase in ("train", "val"):
            try:
                found = entries(self.mode, root, phase)
            except ValueError as error:
                absent.append(error)
                continue
            notes += found.notes
            if found[0].photo is None:
                faults.append(f"the label maps of {phase} have no photos: training needs them")
            splits[phase] = [
                Pair(entry.name, Blob.of(entry.photo, root), Blob.of(entry.labels, root))
                for entry in found
                if entry.photo is not None
            ]
        faults += [str(error) for error in absent if not (splits and isinstance(error, NoLabels))]
        return splits

    def beyond(self, present: Sequence[int]) -> list[str]:
        """A fault where some of the ids that occur have no channel."""
        semantics = preset(self.mode).semantics
        legal = {*range(semantics.label_nc), *([255] if semantics.unknown else [])}
        foreign = [i for i in present if i not in legal]
        if not foreign:
            return []
        has = f"0..{semantics.label_nc - 1}{' and 255' if semantics.unknown else ''}"
        return [
            f"ids {some(foreign, SHOWN)} have no channel: {self.mode} has {has}: "
            "train with a larger --label_nc, or with --contain_dontcare_label if 255 means unknown"
        ]
