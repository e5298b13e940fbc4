"""The licences of what is installed with spadework, as the packages' own metadata tell them."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]

COPYLEFT = re.compile(
    r"\b(A|L)?GPL|General Public|\bMPL|Mozilla Public|\bEUPL|\bCDDL|\bEPL|CC-BY-SA", re.IGNORECASE
)


def closure(extras: bool = False) -> dict[str, Distribution]:
    """Everything that an install brings here, with all extras or none, by normalised name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    more = [text for texts in project["optional-dependencies"].values() for text in texts] if extras else []
    waiting = [Requirement(text) for text in (*project["dependencies"], *more)]
    found: dict[str, Distribution] = {}
    seen: set[str] = set()
    while waiting:
        need = waiting.pop()
        if str(need) in seen or need.name == "spadework":
            continue
        seen.add(str(need))
        try:
            own = distribution(need.name)
        except PackageNotFoundError:
            continue  # of another system, or left out here
        found[re.sub(r"[-_.]+", "-", need.name).lower()] = own
        waiting += needs(own, need.extras)
    return found


def needs(own: Distribution, extras: Iterable[str]) -> Iterator[Requirement]:
    """The requirements that hold on this system."""
    for text in own.requires or []:
        need = Requirement(text)
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield need


def licence(own: Distribution) -> str:
    """A licence in one line: the expression, else the classifiers, else the first line of what is told."""
    told = own.metadata
    classifiers = [
        text.rpartition(" :: ")[2] for text in told.get_all("Classifier") or [] if text.startswith("License")
    ]
    free = (told.get("License") or "").strip().splitlines()
    return told.get("License-Expression") or ", ".join(classifiers) or (free[0] if free else "not told")


def page() -> str:
    """docs/licences.md."""
    base, every = closure(), closure(extras=True)
    lines = [
        "# Licences",
        "",
        "Made from the metadata of what is installed; type: make docs. spadework itself is Apache-2.0. The",
        "base install has no copyleft. PyTorch for GPUs brings NVIDIA's libraries, under NVIDIA's terms. The",
        "book's formulas are in STIX Two Math, under the [OFL](figures/math-licence.txt).",
        "",
        "| package | licence | installed with |",
        "|---|---|---|",
    ]
    for name in sorted(every):
        lines.append(f"| {name} | {licence(every[name])} | {'base' if name in base else 'an extra'} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "licences.md").write_text(page())
