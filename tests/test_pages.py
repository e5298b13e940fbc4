"""What tutorial, concepts and cookbook print can be typed: programs run, commands run or parse."""

import io
import json
import re
import shlex
import shutil
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from spadework.api.requests import PaintRequest
from spadework.cli import app
from spadework.engine import MODELS
from spadework.picture import Picture
from spadework.sketch import openraster, psd
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.palette import Palette
from spadework.training import export

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted([DOCS / "tutorial.md", *DOCS.glob("concepts/*.md"), *DOCS.glob("cookbook/*.md")])

pytestmark = pytest.mark.skipif(
    not MODELS["landscape"].is_file(), reason="the shipped model is not in this checkout"
)


def blocks(path: Path, *languages: str) -> list[tuple[str, str]]:
    """Language and text of a page's blocks, in order."""
    found = re.findall(r"^```(\S*)\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)
    return [(language, text) for language, text in found if language in languages]


def commands(text: str) -> list[list[str]]:
    """Every `spadework` command of a block, in words without its first."""
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [words[1:] for words in lines if words[:1] == ["spadework"]]


def parse(words: list[str]) -> None:
    """Raises for a command, an option or a value that does not exist."""
    command = get_command(app)
    while hasattr(command, "commands") and words:
        command, words = command.commands[words[0]], words[1:]  # type: ignore[attr-defined]
    with command.make_context("spadework", list(words)) as context:
        assert context.params


def run(words: list[str], here: Path) -> str:
    """What a command prints. `*` is the shell's."""
    known = [name for word in words for name in (map(str, here.glob(word)) if "*" in word else [word])]
    result = CliRunner().invoke(app, known)
    assert result.exit_code == 0, f"spadework {shlex.join(words)}: {result.output}"
    return result.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPADEWORK_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_parse(path: Path) -> None:
    for _, text in blocks(path, "sh"):
        for words in commands(text):
            parse(words)


def test_a_command_that_does_not_exist_is_seen() -> None:
    with pytest.raises(Exception, match="--seeed"):
        parse(["paint", "sketch.png", "--seeed", "7"])
    assert sum(len(commands(text)) for path in PAGES for _, text in blocks(path, "sh")) > 20


@pytest.mark.parametrize(
    "path", [path for path in PAGES if path.parent.name == "concepts"], ids=lambda p: p.stem
)
def test_programs_of_the_concepts_run(path: Path) -> None:
    for _, text in blocks(path, "python"):
        exec(text, {})


LONG = ("runs/mine", "studio", "palettes", "seven.png", "large.png")
"""What is only parsed: it takes hours, or seconds that other tests take as well, or does not end."""
TINY = ["--set", "total_images=8", "save_every=8", "sample_every=8", "batch_size=2", "--device", "cpu"]
TINY += ["--set", "ngf=1", "hidden=2", "encoder_ngf=1", "ndf=1"]


def test_the_tutorial_runs(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the hours: its first training sees eight pictures, and its photographs are paintings."""
    monkeypatch.setattr(export, "STATISTICS_IMAGES", 4)
    monkeypatch.setattr(export, "STYLE_IMAGES", 16)
    for language, text in blocks(DOCS / "tutorial.md", "python", "sh"):
        if language == "python":
            exec(text, {})
            continue
        for words in commands(text):
            if any(long in word for word in words for long in LONG):
                continue
            if words[0] == "data":
                told = run(words, here)
                assert "training can begin" in told
                assert "warning" not in told
            else:
                run([*words, *(TINY if words[0] == "train" else [])], here)
                bring_photographs(here)
    sketch = LabelMap.read(here / "sketch.png", Palette.load("landscape"))
    assert Picture.read(here / "toy.png").provenance["model"] == "toy"
    read = LabelMap.read(here / "read.png", sketch.palette)
    assert (read.ids == sketch.ids).mean() > 0.8
    assert {path.stem for path in (here / "photos").glob("*/labels/*")} == {"a", "b"}


def bring_photographs(here: Path) -> None:
    """Where the tutorial's reader has put them; here they are paintings."""
    for painting, split, name in (("out/sketch.png", "train", "a"), ("light.png", "val", "b")):
        photo = here / "photos" / split / "images" / f"{name}.png"
        if (here / painting).exists() and not photo.exists():
            photo.parent.mkdir(parents=True)
            shutil.copy(here / painting, photo)


# ---- the cookbook


@pytest.fixture
def drawing(here: Path) -> LabelMap:
    """One sketch as every file that the recipes end in."""
    palette = Palette.load("landscape")
    ids = np.zeros((64, 96), np.uint8)
    ids[40:], ids[20:40, 30:70] = palette.id_of("sea"), palette.id_of("mountain")
    sketch, photograph = LabelMap(ids, palette), Picture(np.zeros((64, 96, 3), np.uint8))
    sketch.save(here / "ids.png")
    for name in ("ids0001.png", "frames/0001.png", "frames/0002.png"):  # as greys, which Blender writes
        (here / name).parent.mkdir(exist_ok=True)
        Image.fromarray(ids).save(here / name)
    Picture(sketch.colorize()).save(here / "sketch.png")
    small = Picture(sketch.colorize()).resize((60, 90))
    small.resize((64, 96)).save(here / "blurred.png")
    without_project(here / "drawing.ora", openraster.write(sketch, photograph, ""))
    (here / "drawing.psd").write_bytes(psd.write(sketch, photograph, []))
    return sketch


def without_project(path: Path, data: bytes) -> None:
    """As another program saves our file."""
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if name != openraster.PROJECT:
                new.writestr(name, old.read(name))


@pytest.mark.parametrize("name", ["painting-programs", "blender"])
def test_recipes_run(name: str, here: Path, drawing: LabelMap) -> None:
    for language, text in blocks(DOCS / "cookbook" / f"{name}.md", "python", "sh"):
        if language == "python":
            exec(text, {})
        for words in commands(text) if language == "sh" else []:
            run(words, here)
    read = LabelMap.read(here / "ids.png", drawing.palette)
    assert (read.ids == drawing.ids).mean() > 0.97
    painted = {path.name for path in (*here.glob("out/*.png"), *here.glob("pictures/*.png"))}
    assert (
        painted
        == {
            "painting-programs": {"sketch.png", "drawing.png", "ids.png"},
            "blender": {"ids0001.png", "ids.png", "0001.png", "0002.png"},
        }[name]
    )


def test_layers_are_the_sketch_again(here: Path, drawing: LabelMap) -> None:
    for file in ("drawing.ora", "drawing.psd"):
        run(["label", file, "--palette", "landscape", "-o", "again.png"], here)
        assert (LabelMap.read(here / "again.png", drawing.palette).ids == drawing.ids).all()


def test_the_palette_of_gimp_has_every_colour(here: Path) -> None:
    (program,) = (text for _, text in blocks(DOCS / "cookbook" / "painting-programs.md", "python"))
    exec(program, {})
    palette, lines = Palette.load("landscape"), (here / "landscape.gpl").read_text().splitlines()
    assert lines[0] == "GIMP Palette"
    rows = [line.split("\t") for line in lines[3:]]
    assert {name: tuple(map(int, color.split())) for color, name in rows} == {
        one.name: tuple(palette.colors()[one.id].tolist()) for one in palette.classes
    }


def test_blenders_script_knows_the_ids() -> None:
    (script,) = (text for _, text in blocks(DOCS / "cookbook" / "blender.md", "py"))
    (names,) = re.findall(r'NAMES = "(.*)"', script)
    palette = Palette.load("landscape")
    assert [palette.id_of(name) for name in names.split()] == list(range(palette.label_nc))
    compile(script, "blender", "exec")


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    """What each client of the recipes sends, with a sketch in it."""
    sketch = b64encode((Path(__file__).parents[1] / "examples/sketches/beach.png").read_bytes()).decode()
    for language, text in blocks(DOCS / "cookbook" / "engines.md", "csharp", "gdscript"):
        if language == "csharp":
            (inside,) = re.findall(r"class PaintBody\s*{(.*?)}", text, re.DOTALL)
            found = re.findall(r"public \w+ (\w+)(?: = (.*?))?;", inside)
        else:
            (inside,) = re.findall(r"var body := {(.*?)\n    }", text, re.DOTALL)
            found = re.findall(r'"(\w+)": (.*),', inside)
        yield language, {name: sketch if name == "ids_png" else json.loads(value) for name, value in found}


def test_bodies_fit_the_api() -> None:
    sent = dict(bodies())
    assert set(sent) == {"csharp", "gdscript"}
    for body in sent.values():
        asked = PaintRequest.model_validate(body)
        assert (asked.seed, asked.width, asked.height, asked.form) == (7, 512, 512, "png")


def test_a_cryptomatte_becomes_ids(here: Path, drawing: LabelMap, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two objects of one class outweigh a third one that covers more than each of them."""
    openexr = pytest.importorskip("OpenEXR", reason="openexr is not installed")
    monkeypatch.syspath_prepend(DOCS.parent / "examples")
    import cryptomatte

    numbers = {"Peak.001": 0x3F1234AB, "Peak.002": 0x3E5678CD, "Lake": 0x40ABCDEF}
    who = np.zeros((3, 4, 5), np.uint32)
    covered = np.zeros((3, 4, 5), np.float32)
    who[0, 2:], covered[0, 2:] = numbers["Lake"], 1.0
    who[:, 1], covered[:, 1] = (
        [[n] for n in (numbers["Lake"], *list(numbers.values())[:2])],
        [[0.4], [0.3], [0.3]],
    )
    places = {f"{rank // 2:02}.{'rb'[rank % 2]}": who[rank].view(np.float32) for rank in range(3)}
    places |= {f"{rank // 2:02}.{'ga'[rank % 2]}": covered[rank] for rank in range(3)}
    places |= {f"01.{letter}": np.zeros((4, 5), np.float32) for letter in "ba"}
    channels = {f"ViewLayer.CryptoObject{place}": pixels for place, pixels in places.items()}
    header = {
        "compression": openexr.ZIP_COMPRESSION,
        "type": openexr.scanlineimage,
        "cryptomatte/1234567/name": "ViewLayer.CryptoObject",
        "cryptomatte/1234567/manifest": json.dumps({name: f"{n:08x}" for name, n in numbers.items()}),
    }
    openexr.File(header, channels).write("render.exr")
    (text,) = (text for _, text in blocks(DOCS / "cookbook" / "blender.md", "json"))
    ids = cryptomatte.ids_of(*cryptomatte.read(here / "render.exr"), json.loads(text), drawing.palette)
    names = [[drawing.palette.name_of(int(id)) for id in np.unique(row)] for row in ids]
    assert names == [["sky"], ["mountain"], ["water"], ["water"]]
