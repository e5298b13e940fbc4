"""Where the pairs of a data set lie: in folders or in tars, found by name without decoding anything."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

PHOTO_TYPES = {".webp", ".png", ".jpg", ".jpeg"}
LABEL_TYPES = {".png"}
KINDS = {"images": PHOTO_TYPES, "labels": LABEL_TYPES}

LAYOUT = (
    "expected images/NAME.webp|png|jpg with labels/NAME.png, directly in the folder, in train/ and val/ "
    "inside it, or in *.tar files with the same paths; give the folder that holds them"
)


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
        """A whole file below ``root``."""
        stat = path.stat()
        return cls(path, 0, stat.st_size, stat.st_mtime_ns, str(path.relative_to(root)))

    def read(self) -> bytes:
        """The bytes; OSError when the file is gone or shorter than it was."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) != self.size:
            raise OSError(f"{self.name}: {len(data)} of {self.size} bytes are left")
        return data

    @property
    def stem(self) -> str:
        """The name that a photo and its label map share."""
        return PurePosixPath(self.name).stem


@dataclass(frozen=True)
class Pair:
    """A photo and its label map, not yet decoded."""

    name: str
    photo: Blob
    labels: Blob


@dataclass(frozen=True)
class _Found:
    split: str
    kind: str
    blob: Blob


def list_pairs(root: str | Path, split: str | None = None) -> tuple[str, list[Pair]]:
    """The split's name and its pairs, sorted by name.

    Without `split`: `train` where there is one, else the only one there is. ValueError for no such place,
    no pairs, a split that does not exist, two files with one stem, or photos and maps without a partner.
    """
    root = Path(root)
    found = list(_walk(root))
    split = _choose_split(root, {item.split for item in found}, split)
    photos = _by_stem([item.blob for item in found if (item.split, item.kind) == (split, "images")])
    labels = _by_stem([item.blob for item in found if (item.split, item.kind) == (split, "labels")])
    _require_partners(root, set(photos), set(labels))
    return split, [Pair(stem, photos[stem], labels[stem]) for stem in sorted(photos)]


def _walk(root: Path) -> Iterator[_Found]:
    if root.is_dir():
        found = list(_walk_folder(root))
        yield from found or (item for tar in sorted(root.glob("*.tar")) for item in _walk_tar(tar))
    elif root.is_file():
        yield from _walk_tar(root)
    else:
        raise ValueError(f"{root}: no such folder or tar; {LAYOUT}")


def _walk_folder(root: Path) -> Iterator[_Found]:
    for kind in KINDS:
        for folder in [root / kind, *sorted(root.glob(f"*/{kind}"))]:
            split = "" if folder.parent == root else folder.parent.name
            for path in sorted(folder.iterdir()) if folder.is_dir() else []:
                if _wanted(path.name, kind) and path.is_file():
                    yield _Found(split, kind, Blob.of(path, root))


def _walk_tar(path: Path) -> Iterator[_Found]:
    mtime = path.stat().st_mtime_ns
    try:
        with tarfile.open(path, "r:") as tar:
            members = [member for member in tar.getmembers() if member.isfile()]
    except (tarfile.TarError, OSError) as error:
        raise ValueError(f"{path}: not a readable uncompressed tar ({error}); {LAYOUT}") from error
    for member in members:
        split, kind = ("", "", *PurePosixPath(member.name).parts)[-3:-1]
        if kind in KINDS and _wanted(member.name, kind):
            blob = Blob(path, member.offset_data, member.size, mtime, f"{path.name}:{member.name}")
            yield _Found(split.strip("."), kind, blob)


def _wanted(name: str, kind: str) -> bool:
    path = PurePosixPath(name)
    return not path.name.startswith(".") and path.suffix.lower() in KINDS[kind]


def _choose_split(root: Path, there: set[str], wanted: str | None) -> str:
    if not there:
        raise ValueError(f"{root}: no photo and label pairs found; {LAYOUT}")
    named = ", ".join(sorted(split or "(unsplit)" for split in there))
    if wanted is not None and wanted not in there:
        raise ValueError(f"{root}: has no split {wanted!r}, it has: {named}")
    for choice in [wanted, "train", "" if "" in there else None]:
        if choice is not None and choice in there:
            return choice
    if len(there) > 1:
        raise ValueError(f"{root}: several splits and none is 'train'; name one of: {named}")
    return there.pop()


def _by_stem(blobs: list[Blob]) -> dict[str, Blob]:
    table = {blob.stem: blob for blob in blobs}
    if len(table) < len(blobs):
        twice = [blob for blob in blobs if table[blob.stem] is not blob]
        lines = [f"{table[blob.stem].name} and {blob.name}" for blob in twice[:5]]
        raise ValueError(
            f"{len(twice)} files share their stem with another: {'; '.join(lines)}; rename one of each"
        )
    return table


def _require_partners(root: Path, photos: set[str], labels: set[str]) -> None:
    faults = []
    for alone, have, lack in [
        (photos - labels, "photos", "label map"),
        (labels - photos, "label maps", "photo"),
    ]:
        if alone:
            names = ", ".join(sorted(alone)[:5]) + (", ..." if len(alone) > 5 else "")
            faults.append(f"{len(alone)} {have} have no {lack}: {names}")
    if faults:
        raise ValueError(f"{root}: {'; '.join(faults)}; add the missing partners or remove these files")
