"""Our networks, losses and training step against numbers of the published code, in float64.

Run as `SPADEWORK_FIXTURES=DIR pytest tests/parity`: one case per file found in DIR.
"""

import os
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from published import Reference, differences, read
from safetensors import SafetensorError

FOLDER = os.environ.get("SPADEWORK_FIXTURES")
FILES = sorted(Path(FOLDER).glob("*.safetensors")) if FOLDER else []
NO_FILES = pytest.mark.skip(reason="SPADEWORK_FIXTURES names no folder of reference files")


def one_per_family() -> dict[str, Path]:
    """The smallest file of every family found; a broken file or a stranger is `test_file`'s to report."""
    found: dict[str, Path] = {}
    for path in sorted(FILES, key=lambda path: path.stat().st_size):
        try:
            found.setdefault(read(path).family, path)
        except (ValueError, SafetensorError):
            continue
    return found


def cases(named: dict[str, Path]) -> list[Any]:
    """One parameter per path, or a single skipped one."""
    found = [pytest.param(path, id=name) for name, path in named.items()]
    return found or [pytest.param(None, id="none", marks=NO_FILES)]


each_family = pytest.mark.parametrize("path", cases(one_per_family()))


def test_a_folder_that_is_named_holds_files() -> None:
    assert FILES or not FOLDER, f"no *.safetensors in {FOLDER}"


@pytest.mark.parametrize("path", cases({path.stem: path for path in FILES}))
def test_file(path: Path) -> None:
    assert differences(read(path)) == {}


def weights(reference: Reference) -> list[str]:
    """Given tensors that every result depends on: matrices and kernels, no statistics."""
    inputs = re.compile(r"input|batch")
    return sorted(k for k in reference.given if reference.tensors[k].ndim > 1 and not inputs.match(k))


@each_family
def test_a_changed_weight_fails(path: Path) -> None:
    reference = read(path)
    name = weights(reference)[0]
    assert differences(reference.with_tensors(**{name: reference.tensors[name] + 1e-3}))


@each_family
def test_a_permuted_key_fails(path: Path) -> None:
    reference = read(path)
    tensors = reference.tensors
    a, b = next(p for p in combinations(weights(reference), 2) if tensors[p[0]].shape == tensors[p[1]].shape)
    assert differences(reference.with_tensors(**{a: tensors[b].clone(), b: tensors[a].clone()}))


@each_family
def test_a_spoilt_file_fails(path: Path, tmp_path: Path) -> None:
    """One value changed in one tensor of every sort: exactly these are told, nothing else."""
    reference = read(path)
    sorts = {re.split(r"\d|\.|_", name)[0]: name for name in reference.expected}
    changed = {name: reference.tensors[name].clone() for name in sorts.values()}
    for sort, name in sorts.items():
        changed[name].view(-1)[-1] += 1e-4 if sort in ("after", "grad") else 1e-7
    reference.with_tensors(**changed).write(tmp_path / "spoilt.safetensors")
    assert differences(read(tmp_path / "spoilt.safetensors")).keys() == changed.keys()


def test_a_file_of_no_family_is_explained(tmp_path: Path) -> None:
    Reference("odd", {}, {"weights": torch.zeros(1)}).write(tmp_path / "odd.safetensors")
    with pytest.raises(ValueError, match=r"odd.safetensors: no family has tensors like \['weights'\]"):
        differences(read(tmp_path / "odd.safetensors"))
