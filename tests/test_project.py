"""Drawings of the studio: read, refused in a sentence, painted again, carried by their pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from spadework.cli import app
from spadework.engine import Engine
from spadework.lights import Lights
from spadework.picture import Picture
from spadework.project import Project, project_in
from spadework.sketch.labelmap import LabelMap
from spadework.sketch.openraster import groups_of


def runs(ids: np.ndarray) -> str:
    """As the studio packs them, not at all tightly."""
    return " ".join(f"{id}*1" for id in ids.ravel())


IDS = np.repeat(np.array([[0, 4], [6, 11]], np.uint8), 24, 0).repeat(36, 1)


def project(**changes: Any) -> dict[str, Any]:
    """A project of IDS."""
    height, width = IDS.shape
    base = {"width": width, "height": height, "background": 0, "ids": f"0*{IDS.size}"}
    stroke = {"tool": "brush", "id": 4, "only": None, "points": [1, 1, 5], "square": False}
    style = {"seed": 7, "mood": {"seed": 3}, "other": None, "blend": 0.5, "chosen": True, "locked": False}
    whole = {"format": "spadework-project", "version": 1, "palette": "landscape", "base": base}
    return {**whole, "strokes": [stroke], "undone": [], "style": style, "ids": runs(IDS), **changes}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load("landscape", "cpu")


def test_a_project_is_painted_in_its_seed_and_style(engine: Engine) -> None:
    data = project()
    picture = Project.from_text(json.dumps(data)).paint(engine)
    expected = engine.paint(IDS, 7, engine.sample_style(3, IDS))
    assert (picture.pixels == expected.pixels).all()
    assert picture.provenance == {**expected.provenance, "project": data}
    again = project_in(picture.to_bytes())
    assert again is not None
    assert again.data == data


def test_values_and_blends_of_styles(engine: Engine) -> None:
    held = engine.sample_style(5, IDS)
    mood = {"id": "0" * 16, "origin": "photo dusk.jpg", "z": [float(value) for value in held.z]}
    look = {"seed": 1, "mood": mood, "other": {"seed": 9}, "blend": 0.25}
    one = Project.from_text(json.dumps(project(style=look)))
    expected = held.blend(engine.sample_style(9, IDS), 0.25)
    style = one.style(engine, one.sketch(engine.palette))
    assert style is not None
    np.testing.assert_array_equal(style.z, expected.z)


def layers(**changes: Any) -> dict[str, Any]:
    """Two layers that come to IDS."""
    above = np.where(IDS == 11, 11, 254)
    stack = [
        {"key": 1, "name": "Background", "hidden": False, "locked": True, "ids": runs(IDS)},
        {"key": 2, "name": "Sea", "hidden": False, "locked": False, "ids": runs(above)},
    ]
    return {"nothing": 254, "stack": stack, "strokes": [], "undone": [], **changes}


def test_layers_of_a_drawing(engine: Engine) -> None:
    one = Project.from_text(json.dumps(project(layers=layers())))
    background, sea = one.drawn(engine.palette)
    assert (background.name, background.locked, sea.name) == ("Background", True, "Sea")
    assert background.there.all()
    assert (sea.there == (IDS == 11)).all()
    assert Project.from_text(json.dumps(project())).drawn(engine.palette) == []
    names = [group.name for group, _ in groups_of(one.layers(engine))]
    assert names == ["Background", "Sea"]
    wrong = layers(stack=[{"name": "Sea", "ids": "99*3456"}])
    with pytest.raises(ValueError, match="id 99"):
        Project.from_text(json.dumps(project(layers=wrong))).drawn(engine.palette)


BAD = [
    ("{", "damaged"),
    ("[]", "no studio project"),
    ('{"format": "other"}', "no studio project"),
    (json.dumps(project(version=2)), "at version"),
    (json.dumps(project(style={"mood": {"seed": -1}})), "at style.mood.seed"),
    (json.dumps(project(base={"width": 9, "height": 9, "ids": 7})), "at base.ids"),
    (json.dumps(project(palette="coco_stuff")), "palette coco_stuff"),
    (json.dumps(project(ids="0*5")), "do not fill"),
    (json.dumps(project(ids="sky*5")), "do not fill"),
    (json.dumps(project(ids=runs(np.full_like(IDS, 99)))), "id 99"),
    (json.dumps(project(ids=None)), "older studio"),
    (json.dumps(project(layers=layers(stack=[]))), "at layers.stack"),
    (json.dumps(project(style={"mood": {"z": [0.5, 0.5]}})), "another model"),
]


@pytest.mark.parametrize(("text", "words"), BAD)
def test_a_bad_project_is_refused_in_a_sentence(engine: Engine, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        Project.from_text(text).paint(engine)
    assert ": " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_old_project_without_strokes_is_its_base(engine: Engine) -> None:
    old = Project.from_text(json.dumps(project(ids=None, strokes=[])))
    assert (old.sketch(engine.palette).ids == 0).all()


def test_other_files_hold_no_project() -> None:
    for data in (b"", b"Dear studio", Picture(np.zeros((8, 8, 3), np.uint8), {"seed": 1}).to_bytes()):
        assert project_in(data) is None


def painted(folder: Path, *arguments: str) -> tuple[str, dict[str, Picture]]:
    """What `spadework paint` says, and its pictures by name."""
    result = CliRunner().invoke(app, ["paint", "-o", str(folder), "--device", "cpu", *arguments])
    return result.output, {file.name: Picture.read(file) for file in folder.glob("*.png")}


def test_the_command_paints_drawings(engine: Engine, tmp_path: Path) -> None:
    drawing = Project.from_text(json.dumps(project()))
    (tmp_path / "lake.spadework.json").write_text(json.dumps(project()))
    drawing.paint(engine).save(tmp_path / "saved.png")
    LabelMap(IDS, engine.palette).save(tmp_path / "plain.png")
    (tmp_path / "bad.json").write_text("{")
    files = [str(tmp_path / name) for name in ("lake.spadework.json", "saved.png", "plain.png", "bad.json")]
    told, pictures = painted(tmp_path / "out", *files)
    assert set(pictures) == {"lake.png", "saved.png", "plain.png"}
    expected = drawing.paint(engine).pixels
    assert (pictures["lake.png"].pixels == expected).all()
    assert (pictures["saved.png"].pixels == expected).all()
    assert pictures["lake.png"].provenance["seed"] == 7
    assert (pictures["plain.png"].pixels == engine.paint(IDS, 0).pixels).all()
    assert "damaged" in told
    _, pictures = painted(tmp_path / "other", files[0], "--seed", "2")
    assert (pictures["lake.png"].pixels == engine.paint(IDS, 2).pixels).all()


def layered(**changes: Any) -> dict[str, Any]:
    """A project of IDS whose upper right quarter is a layer."""
    upper = np.where((np.indices(IDS.shape)[0] < 24) & (np.indices(IDS.shape)[1] >= 36), IDS, 254)
    stack = [
        {"key": 1, "name": "Background", "ids": runs(IDS)},
        {"key": 2, "name": "Middle", "ids": runs(upper), **changes},
    ]
    return project(
        layers={"nothing": 254, "base": {}, "stack": stack, "active": 2, "strokes": [], "undone": []}
    )


def test_a_layer_in_a_light_of_its_own(engine: Engine, tmp_path: Path) -> None:
    """What is seen of it has that light, and the picture carries it: the command paints the same again."""
    held = engine.sample_style(5, IDS)
    mood = {"id": "0" * 16, "origin": "photo dusk.jpg", "z": [float(value) for value in held.z]}
    drawing = Project.from_text(json.dumps(layered(mood=mood)))
    picture = drawing.paint(engine)
    style = drawing.style(engine, drawing.sketch(engine.palette))
    numbers = np.zeros(IDS.shape, np.uint8)
    numbers[:24, 36:] = 1
    assert (picture.pixels == engine.paint(IDS, 7, style, lights=Lights(numbers, (held,))).pixels).all()
    alone = engine.paint(IDS, 7, style).pixels
    changed = (picture.pixels != alone).any(-1)
    assert changed[:22, 38:].mean() > 0.9
    assert not changed[:, :30].any()
    assert not changed[30:].any()
    (tmp_path / "dusk.png").write_bytes(picture.to_bytes())
    words = ["paint", str(tmp_path / "dusk.png"), "-o", str(tmp_path / "again"), "--device", "cpu"]
    for _ in range(2):  # also from the picture that the command made
        assert CliRunner().invoke(app, words).exit_code == 0
        assert (Picture.read(tmp_path / "again" / "dusk.png").pixels == picture.pixels).all()
        words[1], words[3] = str(tmp_path / "again" / "dusk.png"), str(tmp_path / "more")
        (tmp_path / "more").mkdir(exist_ok=True)


def test_a_hidden_layer_and_one_without_a_light_change_nothing(engine: Engine) -> None:
    mood = {"origin": "photo dusk.jpg", "z": [0.5] * 64}
    plain = Project.from_text(json.dumps(project())).paint(engine).pixels
    for changes in ({"mood": mood, "hidden": True}, {"mood": None}, {}):
        assert (Project.from_text(json.dumps(layered(**changes))).paint(engine).pixels == plain).all()
