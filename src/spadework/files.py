"""Bytes to and from the disk: whole or not at all, and with errors that name the remedy."""

import difflib
import errno
import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from pydantic import ValidationError

_REMEDIES = {
    errno.ENOENT: "its folder does not exist: create the folder, or choose another place",
    errno.ENOTDIR: "a part of the path is a file, not a folder: choose another place",
    errno.EACCES: "no permission to write there: choose a folder of your own",
    errno.EPERM: "no permission to write there: choose a folder of your own",
    errno.EROFS: "the file system is read-only: choose another place",
    errno.ENOSPC: "the disk is full: free some space and try again",
    errno.EDQUOT: "the disk quota is used up: free some space and try again",
    errno.EFBIG: "a file there may not become so large: choose another place, or raise the limit (ulimit -f)",
    errno.EIO: "the disk cannot be written: check it, or choose another place",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
}


class Fault(ValueError):
    """What a person gave cannot be used.

    sentence: what came, and what was expected. remedy: what to do or type. Its text is both, one line.
    """

    def __init__(self, sentence: str, remedy: str) -> None:
        super().__init__(f"{sentence}: {remedy}")
        self.sentence, self.remedy = sentence, remedy

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.sentence, self.remedy)


class Misfit(NamedTuple):
    """What a model of pydantic's refused first. `where`: the keys to it, a dot between; "" for the whole."""

    where: str
    said: str
    came: object
    kind: str

    @property
    def key(self) -> str:
        """The first key, and numbers of places under it; without the kinds that a union tried."""
        first, *more = self.where.split(".")
        return ".".join([first, *filter(str.isdecimal, more)])

    @classmethod
    def first_of(cls, error: "ValidationError") -> Self:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return cls(where, first["msg"].removeprefix("Value error, "), first["input"], first["type"])


def some(things: Sequence[object], most: int, between: str = ", ") -> str:
    """The first `most` of them for a sentence, and how many more there are."""
    more = len(things) - most
    return between.join(map(str, things[:most])) + (f" and {more} more" if more > 0 else "")


def remedy_for(error: BaseException) -> str:
    """What to do about a file that could not be written, by the system's error or the text of a library's."""
    number = getattr(error, "errno", None)
    if number is None:  # safetensors tells it in words alone
        found = re.search(r"os error (\d+)", str(error))
        number = int(found[1]) if found else 0
    reason = getattr(error, "strerror", None) or str(error)
    return _REMEDIES.get(number, f"{reason}: choose another place")


def atomic_write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path`, whole or not at all: see `replacing`, which says what may be raised."""
    with replacing(path) as hidden:
        hidden.write_bytes(data)


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A hidden path to write to; then it takes the place of `path`, and no power cut ever shows half of it.

    The file lies in the same folder, is forced to the disk (fsync), and becomes `path` in one step
    (os.replace). Until then an older file of that name stays whole, and when anything fails, Ctrl-C included,
    the hidden file is removed. A symbolic link is followed: its target is replaced.

    Raises ValueError, one line with the remedy, when the destination cannot be written.
    """
    target = Path(os.path.realpath(path))
    if os.path.exists(target) and not os.path.isfile(target):
        kind = "a folder" if os.path.isdir(target) else "a device, not a file"
        raise Fault(f"cannot write {path}: it is {kind}", "give the name of a file")
    hidden = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        yield hidden
        _force(hidden)
        os.replace(hidden, target)
    except OSError as error:
        raise Fault(f"cannot write {path}", remedy_for(error)) from error
    finally:
        _discard(hidden)


def discard_unfinished(folder: Path) -> None:
    """Removes the hidden files that a kill left half-written in a folder to which nobody else is writing."""
    for path in folder.glob(f".{'[0-9a-f]' * 16}.tmp"):
        _discard(path)


def _force(path: Path) -> None:
    """To the disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # the folder itself is the fault that is already being reported
        return


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """The content of a file.

    Raises ValueError, one line with the remedy, for a missing file (naming the most similar one in
    its folder), a folder, an unreadable or an empty file.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise _why_unreadable(Path(path), error) from error
    if not data:
        raise Fault(f"{path} is empty (0 bytes)", "save or download it again")
    return data


def text_of(data: bytes) -> str:
    """Text in UTF-8, or in UTF-16 or UTF-32 as Windows writes it, with or without a byte order mark."""
    return data.decode(json.detect_encoding(data), errors="replace")


def _why_unreadable(path: Path, error: OSError) -> Fault:
    if os.path.isdir(path):
        return Fault(f"{path} is a folder", "give the name of a file in it")
    if isinstance(error, FileNotFoundError):
        return Fault(f"{path} does not exist", _similar_file(path))
    if isinstance(error, PermissionError):
        return Fault(f"{path} may not be read", f"allow it with `chmod u+r {path}`")
    return Fault(f"{path} cannot be read ({error.strerror or error})", "check the path")


def _similar_file(path: Path) -> str:
    if not os.path.isdir(path.parent):
        return f"there is no folder {path.parent} either: check the path"
    for close in difflib.get_close_matches(path.name, os.listdir(path.parent)):
        if difflib.SequenceMatcher(None, path.stem, Path(close).stem).ratio() >= 0.5:  # not the ending alone
            return f"did you mean {path.parent / close}?"
    return "check the path"
