"""Makes the figures of the concepts anew: `make figures`, or python docs/figures/figures.py [FOLDER]."""

import sys
from collections.abc import Callable
from pathlib import Path

import competing
import contexts
import first_steps
import growing
import lighting
import normalising
import one_class
from PIL import Image

HERE = Path(__file__).parent

FIGURES: dict[str, Callable[[], Image.Image]] = {
    "first-steps.jpg": first_steps.figure,
    "normalising.png": normalising.figure,
    "growing.jpg": growing.figure,
    "one-class.png": one_class.figure,
    "hinge.png": competing.hinge,
    "judge.jpg": competing.judge,
    "lighting.jpg": lighting.figure,
    "contexts.png": contexts.figure,
}
"""Every figure by the name of its file."""


def write(folder: Path) -> None:
    """All of them: photographs as JPEG, the rest as PNG of 256 colours."""
    for name, figure in FIGURES.items():
        if name.endswith(".png"):
            figure().quantize(256, Image.Quantize.MEDIANCUT).save(folder / name, optimize=True)
        else:
            figure().save(folder / name, quality=88)


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
