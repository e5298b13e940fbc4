"""Published checkpoints on disk: weights, folders and archives, read without running what they may hold."""

import io
import os
import pickle
import pickletools
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from spadework.content import kind_of
from spadework.files import Fault, read_bytes, text_of

MOST_BYTES = 4 << 30
"""No member of an archive may be larger; the largest published network has 0.4 GB."""

MODULE = "module."
"""What DataParallel puts before the names of a network's weights."""

NETWORKS = {"G": "generator", "E": "encoder", "D": "discriminator"}


@dataclass(frozen=True)
class Published:
    """State dicts by kind ("generator", "encoder", "discriminator") and the options of opt.txt, as text."""

    states: Mapping[str, Mapping[str, Tensor]]
    options: Mapping[str, str] = field(default_factory=dict)
    origin: str = "checkpoint"


def read_state(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a .pth file by name. Raises ValueError, one line, for everything else."""
    return state_in(read_bytes(path), str(path))


def state_in(data: bytes, name: str) -> dict[str, Tensor]:
    """As `read_state`, from the file's content. Only tensors are unpickled, never code.

    A state may be wrapped, as {"state_dict": ...}, and have `module.` before its names, as DataParallel
    leaves it.
    """
    _demand_no_page(data, name)
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(_why_not_weights(name, str(error))) from error
    except Exception as error:  # torch raises many kinds on damaged files
        if foreign := _foreign_code(data):
            raise ValueError(_refusal(name, foreign)) from error
        raise Fault(
            f"{name} is damaged, truncated or no .pth file ({len(data):,} bytes)",
            "copy or download it again",
        ) from error
    state = _without_module(_unwrapped(content, name))
    _demand_finite(state, name)
    return state


def _demand_no_page(data: bytes, name: str) -> None:
    """Raises ValueError for what a download may leave in place of weights."""
    found = kind_of(data)
    if found and not data.startswith(b"PK") and "archive" not in found[0]:
        what, remedy = found
        raise Fault(f"{name} is {what} and no weights", remedy)


def _unwrapped(content: object, name: str) -> Mapping[object, Tensor]:
    """The tensors by name: all there is, or those of the only network inside."""
    if _is_state(content):
        return content  # type: ignore[return-value]
    inside = (
        {key: value for key, value in content.items() if _is_state(value)}
        if isinstance(content, Mapping)
        else {}
    )
    chosen = inside.get("state_dict") or (next(iter(inside.values())) if len(inside) == 1 else None)
    if chosen is None:
        several = f" (it has {', '.join(map(str, inside))})" if inside else ""
        raise Fault(
            f"{name} holds {type(content).__name__} with more than tensors{several}",
            "give the state of one network, such as latest_net_G.pth",
        )
    return chosen


def _is_state(content: object) -> bool:
    return (
        isinstance(content, Mapping)
        and bool(content)
        and all(isinstance(value, Tensor) for value in content.values())
    )


def _without_module(state: Mapping[object, Tensor]) -> dict[str, Tensor]:
    """Names as the network has them, without the prefix of DataParallel."""
    names = {str(key): value for key, value in state.items()}
    while all(name.startswith(MODULE) for name in names):
        names = {name.removeprefix(MODULE): value for name, value in names.items()}
    return names


def _demand_finite(state: Mapping[str, Tensor], name: str) -> None:
    broken = [key for key, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise Fault(
            f"{name} has weights that are no numbers (NaN or infinite) in {len(broken)} tensors, the first "
            f"is {broken[0]}",
            "its training diverged; take an earlier checkpoint",
        )


def _why_not_weights(name: str, error: str) -> str:
    asked = re.search(r"(?:GLOBAL|global) ([\w.]+)", error)
    if asked:
        return _refusal(name, asked[1])
    return f"{name} is not a PyTorch state dict: give a file such as latest_net_G.pth"


def _refusal(name: str, code: str) -> str:
    return (
        f"{name} is refused: when opened, it would call code ({code}), and weights need none: it may be "
        "malicious. Get the file from a source that you trust, as a plain state dict of tensors"
    )


def _foreign_code(data: bytes) -> str:
    """The first function outside torch that a bare pickle names, "" if none; nothing of it is run."""
    words: list[str] = []
    try:
        for code, value, _ in pickletools.genops(data):
            if code.name == "GLOBAL":
                words += str(value).split(" ")
            elif isinstance(value, str):
                words.append(value)
            if "GLOBAL" in code.name and words[-2].partition(".")[0] not in ("torch", "collections"):
                return ".".join(words[-2:])
    except Exception:  # it is no pickle, or a damaged one
        return ""
    return ""


def read_options(text: str) -> dict[str, str]:
    """The lines "name: value [default: other]" of an opt.txt."""
    found = re.finditer(r"^\s*(\w+): (.*?)\s*(?:\[default: .*\])?\s*$", text, re.MULTILINE)
    return {match[1]: match[2] for match in found}


def find(path: str | os.PathLike[str], which: str = "latest", wanted: str = "") -> Published:
    """What lies at a .pth file, in a checkpoint folder, or in a .tar or .tar.gz of such folders.

    `wanted` chooses among the folders of an archive. Raises ValueError, one line with the remedy.
    """
    path = Path(path)
    if path.is_dir():
        return _in_folder(path, which)
    if path.name.endswith((".tar", ".tar.gz", ".tgz")):
        return _in_archive(path, which, wanted)
    return Published({"generator": read_state(path)}, {}, path.name)


def _in_folder(folder: Path, which: str) -> Published:
    files = {kind: folder / f"{which}_net_{letter}.pth" for letter, kind in NETWORKS.items()}
    if not files["generator"].is_file():
        raise ValueError(missing_generator(folder, which))
    states = {kind: read_state(file) for kind, file in files.items() if file.is_file()}
    options = folder / "opt.txt"
    text = text_of(options.read_bytes()) if options.is_file() else ""
    return Published(states, read_options(text), folder.name)


def missing_generator(folder: Path, which: str) -> str:
    """The words for a checkpoint folder without a generator."""
    epochs = sorted(file.name.removesuffix("_net_G.pth") for file in folder.glob("*_net_G.pth"))
    there = f"it has {', '.join(epochs)}: choose with --which_epoch" if epochs else "put one there"
    return f"{folder} has no {which}_net_G.pth: {there}"


def _in_archive(path: Path, which: str, wanted: str) -> Published:
    _demand_no_page(read_bytes(path), str(path))
    try:
        with tarfile.open(path) as tar:
            members = {member.name: member for member in tar.getmembers()}
            folder = _choose(path, members, which, wanted)
            states = {
                kind: state_in(_content(tar, members[name]), f"{path.name}:{name}")
                for letter, kind in NETWORKS.items()
                if (name := f"{folder}{which}_net_{letter}.pth") in members
            }
            options = members.get(f"{folder}opt.txt")
            text = text_of(_content(tar, options)) if options else ""
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Fault(f"{path} is a damaged or truncated archive ({error})", "download it again") from error
    return Published(states, read_options(text), folder.rstrip("/").rpartition("/")[2] or path.stem)


def _choose(path: Path, members: Mapping[str, tarfile.TarInfo], which: str, wanted: str) -> str:
    """The folder in the archive that holds the generator, with its slash. Nothing is ever extracted."""
    for name, member in members.items():
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or not (member.isfile() or member.isdir()):
            raise Fault(
                f"{path} is refused: its member {name!r} is a link or leads outside",
                "such archives are made to overwrite files. Get it from a source that you trust",
            )
    end = f"{which}_net_G.pth"
    folders = [name.removesuffix(end) for name in members if PurePosixPath(name).name == end]
    fitting = [folder for folder in folders if wanted and wanted in folder] or folders
    if len(fitting) != 1:
        there = ", ".join(folder.rstrip("/") or "." for folder in folders) or "none"
        raise Fault(f"{path} has {len(folders)} checkpoints with {end} ({there})", "unpack it and name one")
    return fitting[0]


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    if file is None or member.size > MOST_BYTES:
        raise ValueError(f"{member.name} is no file of a sensible size ({member.size:,} bytes): not opened")
    return file.read()
