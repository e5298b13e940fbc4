"""Class ids out of a Cryptomatte, as Blender and others write it into an EXR; see docs/cookbook/blender.md.

Type: python examples/cryptomatte.py render.exr classes.json ids.png     (after pip install OpenEXR)

classes.json: {"Rock*": "rock", "Lake": "water", "*": "grass", "": "sky"}: the first pattern that an object's
name fits has its class; "" is where there is no object.
"""

import json
import sys
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import OpenEXR
from numpy.typing import NDArray

from spadework import LabelMap, Palette

Matte = tuple[NDArray[np.uint32], NDArray[np.float32]]
"""Who lies at a pixel, and how much of it is covered by that: (H, W) each."""


def read(path: Path) -> tuple[dict[int, str], list[Matte]]:
    """Names by their numbers, and the mattes, the largest shares of every pixel first."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        header = dict(file.header())  # copies: the file takes what is its own with it
        found = {name.lower(): one.pixels.copy() for name, one in file.channels().items()}
    manifests = [key for key in header if key.startswith("cryptomatte/") and key.endswith("/manifest")]
    if not manifests:
        sys.exit(
            f"{path} holds no Cryptomatte: switch its pass on, and save OpenEXR MultiLayer, Float (Full)"
        )
    layer = header[manifests[0].replace("/manifest", "/name")]
    mattes = []
    for who, share in (("r", "g"), ("b", "a")) * 8:
        name = f"{layer}{len(mattes) // 2:02}.".lower()
        if name + who not in found:
            break
        mattes.append((found[name + who].view(np.uint32), found[name + share]))
    numbers = json.loads(header[manifests[0]])
    return {int(number, 16): name for name, number in numbers.items()}, mattes


def ids_of(
    names: Mapping[int, str], mattes: list[Matte], classes: Mapping[str, str], palette: Palette
) -> NDArray[np.uint8]:
    """(H, W): of every pixel the class that covers most of it, whatever objects it consists of."""
    shares = np.zeros((256, *mattes[0][0].shape), np.float32)
    for who, covered in mattes:
        for number in np.unique(who[covered > 0]):
            here = (who == number) & (covered > 0)
            shares[class_of(names.get(int(number), ""), classes, palette)][here] += covered[here]
    nobody = class_of("", classes, palette)
    shares[nobody] += 1 - sum(covered for _, covered in mattes)
    return shares.argmax(0).astype(np.uint8)


def class_of(name: str, classes: Mapping[str, str], palette: Palette) -> int:
    """The id of an object's class."""
    for pattern, chosen in classes.items():
        if name == pattern or (pattern and name and fnmatchcase(name, pattern)):
            return palette.id_of(chosen)
    sys.exit(f"no class for {name or 'pixels without an object'}: add {json.dumps(name)} to the classes")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    palette = Palette.load("landscape")
    classes = json.loads(Path(sys.argv[2]).read_text())
    LabelMap(ids_of(*read(Path(sys.argv[1])), classes, palette), palette).save(sys.argv[3])
