"""Twenty inputs that people spoil, and the sentence that each of them gets: the table of docs/spoiled.md."""

import io
import tarfile
from collections.abc import Iterator
from contextlib import chdir
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import misread
import numpy as np
import torch
from PIL import Image
from typer.testing import CliRunner

from spadework.cli import app
from spadework.sketch.palette import Palette

LANDSCAPE = Palette.load("landscape")


def ids() -> np.ndarray:
    """(48, 64): sky over mountain over sea."""
    truth = np.zeros((48, 64), np.uint8)
    truth[20:] = 2
    truth[34:] = 11
    return truth


def save(name: str, array: np.ndarray, **options: object) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return name


def weights(name: str, channels: int) -> str:
    import sys

    sys.path.insert(0, str(Path(__file__).parent / "nvlabs"))
    from layouts import generator_state

    torch.save(generator_state(channels), name)
    return name


def colors() -> np.ndarray:
    return LANDSCAPE.colors()[ids()]


def noise(side: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)


def dataset(root: str, labels: np.ndarray, photo: np.ndarray) -> str:
    save(f"{root}/labels/a.png", labels)
    save(f"{root}/images/a.png", photo)
    return root


def evil_archive() -> str:
    with tarfile.open("evil.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("../../evil.pth"), io.BytesIO(b""))
    return "evil.tar"


def half(name: str) -> str:
    data = Path(weights("whole.pth", 184)).read_bytes()
    Path(name).write_bytes(data[:100_000])
    return name


def bomb(name: str) -> str:
    torch.save({"fc.weight": misread.Runs()}, name)
    return name


def empty(name: str) -> str:
    Path(name).write_bytes(b"")
    return name


def text(name: str) -> str:
    Path(name).write_text("hello")
    return name


def facades(top: int) -> list[str]:
    """Training words for facades with ids up to `top`."""
    grid = np.resize(np.array([0, top], np.uint8), (48, 64))
    save("f/train_label/a.png", grid)
    save("f/train_img/a.png", noise()[:48])
    return ["train", "--dataset_mode", "facades", "--dataroot", "f", "--name", "x"]


def spoils() -> Iterator[tuple[str, list[str]]]:
    """What was done wrong, and the words of the command; run in an empty folder."""
    strict = ["--palette", "landscape", "--strict"]
    soft = strict[:2]
    spot = colors()
    spot[:2, :3] = (200, 30, 30)
    wrong = ids()
    wrong[:2, :3] = 77
    yield "an empty file", ["label", empty("a.png"), *strict]
    yield "no picture at all", ["label", text("a.png"), *strict]
    yield "a photograph as the sketch", ["label", save("a.png", noise()), *soft]
    yield "a JPEG as the sketch", ["label", save("a.jpg", colors(), quality=90), *strict]
    yield "a colour of no class", ["label", save("a.png", spot), *strict]
    yield "ids of no class", ["label", save("a.png", wrong), *strict]
    scaled = ids().astype(np.uint16) * 257
    yield "8 bits scaled to 16", ["label", save("a.png", scaled), *strict]
    yield "the same, to be repaired", ["label", save("a.png", scaled), *soft]
    gamma = (255 * (colors() / 255) ** 2.2).round().astype(np.uint8)
    yield "saved with a wrong gamma", ["label", save("a.png", gamma), *soft]
    yield "a 0/255 mask", ["label", save("a.png", np.where(ids() > 1, 255, 0).astype(np.uint8)), *soft]
    yield "a 0/255 mask to train on", facades(255)
    yield "more classes than stated", [*facades(20)]
    yield "a colour map given as ids", _colors_as_ids()
    yield "photos and maps swapped", ["data", "check", dataset("swapped", noise(), ids())]
    yield "ids that start at 1", _shifted()
    yield "184 classes stated for 184 channels", _channels()
    yield "the wrong preset", ["import", weights("G.pth", 184), "--preset", "ade20k"]
    yield "a truncated .pth", ["import", half("half.pth"), "--preset", "coco"]
    yield "a pickle that runs code", ["import", bomb("bomb.pth"), "--preset", "coco"]
    yield "an archive that writes elsewhere", ["import", evil_archive(), "--preset", "coco"]
    yield "no checkpoint", ["test", "--name", "coco_pretrained", "--dataset_mode", "coco", "--dataroot", "c"]


def _colors_as_ids() -> list[str]:
    save("rgb/val_label/a.png", colors())
    Path("checkpoints/mine").mkdir(parents=True, exist_ok=True)
    weights("checkpoints/mine/latest_net_G.pth", 13)
    return ["test", "--name", "mine", "--dataset_mode", "facades", "--dataroot", "rgb", "--crop_size", "64"]


def _channels() -> list[str]:
    save("c/val_label/a.png", ids())
    weights("checkpoints/mine/latest_net_G.pth", 184)
    return ["test", "--name", "mine", "--dataset_mode", "coco", "--dataroot", "c", "--label_nc", "184"]


def _shifted() -> list[str]:
    grid = np.resize(np.arange(1, 16, dtype=np.uint8), (48, 64))
    return ["data", "check", dataset("shifted", grid, noise()[:48]), "--palette", "landscape"]


@cache
def sentences() -> list[tuple[str, str, str]]:
    """(what was done wrong, the command, what was said) of every spoilt input."""
    told = []
    with TemporaryDirectory() as folder, chdir(folder):
        for what, words in spoils():
            result = CliRunner().invoke(app, words)
            assert result.exception is None or isinstance(result.exception, SystemExit), what
            told.append((what, " ".join(["spadework", *words]), _said(result.stderr, result.stdout)))
        assert not Path("exploded").exists()
    return told


def _said(error: str, output: str) -> str:
    """The error, or the lines that report something."""
    marks = ("repaired:", "unsure:", "fault:", "warning:")
    lines = error.splitlines() or [line for line in output.splitlines() if line.startswith(marks)]
    return "; ".join(line.removeprefix("error: ") for line in lines)


def page(again: str) -> str:
    """docs/spoiled.md."""
    rows = ["| what was done | command | what is said |", "|---|---|---|"]
    rows += [
        f"| {what} | `{words}` | {said.replace('|', ', ').replace('<', '&lt;')} |"
        for what, words, said in sentences()
    ]
    about = "What people do by mistake, and the sentence that they get. Errors end with exit code 2."
    first = f"# Spoilt inputs\n\n{about} Made by running the commands; {again}.\n\n" + "\n".join(rows)
    rules = f"## What a file means\n\n{RULES}\n\n## One map as many files\n\n{MANY}"
    return f"{first}\n\n{rules}\n\n{misread.table()}\n"


RULES = """One reader serves every door: painting, labels, data sets and the studio.

- Greys are class ids as they are stored, in 1, 2, 4, 8 or 16 bits, in PNG, TIFF, GIF, BMP or PGM.
- Indices into a colour table with colours of the palette mean these colours, in whatever order the table has
  them. With any other table the indices are ids. Where they stand for greys that may be ids too: refused.
- Colours are classes where they are the palette's exactly. A colour profile in the file is applied first.
- An EXIF orientation is heeded, an alpha channel that hides nothing is ignored.
- JPEG, WebP with loss and the like blur ids: `label` and the studio repair them and say so, others refuse.
- Values below 0, fractions, values beyond 255 and what a GeoTIFF says is no data are no ids: `label` and the
  studio make them unknown, and say so. A TIFF of several pages is refused; previews are no pages.
- Ids that were resized as if they were brightness are doubted by every door.
- `label` and the studio refuse where fewer than half of the pixels have colours of a palette, and are unsure
  where one in a hundred has not.
- They turn back and tell: red and blue swapped, panoptic maps of Cityscapes, the full annotation of ADE20K
  (`_seg.png`) by the names of its classes, and panoptic maps of COCO by the JSON beside them."""

MANY = (
    "What each door makes of the files above, and of one map in the classes of the landscape model: "
    "`paint SKETCH`, `label FILE --palette landscape`, `data check DIR --palette landscape`, training, and a "
    "file opened in the studio. *right*: all of its pixels have their class. *told*: the door says what it "
    "did, and a share below 100 % is never without that. *refused*: with a sentence that says what came and "
    "what to do. *asks*: the ids fit several palettes, and the studio shows the map and asks which it is."
)
