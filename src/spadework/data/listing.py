"""Where the pairs of a data set lie: in folders or in tars, found by name without decoding anything."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from spadework.data.walking import Aside, by_key, key_of, lonely, walk
from spadework.files import Fault

PHOTO_TYPES = {".webp", ".png", ".jpg", ".jpeg"}
LABEL_TYPES = {".png"}
KINDS = {"images": PHOTO_TYPES, "labels": LABEL_TYPES}

SPLITS = ("train", "val", "test")
"""Folders below images/ and labels/ that are splits, as in images/train/NAME.jpg."""

LAYOUT = (
    "expected images/NAME.webp|png|jpg with labels/NAME.png, directly in the folder, in train/ and val/ "
    "inside it, or in *.tar files with the same paths; give the folder that holds them"
)


class NoSplit(Fault):
    """A split that a data set lacks."""


@dataclass(frozen=True)
class Blob:
    """`size` bytes at `offset` of a file: a whole file, or one member of a tar."""

    path: Path
    offset: int
    size: int
    mtime_ns: int
    name: str

    @classmethod
    def of(cls, path: Path, root: Path) -> Blob:
        """A whole file below `root`."""
        stat = path.stat()
        return cls(path, 0, stat.st_size, stat.st_mtime_ns, str(path.relative_to(root)))

    def read(self) -> bytes:
        """The bytes; ValueError when the file is gone or shorter than it was."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read(self.size)
        except OSError as error:
            raise Fault(
                f"{self.name} cannot be read ({error.strerror or error})",
                "check the path",
            ) from error
        if len(data) != self.size:
            raise Fault(f"{self.name}: {len(data)} of {self.size} bytes are left", "copy it again")
        return data


@dataclass(frozen=True)
class Pair:
    """A photo and its label map, not yet decoded."""

    name: str
    photo: Blob
    labels: Blob


@dataclass(frozen=True)
class Listing:
    """The pairs of a split, sorted by name, and sentences on what was passed over."""

    split: str
    pairs: list[Pair]
    notes: list[str]


@dataclass(frozen=True)
class _Found:
    split: str
    kind: str
    key: str
    blob: Blob


def list_pairs(root: str | Path, split: str | None = None) -> Listing:
    """The pairs of a folder or of tars.

    Photo and label map have the same path below `images/` and `labels/`, but for the ending. Without
    `split`: `train` where there is one, else the only one there is. ValueError for no such place, no pairs, a
    split that does not exist, two files with one name, or photos and maps without a partner.
    """
    root, aside = Path(root), Aside()
    found = list(_walk(root, aside))
    split = _choose_split(root, {item.split for item in found}, split)
    photos, labels = (
        by_key("file", ((f.key, f.blob) for f in found if (f.split, f.kind) == (split, kind)), _name)
        for kind in KINDS
    )
    _require_partners(root, set(photos), set(labels), aside)
    pairs = [Pair(key, photos[key], labels[key]) for key in sorted(photos)]
    return Listing(split, pairs, aside.report())


def _name(blob: Blob) -> str:
    return blob.name


def _walk(root: Path, aside: Aside) -> Iterator[_Found]:
    if root.is_dir():
        found = list(_walk_folder(root, aside))
        yield from found or (item for tar in sorted(root.glob("*.tar")) for item in _walk_tar(tar, aside))
    elif root.is_file():
        yield from _walk_tar(root, aside)
    else:
        raise Fault(f"{root}: no such folder or tar", LAYOUT)


def _walk_folder(root: Path, aside: Aside) -> Iterator[_Found]:
    splits = [folder for folder in sorted(root.iterdir()) if folder.is_dir() and folder.name not in KINDS]
    for parent in [root, *splits]:
        for kind in KINDS:
            for path in walk(parent / kind, aside):
                name = str(path.relative_to(root))
                place = _place("" if parent == root else parent.name, kind, path.relative_to(parent / kind))
                if path.suffix.lower() in KINDS[kind]:
                    yield _Found(*place, Blob.of(path, root))
                else:
                    aside.of_type(place[2], name)


def _place(split: str, kind: str, below: PurePath) -> tuple[str, str, str]:
    """Split, kind and key; images/train/a.jpg is of the split train, as train/images/a.jpg is."""
    if not split and len(below.parts) > 1 and below.parts[0] in SPLITS:
        split, below = below.parts[0], PurePath(*below.parts[1:])
    return split, kind, key_of(below)


def _walk_tar(path: Path, aside: Aside) -> Iterator[_Found]:
    mtime = path.stat().st_mtime_ns
    for name, (offset, size) in _members(path, aside).items():
        parts = PurePosixPath(name).parts
        at = max((at for at, part in enumerate(parts[:-1]) if part in KINDS), default=None)
        if at is None or parts[-1].startswith("."):
            continue
        split = parts[at - 1].strip(".") if at else ""
        place = _place(split, parts[at], PurePath(*parts[at + 1 :]))
        blob = Blob(path, offset, size, mtime, f"{path.name}:{name}")
        if PurePosixPath(name).suffix.lower() in KINDS[parts[at]]:
            yield _Found(*place, blob)
        else:
            aside.of_type(place[2], blob.name)


def _members(path: Path, aside: Aside) -> dict[str, tuple[int, int]]:
    """Where the content of each file of a tar lies: (offset, size).

    Of members of one name the last wins, as when unpacked; a hard link is the file that it names.
    """
    files: dict[str, tuple[int, int]] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar.getmembers():
                _take(member, files, aside, path)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise Fault(f"{path}: not a readable uncompressed tar ({error})", LAYOUT) from error
    return files


def _take(member: tarfile.TarInfo, files: dict[str, tuple[int, int]], aside: Aside, path: Path) -> None:
    where = f"{path.name}:{member.name}"
    linked = files.get(str(PurePosixPath(member.linkname))) if member.islnk() else None
    if member.isdir():
        return
    if member.issym() or (member.islnk() and linked is None) or member.issparse():
        aside.lines.append(f"passed over: {where} is a link to {member.linkname or 'nothing'}")
        return
    name = str(PurePosixPath(member.name))
    if name in files:
        aside.lines.append(f"{where} is there more than once: the last one counts, as when unpacked")
    files[name] = linked or (member.offset_data, member.size)


def _choose_split(root: Path, there: set[str], wanted: str | None) -> str:
    if not there:
        raise Fault(f"{root}: no photo and label pairs found", LAYOUT)
    named = ", ".join(sorted(split or "(unsplit)" for split in there))
    if wanted is not None and wanted not in there:
        raise NoSplit(f"{root} has no split {wanted!r}", f"it has {named}")
    for choice in [wanted, "train", "" if "" in there else None]:
        if choice is not None and choice in there:
            return choice
    if len(there) > 1:
        raise Fault(f"{root}: several splits and none is 'train'", f"name one of {named}")
    return there.pop()


def _require_partners(root: Path, photos: set[str], labels: set[str], aside: Aside) -> None:
    faults = []
    if alone := sorted(photos - labels):
        faults.append(lonely("photo", "label map", alone, labels - photos, aside, "PNG"))
    if alone := sorted(labels - photos):
        faults.append(lonely("label map", "photo", alone, photos - labels, aside, "PNG, JPEG or WebP"))
    if faults:
        raise Fault(f"{root}: {'; '.join(faults)}", "add the missing partners or remove these files")
